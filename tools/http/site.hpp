// What a server of files serves, and how.
#pragma once

#include <cerrno>
#include <list>
#include <memory>
#include <proa/proa.hpp>
#include <system_error>

#include "access_log.hpp"
#include "response.hpp"

namespace http {

class Session;

struct Site {
  proa::File root;
  bool writable = false;
  /// Of a connection on which nothing moves, and the time that the head of a request may take.
  proa::Duration idle;
  std::unique_ptr<AccessLog> log;  ///< if there is to be one
  /// Opens files, looks at them, and reads small ones.
  std::unique_ptr<proa::WorkerPool> files;
  /// Gives what was uploaded its name.
  std::unique_ptr<proa::WorkerPool> names;
  const proa::ServerBase* server = nullptr;
  /// Those that were answered and wait for another request, the longest first.
  std::list<Session*> idle_sessions;

  /// No further connection is taken until one ends.
  bool is_full() const { return server->live() >= server->limit(); }
};

/// The answer to a request whose file the system refuses.
inline Response refusal_by(std::error_code error) {
  using std::errc;
  if (error == errc::no_such_file_or_directory || error == errc::not_a_directory ||
      error == errc::too_many_symbolic_link_levels || error == errc::filename_too_long ||
      error == errc::no_such_device_or_address) {  // ENXIO: a socket
    return short_response(404);
  }
  if (error == errc::permission_denied || error == errc::operation_not_permitted ||
      error == errc::read_only_file_system) {
    return short_response(403);
  }
  if (error == errc::is_a_directory || error == errc::file_exists) return short_response(409);
  const std::error_code quota(EDQUOT, std::system_category());
  if (error == errc::no_space_on_device || error == errc::file_too_large || error == quota) {
    return short_response(507);
  }
  if (error == errc::too_many_files_open || error == errc::too_many_files_open_in_system ||
      error == errc::not_enough_memory || error == errc::resource_unavailable_try_again) {
    Response response = short_response(503, field("Retry-After", "1"));
    response.closes = true;  // its descriptor may be what lacks, or too many requests wait
    return response;
  }
  return short_response(500);
}

}  // namespace http
