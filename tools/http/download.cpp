#include "download.hpp"

#include "session.hpp"
#include "target.hpp"

namespace http {

void Download::start() {
  open_.prepare(session_.request().path, proa::OpenFlags::no_follow | proa::OpenFlags::read, 0,
                session_.site().root.descriptor());
  if (session_.proactor().submit(open_)) session_.close();
}

void Download::give_up() { session_.proactor().cancel(open_); }

void Download::opened(proa::Open& request, const proa::Result& result) {
  if (session_.gone()) return;
  if (result.error) return session_.answer(refusal_by(result.error));
  file_ = std::move(request.file());
  status_.prepare(file_.descriptor());
  if (session_.proactor().submit(status_)) session_.close();
}

void Download::looked(proa::Status& request, const proa::Result& result) {
  proa::File file = std::move(file_);
  if (session_.gone()) return;
  if (result.error) return session_.answer(short_response(500));
  const proa::FileStatus& status = request.status();
  const Request& asked = session_.request();
  if (status.type == proa::FileType::directory) {  // what its index names is relative to a slash
    const std::size_t query = std::min(asked.target.find('?'), asked.target.size());
    return session_.answer(short_response(
        301, field("Location", encode_path(asked.path) + "/" + asked.target.substr(query))));
  }
  if (status.type != proa::FileType::regular) return session_.answer(short_response(404));
  const Response response =
      file_response(asked, validators_of(status), status.size, std::time(nullptr));
  session_.answer(response, std::move(file));
}

}  // namespace http
