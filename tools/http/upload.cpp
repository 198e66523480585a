#include "upload.hpp"

#include <unistd.h>

#include <atomic>

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
  session().parser().begin_body();
  session().read_body();
}

void Upload::take(proa::Buffer& data) {
  Parser& parser = session().parser();
  chunk_.clear();
  data.remove_prefix(parser.take_body(data.text(), chunk_));
  if (parser.state() == Parser::State::refused) return fail(short_response(parser.status()));
  if (parser.state() == Parser::State::done) session().body_ended(data);
  if (!chunk_.empty()) {
    write_.prepare(file_.descriptor(), size_, proa::Bytes(chunk_));
    return submit(write_);
  }
  if (parser.state() == Parser::State::done) return received();
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
  rename_.prepare(temporary_, session().request().path, site().root.descriptor());
  submit(rename_);
}

void Upload::renamed(const proa::Result& result) {
  if (!result.error) temporary_.clear();
  if (gone()) return;
  if (result.error) return fail(refusal_by(result.error));
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
         rename_.pending() || unlink_.pending();
}

}  // namespace http
