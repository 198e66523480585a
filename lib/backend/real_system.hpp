#pragma once

#include <proa/system.hpp>

#include "base/descriptor_table.hpp"

namespace proa {
inline namespace v0 {

/// The operating system. A backend derives from this class if it must forget a descriptor before
/// the descriptor is closed.
class RealSystem : public System {
 public:
  TimePoint now() noexcept override;
  long entropy(MutableBytes bytes) noexcept override;
  long open_socket(Address::Family family, Transport transport,
                   Descriptor& opened) noexcept override;
  long bind(Descriptor socket, const Address& address) noexcept override;
  long listen(Descriptor socket, int backlog) noexcept override;
  long connect(Descriptor socket, const Address& address) noexcept override;
  long abandon_connect(Descriptor socket) noexcept override;
  long accept(Descriptor listener, Descriptor& accepted, Address* peer) noexcept override;
  long recv(Descriptor from, MutableBytes bytes) noexcept override;
  long send(Descriptor to, Bytes bytes) noexcept override;
  long send_urgent(Descriptor to, Bytes bytes) noexcept override;
  long shutdown(Descriptor socket, ShutdownSide side) noexcept override;
  long set_option(Descriptor socket, SocketOption option, int value) noexcept override;
  long get_option(Descriptor socket, SocketOption option, int& value) noexcept override;
  long local_address(Descriptor socket, Address& address) noexcept override;
  long peer_address(Descriptor socket, Address& address) noexcept override;
  long borrow(int number, Descriptor& borrowed, bool& reopened) noexcept override;
  long adopt(int number, Descriptor& adopted, bool& was_blocking) noexcept override;
  long set_blocking(Descriptor descriptor) noexcept override;
  long multicast(Descriptor socket, bool join, const Address& group, std::uint32_t interface,
                 const Address& source) noexcept override;
  long take_notice(Descriptor socket, SendNotice& notice) noexcept override;
  long open_file(const char* path, OpenFlags flags, unsigned mode,
                 Descriptor& opened) noexcept override;
  long adopt_file(int number, Descriptor& adopted) noexcept override;
  long file_alignment(Descriptor file, FileAlignment& alignment) noexcept override;
  long close(Descriptor descriptor) noexcept override;
  void forget(Descriptor descriptor) noexcept override;

 private:
  struct Adopted {
    long process = 0;  // that called adopt()
  };
  DescriptorTable<Adopted> adopted_;
};

}  // namespace v0
}  // namespace proa
