// The category of proa's own errors. One table gives each error its message and the std::errc it
// compares equal to, so that a program may test for the cause without knowing who noticed it (R7: a
// deadline is an error of its own and still equals errc::timed_out).

#include <proa/error.hpp>
#include <string>

namespace proa {
inline namespace v0 {
namespace {

struct Entry {
  Error error;
  std::errc condition;
  const char* message;
};

constexpr Entry entries[] = {
    {Error::deadline, std::errc::timed_out, "the deadline of the operation passed"},
    {Error::closing, std::errc::bad_file_descriptor, "the handler is closing"},
    {Error::bad_address, std::errc::invalid_argument, "not a valid address"},
    {Error::port_out_of_range, std::errc::invalid_argument, "port above 65535"},
    {Error::path_too_long, std::errc::filename_too_long, "UNIX socket path too long"},
    {Error::path_has_nul, std::errc::invalid_argument, "the path contains a NUL byte"},
    {Error::bad_length, std::errc::invalid_argument, "length is zero, too small or too large"},
    {Error::reading_is_on, std::errc::device_or_resource_busy, "continuous reading is on"},
    {Error::no_such_backend, std::errc::invalid_argument, "no backend of this name"},
    {Error::excluded_backend, std::errc::operation_not_permitted,
     "the backend is excluded by the options"},
    {Error::backend_refused, std::errc::operation_not_supported,
     "the backend does not work on this system"},
    {Error::write_limit, std::errc::no_buffer_space, "the queue of writes is at its hard limit"},
    {Error::misaligned, std::errc::invalid_argument,
     "memory, offset or length are not aligned as direct I/O on this file needs"},
    {Error::end_of_file, std::errc::io_error, "the file ended before all of it was read"},
    {Error::bad_offset, std::errc::invalid_argument, "offset and length reach beyond 2^63 - 1"},
    {Error::too_long, std::errc::message_size, "a line or a frame is longer than the limit"},
    {Error::cut_short, std::errc::bad_message, "the input ended within a line or a frame"},
};

const Entry* find(int value) noexcept {
  for (const Entry& entry : entries) {
    if (static_cast<int>(entry.error) == value) return &entry;
  }
  return nullptr;
}

class Category final : public std::error_category {
 public:
  const char* name() const noexcept override { return "proa"; }

  std::string message(int value) const override {
    const Entry* entry = find(value);
    return entry ? entry->message : "unknown error " + std::to_string(value);
  }

  std::error_condition default_error_condition(int value) const noexcept override {
    const Entry* entry = find(value);
    return entry ? std::make_error_condition(entry->condition) : std::error_condition(value, *this);
  }
};

}  // namespace

const std::error_category& error_category() noexcept {
  // Never destroyed: errors are reported up to the last static destructor.
  static const Category& category = *new Category;
  return category;
}

std::error_code make_error_code(Error error) noexcept {
  return {static_cast<int>(error), error_category()};
}

}  // namespace v0
}  // namespace proa
