#include <cerrno>
#include <proa/error.hpp>
#include <set>
#include <string>

#include "base/error_code.hpp"
#include "support/catch.hpp"

using proa::Error;

namespace {

// Every error, with the condition that error.hpp promises for it.
struct Promise {
  Error error;
  std::errc condition;
};
const Promise promises[] = {
    {Error::deadline, std::errc::timed_out},
    {Error::closing, std::errc::bad_file_descriptor},
    {Error::bad_address, std::errc::invalid_argument},
    {Error::port_out_of_range, std::errc::invalid_argument},
    {Error::path_too_long, std::errc::filename_too_long},
    {Error::path_has_nul, std::errc::invalid_argument},
    {Error::bad_length, std::errc::invalid_argument},
    {Error::reading_is_on, std::errc::device_or_resource_busy},
    {Error::no_such_backend, std::errc::invalid_argument},
    {Error::excluded_backend, std::errc::operation_not_permitted},
    {Error::backend_refused, std::errc::operation_not_supported},
    {Error::write_limit, std::errc::no_buffer_space},
    {Error::misaligned, std::errc::invalid_argument},
    {Error::end_of_file, std::errc::io_error},
    {Error::bad_offset, std::errc::invalid_argument},
    {Error::too_long, std::errc::message_size},
    {Error::cut_short, std::errc::bad_message},
};

}  // namespace

TEST_CASE("error: each compares equal to itself and to its condition, to no other", "[error]") {
  std::set<std::string> messages;
  for (const Promise& promise : promises) {
    const std::error_code error = promise.error;
    INFO(error.message());
    CHECK(error);
    CHECK(error.category().name() == std::string("proa"));
    CHECK(error == promise.condition);
    CHECK(error != std::errc::operation_canceled);
    for (const Promise& other : promises) {
      CHECK((error == other.error) == (promise.error == other.error));
    }
    CHECK(messages.insert(error.message()).second);
    CHECK(error.message().find("unknown") == std::string::npos);
  }
}

TEST_CASE("error: R7 a deadline is a timeout, but not the system's timeout", "[error]") {
  const std::error_code ours = Error::deadline;
  const std::error_code theirs(ETIMEDOUT, std::system_category());
  CHECK(ours == std::errc::timed_out);
  CHECK(theirs == std::errc::timed_out);
  CHECK(ours != theirs);
  CHECK(theirs != Error::deadline);
}

TEST_CASE("error: a number without a name says so and equals no condition", "[error]") {
  const std::error_code error = static_cast<Error>(9999);
  CHECK(error.message() == "unknown error 9999");
  CHECK(error != std::errc::invalid_argument);
}

TEST_CASE("error: the ints of the library become codes at its edge", "[error]") {
  CHECK(!proa::to_error_code(0));
  CHECK(!proa::to_error_code(4096));  // a count of bytes
  CHECK(proa::to_error_code(-ECONNRESET) == std::errc::connection_reset);
  CHECK(proa::to_error_code(-ECONNRESET).category() == std::system_category());
  for (const Promise& promise : promises) {
    constexpr int lowest_errno = -4095;
    CHECK(proa::code_of(promise.error) < lowest_errno);
    CHECK(proa::to_error_code(proa::code_of(promise.error)) == promise.error);
  }
}
