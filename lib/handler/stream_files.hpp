#pragma once

#include <proa/file_requests.hpp>
#include <proa/stream_handler.hpp>

namespace proa {

/// What a stream needs to send files and to receive into them; made when the first one is asked
/// for.
struct StreamHandler::Files {
  explicit Files(StreamHandler& stream) : send(stream), write(stream) {}

  On<SendFile, &StreamHandler::file_sent> send;     // a part of the stretch at the queue's front
  On<WriteAt, &StreamHandler::file_written> write;  // from the front of what is held
  WriteQueue wanted;                                // the receive_file()s, stretches alone
  std::uint64_t received = 0;                       // of the first of them, or of the last one
  std::size_t seen = 0;                             // of `send`, when the timer last looked
};

}  // namespace proa
