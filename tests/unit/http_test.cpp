// What tools/proa_serve.cpp knows of HTTP: targets, dates, conditions, parts; the parser is asked
// in whole requests by tests/real/serve_http.py.
#include <http/parser.hpp>
#include <http/response.hpp>
#include <http/target.hpp>

#include "support/catch.hpp"

using http::Method;
using http::Request;

namespace {

std::string path_of(std::string_view target) {
  std::string path;
  const int status = http::decode_target(Method::get, target, path);
  return status ? std::to_string(status) : path;
}

http::Validators version(std::time_t modified) { return {true, "\"a,b\"", modified}; }

std::string parts_of(std::string_view field, std::uint64_t size) {
  const http::Ranges ranges = http::parse_ranges(field, size);
  if (ranges.kind == http::Ranges::Kind::all) return "all";
  std::string text;
  for (const http::Range& each : ranges.parts) text += each.text(size) + ";";
  return text;
}

}  // namespace

TEST_CASE("http: a target names a file below the root, or nothing", "[http]") {
  CHECK(path_of("/") == "index.html");
  CHECK(path_of("/a") == "a");
  CHECK(path_of("/a/") == "a/index.html");
  CHECK(path_of("//a//b?c/../d") == "a/b");
  CHECK(path_of("/a/./b/../c") == "a/c");
  CHECK(path_of("/a/..") == "index.html");
  CHECK(path_of("/a/.") == "a/index.html");
  CHECK(path_of("/%61%20b") == "a b");
  CHECK(path_of("/...") == "...");
  CHECK(path_of("http://h:1/a") == "a");
  CHECK(path_of("http://h") == "index.html");
  for (const char* bad : {"", "a", "/..", "/a/../..", "/%2e%2E", "/%0", "/%g0", "/%00", "/#", "*",
                          "http:///a", "ftp://h/a", "http://u@h/a"}) {
    INFO(bad);
    CHECK(path_of(bad) == "400");
  }
  CHECK(path_of("/a%2fb") == "404");
  CHECK(path_of("/.proa-upload-1-1") == "404");
  std::string path = "stale";
  CHECK(http::decode_target(Method::options, "*", path) == 0);
  CHECK(path.empty());
  CHECK(http::encode_path("a b/%/\xe4") == "/a%20b/%25/%E4");
}

TEST_CASE("http: a path that is encoded is decoded to itself", "[http]") {
  for (int c = 1; c < 256; ++c) {
    if (c == '/' || c == '.') continue;
    const std::string path = std::string("x/") + static_cast<char>(c) + "y";
    CHECK(path_of(http::encode_path(path)) == path);
  }
}

TEST_CASE("http: dates in three formats", "[http]") {
  CHECK(http::to_date(784111777) == "Sun, 06 Nov 1994 08:49:37 GMT");
  for (const char* text : {"Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT",
                           "Sun Nov  6 08:49:37 1994"}) {
    INFO(text);
    CHECK(http::from_date(text) == std::time_t{784111777});
  }
  for (const char* bad :
       {"", "Sun, 06 Nov 1994 08:49:37", "784111777", "Sun, 06 Nov 1994 08:49:37 GMT, x"}) {
    CHECK_FALSE(http::from_date(bad));
  }
}

TEST_CASE("http: conditions in their order", "[http]") {
  const http::Validators current = version(784111777);
  Request request;
  request.method = Method::get;
  CHECK(http::check_conditions(request, current) == 0);

  request.if_match = "\"x\", \"a,b\"";
  request.if_unmodified_since = "Sun, 06 Nov 1994 08:49:36 GMT";  // does not count beside If-Match
  CHECK(http::check_conditions(request, current) == 0);
  CHECK(http::check_conditions(request, {}) == 412);
  request.if_match = "W/\"a,b\"";
  CHECK(http::check_conditions(request, current) == 412);
  request.if_match.reset();
  CHECK(http::check_conditions(request, current) == 412);
  request.if_unmodified_since = "Sun, 06 Nov 1994 08:49:37 GMT";
  CHECK(http::check_conditions(request, current) == 0);

  request.if_modified_since = "Sun, 06 Nov 1994 08:49:37 GMT";
  CHECK(http::check_conditions(request, current) == 304);
  request.if_none_match = "\"x\"";
  CHECK(http::check_conditions(request, current) == 0);
  request.if_none_match = "W/\"a,b\"";
  CHECK(http::check_conditions(request, current) == 304);
  request.method = Method::put;
  CHECK(http::check_conditions(request, current) == 412);
  request.if_none_match = "*";
  CHECK(http::check_conditions(request, {}) == 0);
}

TEST_CASE("http: If-Range takes what is surely the same", "[http]") {
  const std::time_t then = 784111777;
  Request request;
  request.if_range = "\"a,b\"";
  CHECK(http::range_counts(request, version(then), then + 60));
  request.if_range = "W/\"a,b\"";
  CHECK_FALSE(http::range_counts(request, version(then), then + 60));
  request.if_range = http::to_date(then);
  CHECK(http::range_counts(request, version(then), then + 60));
  CHECK_FALSE(http::range_counts(request, version(then), then));  // may have changed twice by then
  CHECK_FALSE(http::range_counts(request, version(then - 1), then + 60));
}

TEST_CASE("http: parts of a file", "[http]") {
  CHECK(parts_of("bytes=0-4", 10) == "bytes 0-4/10;");
  CHECK(parts_of("Bytes = 4-", 10) == "bytes 4-9/10;");
  CHECK(parts_of("bytes=-4,,0-0", 10) == "bytes 6-9/10;bytes 0-0/10;");
  CHECK(parts_of("bytes=-18446744073709551616", 10) == "bytes 0-9/10;");
  CHECK(parts_of("bytes=0-18446744073709551615", 10) == "bytes 0-9/10;");
  CHECK(parts_of("bytes=18446744073709551615-", 10) == "");
  CHECK(parts_of("bytes=10-,-0", 10) == "");
  CHECK(parts_of("bytes=0-", 0) == "");
  for (const char* none : {"", "bytes", "bytes=", "bytes=,", "bytes=5-4", "bytes=-", "bytes=1",
                           "bytes=a-", "octets=0-1", "bytes=0-9,0-9"}) {
    INFO(none);
    CHECK(parts_of(none, 10) == "all");
  }
}

TEST_CASE("http: lists, tokens, types", "[http]") {
  std::string_view list = " a ,, b,";
  std::string_view element;
  CHECK(http::next_element(list, element));
  CHECK(element == "a");
  CHECK(http::next_element(list, element));
  CHECK(element == "b");
  CHECK_FALSE(http::next_element(list, element));
  CHECK(http::is_token("X-a.1"));
  CHECK_FALSE(http::is_token(""));
  CHECK_FALSE(http::is_token("a b"));
  CHECK(http::same("ClOsE", "close"));
  CHECK_FALSE(http::same("close", "closed"));
  CHECK(http::content_type("a.b/c.HTML") == "text/html");
  CHECK(http::content_type("a.html/c") == "application/octet-stream");
}

TEST_CASE("http: the parser stops behind the head, and behind a chunked body", "[http]") {
  http::Parser parser;
  const std::string head = "\r\nPUT /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
  const std::string body = "3\r\nabc\r\n0\r\n\r\n";
  for (int times = 0; times < 2; ++times) {
    CHECK_FALSE(parser.has_begun());
    REQUIRE(parser.take_head(head + body + "GET") == head.size());
    REQUIRE(parser.state() == http::Parser::State::request);
    CHECK(parser.request().path == "a");
    CHECK(parser.request().framing == http::Framing::chunked);
    parser.begin_body();
    std::string data;
    REQUIRE(parser.take_body(body + "GET", data) == body.size());
    CHECK(parser.state() == http::Parser::State::done);
    CHECK(data == "abc");
    parser.begin_head();
  }
}
