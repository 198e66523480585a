#pragma once

// A folder of files in memory: what a sequence of requests must give.

#include <cstdint>
#include <map>
#include <memory>
#include <proa/file.hpp>
#include <string>
#include <string_view>
#include <system_error>

namespace proa_test {

struct ModelFile {
  std::string bytes;
  unsigned links = 1;
};

// What opening one gives.
struct ModelOpened {
  std::shared_ptr<ModelFile> file;
  bool reads = false;
  bool writes = false;
};

struct Outcome {
  std::error_condition error;
  std::size_t bytes = 0;
};

class FileModel {
 public:
  std::error_condition open(const std::string& name, proa::OpenFlags flags, ModelOpened& opened);
  std::error_condition rename(const std::string& from, const std::string& to);
  std::error_condition unlink(const std::string& name);
  std::shared_ptr<ModelFile> find(const std::string& name) const;
  const std::map<std::string, std::shared_ptr<ModelFile>>& names() const { return names_; }

  static Outcome read(const ModelOpened& from, std::size_t offset, std::size_t size, bool exactly,
                      std::string& bytes);
  static Outcome write(const ModelOpened& to, std::size_t offset, std::string_view bytes);
  static std::error_condition truncate(const ModelOpened& file, std::size_t size);
  static std::error_condition allocate(const ModelOpened& file, std::size_t end);

 private:
  std::map<std::string, std::shared_ptr<ModelFile>> names_;
};

}  // namespace proa_test
