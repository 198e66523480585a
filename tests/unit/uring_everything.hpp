#pragma once

// What the tests of tiers and of filters do with a backend, and ask of it.

#include <algorithm>
#include <proa/buffer_side.hpp>
#include <proa/file_requests.hpp>
#include <utility>

#include "uring_rig.hpp"

namespace proa_test {

// Every kind of operation once.
inline void use_everything(UringRig& rig) {
  Listener listener;
  File client(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  proa::Accept accept(true);
  proa::Connect connect;
  accept.prepare(listener.file.tcp());
  connect.prepare(client.tcp(), listener.address);
  proa::Socket accepted;
  proa::RecvBuffers stream;
  std::string received;
  rig.delivered = [&](proa::Operation& operation, const Outcome& outcome) {
    if (outcome.error != 0) return;
    if (&operation == &accept) accepted = std::move(accept.socket());
    if (&operation == &stream) received += stream.buffer().text();
  };
  rig.submit(accept);
  rig.submit(connect);
  CHECK(rig.result(connect).error == 0);
  REQUIRE(rig.until([&] { return accepted.valid(); }));

  stream.prepare(accepted.descriptor());
  rig.submit(stream);
  const proa::Bytes pieces[] = {"one ", "two "};
  proa::Send send;
  send.prepare(client.tcp(), pieces, 2);
  rig.submit(send);
  CHECK(rig.result(send).error == 0);
  proa::Buffer buffer = rig.pool->take_for_writing();
  buffer.append("three");
  proa::detail::Segment* const segment = proa::BufferSide::detach(buffer);
  proa::SendBuffers send_buffers;
  send_buffers.prepare(client.tcp(), segment);
  rig.submit(send_buffers);
  CHECK(rig.result(send_buffers).error == 0);
  proa::detail::release(segment);
  CHECK(rig.until([&] { return received == "one two three"; }));
  rig.cancel(stream);
  CHECK(rig.finish(stream));
  rig.cancel(accept);
  CHECK(rig.finish(accept));

  Pipe pipe;
  char memory[16];
  proa::Recv recv;
  recv.prepare(pipe.out->as(proa::DescriptorKind::pipe), {memory, sizeof memory});
  rig.submit(recv);
  send.prepare(pipe.in->as(proa::DescriptorKind::pipe), pieces, 2);
  rig.submit(send);
  CHECK(rig.result(send).error == 0);
  CHECK(rig.result(recv).error == 0);
  proa::Open open;
  open.prepare("/proc/self/exe", proa::OpenFlags::read);
  rig.submit(open);
  CHECK(rig.result(open).error == 0);
  proa::ReadAt read;
  read.prepare(open.file().descriptor(), 0, {memory, 4});
  rig.submit(read);
  CHECK(rig.result(read).bytes == 4);
  CHECK(std::string(memory, 4) ==
        "\x7f"
        "ELF");

  for (proa::Operation* const operation :
       {static_cast<proa::Operation*>(&open), static_cast<proa::Operation*>(&read),
        static_cast<proa::Operation*>(&accept), static_cast<proa::Operation*>(&connect),
        static_cast<proa::Operation*>(&stream), static_cast<proa::Operation*>(&send),
        static_cast<proa::Operation*>(&send_buffers), static_cast<proa::Operation*>(&recv)}) {
    rig.in_flight.erase(operation);
    rig.outcomes_of.erase(operation);
  }
  rig.delivered = {};
}

inline bool has_feature(const proa::Backend& backend, const std::string& name) {
  const auto names = backend.features();
  return std::find(names.begin(), names.end(), name) != names.end();
}

inline std::string probe(bool by_name, const std::string& release = {}) {
  proa::Options options;
  options.uring_release = release;
  return proa::uring_backend().probe(options, by_name);
}

inline bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace proa_test
