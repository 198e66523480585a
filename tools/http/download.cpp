#include "download.hpp"

#include "session.hpp"
#include "target.hpp"

namespace http {

void Download::start() {
  open_.prepare(session().request().path, proa::OpenFlags::no_follow | proa::OpenFlags::read, 0,
                site().root.descriptor());
  submit(open_);
}

void Download::opened(proa::Open& request, const proa::Result& result) {
  if (gone()) return;
  if (result.error) return session().answer(refusal_by(result.error));
  file_ = std::move(request.file());
  status_.prepare(file_.descriptor());
  submit(status_);
}

void Download::looked(proa::Status& request, const proa::Result& result) {
  if (gone()) return;
  proa::File file = std::move(file_);
  if (result.error) return session().answer(short_response(500));
  const proa::FileStatus& status = request.status();
  const Request& asked = session().request();
  if (status.type == proa::FileType::directory) {  // what its index names is relative to a slash
    const std::size_t query = std::min(asked.target.find('?'), asked.target.size());
    return session().answer(short_response(
        301, field("Location", encode_path(asked.path) + "/" + asked.target.substr(query))));
  }
  if (status.type != proa::FileType::regular) return session().answer(short_response(404));
  const Response response =
      file_response(asked, validators_of(status), status.size, std::time(nullptr));
  session().answer(response, std::move(file));
}

}  // namespace http
