// What carries out one request on files for a session, and may outlive it.
#pragma once

#include <memory>
#include <proa/proa.hpp>

#include "site.hpp"

namespace http {

class FileWork {
 public:
  /// A session ends its work by this. The work is destroyed when its last request on a file has
  /// come home: a disk cannot be told to stop.
  void abandon() {
    session_ = nullptr;
    take_back();
    (void)gone();
  }

 protected:
  explicit FileWork(Session& session);
  virtual ~FileWork() = default;
  FileWork(const FileWork&) = delete;
  FileWork& operator=(const FileWork&) = delete;

  /// Begins each callback: whether the connection has gone. Whoever is told true touches nothing of
  /// this object any more.
  bool gone();
  /// An error of submit() ends the connection.
  void submit(proa::Operation& operation);
  /// Whether a request on a file is on its way.
  virtual bool is_pending() const = 0;
  /// Asks for the end of what no worker has begun, and which nobody needs any more.
  virtual void take_back() {}
  /// Undoes what an abandoned work leaves undone, which may take one more request.
  virtual void clean_up() {}

  Session& session() { return *session_; }
  Site& site() { return site_; }
  proa::Proactor& proactor() { return proactor_; }

 private:
  Session* session_;
  Site& site_;
  proa::Proactor& proactor_;
};

struct Abandon {
  void operator()(FileWork* work) const { work->abandon(); }
};
template <class Work>
using WorkPointer = std::unique_ptr<Work, Abandon>;

}  // namespace http
