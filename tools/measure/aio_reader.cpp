// The kernel's own asynchronous I/O, which tells by an eventfd that epoll waits for.
#include <linux/aio_abi.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>

#include "descriptor.hpp"
#include "reader.hpp"
#include "restart.hpp"

namespace measure {

namespace {

class AioReader final : public Reader {
 public:
  explicit AioReader(int file) : file_(file) {}
  ~AioReader() override {
    if (context_ != 0) ::syscall(SYS_io_destroy, context_);
  }

  Trouble open() {
    if (::syscall(SYS_io_setup, depth, &context_) != 0) return failed("io_setup");
    bell_ = Descriptor(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (!bell_) return failed("eventfd");
    set_ = Descriptor(::epoll_create1(EPOLL_CLOEXEC));
    if (!set_) return failed("epoll_create1");
    epoll_event event{};
    event.events = EPOLLIN;
    if (::epoll_ctl(set_.get(), EPOLL_CTL_ADD, bell_.get(), &event) != 0)
      return failed("epoll_ctl");
    return {};
  }
  void begin(unsigned which, std::uint64_t offset) override {
    iocb& request = requests_[which];
    request = {};
    request.aio_data = which;
    request.aio_lio_opcode = IOCB_CMD_PREAD;
    request.aio_fildes = static_cast<std::uint32_t>(file_);
    request.aio_buf = reinterpret_cast<std::uint64_t>(&block(which));
    request.aio_nbytes = Block::size;
    request.aio_offset = static_cast<std::int64_t>(offset);
    request.aio_flags = IOCB_FLAG_RESFD;
    request.aio_resfd = static_cast<std::uint32_t>(bell_.get());
    begun_.push_back(&request);
  }
  Trouble turn(std::vector<unsigned>& done) override {
    if (Trouble trouble = submit(); !trouble.empty()) return trouble;
    epoll_event event;
    const int told = restart([&] {
      ++calls_;
      return ::epoll_wait(set_.get(), &event, 1, -1);
    });
    if (told < 0) return failed("epoll_wait");
    std::uint64_t rings = 0;
    ++calls_;
    if (::read(bell_.get(), &rings, sizeof rings) != sizeof rings) return failed("read");
    io_event events[depth];
    const long count = restart([&] {
      ++calls_;
      return ::syscall(SYS_io_getevents, context_, 0L, long{depth}, events, nullptr);
    });
    if (count < 0) return failed("io_getevents");
    for (long i = 0; i < count; ++i) {
      if (Trouble trouble = look("IOCB_CMD_PREAD", events[i].res); !trouble.empty()) return trouble;
      done.push_back(static_cast<unsigned>(events[i].data));
    }
    return {};
  }

 private:
  Trouble submit() {
    for (std::size_t first = 0; first < begun_.size();) {
      ++calls_;
      const long taken = ::syscall(SYS_io_submit, context_, begun_.size() - first, &begun_[first]);
      if (taken <= 0) return failed("io_submit");
      first += static_cast<std::size_t>(taken);
    }
    begun_.clear();
    return {};
  }

  int file_;
  aio_context_t context_ = 0;
  Descriptor bell_;
  Descriptor set_;
  iocb requests_[depth] = {};
  std::vector<iocb*> begun_;
};

}  // namespace

std::unique_ptr<Reader> make_aio_reader(int file, Trouble& trouble) {
  auto reader = std::make_unique<AioReader>(file);
  trouble = reader->open();
  if (!trouble.empty()) reader.reset();
  return reader;
}

}  // namespace measure
