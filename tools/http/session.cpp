#include "session.hpp"

#include <algorithm>

namespace http {

namespace {

constexpr std::string_view invitation = "HTTP/1.1 100 Continue\r\n\r\n";

}  // namespace

Session::Session(Site& site, proa::Proactor& proactor, proa::Socket socket,
                 const proa::Address& peer)
    : StreamHandler(proactor, std::move(socket)), site_(site), peer_(peer) {
  set_idle_timeout(site.idle);
}

/// At the limit who is idle makes room for the next one, which would wait in the backlog.
void Session::on_open() {
  if (site_.is_full() && !site_.idle_sessions.empty()) site_.idle_sessions.front()->close();
  start_reading();
}

void Session::on_read(proa::Buffer& data) {
  leave_idle();
  if (state_ == State::waiting) return take_head(data);
  if (state_ != State::receiving) return;
  stop_reading();
  upload_->take(data);
}

/// What trickles in is never idle: a head has the idle time in all, looked at when more comes.
void Session::take_head(proa::Buffer& data) {
  const proa::TimePoint now = proactor().system().now();
  if (head_due_ == proa::never) head_due_ = proa::after(now, site_.idle);
  const bool had_begun = parser_.has_begun();
  data.remove_prefix(parser_.take_head(data.text()));
  if (parser_.state() == Parser::State::head) {
    // The kernel may have the rest: this process may have been stopped.
    const bool is_late = now > head_due_ && !proactor().system().readable(descriptor());
    if (is_late) on_error(proa::Error::deadline);
    if (!had_begun && parser_.has_begun()) head_due_ = proa::after(now, site_.idle);
    return;
  }
  head_due_ = proa::never;
  stop_reading();
  rest_ = std::move(data);
  state_ = State::looking;
  body_ended_ = false;
  begin();
}

void Session::begin() {
  if (parser_.state() == Parser::State::refused) {
    is_last_ = true;  // where the next request begins cannot be told
    return answer(short_response(parser_.status()));
  }
  const Method method = request().method;
  const bool puts = method == Method::put && site_.writable;
  if (puts) {
    upload_.reset(new Upload(*this));
    return upload_->start();
  }
  const bool gets = method == Method::get || method == Method::head;
  // A body means nothing here, and could be another request (RFC 9110, 9.3.1).
  if (gets && body_is_left()) return answer(short_response(400));
  if (gets) return download_->start();
  const std::string allow =
      field("Allow", site_.writable ? "GET, HEAD, OPTIONS, PUT" : "GET, HEAD, OPTIONS");
  if (method != Method::options) return answer(short_response(405, allow));
  Response response;
  response.fields = allow + field("Accept-Ranges", "bytes");
  answer(response);
}

void Session::answer(const Response& response, proa::File file, std::string_view content) {
  state_ = State::answering;
  // Unread, a body would be taken for the next request.
  if (body_is_left() || response.closes || !request().keep_alive) is_last_ = true;
  if (site_.is_full()) is_last_ = true;
  file_ = std::move(file);
  const bool has_body = request().method != Method::head && response.status != 304;
  std::string text = head_of(response, request(), is_last_, std::time(nullptr));
  status_ = response.status;
  written_ = 0;
  no_content_ = text.size() + (unwritten_ > 0 ? invitation.size() : 0);
  if (has_body && !content.empty()) {
    const proa::Bytes parts[] = {text, content};
    ++unwritten_;
    return writev(parts, 2);
  }
  const auto write_text = [&] {
    if (text.empty()) return;
    ++unwritten_;
    write(proa::Bytes(text));
    text.clear();
  };
  for (const Piece& piece : response.pieces) {
    if (!has_body) break;
    text += piece.before;
    if (piece.range.length == 0) continue;
    write_text();
    ++unwritten_;
    send_file(file_.descriptor(), piece.range.first, piece.range.length);
  }
  if (has_body) text += response.text;
  write_text();
}

/// The answer was sent, or the connection ends before: what the kernel has taken whole.
void Session::log() {
  if (site_.log && status_ != 0) {
    site_.log->add(peer_, request(), status_, written_ - std::min(written_, no_content_));
  }
  status_ = 0;
}

void Session::invite_body() {
  ++unwritten_;
  write(invitation);
}

void Session::store_body(proa::Descriptor file, std::uint64_t length) {
  state_ = State::receiving;
  receive_file(file, 0, length, std::move(rest_));
}

void Session::read_body() {
  state_ = State::receiving;
  proa::Buffer data = std::move(rest_);
  if (data.empty()) return start_reading();
  upload_->take(data);
}

void Session::body_ended(proa::Buffer& data) {
  body_ended_ = true;
  state_ = State::looking;
  rest_ = std::move(data);
}

void Session::on_received(std::uint64_t) {
  if (state_ != State::receiving) return;  // it was refused by then
  stop_reading();
  body_ended_ = true;
  state_ = State::looking;
  upload_->received();
}

void Session::on_write(std::size_t bytes) {
  written_ += bytes;
  if (--unwritten_ > 0 || state_ != State::answering) return;
  log();
  if (is_last_) return end();
  next();
}

void Session::next() {
  file_.close();
  parser_.begin_head();
  state_ = State::waiting;
  proa::Buffer data = std::move(rest_);
  if (!data.empty()) take_head(data);
  if (state_ == State::waiting) be_idle();
}

void Session::be_idle() {
  if (site_.is_full() && !parser_.has_begun()) return end();
  start_reading();
  if (!parser_.has_begun()) idle_ = site_.idle_sessions.insert(site_.idle_sessions.end(), this);
}

void Session::leave_idle() {
  if (idle_) site_.idle_sessions.erase(*idle_);
  idle_.reset();
}

/// The peer's end is waited for: a reset could take back what it has not read (RFC 9112, 9.6).
void Session::end() {
  state_ = State::ending;
  finish();
}

void Session::on_end() {
  if (state_ == State::waiting) return end();
  if (state_ == State::receiving) upload_->fail(short_response(400));
}

/// Of the connection, of its silence, or of the file that a body goes into.
void Session::on_error(std::error_code error) {
  const bool is_late = error == proa::Error::deadline;
  if (state_ == State::receiving) {
    if (is_late && upload_->is_pending()) return;  // the disk is late, not the peer
    const Response response = is_late ? short_response(408) : refusal_by(error);
    const bool is_of_file = response.status == 507 || error == std::errc::io_error;
    if (is_late || is_of_file) return upload_->fail(response);
  }
  if (state_ == State::waiting && is_late && parser_.has_begun()) {
    stop_reading();
    is_last_ = true;
    return answer(short_response(408));
  }
  close();
}

void Session::on_drain() {
  is_last_ = true;
  if (state_ == State::waiting) end();
}

void Session::on_closed() {
  log();
  leave_idle();
  delete this;
}

}  // namespace http
