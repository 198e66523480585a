#pragma once

#include <glib-unix.h>
#include <glib.h>

#include <proa/embed/poll.hpp>

namespace proa {
inline namespace v0 {
namespace embed {

/// Lets a proactor live inside a GMainContext of GLib, and so in a program of GTK.
///
///     proa::embed::GlibAdapter adapter(proactor);
///     g_main_loop_run(loop);
///
/// What all adapters have in common is in embed/poll.hpp. GLib counts in milliseconds: a timer of
/// the proactor may be one later than in a loop of its own.
class GlibAdapter {
 public:
  /// `context` is what the loop was made with; nullptr is the default one. Sources of a lower
  /// `priority` wait while this one has something to do.
  explicit GlibAdapter(Proactor& proactor, GMainContext* context = nullptr,
                       int priority = G_PRIORITY_DEFAULT) noexcept
      : source_(g_source_new(&functions(), sizeof(Source))), loop_(proactor) {
    auto* const source = reinterpret_cast<Source*>(source_);
    source->loop = &loop_;
    source->tag = g_source_add_unix_fd(source_, loop_.entry().fd, G_IO_IN);
    g_source_set_priority(source_, priority);
    g_source_set_name(source_, "proa");
    g_source_attach(source_, context);
  }
  ~GlibAdapter() {
    g_source_destroy(source_);
    g_source_unref(source_);
  }
  GlibAdapter(const GlibAdapter&) = delete;
  GlibAdapter& operator=(const GlibAdapter&) = delete;

 private:
  struct Source {
    GSource base;
    PollAdapter* loop;
    gpointer tag;
  };

  static GSourceFuncs& functions() noexcept {
    static GSourceFuncs functions = {prepare, check, dispatch, nullptr, nullptr, nullptr};
    return functions;
  }
  static gboolean prepare(GSource* source, gint* timeout) noexcept {
    *timeout = reinterpret_cast<Source*>(source)->loop->timeout();
    return *timeout == 0;
  }
  static gboolean check(GSource* source) noexcept {
    const auto* const own = reinterpret_cast<Source*>(source);
    return g_source_query_unix_fd(source, own->tag) != 0 || own->loop->timeout() == 0;
  }
  static gboolean dispatch(GSource* source, GSourceFunc, gpointer) {
    reinterpret_cast<Source*>(source)->loop->turn(true);
    return G_SOURCE_CONTINUE;
  }

  GSource* source_;
  PollAdapter loop_;
};

}  // namespace embed
}  // namespace v0
}  // namespace proa
