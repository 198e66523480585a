#include "file_work.hpp"

#include "session.hpp"

namespace http {

FileWork::FileWork(Session& session)
    : session_(&session), site_(session.site()), proactor_(session.proactor()) {}

bool FileWork::gone() {
  if (session_) return session_->closing();
  if (!is_pending()) clean_up();
  if (!is_pending()) delete this;
  return true;
}

void FileWork::submit(proa::Operation& operation) {
  if (proactor_.submit(operation)) session_->close();
}

}  // namespace http
