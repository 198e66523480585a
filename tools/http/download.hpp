// GET and HEAD: a file is opened, looked at, and answered with.
#pragma once

#include <proa/proa.hpp>

namespace http {

class Session;

class Download {
 public:
  explicit Download(Session& session) : session_(session) {}

  void start();
  /// The connection has gone: what can be ended is.
  void give_up();
  /// Whether a request on a file is on its way.
  bool pending() const { return open_.pending() || status_.pending(); }

 private:
  void opened(proa::Open& request, const proa::Result& result);
  void looked(proa::Status& request, const proa::Result& result);

  Session& session_;
  proa::File file_;
  proa::On<proa::Open, &Download::opened> open_{*this};
  proa::On<proa::Status, &Download::looked> status_{*this};
};

}  // namespace http
