// PUT: the body goes into a file of its own, which takes the name of the old one when it is whole.
#pragma once

#include <proa/proa.hpp>
#include <string>

#include "conditions.hpp"
#include "file_work.hpp"
#include "response.hpp"

namespace http {

class Upload final : public FileWork {
 public:
  explicit Upload(Session& session) : FileWork(session) {}

  void start();
  /// Bytes of a chunked body.
  void take(proa::Buffer& data);
  /// A body with a length is in the file.
  void received();
  /// The body breaks off, or cannot be stored.
  void fail(const Response& response);
  /// Whether a request on a file is on its way.
  bool is_pending() const override;

 private:
  void looked(proa::Status& request, const proa::Result& result);
  void open_temporary();
  void opened(proa::Open& request, const proa::Result& result);
  void written(const proa::Result& result);
  void checked(proa::Status& request, const proa::Result& result);
  void take_name() noexcept;
  void named(const proa::Result& result);
  void removed(const proa::Result& result);
  void remove_temporary();
  void clean_up() override { remove_temporary(); }

  bool replaces_ = false;
  unsigned permissions_ = 0666;
  proa::File file_;
  std::string temporary_;  // its path, while there is such a file
  std::string chunk_;      // on its way into the file
  std::uint64_t size_ = 0;
  proa::TimePoint data_last_;  // when data came
  Validators stored_;
  // For take_name(), and what that has found.
  Request asked_;
  int refusal_ = 0;  // a status
  std::error_code error_;
  proa::On<proa::Status, &Upload::looked> look_{*this};
  proa::On<proa::Open, &Upload::opened> open_{*this};
  proa::On<proa::WriteAt, &Upload::written> write_{*this};
  proa::On<proa::Status, &Upload::checked> check_{*this};
  proa::On<proa::Work, &Upload::named> name_{*this};
  proa::On<proa::Unlink, &Upload::removed> unlink_{*this};
};

}  // namespace http
