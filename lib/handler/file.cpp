// An owned file. The calling thread opens or adopts it, by the System of a proactor.
#include <proa/file.hpp>
#include <proa/proactor.hpp>

#include "base/error_code.hpp"

namespace proa {

namespace {

std::error_code told(long result) noexcept { return to_error_code(static_cast<int>(result)); }

}  // namespace

File File::open(Proactor& proactor, const std::string& path, OpenFlags flags, unsigned mode,
                std::error_code& error) noexcept {
  proactor.check_thread("File::open");
  if (path.find('\0') != std::string::npos) {
    error = Error::path_has_nul;
    return {};
  }
  Descriptor opened;
  System& system = proactor.system();
  const long result = system.open_file(path.c_str(), flags, mode, opened);
  error = told(result);
  return result < 0 ? File() : File(system, opened);
}

File File::adopt(Proactor& proactor, int number, std::error_code& error) noexcept {
  proactor.check_thread("File::adopt");
  Descriptor adopted;
  System& system = proactor.system();
  const long result = system.adopt_file(number, adopted);
  error = told(result);
  return result < 0 ? File() : File(system, adopted);
}

File File::borrow(Proactor& proactor, int number, std::error_code& error) noexcept {
  proactor.check_thread("File::borrow");
  File file = adopt(proactor, number, error);
  file.borrowed_ = true;
  return file;
}

FileAlignment File::alignment() const noexcept {
  FileAlignment alignment;
  if (valid()) system_->file_alignment(descriptor(), alignment);
  return alignment;
}

}  // namespace proa
