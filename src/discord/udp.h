// A UDP socket for media: batches (recvmmsg), the kernel's receive stamps, its drop counter (SO_RXQ_OVFL), a large
// receive buffer. Readiness comes from the loop, the reading is ours: Asio's own receive can not deliver stamps.
//
// Stamps are CLOCK_REALTIME. Per batch REALTIME and BOOTTIME are read together: age = real_now - stamp, arrival =
// boot_now - age if 0 <= age <= the time since the socket was last seen empty, else boot_now, and `stamp_trusted` is
// false: the wall clock was set. 1 ms is added to that time, because a packet is stamped before it is queued.
//
// Thread: the loop's; all sockets of a thread share one set of buffers (64 datagrams), so that 1,000 sockets cost no
// more than their kernel buffers. Destroying it closes the socket, from within a call-back too; nobody is called any
// more. No allocation per datagram.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "base/result.h"
#include "base/time.h"
#include "discord/datagram.h"
#include "net/loop.h"

namespace lestapenna::discord {

struct UdpAddress {
    std::array<std::uint8_t, 16> ip{};  ///< IPv4 in the first four bytes
    bool v6 = false;
    std::uint16_t port = 0;
    auto operator<=>(const UdpAddress&) const = default;
    [[nodiscard]] std::string ip_text() const;
    static std::optional<UdpAddress> parse(const std::string& ip, std::uint16_t port);
};

struct Received {
    std::span<std::uint8_t> bytes;  ///< may be changed in place; valid during the call
    BootTime arrival;
    bool stamp_trusted = true;
    bool cut = false;  ///< it was longer than kMaxDatagramBytes; so are `bytes`, by one
    UdpAddress from;   ///< of an unconnected socket
};

class UdpSocket {
  public:
    /// Connected to `to`. Errors: failed, as the system says.
    static Result<UdpSocket> connect(net::Loop& loop, const UdpAddress& to, int receive_buffer_bytes);
    /// Bound to an address (port 0: the kernel chooses).
    static Result<UdpSocket> bind(net::Loop& loop, const UdpAddress& at, int receive_buffer_bytes);
    UdpSocket(UdpSocket&&) noexcept;
    UdpSocket& operator=(UdpSocket&&) noexcept;
    ~UdpSocket();

    /// Call it once. Calls `take` for each datagram and `dropped` with how many the kernel threw away since the last
    /// call, until the socket is destroyed. Socket errors (an ICMP refusal) are counted and survived.
    void read_loop(std::function<void(const Received&)> take, std::function<void(std::uint32_t)> dropped);

    /// Calls `take` for what the kernel holds already, and `dropped` for what it threw away last: before the socket is
    /// destroyed, so that nothing that came is lost unheard. From within a call-back of any socket it does nothing.
    void drain();

    /// One datagram, now. False when the kernel did not take it.
    bool send(std::span<const std::uint8_t> bytes);
    bool send_to(std::span<const std::uint8_t> bytes, const UdpAddress& to);

    [[nodiscard]] UdpAddress local() const;
    /// What the kernel granted, in the unit of what was asked for. Above net.core.rmem_max only root gets it.
    [[nodiscard]] int receive_buffer_bytes() const;
    [[nodiscard]] std::uint64_t errors() const;  ///< of the socket, survived

  private:
    struct Impl;
    explicit UdpSocket(std::shared_ptr<Impl> impl);
    std::shared_ptr<Impl> impl_;
};

}  // namespace lestapenna::discord
