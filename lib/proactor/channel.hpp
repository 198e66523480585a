#pragma once

// What the core keeps of a descriptor.

#include <array>
#include <cstddef>
#include <cstdint>
#include <proa/operation.hpp>

#include "base/operation_list.hpp"

namespace proa {
inline namespace v0 {

/// What the core knows of a stream's connection.
enum class Connected : std::uint8_t {
  unknown,
  failed,     // a Connect has failed, or was ended, and nothing shows a connection since
  abandoned,  // the same, but the system goes on connecting
  made,       // there is a connection, or was one
  shared,     // a Connect of before fork(2) is under way, and the parent's as well (R14)
};

/// One descriptor's operations: per direction the one at the backend and those behind it (R5).
struct Channel {
  std::array<Operation*, 2> active{};
  std::array<OperationRing, 2> waiting;
  void* owner = nullptr;  // a handler's, which the core does not look at
  // Pending, but not among `pending`: behind it the number may be another file's.
  Operation* close_file = nullptr;
  std::uint32_t pending = 0;
  std::array<bool, 2> continuous{};  // one that goes on has the direction for itself
  std::uint8_t lost = 0;             // the errno by which the connection was lost
  // Bits, because there is a Channel per descriptor. Channel{} makes them 0.
  Connected connected : 3;
  bool closing : 1;    // the owner is told when the last operation has ended
  bool end_waits : 1;  // what receives has come to an end, which is told behind the send
  bool ended : 1;      // the end was told
  bool is_sent : 1;    // SendFiles that read this file are among `pending`
};

/// The places of a channel.
inline constexpr std::size_t in = 0;
inline constexpr std::size_t out = 1;

inline std::size_t side(const Operation& operation) noexcept {
  return operation.direction() == Direction::in ? in : out;
}

/// Whether what is submitted on that side waits. Input waits for a Connect too: the system tells an
/// error of the connection once, to whoever asks first.
inline bool connects(const Channel& channel) noexcept {
  return channel.active[out] && channel.active[out]->opcode() == Opcode::connect;
}
inline bool is_taken(const Channel& channel, std::size_t side) noexcept {
  return channel.active[side] || (side == in && connects(channel));
}

/// The last Connect has failed, or was ended, and nothing shows a connection since.
inline bool connect_failed(const Channel& channel) noexcept {
  return channel.connected == Connected::failed || channel.connected == Connected::abandoned;
}

}  // namespace v0
}  // namespace proa
