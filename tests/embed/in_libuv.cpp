#include <cstdlib>
#include <optional>
#include <proa/embed/libuv.hpp>

#include "foreign_loop.hpp"

namespace {

class InLibuv final : public proa_test::ForeignLoop {
 public:
  InLibuv() { uv_loop_init(&loop_); }
  ~InLibuv() override {
    uv_run(&loop_, UV_RUN_DEFAULT);  // closes what is closing
    if (uv_loop_close(&loop_) != 0) std::abort();
  }
  void attach(proa::Proactor& proactor) override {
    if (!adapter_.emplace(proactor, &loop_)) std::abort();
  }
  void detach() override { adapter_.reset(); }
  void after(int milliseconds, std::function<void()> work) override {
    auto* const timer = new Timer{{}, std::move(work)};
    uv_timer_init(&loop_, &timer->handle);
    timer->handle.data = timer;
    uv_update_time(&loop_);
    const auto call = [](uv_timer_t* handle) {
      static_cast<Timer*>(handle->data)->work();
      uv_close(reinterpret_cast<uv_handle_t*>(handle),
               [](uv_handle_t* closed) { delete static_cast<Timer*>(closed->data); });
    };
    uv_timer_start(&timer->handle, call, static_cast<std::uint64_t>(milliseconds), 0);
  }
  void run() override { uv_run(&loop_, UV_RUN_DEFAULT); }
  void quit() override { uv_stop(&loop_); }

 private:
  struct Timer {
    uv_timer_t handle;
    std::function<void()> work;
  };

  uv_loop_t loop_;
  std::optional<proa::embed::LibuvAdapter> adapter_;
};

}  // namespace

std::unique_ptr<proa_test::ForeignLoop> proa_test::ForeignLoop::make() {
  return std::make_unique<InLibuv>();
}
