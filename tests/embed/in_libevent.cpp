#include <cstdlib>
#include <optional>
#include <proa/embed/libevent.hpp>

#include "foreign_loop.hpp"

namespace {

class InLibevent final : public proa_test::ForeignLoop {
 public:
  ~InLibevent() override { event_base_free(base_); }
  void attach(proa::Proactor& proactor) override {
    if (!adapter_.emplace(proactor, base_)) std::abort();
  }
  void detach() override { adapter_.reset(); }
  void after(int milliseconds, std::function<void()> work) override {
    const timeval left = {milliseconds / 1000, milliseconds % 1000 * 1000};
    const auto call = [](evutil_socket_t, short, void* given) {
      const std::unique_ptr<std::function<void()>> owned(
          static_cast<std::function<void()>*>(given));
      (*owned)();
    };
    event_base_once(base_, -1, EV_TIMEOUT, call, new std::function<void()>(std::move(work)), &left);
  }
  void run() override { event_base_dispatch(base_); }
  void quit() override { event_base_loopbreak(base_); }

 private:
  static event_base* new_base() {
    event_config* const config = event_config_new();
    event_config_set_flag(config, EVENT_BASE_FLAG_PRECISE_TIMER);
    event_base* const base = event_base_new_with_config(config);
    event_config_free(config);
    return base;
  }

  event_base* const base_ = new_base();
  std::optional<proa::embed::LibeventAdapter> adapter_;
};

}  // namespace

std::unique_ptr<proa_test::ForeignLoop> proa_test::ForeignLoop::make() {
  return std::make_unique<InLibevent>();
}
