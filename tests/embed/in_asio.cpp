#include <cstdlib>
#include <optional>
#include <proa/embed/asio.hpp>

#include "foreign_loop.hpp"

namespace {

namespace asio = proa::embed::asio_library;

class InAsio final : public proa_test::ForeignLoop {
 public:
  void attach(proa::Proactor& proactor) override {
    if (adapter_.emplace(proactor, context_).error()) std::abort();
  }
  void detach() override { adapter_.reset(); }
  void after(int milliseconds, std::function<void()> work) override {
    const auto timer =
        std::make_shared<asio::steady_timer>(context_, std::chrono::milliseconds(milliseconds));
    timer->async_wait([timer, work = std::move(work)](const auto&) { work(); });
  }
  void run() override {
    context_.restart();
    context_.run();
  }
  void quit() override { context_.stop(); }
  bool nest(int milliseconds) override {
    context_.run_for(std::chrono::milliseconds(milliseconds));
    return true;
  }

 private:
  asio::io_context context_;
  std::optional<proa::embed::AsioAdapter> adapter_;
};

}  // namespace

std::unique_ptr<proa_test::ForeignLoop> proa_test::ForeignLoop::make() {
  return std::make_unique<InAsio>();
}
