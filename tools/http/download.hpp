// GET and HEAD: a file is opened, looked at, and answered with.
#pragma once

#include <proa/proa.hpp>

#include "file_work.hpp"

namespace http {

class Download final : public FileWork {
 public:
  explicit Download(Session& session) : FileWork(session) {}

  void start();

 private:
  void opened(proa::Open& request, const proa::Result& result);
  void looked(proa::Status& request, const proa::Result& result);

  bool is_pending() const override { return open_.pending() || status_.pending(); }

  proa::File file_;
  proa::On<proa::Open, &Download::opened> open_{*this};
  proa::On<proa::Status, &Download::looked> status_{*this};
};

}  // namespace http
