#pragma once

#include <memory>
#include <proa/on.hpp>
#include <proa/requests.hpp>

namespace proa {
inline namespace v0 {

class StreamHandler;

/// The request by which a stream sends. The proactor lends it to the stream until it has ended, so
/// that a stream that waits for its peer needs none.
class StreamSend {
 public:
  SendBuffers& request() noexcept { return request_; }
  bool pending() const noexcept { return request_.pending(); }
  void lend(StreamHandler& stream) noexcept { stream_ = &stream; }

 private:
  friend class StreamSends;
  void ended_(const Result& result);

  On<SendBuffers, &StreamSend::ended_> request_{*this};
  StreamHandler* stream_ = nullptr;
  StreamSend* next_ = nullptr;  // of those that nobody has
};

/// Those that no stream has: as many are made as streams have sent at once.
class StreamSends {
 public:
  StreamSends() noexcept = default;
  StreamSends(const StreamSends&) = delete;
  StreamSends& operator=(const StreamSends&) = delete;
  ~StreamSends();

  /// The one that take() would take, or nullptr if memory is short.
  StreamSend* next() noexcept;
  std::unique_ptr<StreamSend> take() noexcept;
  void give_back(std::unique_ptr<StreamSend> send) noexcept;

 private:
  StreamSend* first_ = nullptr;
};

}  // namespace v0
}  // namespace proa
