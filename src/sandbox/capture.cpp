#include "sandbox/capture.h"

#include <cerrno>
#include <optional>
#include <vector>

#include <fmt/format.h>
#include <pcap/pcap.h>

#include "base/files.h"

namespace lestapenna::sandbox {
namespace {

struct ClosePcap {
    void operator()(pcap_t* pcap) const noexcept { pcap_close(pcap); }
};
using Pcap = std::unique_ptr<pcap_t, ClosePcap>;

std::optional<LinkType> link_type(int dlt) {
    switch (dlt) {
        case DLT_EN10MB:
            return LinkType::ethernet;
        case DLT_RAW:
        case DLT_IPV4:
        case DLT_IPV6:
            return LinkType::raw_ip;
        case DLT_LINUX_SLL:
            return LinkType::linux_cooked;
        case DLT_LINUX_SLL2:
            return LinkType::linux_cooked_v2;
        case DLT_NULL:
        case DLT_LOOP:
            return LinkType::null_loopback;
        default:
            return std::nullopt;
    }
}

/// The header's time in ns; nothing when the fraction is no fraction or the sum leaves 64 bits (the year 2262).
std::optional<CaptureTime> capture_time(const timeval& stamp) {
    constexpr std::int64_t kLastSecond = 9'223'372'035;
    const std::int64_t second = stamp.tv_sec;
    const std::int64_t fraction = stamp.tv_usec;  // nanoseconds: asked for when the file was opened
    if (second < 0 || second > kLastSecond || fraction < 0 || fraction >= 1'000'000'000) return std::nullopt;
    return CaptureTime(seconds(second) + nanoseconds(fraction));
}

}  // namespace

struct CaptureReader::Impl {
    std::string name;
    Pcap pcap;
    LinkType link;
    CaptureCounts counts;
    bool ended = false;
};

CaptureReader::CaptureReader(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
CaptureReader::CaptureReader(CaptureReader&&) noexcept = default;
CaptureReader& CaptureReader::operator=(CaptureReader&&) noexcept = default;
CaptureReader::~CaptureReader() = default;

Result<CaptureReader> CaptureReader::open(const std::filesystem::path& path) {
    std::error_code ignored;
    if (std::filesystem::is_directory(path, ignored)) {
        return Error{ErrorKind::failed, fmt::format("{} is a folder: name a pcap or pcapng file", path.string())};
    }
    std::FILE* stream = std::fopen(path.c_str(), "rbe");
    if (stream == nullptr) return io_error("open", path, errno);
    return read(stream, path.string());
}

Result<CaptureReader> CaptureReader::read(std::FILE* stream, const std::string& name) {
    std::array<char, PCAP_ERRBUF_SIZE> why{};
    Pcap pcap(pcap_fopen_offline_with_tstamp_precision(stream, PCAP_TSTAMP_PRECISION_NANO, why.data()));
    if (!pcap) {
        std::fclose(stream);  // libpcap closes it only on success
        return Error{ErrorKind::damaged,
                     fmt::format("{} is not a capture file that can be read ({}): a pcap or pcapng file is needed",
                                 name, why.data())};
    }
    const int dlt = pcap_datalink(pcap.get());
    const auto link = link_type(dlt);
    if (!link) {
        const char* known = pcap_datalink_val_to_name(dlt);
        return Error{
            ErrorKind::damaged,
            fmt::format("{} was captured on a link of type {} ({}): Ethernet, raw IP, Linux cooked or loopback is "
                        "needed",
                        name, known != nullptr ? known : "unknown", dlt)};
    }
    return CaptureReader(std::make_unique<Impl>(Impl{name, std::move(pcap), *link, {}, false}));
}

CaptureOutcome CaptureReader::next() {
    while (!impl_->ended) {
        pcap_pkthdr* header = nullptr;
        const u_char* bytes = nullptr;
        const int got = pcap_next_ex(impl_->pcap.get(), &header, &bytes);
        if (got != 1) {
            impl_->ended = true;
            if (got == PCAP_ERROR_BREAK) break;  // libpcap's word for the end of a file
            return Error{ErrorKind::damaged, fmt::format("{} is cut or damaged after {} packets ({})", impl_->name,
                                                         impl_->counts.packets, pcap_geterr(impl_->pcap.get()))};
        }
        ++impl_->counts.packets;
        Frame frame = parse_frame(impl_->link, {bytes, header->caplen});
        const auto time = capture_time(header->ts);
        if (frame.reject == FrameReject::none && !time) frame.reject = FrameReject::bad_time;
        if (frame.reject == FrameReject::none) {
            ++impl_->counts.datagrams;
            return Datagram{*time, frame.udp_payload};
        }
        ++impl_->counts.rejects[static_cast<std::size_t>(frame.reject)];
    }
    return CaptureEnd{};
}

const CaptureCounts& CaptureReader::counts() const {
    return impl_->counts;
}

// ---- writing

namespace {

constexpr std::size_t kEthernetHeader = 14;
constexpr std::size_t kIpHeader = 20;
constexpr std::size_t kUdpHeader = 8;
constexpr std::size_t kMaxPayload = 65'535 - kIpHeader - kUdpHeader;

void append16(std::size_t value, std::vector<std::uint8_t>& out) {
    out.push_back(static_cast<std::uint8_t>(value >> 8));
    out.push_back(static_cast<std::uint8_t>(value));
}

/// One's complement sum of 16-bit words (RFC 1071), not yet folded.
std::uint64_t sum16(std::span<const std::uint8_t> bytes) {
    std::uint64_t sum = 0;
    for (std::size_t i = 0; i + 1 < bytes.size(); i += 2) sum += static_cast<unsigned>(bytes[i] << 8 | bytes[i + 1]);
    if (bytes.size() % 2 != 0) sum += static_cast<unsigned>(bytes.back() << 8);
    return sum;
}
std::uint16_t checksum(std::uint64_t sum) {
    while (sum >> 16 != 0) sum = (sum & 0xFFFF) + (sum >> 16);
    return static_cast<std::uint16_t>(~sum);
}
void store16(std::uint16_t value, std::span<std::uint8_t> at) {
    at[0] = static_cast<std::uint8_t>(value >> 8);
    at[1] = static_cast<std::uint8_t>(value);
}

void append_ip_header(const CaptureFormat& format, std::size_t udp_length, std::vector<std::uint8_t>& out) {
    const std::size_t begin = out.size();
    out.insert(out.end(), {0x45, 0});
    append16(kIpHeader + udp_length, out);
    out.insert(out.end(), {0, 0, 0x40, 0, 64, 17, 0, 0});  // no id, do not fragment, 64 hops, UDP, checksum below
    out.insert(out.end(), format.from.address.begin(), format.from.address.end());
    out.insert(out.end(), format.to.address.begin(), format.to.address.end());
    const std::span<std::uint8_t> header = std::span(out).subspan(begin);
    store16(checksum(sum16(header)), header.subspan(10));
}

void append_udp(const CaptureFormat& format, std::span<const std::uint8_t> payload, std::vector<std::uint8_t>& out) {
    const std::size_t begin = out.size();
    const std::size_t length = kUdpHeader + payload.size();
    append16(format.from.port, out);
    append16(format.to.port, out);
    append16(length, out);
    append16(0, out);
    out.insert(out.end(), payload.begin(), payload.end());
    // The pseudo header: both addresses, the protocol, the length (RFC 768). A sum of zero is written as all ones.
    const std::span<std::uint8_t> datagram = std::span(out).subspan(begin);
    const std::uint16_t sum =
        checksum(sum16(format.from.address) + sum16(format.to.address) + 17 + length + sum16(datagram));
    store16(sum == 0 ? std::uint16_t{0xFFFF} : sum, datagram.subspan(6));
}

}  // namespace

struct CaptureWriter::Impl {
    struct CloseDump {
        void operator()(pcap_dumper_t* open) const noexcept { pcap_dump_close(open); }
    };
    std::filesystem::path path;
    CaptureFormat format;
    Pcap pcap;
    std::unique_ptr<pcap_dumper_t, CloseDump> dump;
    std::vector<std::uint8_t> packet;  ///< kept, so that one allocation serves all

    [[nodiscard]] Error failure() const { return io_error("write", path, errno); }
};

CaptureWriter::CaptureWriter(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
CaptureWriter::CaptureWriter(CaptureWriter&&) noexcept = default;
CaptureWriter& CaptureWriter::operator=(CaptureWriter&&) noexcept = default;
CaptureWriter::~CaptureWriter() = default;

Result<CaptureWriter> CaptureWriter::create(const std::filesystem::path& path, const CaptureFormat& format) {
    constexpr int kSnapLength = 262'144;
    auto impl = std::make_unique<Impl>();
    impl->path = path;
    impl->format = format;
    impl->pcap.reset(pcap_open_dead_with_tstamp_precision(format.ethernet ? DLT_EN10MB : DLT_RAW, kSnapLength,
                                                          PCAP_TSTAMP_PRECISION_NANO));
    if (!impl->pcap) return impl->failure();
    std::FILE* stream = std::fopen(path.c_str(), "wbe");
    if (stream == nullptr) return impl->failure();
    impl->dump.reset(pcap_dump_fopen(impl->pcap.get(), stream));  // closes the stream when it fails
    if (!impl->dump) return impl->failure();
    return CaptureWriter(std::move(impl));
}

Status CaptureWriter::write(CaptureTime time, std::span<const std::uint8_t> payload) {
    const auto second = std::chrono::floor<seconds>(time);
    if (payload.size() > kMaxPayload || second.time_since_epoch().count() < 0 ||
        second.time_since_epoch().count() > std::int64_t{0xFFFF'FFFF}) {
        return Error{ErrorKind::failed,
                     fmt::format("{}: a datagram of {} bytes at {} s does not fit a pcap file", impl_->path.string(),
                                 payload.size(), second.time_since_epoch().count())};
    }
    std::vector<std::uint8_t>& packet = impl_->packet;
    packet.clear();
    if (impl_->format.ethernet) {
        packet.assign({2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 0x08, 0x00});  // locally administered addresses, IPv4
        static_assert(kEthernetHeader == 14);
    }
    append_ip_header(impl_->format, kUdpHeader + payload.size(), packet);
    append_udp(impl_->format, payload, packet);

    pcap_pkthdr header{};
    header.ts.tv_sec = second.time_since_epoch().count();
    header.ts.tv_usec = (time - second).count();
    header.caplen = header.len = static_cast<bpf_u_int32>(packet.size());
    // pcap_dump's first argument is the dumper in a disguise that its callback type asks for.
    pcap_dump(reinterpret_cast<u_char*>(impl_->dump.get()), &header, packet.data());
    if (std::ferror(pcap_dump_file(impl_->dump.get())) != 0) return impl_->failure();
    return Ok{};
}

Status CaptureWriter::close() {
    const bool written = pcap_dump_flush(impl_->dump.get()) == 0;
    const Error failure = impl_->failure();
    impl_->dump.reset();
    if (!written) return failure;
    return Ok{};
}

}  // namespace lestapenna::sandbox
