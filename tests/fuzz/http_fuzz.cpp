// Requests: in whatever pieces they come, they are the same, and none names a file above the root.

#include <http/parser.hpp>
#include <http/response.hpp>

#include "fuzz.hpp"

using State = http::Parser::State;

namespace {

/// All requests of a connection, in words.
struct Reading {
  std::string text;
  std::size_t used = 0;
};

void note(const http::Request& request, Reading& reading) {
  const std::string& path = request.path;
  require(path.find('\0') == path.npos, "no NUL in a path");
  require(path.empty() || path[0] != '/', "a path is relative");
  require(("/" + path + "/").find("/../") == path.npos, "no path leads upwards");
  reading.text += request.method_name + " " + request.target + " " + path + " " +
                  std::to_string(request.minor_version) + " " + std::to_string(request.length) +
                  (request.keep_alive ? " keep" : " close") +
                  (request.framing == http::Framing::chunked ? " chunked" : "") + "\n";
  http::Validators current;
  current.exists = true;
  current.tag = "\"1-2-3\"";
  const http::Response response = http::file_response(request, current, 10, 1000);
  require(response.length() < 10000, "an answer is not much longer than the file");
  for (const http::Piece& piece : response.pieces) {
    require(piece.range.first + piece.range.length <= 10, "a part is inside the file");
  }
}

/// In pieces of `step` bytes.
Reading read(std::string_view bytes, std::size_t step) {
  Reading reading;
  http::Parser parser;
  std::string data;
  while (reading.used < bytes.size() && parser.state() != State::refused) {
    const std::string_view piece = bytes.substr(reading.used, step);
    std::size_t taken = 0;
    if (parser.state() == State::head) {
      taken = parser.take_head(piece);
    } else {
      taken = parser.take_body(piece, data);
    }
    require(taken <= piece.size(), "no more is taken than there is");
    reading.used += taken;
    if (parser.state() == State::head || parser.state() == State::body) {
      require(taken == piece.size(), "all is taken while more is wanted");
    }
    if (parser.state() == State::request) {
      note(parser.request(), reading);
      if (parser.request().framing == http::Framing::chunked) {
        parser.begin_body();
      } else {
        reading.used += static_cast<std::size_t>(
            std::min<std::uint64_t>(parser.request().length, bytes.size() - reading.used));
        parser.begin_head();
      }
    } else if (parser.state() == State::done) {
      reading.text += "body of " + data + "\n";
      data.clear();
      parser.begin_head();
    }
  }
  if (parser.state() == State::refused) {
    require(parser.status() >= 400 && parser.status() < 600, "a refusal has a status");
    reading.text += "refused";
  }
  return reading;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input = fuzz_input(data, size);
  const Reading whole = read(input, input.size());
  for (const std::size_t step : {std::size_t{1}, std::size_t{7}}) {
    require(read(input, step).text == whole.text, "the pieces do not matter");
  }
  return 0;
}

std::vector<std::string> fuzz_seeds() {
  const std::string get = "GET /a/../b%20c?d HTTP/1.1\r\nHost: x\r\n";
  const std::string put = "PUT /a HTTP/1.1\r\nHost: x\r\n";
  return {get + "\r\n",
          get + "\r\n" + get + "Connection: close\r\n\r\n",
          get + "Range: bytes=0-1,4-5,-1\r\nIf-Range: \"1-2-3\"\r\n\r\n",
          get +
              "If-None-Match: W/\"1-2-3\", \"x\"\r\nIf-Modified-Since: Sun, 06 Nov 1994 08:49:37 "
              "GMT\r\n\r\n",
          put + "Content-Length: 5\r\n\r\n12345" + get + "\r\n",
          put + "Transfer-Encoding: chunked\r\n\r\n3;a=\"b\"\r\nabc\r\n0\r\nX: y\r\n\r\n" + get +
              "\r\n",
          "\r\nHEAD http://h:80/a HTTP/1.0\r\nConnection: keep-alive, TE\r\n\r\n",
          "OPTIONS * HTTP/1.1\r\nHost: [::1]:80\r\nExpect: 100-continue\r\n\r\n",
          put + "Content-Length: 5\r\nContent-Length: 6\r\n\r\n",
          put + "Transfer-Encoding: gzip, chunked\r\nContent-Length: 5\r\n\r\n",
          get + "X: a\r\n b\r\n\r\n",
          "CONNECT x:80 HTTP/1.1\r\nHost: x\r\n\r\n",
          "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"};
}
