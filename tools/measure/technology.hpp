// The technologies of this system that are measured.
#pragma once

#include <string>
#include <vector>

#include "reader.hpp"
#include "waiter.hpp"

namespace measure {

struct Technology {
  const char* name;
  const char* backend;  // of proa, that --exclude names; empty if none uses it
  MakeWaiter* make_waiter;
  MakeReader* make_reader;  // null if there is none
  const char* reads;        // how it reads files, or why it does not
};

inline const std::vector<Technology>& technologies() {
  static const std::vector<Technology> all{
#ifdef __linux__
      {"epoll", "epoll", make_epoll, make_aio_reader, "libaio"},
      {"io_uring", "uring", make_uring, make_uring_reader, "IORING_OP_READ"},
#else
      {"kqueue", "kqueue", make_kqueue, nullptr, "EVFILT_AIO is not measured by this program"},
#endif
      {"poll", "", make_poll, nullptr, "it cannot wait for a disk"},
      {"select", "", make_select, nullptr, "it cannot wait for a disk"},
  };
  return all;
}

}  // namespace measure
