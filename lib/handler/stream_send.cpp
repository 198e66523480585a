// The sends of streams, which a proactor lends to those that need one. Upholds R10: an echo in
// steady state allocates none.
#include "handler/stream_send.hpp"

#include <new>
#include <proa/stream_handler.hpp>
#include <utility>

namespace proa {

void StreamSend::ended_(const Result& result) { stream_->send_ended_(result); }

StreamSends::~StreamSends() {
  while (first_) take();
}

StreamSend* StreamSends::next() noexcept {
  if (!first_) first_ = new (std::nothrow) StreamSend;
  return first_;
}

std::unique_ptr<StreamSend> StreamSends::take() noexcept {
  std::unique_ptr<StreamSend> taken(first_);
  first_ = std::exchange(taken->next_, nullptr);
  return taken;
}

void StreamSends::give_back(std::unique_ptr<StreamSend> send) noexcept {
  send->next_ = std::exchange(first_, send.get());
  static_cast<void>(send.release());
}

}  // namespace proa
