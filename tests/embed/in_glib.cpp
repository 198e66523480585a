#include <optional>
#include <proa/embed/glib.hpp>

#include "foreign_loop.hpp"

namespace {

class InGlib final : public proa_test::ForeignLoop {
 public:
  ~InGlib() override {
    g_main_loop_unref(loop_);
    g_main_context_unref(context_);
  }
  void attach(proa::Proactor& proactor) override { adapter_.emplace(proactor, context_); }
  void detach() override { adapter_.reset(); }
  void after(int milliseconds, std::function<void()> work) override {
    GSource* const timer = g_timeout_source_new(static_cast<guint>(milliseconds));
    const auto call = [](gpointer given) -> gboolean {
      (*static_cast<std::function<void()>*>(given))();
      return G_SOURCE_REMOVE;
    };
    const auto destroy = [](gpointer given) { delete static_cast<std::function<void()>*>(given); };
    g_source_set_callback(timer, call, new std::function<void()>(std::move(work)), destroy);
    g_source_attach(timer, context_);
    g_source_unref(timer);
  }
  void run() override { g_main_loop_run(loop_); }
  void quit() override { g_main_loop_quit(loop_); }
  bool nest(int milliseconds) override {
    GMainLoop* const inner = g_main_loop_new(context_, FALSE);
    after(milliseconds, [&] { g_main_loop_quit(inner); });
    g_main_loop_run(inner);
    g_main_loop_unref(inner);
    return true;
  }

 private:
  GMainContext* const context_ = g_main_context_new();
  GMainLoop* const loop_ = g_main_loop_new(context_, FALSE);
  std::optional<proa::embed::GlibAdapter> adapter_;
};

}  // namespace

std::unique_ptr<proa_test::ForeignLoop> proa_test::ForeignLoop::make() {
  return std::make_unique<InGlib>();
}
