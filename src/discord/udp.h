// A UDP socket for media: batches (recvmmsg), the kernel's receive stamps, its drop counter (SO_RXQ_OVFL), a large
// receive buffer. Readiness comes from the loop, the reading is ours: Asio's own receive can not deliver stamps.
//
// Stamps are CLOCK_REALTIME. Per batch REALTIME and BOOTTIME are read together: age = real_now - stamp, arrival =
// boot_now - age if 0 <= age <= the time since the socket was last seen empty, else boot_now, and `trusted` is false.
//
// Thread: the loop's. Destroying it closes the socket; a read_loop under way then ends. No allocation per datagram.
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
    bool cut = false;  ///< it was longer than our buffer
    UdpAddress from;   ///< of an unconnected socket
};

/// Longest datagram taken whole; Ethernet's 1500 and some.
inline constexpr std::size_t kMaxDatagramBytes = 2'048;

class UdpSocket {
  public:
    /// Connected to `to`. Errors: failed, as the system says.
    static Result<UdpSocket> connect(net::Loop& loop, const UdpAddress& to, int receive_buffer_bytes);
    /// Bound to an address (port 0: the kernel chooses).
    static Result<UdpSocket> bind(net::Loop& loop, const UdpAddress& at, int receive_buffer_bytes);
    UdpSocket(UdpSocket&&) noexcept;
    UdpSocket& operator=(UdpSocket&&) noexcept;
    ~UdpSocket();

    /// Calls `take` for each datagram and `dropped` with how many the kernel threw away since the last call, until the
    /// socket is destroyed. Socket errors (an ICMP refusal) are counted and survived.
    void read_loop(std::function<void(const Received&)> take, std::function<void(std::uint32_t)> dropped);

    /// One datagram, now. False when the kernel did not take it.
    bool send(std::span<const std::uint8_t> bytes);
    bool send_to(std::span<const std::uint8_t> bytes, const UdpAddress& to);

    [[nodiscard]] UdpAddress local() const;
    [[nodiscard]] int receive_buffer_bytes() const;  ///< what the kernel granted

  private:
    struct Impl;
    explicit UdpSocket(std::shared_ptr<Impl> impl);
    std::shared_ptr<Impl> impl_;
};

}  // namespace lestapenna::discord
