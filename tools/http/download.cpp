#include "download.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <new>

#include "session.hpp"
#include "target.hpp"

namespace http {

namespace {

/// What is copied at less cost than it is handed to a worker once more.
constexpr off_t small = 32 << 10;

}  // namespace

void Download::start() {
  const Request& asked = session().request();
  path_ = asked.path;
  is_head_ = asked.method == Method::head;
  const bool is_conditional =
      asked.if_match || asked.if_none_match || asked.if_modified_since || asked.if_unmodified_since;
  wants_all_ = !is_head_ && !is_conditional && !asked.range;
  work_.prepare<&Download::look>(*this);
  if (const auto error = site().files->run(work_)) session().answer(refusal_by(error));
}

void Download::look() noexcept try {
  error_ = 0;
  content_.clear();
  // A FIFO would be waited for, and a terminal would become that of the process.
  constexpr int flags = O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;
  file_ = ::openat(site().root.descriptor().number, path_.c_str(), flags);
  if (file_ < 0 || ::fstat(file_, &status_) != 0) {
    error_ = errno;
  } else if (is_head_) {
    close_file();
  } else if (wants_all_ && S_ISREG(status_.st_mode) && status_.st_size <= small) {
    read_small_file();
  }
} catch (const std::bad_alloc&) {
  error_ = ENOMEM;
}

/// A file that has become shorter is left to send_file().
void Download::read_small_file() {
  content_.resize(static_cast<std::size_t>(status_.st_size));
  const ssize_t count = ::pread(file_, content_.data(), content_.size(), 0);
  if (count == status_.st_size) {
    close_file();
  } else {
    content_.clear();
  }
}

void Download::close_file() {
  if (file_ >= 0) ::close(file_);
  file_ = -1;
}

void Download::looked(const proa::Result& result) {
  if (gone()) return;
  const std::error_code error =
      result.error ? result.error : std::error_code(error_, std::system_category());
  if (error) {
    close_file();
    return session().answer(refusal_by(error));
  }
  const Request& asked = session().request();
  if (S_ISDIR(status_.st_mode)) {  // what its index names is relative to a slash
    close_file();
    const std::size_t query = std::min(asked.target.find('?'), asked.target.size());
    return session().answer(short_response(
        301, field("Location", encode_path(asked.path) + "/" + asked.target.substr(query))));
  }
  if (!S_ISREG(status_.st_mode)) {
    close_file();
    return session().answer(short_response(404));
  }
  proa::File file;
  if (file_ >= 0) {
    std::error_code refused;
    file = proa::File::adopt(proactor(), file_, refused);
    if (refused) {
      close_file();
      return session().answer(refusal_by(refused));
    }
    file_ = -1;
  }
  const std::string content = std::move(content_);  // is not kept beyond the answer
  const auto size = static_cast<std::uint64_t>(status_.st_size);
  const Response response = file_response(asked, validators_of(status_), size, std::time(nullptr));
  session().answer(response, std::move(file), content);
}

}  // namespace http
