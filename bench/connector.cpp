// What `compare connect` measures of proa: `connector [-b backend] [-p port] [-n connections]`.
#include <cstdio>
#include <cstring>
#include <memory>
#include <proa/proa.hpp>
#include <string>
#include <system_error>
#include <vector>

#include "connect_load.hpp"

namespace {

class Client final : public proa::StreamHandler {
 public:
  Client(proa::Proactor& proactor, bench::ConnectLoad& load)
      : StreamHandler(proactor), load_(load) {}

  void open() {
    if (!load_.next()) return;
    received_ = 0;
    connect(proa::Address::loopback(load_.port()));
  }

  void on_open() override {
    write(proa::Bytes(load_.message(), load_.kSize));
    start_reading();
  }
  void on_read(proa::Buffer& data) override {
    load_.compare(data.data(), data.size(), received_);
    received_ += data.size();
    if (received_ < load_.kSize) return;
    load_.done(socket().descriptor().number);
    close();
  }
  void on_closed() override { open(); }

 private:
  bench::ConnectLoad& load_;
  std::size_t received_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
  proa::Options options;
  for (int index = 1; index + 1 < argc; ++index) {
    if (std::strcmp(argv[index], "-b") != 0) continue;
    options.backend = argv[index + 1];
    options.fallback = false;
  }
  bench::ConnectLoad load(argc, argv, proa::version());
  std::error_code error;
  std::string detail;
  const auto proactor = proa::Proactor::create(options, error, &detail);
  if (!proactor) {
    std::fprintf(stderr, "connector: %s\n", detail.c_str());
    return 1;
  }
  std::vector<std::unique_ptr<Client>> clients;
  for (std::size_t i = 0; i < load.kAtOnce; ++i) {
    clients.push_back(std::make_unique<Client>(*proactor, load));
    clients.back()->open();
  }
  proactor->run();
  return load.report();
}
