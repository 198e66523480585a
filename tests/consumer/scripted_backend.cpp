// A backend of a program's own, made of installed headers alone and passed in as
// Options::extra_backends. It makes no system call: operations end when the script says so, in the
// script's order.
#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <proa/proa.hpp>
#include <string>
#include <vector>

namespace {

#define CHECK(condition)                                                   \
  do {                                                                     \
    if (!(condition)) {                                                    \
      std::fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition); \
      std::exit(1);                                                        \
    }                                                                      \
  } while (false)

constexpr auto in = proa::Direction::in;
constexpr auto out = proa::Direction::out;

/// The operation on this descriptor, in this direction, ends with a count of bytes, or -errno; a
/// receive gets `text`.
struct Step {
  int descriptor;
  proa::Direction direction;
  long result;
  std::string text;
};

std::vector<Step> script;  // what is still to come, the next one first
std::vector<int> reached;  // descriptors, in the order in which the backend got them
std::string sent;          // by streams

/// Has a clock, and nothing else.
class Nothing final : public proa::System {
 public:
  using D = proa::Descriptor;
  proa::TimePoint now() noexcept override { return std::chrono::steady_clock::now(); }
  long entropy(proa::MutableBytes) noexcept override { return -ENOSYS; }
  long open_socket(proa::Address::Family, proa::Transport, D&) noexcept override { return -ENOSYS; }
  long bind(D, const proa::Address&) noexcept override { return -ENOSYS; }
  long listen(D, int) noexcept override { return -ENOSYS; }
  long connect(D, const proa::Address&) noexcept override { return -ENOSYS; }
  long accept(D, D&, proa::Address*) noexcept override { return -ENOSYS; }
  long recv(D, proa::MutableBytes) noexcept override { return -ENOSYS; }
  long send(D, proa::Bytes) noexcept override { return -ENOSYS; }
  long send_urgent(D, proa::Bytes) noexcept override { return -ENOSYS; }
  long shutdown(D, proa::ShutdownSide) noexcept override { return 0; }
  long set_option(D, proa::SocketOption, int) noexcept override { return -ENOSYS; }
  long get_option(D, proa::SocketOption, int&) noexcept override { return -ENOSYS; }
  long local_address(D, proa::Address&) noexcept override { return -ENOSYS; }
  long peer_address(D, proa::Address&) noexcept override { return -ENOSYS; }
  long borrow(int, D&, bool&) noexcept override { return -ENOSYS; }
  long close(D) noexcept override { return 0; }
  void forget(D) noexcept override {}
};

class Scripted final : public proa::Backend {
 public:
  explicit Scripted(const proa::BackendContext& context) : buffers_(context.buffers) {}

  void submit(proa::Operation& operation) noexcept override {
    reached.push_back(operation.descriptor().number);
    held_.push_back(&operation);
  }
  void cancel(proa::Operation& operation) noexcept override {
    script.insert(script.begin(),
                  {operation.descriptor().number, operation.direction(), -ECANCELED, {}});
  }
  void wait(proa::TimePoint) noexcept override {}
  proa::Operation* next() noexcept override {
    if (script.empty()) return nullptr;
    const auto found = std::find_if(held_.begin(), held_.end(), [](const proa::Operation* held) {
      return held->descriptor().number == script.front().descriptor &&
             held->direction() == script.front().direction;
    });
    if (found == held_.end()) return nullptr;  // not submitted yet
    const Step step = script.front();
    script.erase(script.begin());
    proa::Operation* const operation = *found;
    const bool more = perform(*operation, step);
    if (!more) held_.erase(found);
    proa::BackendSide::finish(*operation, step.result, more);
    return operation;
  }
  void wake() noexcept override {}
  proa::System& system() noexcept override { return system_; }

 private:
  bool perform(proa::Operation& operation, const Step& step) noexcept {
    if (step.result <= 0) return false;
    if (operation.opcode() == proa::Opcode::recv) {
      std::memcpy(static_cast<proa::Recv&>(operation).memory().data, step.text.data(),
                  step.text.size());
    } else if (operation.opcode() == proa::Opcode::recv_buffers) {
      proa::Buffer buffer = buffers_.take();
      std::memcpy(buffer.data(), step.text.data(), step.text.size());
      buffers_.fill(buffer, step.text.size());
      static_cast<proa::RecvBuffers&>(operation).buffer() = std::move(buffer);
      return true;
    } else if (operation.opcode() == proa::Opcode::send_buffers) {
      sent.append(static_cast<proa::SendBuffers&>(operation).first()->data,
                  static_cast<std::size_t>(step.result));
    }
    return false;
  }

  proa::BufferSource& buffers_;
  Nothing system_;
  std::vector<proa::Operation*> held_;
};

std::unique_ptr<proa::Backend> create(const proa::BackendContext& context, std::string&) {
  return std::make_unique<Scripted>(context);
}

std::string log_of_results;

struct Reader {
  void received(const proa::Result& result) {
    log_of_results +=
        name + "=" + (result.error ? "error " : "") + std::string(memory, result.bytes);
    log_of_results += result.error ? std::to_string(result.error.value()) + ";" : ";";
  }
  void read(proa::Proactor& proactor, int descriptor, proa::TimePoint deadline = proa::never) {
    recv.prepare({descriptor, proa::DescriptorKind::socket}, {memory, sizeof memory});
    CHECK(!proactor.submit(recv, deadline));
  }

  std::string name;
  char memory[16] = {};
  proa::On<proa::Recv, &Reader::received> recv{*this};
};

struct Echo final : proa::StreamHandler {
  using StreamHandler::StreamHandler;
  void on_read(proa::Buffer& data) override { write(std::move(data)); }
  void on_closed() override { log_of_results += "closed;"; }
};

void requests_end_as_the_script_says(proa::Proactor& proactor) {
  Reader a, b, c, d;
  a.name = "a", b.name = "b", c.name = "c", d.name = "d";
  a.read(proactor, 1);
  b.read(proactor, 2);
  c.read(proactor, 3);
  d.read(proactor, 1);  // behind a: the backend has one operation per direction
  CHECK((reached == std::vector<int>{1, 2, 3}));
  script = {{3, in, 5, "third"}, {1, in, 5, "first"}, {2, in, -ECONNRESET, {}}, {1, in, 4, "last"}};
  proactor.run();
  CHECK(log_of_results == "c=third;a=first;b=error " + std::to_string(ECONNRESET) + ";d=last;");
  CHECK((reached == std::vector<int>{1, 2, 3, 1}));

  log_of_results.clear();
  a.read(proactor, 1);
  proactor.cancel(a.recv);
  proactor.run();
  CHECK(log_of_results == "a=error " + std::to_string(ECANCELED) + ";");

  // Standard output has this number too: nobody may ask the kernel.
  log_of_results.clear();
  const proa::TimePoint deadline = proactor.system().now() + std::chrono::milliseconds(1);
  a.read(proactor, 1, deadline);
  d.read(proactor, 1, deadline);
  proactor.run();
  // Error::deadline, in whatever order.
  CHECK((log_of_results == "d=error 1;a=error 1;" || log_of_results == "a=error 1;d=error 1;"));
}

void streams_work_on_it(proa::Proactor& proactor) {
  log_of_results.clear();
  Echo echo(proactor, proa::Socket(proactor.system(), {7, proa::DescriptorKind::socket}));
  script = {{7, in, 4, "ping"}, {7, out, 3, {}}, {7, out, 1, {}}, {7, in, 0, {}}};
  proactor.run();
  CHECK(sent == "ping");
  CHECK(log_of_results == "closed;");
}

}  // namespace

int main() {
  proa::Options options;
  options.extra_backends = {{"scripted", nullptr, create}};
  options.backend = "scripted";
  options.fallback = false;
  {
    proa::Proactor proactor(options);
    CHECK(proactor.backend().name == "scripted");
    CHECK(proactor.backend().chosen_by == "options");
    requests_end_as_the_script_says(proactor);
    streams_work_on_it(proactor);
    CHECK(proactor.counters().submitted == proactor.counters().completed);
  }
  options.backend = "auto";  // never takes it
  CHECK(proa::Proactor(options).backend().name != "scripted");
}
