// The errors that proa itself reports. Errors of the system keep their numbers, in
// std::system_category().
//
// Test against std::errc where any cause will do, and against proa::Error where the cause matters:
//
//     if (result.error == std::errc::timed_out) ...         // a deadline of proa, or TCP gave up
//     if (result.error == proa::Error::deadline) ...        // a deadline of proa
//
// The end of a stream is not an error. Every function here may be called from any thread, and none
// allocates, throws or calls back; only error_code::message() allocates, for the string it returns.

#pragma once

#include <proa/detail/api.hpp>
#include <system_error>
#include <type_traits>

namespace proa {
inline namespace v0 {

/// Values are stable: new ones are added at the end. Zero is success and has no name.
/// In brackets: the std::errc that a std::error_code of this value compares equal to.
enum class Error {
  /// The operation's deadline has passed first; never `operation_canceled`. [timed_out]
  deadline = 1,
  /// The call was refused because close() was called on this handler. To the caller the descriptor
  /// is closed already, so this equals what a call on a closed descriptor says. (`not_connected`
  /// would be wrong for files and listeners, and `operation_canceled` is for operations that were
  /// accepted.) [bad_file_descriptor]
  closing,
  /// The text or the bytes are no address; Address::parse says what is wrong. [invalid_argument]
  bad_address,
  /// The port is a number above 65535. [invalid_argument]
  port_out_of_range,
  /// The UNIX path or abstract name does not fit into sockaddr_un; it is never cut.
  /// [filename_too_long]
  path_too_long,
  /// The path contains a NUL byte, at which the system would cut it. [invalid_argument]
  path_has_nul,
  /// A length is zero, or above what one operation can move; or a frame's length, which counts
  /// itself, is less than its own size. [invalid_argument]
  bad_length,
  /// A single read was submitted while continuous reading is on. [device_or_resource_busy]
  reading_is_on,
  /// No backend of this name was built in or passed in Options. [invalid_argument]
  no_such_backend,
  /// The backend exists, but Options exclude it. [operation_not_permitted]
  excluded_backend,
  /// The backend does not work on this machine; the backend report says why.
  /// [operation_not_supported]
  backend_refused,
  /// The queue of writes reached its hard limit. [no_buffer_space]
  write_limit,
  /// The file was opened with OpenFlags::direct, and memory, offset or length are not multiples of
  /// what File::alignment() says. [invalid_argument]
  misaligned,
  /// The file ended before the memory was full (ReadAt::prepare_exactly), or the peer's end was
  /// told before a receive_file() was called. [io_error]
  end_of_file,
  /// An offset, or its sum with the length, is above 2^63 - 1. [invalid_argument]
  bad_offset,
  /// A line or a frame is longer than the limit of its reader, or than its length can say.
  /// [message_size]
  too_long,
  /// The input ended in the middle of a line or a frame. [bad_message]
  cut_short,
};

/// The category of all codes made from Error; its name is "proa". Lives as long as the program.
PROA_API const std::error_category& error_category() noexcept;

/// Makes `std::error_code error = Error::deadline` and `error == Error::deadline` work.
PROA_API std::error_code make_error_code(Error error) noexcept;

}  // namespace v0
}  // namespace proa

namespace std {
template <>
struct is_error_code_enum<proa::Error> : true_type {};
}  // namespace std
