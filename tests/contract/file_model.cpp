// As open(2) and its like say, and proa's requests promise.
#include "contract/file_model.hpp"

#include <algorithm>
#include <proa/error.hpp>

namespace proa_test {

namespace {
std::error_condition condition(std::errc code) { return std::make_error_condition(code); }
std::error_condition condition(std::error_code code) { return {code.value(), code.category()}; }
const std::error_condition nothing_wrong;
}  // namespace

std::shared_ptr<ModelFile> FileModel::find(const std::string& name) const {
  const auto found = names_.find(name);
  return found == names_.end() ? nullptr : found->second;
}

std::error_condition FileModel::open(const std::string& name, proa::OpenFlags flags,
                                     ModelOpened& opened) {
  std::shared_ptr<ModelFile> file = find(name);
  if (file && has(flags, proa::OpenFlags::exclusive)) return condition(std::errc::file_exists);
  if (!file) {
    if (!has(flags, proa::OpenFlags::create)) {
      return condition(std::errc::no_such_file_or_directory);
    }
    file = names_[name] = std::make_shared<ModelFile>();
  }
  if (has(flags, proa::OpenFlags::truncate)) file->bytes.clear();
  opened = {file, has(flags, proa::OpenFlags::read), has(flags, proa::OpenFlags::write)};
  return nothing_wrong;
}

std::error_condition FileModel::rename(const std::string& from, const std::string& to) {
  const std::shared_ptr<ModelFile> file = find(from);
  if (!file) return condition(std::errc::no_such_file_or_directory);
  if (from == to) return nothing_wrong;
  unlink(to);
  names_.erase(from);
  names_[to] = file;
  return nothing_wrong;
}

std::error_condition FileModel::unlink(const std::string& name) {
  const std::shared_ptr<ModelFile> file = find(name);
  if (!file) return condition(std::errc::no_such_file_or_directory);
  --file->links;
  names_.erase(name);
  return nothing_wrong;
}

Outcome FileModel::read(const ModelOpened& from, std::size_t offset, std::size_t size, bool exactly,
                        std::string& bytes) {
  bytes.clear();
  if (!from.reads) return {condition(std::errc::bad_file_descriptor), 0};
  const std::string& all = from.file->bytes;
  if (offset < all.size()) bytes = all.substr(offset, size);
  if (exactly && bytes.size() < size) {
    return {condition(proa::Error::end_of_file), bytes.size()};
  }
  return {nothing_wrong, bytes.size()};
}

Outcome FileModel::write(const ModelOpened& to, std::size_t offset, std::string_view bytes) {
  if (!to.writes) return {condition(std::errc::bad_file_descriptor), 0};
  std::string& all = to.file->bytes;
  all.resize(std::max(all.size(), offset + bytes.size()));
  all.replace(offset, bytes.size(), bytes);
  return {nothing_wrong, bytes.size()};
}

std::error_condition FileModel::truncate(const ModelOpened& file, std::size_t size) {
  if (!file.writes) return condition(std::errc::invalid_argument);
  file.file->bytes.resize(size);
  return nothing_wrong;
}

std::error_condition FileModel::allocate(const ModelOpened& file, std::size_t end) {
  if (!file.writes) return condition(std::errc::bad_file_descriptor);
  file.file->bytes.resize(std::max(file.file->bytes.size(), end));
  return nothing_wrong;
}

}  // namespace proa_test
