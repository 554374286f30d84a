// Packet captures: UDP datagrams out of a pcap or pcapng file, and into a pcap file (libpcap).
//
// Reading is total: each packet of the file becomes a datagram or a counted reject; a file that is cut or corrupt gives
// what is readable, then one error. Checksums are not verified: captures taken beside checksum offloading hold wrong
// ones. Links: Ethernet (with VLAN tags), raw IP, Linux cooked v1 and v2, null/loopback. IPv4 with options, IPv6 with
// extension headers. Fragments are counted, not put together. Thread: an object belongs to one thread at a time.
#pragma once

#include <array>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <span>
#include <variant>

#include "base/result.h"
#include "base/time.h"

namespace lestapenna::sandbox {

/// When a packet was captured, wall clock, as exact as the file says.
using CaptureTime = std::chrono::sys_time<nanoseconds>;

enum class LinkType : std::uint8_t { ethernet, raw_ip, linux_cooked, linux_cooked_v2, null_loopback };

enum class FrameReject : std::uint8_t {
    none,
    cut,         ///< the file holds less of the packet than its headers say (a snap length)
    not_ip,      ///< another network protocol (ARP, LLDP, ...)
    not_udp,     ///< another transport protocol
    fragment,    ///< a part of a fragmented datagram
    bad_header,  ///< header lengths that contradict each other
    bad_time,    ///< a time stamp that is none
};
inline constexpr std::size_t kFrameRejects = 7;
const char* to_string(FrameReject reject);

struct Frame {
    FrameReject reject = FrameReject::none;
    std::span<const std::uint8_t> udp_payload;  ///< points into the bytes given; may be empty
};
/// Takes link, IP and UDP headers off. Pure and total.
Frame parse_frame(LinkType link, std::span<const std::uint8_t> bytes);

struct Datagram {
    CaptureTime time;
    std::span<const std::uint8_t> payload;  ///< lives until the next call
};
struct CaptureEnd {};
/// Damage is said once; what follows it is CaptureEnd.
using CaptureOutcome = std::variant<Datagram, CaptureEnd, Error>;

struct CaptureCounts {
    std::uint64_t packets = 0;  ///< read from the file, of any kind
    std::uint64_t datagrams = 0;
    std::array<std::uint64_t, kFrameRejects> rejects{};  ///< by FrameReject; packets = datagrams + their sum
};

class CaptureReader {
  public:
    /// Errors: not_found; failed (no permission, a folder); damaged (no capture file, or of a link nobody here reads).
    static Result<CaptureReader> open(const std::filesystem::path& path);
    /// Takes over an open stream, also after an error. `name` is for messages.
    static Result<CaptureReader> read(std::FILE* stream, const std::string& name);
    CaptureReader(CaptureReader&&) noexcept;
    CaptureReader& operator=(CaptureReader&&) noexcept;
    ~CaptureReader();

    /// The next datagram; packets that hold none are counted and passed over.
    CaptureOutcome next();
    [[nodiscard]] const CaptureCounts& counts() const;

  private:
    struct Impl;
    explicit CaptureReader(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

struct Endpoint {
    std::array<std::uint8_t, 4> address{127, 0, 0, 1};
    std::uint16_t port = 0;
};
struct CaptureFormat {
    bool ethernet = false;  ///< otherwise raw IP
    Endpoint from{{192, 0, 2, 1}, 50'004};
    Endpoint to{{192, 0, 2, 2}, 40'000};
};

/// Writes a nanosecond pcap file of IPv4/UDP datagrams with correct lengths and checksums. Complete on disk (not
/// synced) after close(); after an error the file is not usable.
class CaptureWriter {
  public:
    static Result<CaptureWriter> create(const std::filesystem::path& path, const CaptureFormat& format = {});
    CaptureWriter(CaptureWriter&&) noexcept;
    CaptureWriter& operator=(CaptureWriter&&) noexcept;
    ~CaptureWriter();

    /// `time` from 1970 to 2106, `payload` up to 65 507 bytes, else an error and nothing is written.
    Status write(CaptureTime time, std::span<const std::uint8_t> payload);
    Status close();

  private:
    struct Impl;
    explicit CaptureWriter(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

}  // namespace lestapenna::sandbox
