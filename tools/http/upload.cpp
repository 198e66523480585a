#include "upload.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <mutex>
#include <new>

#include "session.hpp"
#include "target.hpp"

namespace http {

void Upload::start() {
  const Request& request = session().request();
  // Part of a file (RFC 9110, 14.5) would otherwise be taken for all of it.
  if (request.has_content_range) return session().answer(short_response(400));
  if (request.framing == Framing::none) return session().answer(short_response(411));
  look_.prepare(request.path, proa::OpenFlags::no_follow, site().root.descriptor());
  submit(look_);
}

void Upload::looked(proa::Status& request, const proa::Result& result) {
  if (gone()) return;
  Validators current;
  if (!result.error) {
    const proa::FileStatus& status = request.status();
    if (status.type != proa::FileType::regular) return session().answer(short_response(409));
    if ((status.permissions & 0222) == 0) return session().answer(short_response(403));
    replaces_ = true;
    permissions_ = status.permissions & 0777;
    current = validators_of(status);
  } else if (result.error != std::errc::no_such_file_or_directory) {
    return session().answer(refusal_by(result.error));
  }
  if (const int status = check_conditions(session().request(), current)) {
    return session().answer(short_response(status));
  }
  open_temporary();
}

void Upload::open_temporary() {
  static std::atomic<unsigned> count{0};
  const std::string& path = session().request().path;
  const std::string name = path.substr(0, path.find_last_of('/') + 1) + std::string(upload_prefix) +
                           std::to_string(::getpid()) + "-" + std::to_string(++count);
  using proa::OpenFlags;
  open_.prepare(name,
                OpenFlags::write | OpenFlags::create | OpenFlags::exclusive | OpenFlags::no_follow,
                permissions_, site().root.descriptor());
  submit(open_);
}

void Upload::opened(proa::Open& request, const proa::Result& result) {
  if (!result.error) {
    file_ = std::move(request.file());
    temporary_ = request.path();
  }
  if (gone()) return;
  if (result.error == std::errc::file_exists) return open_temporary();  // of an earlier life
  if (result.error) return session().answer(refusal_by(result.error));
  const Request& asked = session().request();
  if (asked.expects_continue) session().invite_body();
  if (asked.framing == Framing::length) {
    return session().store_body(file_.descriptor(), asked.length);
  }
  data_last_ = proactor().system().now();
  session().parser().begin_body();
  session().read_body();
}

void Upload::take(proa::Buffer& data) {
  Parser& parser = session().parser();
  chunk_.clear();
  data.remove_prefix(parser.take_body(data.text(), chunk_));
  if (parser.state() == Parser::State::refused) return fail(short_response(parser.status()));
  if (parser.state() == Parser::State::done) session().body_ended(data);
  const proa::TimePoint now = proactor().system().now();
  if (!chunk_.empty()) {
    data_last_ = now;
    write_.prepare(file_.descriptor(), size_, proa::Bytes(chunk_));
    return submit(write_);
  }
  if (parser.state() == Parser::State::done) return received();
  // Trailers and extensions that trickle in are never idle.
  const bool is_late = now > proa::after(data_last_, site().idle);
  if (is_late && !proactor().system().readable(session().descriptor())) {
    return fail(short_response(408));
  }
  session().read_body();
}

void Upload::written(const proa::Result& result) {
  if (gone() || temporary_.empty()) return;
  if (result.error) return fail(refusal_by(result.error));
  size_ += chunk_.size();
  if (session().parser().state() == Parser::State::done) return received();
  session().read_body();
}

void Upload::received() {
  check_.prepare(file_.descriptor());
  submit(check_);
}

void Upload::checked(proa::Status& request, const proa::Result& result) {
  if (gone()) return;
  if (result.error) return fail(refusal_by(result.error));
  stored_ = validators_of(request.status());
  asked_ = session().request();
  name_.prepare<&Upload::take_name>(*this);
  if (const auto error = site().names->run(name_)) fail(refusal_by(error));
}

// On a worker. Another upload may have taken the name since this one began: the conditions hold, or
// not, at the moment of the rename (RFC 9110, 13.1.1), and 201 is told to one of them (9.3.4).
void Upload::take_name() noexcept try {
  static std::mutex names;
  const std::lock_guard<std::mutex> turn(names);
  const int root = site().root.descriptor().number;
  struct stat found {};
  Validators current;
  replaces_ = ::fstatat(root, asked_.path.c_str(), &found, AT_SYMLINK_NOFOLLOW) == 0;
  if (replaces_ && !S_ISREG(found.st_mode)) {
    refusal_ = 409;
    return;
  }
  if (replaces_) current = validators_of(found);
  refusal_ = check_conditions(asked_, current);
  if (refusal_ != 0) return;
  if (::renameat(root, temporary_.c_str(), root, asked_.path.c_str()) < 0) {
    error_ = std::error_code(errno, std::system_category());
  } else {
    temporary_.clear();
  }
} catch (const std::bad_alloc&) {
  error_ = std::make_error_code(std::errc::not_enough_memory);
}

void Upload::named(const proa::Result& result) {
  if (gone()) return;
  if (result.error) return fail(refusal_by(result.error));
  if (error_) return fail(refusal_by(error_));
  if (refusal_ != 0) return fail(short_response(refusal_));
  file_.close();
  Response response;
  response.status = replaces_ ? 204 : 201;
  response.fields = validator_fields(stored_, std::time(nullptr));
  session().answer(response);
}

void Upload::fail(const Response& response) {
  Response last = response;
  last.closes = true;
  remove_temporary();
  session().answer(last);
}

void Upload::remove_temporary() {
  if (temporary_.empty()) return;
  unlink_.prepare(temporary_, proa::OpenFlags::read, site().root.descriptor());
  if (proactor().submit(unlink_)) {  // the proactor was shut down
    ::unlinkat(site().root.descriptor().number, temporary_.c_str(), 0);
  }
  temporary_.clear();
}

void Upload::removed(const proa::Result&) { (void)gone(); }

bool Upload::is_pending() const {
  return look_.pending() || open_.pending() || write_.pending() || check_.pending() ||
         name_.pending() || unlink_.pending();
}

}  // namespace http
