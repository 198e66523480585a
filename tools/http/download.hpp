// GET and HEAD: a file is opened, looked at, and answered with. A worker does all of that in one
// work, and reads a small file too: such a file is sent with the head of the answer.
#pragma once

#include <sys/stat.h>

#include <proa/proa.hpp>
#include <string>

#include "file_work.hpp"

namespace http {

class Download final : public FileWork {
 public:
  explicit Download(Session& session) : FileWork(session) {}
  ~Download() override { close_file(); }

  void start();

 private:
  /// On a worker.
  void look() noexcept;
  void read_small_file();
  void close_file();

  void looked(const proa::Result& result);

  bool is_pending() const override { return work_.pending(); }
  void take_back() override { proactor().cancel(work_); }

  std::string path_;
  bool is_head_ = false;
  bool wants_all_ = false;  // whatever the file is
  // What the worker found. `file_` is closed already when `content_` is all of the file, and for
  // HEAD.
  int file_ = -1;
  int error_ = 0;
  struct stat status_ {};
  std::string content_;
  proa::On<proa::Work, &Download::looked> work_{*this};
};

}  // namespace http
