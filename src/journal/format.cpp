#include "journal/format.h"

#include <algorithm>
#include <concepts>
#include <cstring>

#include "journal/must.h"

namespace lestapenna::journal {

namespace {

// A PNG-like signature: a transfer that strips the high bit or rewrites line ends is seen at once.
constexpr std::array<std::uint8_t, 8> kMagic = {0x8B, 'L', 'P', 'J', '\r', '\n', 0x1A, '\n'};
constexpr const char* kForeign = "is not a journal segment (it does not begin like one)";
constexpr std::size_t kHeaderBytes = 176;  // what is used, and covered by the header's checksum
constexpr std::size_t kHeaderCrcAt = 12;

enum : std::uint8_t { kPacket = 1, kJoin, kLeave, kBinding, kPause, kResume, kGap, kClock, kMarker, kEnd };
static_assert(kEnd + 1 == kSealType);
// The bits above these two are the reason of an undecryptable packet.
enum : std::uint8_t { kUndecryptable = 1, kParked = 2 };
constexpr unsigned kReasonShift = 2;

class Out {
  public:
    explicit Out(std::uint8_t* at) : at_(at) {}
    template <std::integral T>
    void put(T value) {
        auto bits = static_cast<std::make_unsigned_t<T>>(value);
        for (std::size_t i = 0; i < sizeof(T); ++i) at_[i] = static_cast<std::uint8_t>(bits >> (8 * i));
        at_ += sizeof(T);
    }
    void put(BootTime time) { put(time.time_since_epoch().count()); }
    void put(UserId user) { put(user.value); }
    void bytes(const void* from, std::size_t size) {
        if (size > 0) std::memcpy(at_, from, size);
        at_ += size;
    }

  private:
    std::uint8_t* at_;
};

class In {
  public:
    explicit In(std::span<const std::uint8_t> rest) : rest_(rest) {}
    template <std::integral T>
    T get() {
        std::make_unsigned_t<T> bits = 0;
        if (rest_.size() < sizeof(T)) return short_ = true, T{};
        for (std::size_t i = 0; i < sizeof(T); ++i) {
            bits =
                static_cast<std::make_unsigned_t<T>>(bits | static_cast<std::make_unsigned_t<T>>(rest_[i]) << (8 * i));
        }
        rest_ = rest_.subspan(sizeof(T));
        return static_cast<T>(bits);
    }
    BootTime time() {
        const BootTime time{nanoseconds{get<std::int64_t>()}};
        impossible_ = impossible_ || time.time_since_epoch() > kMaxTime || time.time_since_epoch() < -kMaxTime;
        return time;
    }
    UnixTime wall() {
        const UnixTime time{milliseconds{get<std::int64_t>()}};
        impossible_ = impossible_ || time.time_since_epoch() > kMaxWall || time.time_since_epoch().count() < 0;
        return time;
    }
    UserId user() { return UserId{get<std::uint64_t>()}; }
    std::span<const std::uint8_t> take(std::size_t size) {
        if (rest_.size() < size) return short_ = true, std::span<const std::uint8_t>{};
        const auto taken = rest_.first(size);
        rest_ = rest_.subspan(size);
        return taken;
    }
    std::span<const std::uint8_t> rest() { return take(rest_.size()); }
    [[nodiscard]] bool good() const { return !short_ && !impossible_; }
    [[nodiscard]] bool complete() const { return good() && rest_.empty(); }

  private:
    std::span<const std::uint8_t> rest_;
    bool short_ = false;
    bool impossible_ = false;
};

std::uint32_t header_crc(std::span<const std::uint8_t> used) {
    constexpr std::array<std::uint8_t, 4> kZero{};
    boost::crc_optimal<32, 0x1EDC6F41, 0xFFFFFFFF, 0xFFFFFFFF, true, true> crc;
    crc.process_bytes(used.data(), kHeaderCrcAt);
    crc.process_bytes(kZero.data(), kZero.size());
    crc.process_bytes(used.data() + kHeaderCrcAt + 4, used.size() - kHeaderCrcAt - 4);
    return crc.checksum();
}

// What a record says, as type, flags and the fields of its payload. Each payload begins with the record's time.
struct Size {
    std::size_t operator()(const Packet& p) const {
        const bool whole = p.undecryptable ? p.payload.empty() : p.payload.size() == p.payload_size;
        const bool reason_fits = p.undecryptable || p.closed == ClosedReason::unknown;
        if (!whole || !reason_fits || p.payload_size > kMaxPayloadBytes) return 0;
        return kPacketFieldsBytes + (p.undecryptable ? sizeof p.payload_size : p.payload.size());
    }
    std::size_t operator()(const Join&) const { return 16; }
    std::size_t operator()(const Leave&) const { return 16; }
    std::size_t operator()(const Binding&) const { return 20; }
    std::size_t operator()(const Pause&) const { return 8; }
    std::size_t operator()(const Resume&) const { return 8; }
    std::size_t operator()(const Gap& gap) const {
        return gap.from.time_since_epoch() <= kMaxTime && gap.from.time_since_epoch() >= -kMaxTime ? 21 : 0;
    }
    std::size_t operator()(const Clock& clock) const {
        const auto wall = clock.wall.time_since_epoch();
        return wall.count() >= 0 && wall <= kMaxWall ? 16 : 0;
    }
    std::size_t operator()(const Marker& marker) const {
        return marker.text.size() <= kMaxMarkerBytes ? 16 + marker.text.size() : 0;
    }
    std::size_t operator()(const End&) const { return 8; }
};

struct Type {
    std::uint8_t operator()(const Packet&) const { return kPacket; }
    std::uint8_t operator()(const Join&) const { return kJoin; }
    std::uint8_t operator()(const Leave&) const { return kLeave; }
    std::uint8_t operator()(const Binding&) const { return kBinding; }
    std::uint8_t operator()(const Pause&) const { return kPause; }
    std::uint8_t operator()(const Resume&) const { return kResume; }
    std::uint8_t operator()(const Gap&) const { return kGap; }
    std::uint8_t operator()(const Clock&) const { return kClock; }
    std::uint8_t operator()(const Marker&) const { return kMarker; }
    std::uint8_t operator()(const End&) const { return kEnd; }
};

struct Body {
    Out& out;
    void operator()(const Packet& p) const {
        out.put(p.arrival);
        out.put(p.ssrc);
        out.put(p.rtp_timestamp);
        out.put(p.seq);
        if (p.undecryptable) {
            out.put(p.payload_size);
        } else {
            out.bytes(p.payload.data(), p.payload.size());
        }
    }
    void operator()(const Join& join) const { out.put(join.at), out.put(join.user); }
    void operator()(const Leave& leave) const { out.put(leave.at), out.put(leave.user); }
    void operator()(const Binding& b) const { out.put(b.at), out.put(b.user), out.put(b.ssrc); }
    void operator()(const Pause& pause) const { out.put(pause.at); }
    void operator()(const Resume& resume) const { out.put(resume.at); }
    void operator()(const Gap& gap) const {
        out.put(gap.to), out.put(gap.from), out.put(gap.packets), out.put(static_cast<std::uint8_t>(gap.reason));
    }
    void operator()(const Clock& c) const { out.put(c.at), out.put(c.wall.time_since_epoch().count()); }
    void operator()(const Marker& m) const { out.put(m.at), out.put(m.user), out.bytes(m.text.data(), m.text.size()); }
    void operator()(const End& end) const { out.put(end.at); }
};

std::uint8_t flags_of(const Packet& p) {
    unsigned flags = static_cast<unsigned>(p.closed) << kReasonShift;
    if (p.undecryptable) flags |= kUndecryptable;
    if (p.parked) flags |= kParked;
    return static_cast<std::uint8_t>(flags);
}

std::optional<Record> decode_packet(std::uint8_t flags, In in) {
    Packet p;
    p.arrival = in.time();
    p.ssrc = in.get<std::uint32_t>();
    p.rtp_timestamp = in.get<std::uint32_t>();
    p.seq = in.get<std::uint16_t>();
    p.undecryptable = (flags & kUndecryptable) != 0;
    p.parked = (flags & kParked) != 0;
    if (p.undecryptable) {
        p.payload_size = in.get<std::uint16_t>();
    } else {
        p.payload = in.rest();
        p.payload_size = static_cast<std::uint16_t>(p.payload.size());
    }
    const unsigned reason = flags >> kReasonShift;
    if (reason >= (p.undecryptable ? kClosedReasons : 1)) return std::nullopt;
    p.closed = static_cast<ClosedReason>(reason);
    if (!in.complete() || p.payload_size > kMaxPayloadBytes) return std::nullopt;
    return p;
}

std::optional<Record> decode_gap(In in) {
    Gap gap;
    gap.to = in.time();
    gap.from = in.time();
    gap.packets = in.get<std::uint32_t>();
    const auto reason = in.get<std::uint8_t>();
    if (!in.complete() || reason < 1 || reason > static_cast<std::uint8_t>(GapReason::restart)) return std::nullopt;
    gap.reason = static_cast<GapReason>(reason);
    return gap;
}

std::optional<Record> decode_event(std::uint8_t type, In& in) {
    const BootTime at = in.time();
    switch (type) {
        case kJoin:
            return Join{at, in.user()};
        case kLeave:
            return Leave{at, in.user()};
        case kBinding: {
            const UserId user = in.user();
            return Binding{at, in.get<std::uint32_t>(), user};
        }
        case kPause:
            return Pause{at};
        case kResume:
            return Resume{at};
        case kClock:
            return Clock{at, in.wall()};
        case kMarker: {
            const UserId user = in.user();
            const auto text = in.rest();
            if (text.size() > kMaxMarkerBytes) return std::nullopt;
            // UTF-8 in a file is bytes; a string_view over them is what char may alias.
            return Marker{at, user, {reinterpret_cast<const char*>(text.data()), text.size()}};
        }
        case kEnd:
            return End{at};
        default:
            return std::nullopt;
    }
}

}  // namespace

std::array<std::uint8_t, kHeaderArea> encode_header(const SegmentHeader& header) {
    must(header.session_id.size() <= 64);
    std::array<std::uint8_t, kHeaderArea> area{};
    Out out(area.data());
    out.bytes(kMagic.data(), kMagic.size());
    out.put(kFormatVersion);
    out.put(static_cast<std::uint16_t>(kHeaderBytes));
    out.put(std::uint32_t{0});
    out.put(header.number);
    out.put(header.previous_number);
    out.put(header.previous_length);
    out.bytes(header.previous_hash.data(), header.previous_hash.size());
    out.put(header.first_record);
    out.put(header.session_start.time_since_epoch().count());
    out.put(header.anchor);
    out.bytes(header.boot.bytes, sizeof header.boot.bytes);
    out.put(static_cast<std::uint8_t>(header.session_id.size()));
    out.bytes(header.session_id.data(), header.session_id.size());
    Out(area.data() + kHeaderCrcAt).put(header_crc({area.data(), kHeaderBytes}));
    std::copy_n(area.data(), kHeaderBytes, area.data() + kHeaderCopyAt);
    return area;
}

namespace {

Error damaged(std::string what) {
    return Error{ErrorKind::damaged, std::move(what)};
}

Result<SegmentHeader> decode_copy(std::span<const std::uint8_t> bytes) {
    In in(bytes);
    const auto magic = in.take(kMagic.size());
    if (!std::ranges::equal(magic, kMagic)) return damaged(kForeign);
    const auto version = in.get<std::uint16_t>();
    const auto used = in.get<std::uint16_t>();
    const auto crc = in.get<std::uint32_t>();
    const bool whole = used >= kHeaderCrcAt + 4 && used <= bytes.size() && header_crc(bytes.first(used)) == crc;
    if (version > kFormatVersion) {
        return damaged(std::string(whole ? "was" : "has a damaged header, or was") +
                       " written by a newer version (format " + std::to_string(version) +
                       "); this program reads format " + std::to_string(kFormatVersion));
    }
    if (!whole || version != kFormatVersion || used != kHeaderBytes) {
        return damaged("has a damaged header (its checksum does not match)");
    }
    SegmentHeader header;
    header.number = in.get<std::uint32_t>();
    header.previous_number = in.get<std::uint32_t>();
    header.previous_length = in.get<std::uint64_t>();
    std::ranges::copy(in.take(header.previous_hash.size()), header.previous_hash.begin());
    header.first_record = in.get<std::uint64_t>();
    header.session_start = in.wall();
    header.anchor = in.time();
    std::ranges::copy(in.take(sizeof header.boot.bytes), header.boot.bytes);
    const auto id = in.take(in.get<std::uint8_t>());
    header.session_id.assign(id.begin(), id.end());
    const bool first = header.previous_number == 0;
    const bool chained = first ? header.previous_length == 0
                               : header.previous_length >= kHeaderArea && header.previous_length <= kMaxSegmentBytes;
    if (!in.good() || !SessionId::parse(header.session_id) || header.previous_number >= header.number || !chained) {
        return damaged("has a header that makes no sense, although its checksum matches");
    }
    return header;
}

}  // namespace

Result<SegmentHeader> decode_header(std::span<const std::uint8_t> bytes) {
    if (bytes.empty()) return damaged("is empty");
    const auto magic = bytes.first(std::min(bytes.size(), kMagic.size()));
    if (bytes.size() < kHeaderArea && std::ranges::equal(magic, std::span(kMagic).first(magic.size()))) {
        return damaged("is cut off inside its header");
    }
    if (bytes.size() < kHeaderArea) return damaged(kForeign);
    auto header = decode_copy(bytes.first(kHeaderBytes));
    if (header) return header;
    auto copy = decode_copy(bytes.subspan(kHeaderCopyAt, kHeaderBytes));
    return copy ? std::move(copy) : std::move(header);
}

RecordCrc::RecordCrc(std::string_view session_id, std::uint32_t segment) {
    std::array<std::uint8_t, 4> number{};
    Out(number.data()).put(segment);
    seed_.process_bytes(session_id.data(), session_id.size());
    seed_.process_bytes(number.data(), number.size());
}

std::uint32_t RecordCrc::of(std::uint64_t offset, std::span<const std::uint8_t> record) const {
    std::array<std::uint8_t, 4> place{};
    Out(place.data()).put(static_cast<std::uint32_t>(offset));
    auto crc = seed_;
    crc.process_bytes(place.data(), place.size());
    crc.process_bytes(record.data() + 4, record.size() - 4);
    return crc.checksum();
}

RecordHead read_head(std::span<const std::uint8_t> bytes) {
    must(bytes.size() >= kRecordHeaderBytes);
    In in(bytes);
    RecordHead head;
    head.crc = in.get<std::uint32_t>();
    head.length = in.get<std::uint16_t>();
    head.type = in.get<std::uint8_t>();
    head.flags = in.get<std::uint8_t>();
    return head;
}

// A Record is never valueless (its members can not throw), so visiting it does not throw.
std::size_t encoded_bytes(const Record& record) noexcept {  // NOLINT(bugprone-exception-escape)
    const auto time = time_of(record).time_since_epoch();
    if (time > kMaxTime || time < -kMaxTime) return 0;
    const std::size_t payload = std::visit(Size{}, record);
    return payload == 0 ? 0 : kRecordHeaderBytes + payload;
}

void encode(const Record& record, std::span<std::uint8_t> into) noexcept {  // NOLINT(bugprone-exception-escape)
    Out out(into.data());
    const auto* const packet = std::get_if<Packet>(&record);
    out.put(std::uint32_t{0});
    out.put(static_cast<std::uint16_t>(into.size() - kRecordHeaderBytes));
    out.put(std::visit(Type{}, record));
    out.put(packet != nullptr ? flags_of(*packet) : std::uint8_t{0});
    std::visit(Body{out}, record);
}

std::array<std::uint8_t, kRecordHeaderBytes + 16> encode_seal(BootTime at, std::uint64_t records) {
    std::array<std::uint8_t, kRecordHeaderBytes + 16> seal{};
    Out out(seal.data());
    out.put(std::uint32_t{0});
    out.put(std::uint16_t{16});
    out.put(kSealType);
    out.put(std::uint8_t{0});
    out.put(at);
    out.put(records);
    return seal;
}

std::optional<Record> decode(std::uint8_t type, std::uint8_t flags, std::span<const std::uint8_t> payload) {
    In in(payload);
    if (type == kPacket) return decode_packet(flags, in);
    if (flags != 0) return std::nullopt;
    if (type == kGap) return decode_gap(in);
    auto record = decode_event(type, in);
    return in.complete() ? record : std::nullopt;
}

BootTime encoded_time(std::span<const std::uint8_t> record) {
    return In(record.subspan(kRecordHeaderBytes)).time();
}

void place(std::vector<std::uint8_t>& bytes, std::uint64_t base, const RecordCrc& crc,
           std::span<const std::uint8_t> record) {
    must(record.size() <= kMaxRecordBytes);
    const std::size_t room = room_in_block(base + bytes.size());
    if (room < record.size()) bytes.resize(bytes.size() + room);
    const std::size_t at = bytes.size();
    bytes.insert(bytes.end(), record.begin(), record.end());
    Out(bytes.data() + at).put(crc.of(base + at, record));
}

}  // namespace lestapenna::journal
