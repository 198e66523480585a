// What `compare post` measures of Asio.
#include <asio.hpp>
#include <string>

#include "../post_load.hpp"
#include "asio_version.hpp"

namespace {

class Loop {
 public:
  template <class Work>
  void post(Work&& work) {
    asio::post(context_, std::forward<Work>(work));
  }
  void run() {
    const auto keep = asio::make_work_guard(context_);
    context_.run();
  }
  void stop() { context_.stop(); }

 private:
  asio::io_context context_;
};

}  // namespace

int main(int argc, char** argv) {
  Loop loop;
  return bench::run_post_load(argc, argv, asio_version().c_str(), loop);
}
