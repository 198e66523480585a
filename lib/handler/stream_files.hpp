#pragma once

#include <proa/file_requests.hpp>
#include <proa/stream_handler.hpp>

namespace proa {
inline namespace v0 {

/// What a stream needs to send files and to receive into them; the first such verb makes this.
struct StreamHandler::StreamFiles {
  explicit StreamFiles(StreamHandler& stream) : send(stream), write(stream) {}

  // sends a part of the file at the front of the queue
  On<SendFile, &StreamHandler::file_sent_> send;
  On<WriteAt, &StreamHandler::file_written_> write;  // writes what the stream holds, from its front
  WriteQueue wanted;           // the files of the receive_file()s, without bytes
  std::uint64_t received = 0;  // bytes that the first file has taken, or the last one if none waits
  std::size_t seen = 0;        // how much `send` had moved when the timer last fired
};

}  // namespace v0
}  // namespace proa
