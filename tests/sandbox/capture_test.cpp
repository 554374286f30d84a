#include "sandbox/capture.h"

#include <algorithm>
#include <fstream>
#include <random>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <pcap/pcap.h>

#include "support.h"

namespace lestapenna::sandbox {
namespace {

using test::TempDir;
using testing::HasSubstr;
using Bytes = std::vector<std::uint8_t>;

constexpr CaptureTime kTime{nanoseconds(1'700'000'000'123'456'789)};

Bytes operator+(Bytes left, const Bytes& right) {
    left.insert(left.end(), right.begin(), right.end());
    return left;
}

const Bytes kUdp = {0xC3, 0x54, 0x9C, 0x40, 0, 11, 0, 0, 7, 8, 9};
const Bytes kPayload = {7, 8, 9};
Bytes ipv4(const Bytes& inner, std::uint8_t protocol = 17) {
    return Bytes{0x45, 0,        0, static_cast<std::uint8_t>(20 + inner.size()),
                 0,    0,        0, 0,
                 64,   protocol, 0, 0,
                 10,   0,        0, 1,
                 10,   0,        0, 2} +
           inner;
}
Bytes ipv6(std::uint8_t next, const Bytes& inner) {
    return Bytes{0x60, 0, 0, 0, 0, static_cast<std::uint8_t>(inner.size()), next, 64} + Bytes(32, 1) + inner;
}
Bytes ethernet(const Bytes& type, const Bytes& inner) {
    return Bytes(12, 2) + type + inner;
}

Bytes read(LinkType link, const Bytes& bytes) {
    const Frame frame = parse_frame(link, bytes);
    EXPECT_EQ(frame.reject, FrameReject::none) << to_string(frame.reject);
    return {frame.udp_payload.begin(), frame.udp_payload.end()};
}
FrameReject why(LinkType link, const Bytes& bytes) {
    return parse_frame(link, bytes).reject;
}

TEST(Frame, TakesEachLinkOff) {
    EXPECT_EQ(read(LinkType::raw_ip, ipv4(kUdp)), kPayload);
    EXPECT_EQ(read(LinkType::raw_ip, ipv6(17, kUdp)), kPayload);
    EXPECT_EQ(read(LinkType::ethernet, ethernet({0x08, 0x00}, ipv4(kUdp))), kPayload);
    EXPECT_EQ(read(LinkType::ethernet, ethernet({0x86, 0xDD}, ipv6(17, kUdp))), kPayload);
    EXPECT_EQ(read(LinkType::ethernet, ethernet({0x81, 0x00, 0, 5, 0x08, 0x00}, ipv4(kUdp))), kPayload);
    EXPECT_EQ(read(LinkType::ethernet, ethernet({0x88, 0xA8, 0, 5, 0x81, 0x00, 0, 6, 0x86, 0xDD}, ipv6(17, kUdp))),
              kPayload);
    EXPECT_EQ(read(LinkType::linux_cooked, Bytes(14, 0) + Bytes{0x08, 0x00} + ipv4(kUdp)), kPayload);
    EXPECT_EQ(read(LinkType::linux_cooked_v2, Bytes{0x08, 0x00} + Bytes(18, 0) + ipv4(kUdp)), kPayload);
    EXPECT_EQ(read(LinkType::null_loopback, Bytes{2, 0, 0, 0} + ipv4(kUdp)), kPayload);
    EXPECT_EQ(read(LinkType::null_loopback, Bytes{0, 0, 0, 30} + ipv6(17, kUdp)), kPayload);
}

TEST(Frame, TakesOptionsExtensionsAndPaddingOff) {
    Bytes options = ipv4(kUdp);
    options.insert(options.begin() + 20, {1, 1, 1, 1});
    options[0] = 0x46;
    options[3] = static_cast<std::uint8_t>(options[3] + 4);
    EXPECT_EQ(read(LinkType::raw_ip, options), kPayload);
    EXPECT_EQ(read(LinkType::ethernet, ethernet({0x08, 0x00}, ipv4(kUdp) + Bytes(15, 0))), kPayload)
        << "padded to 60 bytes";

    const Bytes hop_by_hop = {60, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0};
    const Bytes destination = {51, 0, 0, 0, 0, 0, 0, 0};
    const Bytes authentication = {44, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0};
    const Bytes whole_fragment = {17, 0, 0, 0, 1, 2, 3, 4};
    EXPECT_EQ(read(LinkType::raw_ip, ipv6(0, hop_by_hop + destination + authentication + whole_fragment + kUdp)),
              kPayload);
}

TEST(Frame, NamesEachReject) {
    const auto changed = [](Bytes bytes, std::size_t at, std::uint8_t value) {
        bytes[at] = value;
        return bytes;
    };
    const Bytes four = ipv4(kUdp);
    EXPECT_EQ(why(LinkType::raw_ip, {}), FrameReject::cut);
    EXPECT_EQ(why(LinkType::raw_ip, Bytes(four.begin(), four.end() - 1)), FrameReject::cut);
    EXPECT_EQ(why(LinkType::raw_ip, Bytes(four.begin(), four.begin() + 19)), FrameReject::cut);
    EXPECT_EQ(why(LinkType::ethernet, Bytes(13, 0)), FrameReject::cut);
    EXPECT_EQ(why(LinkType::ethernet, Bytes(12, 0) + Bytes{0x81, 0x00, 0, 1}), FrameReject::cut);
    EXPECT_EQ(why(LinkType::null_loopback, {2, 0, 0}), FrameReject::cut);
    EXPECT_EQ(why(LinkType::ethernet, ethernet({0x08, 0x06}, four)), FrameReject::not_ip) << "ARP";
    EXPECT_EQ(why(LinkType::raw_ip, changed(four, 0, 0x55)), FrameReject::not_ip);
    EXPECT_EQ(why(LinkType::raw_ip, ipv4(kUdp, 6)), FrameReject::not_udp);
    EXPECT_EQ(why(LinkType::raw_ip, ipv6(59, {})), FrameReject::not_udp);
    EXPECT_EQ(why(LinkType::raw_ip, ipv6(50, kUdp)), FrameReject::not_udp) << "ESP hides what it carries";
    EXPECT_EQ(why(LinkType::raw_ip, changed(four, 6, 0x20)), FrameReject::fragment) << "more fragments";
    EXPECT_EQ(why(LinkType::raw_ip, changed(four, 7, 1)), FrameReject::fragment) << "an offset";
    EXPECT_EQ(why(LinkType::raw_ip, ipv6(44, Bytes{17, 0, 0, 1, 1, 2, 3, 4} + kUdp)), FrameReject::fragment);
    EXPECT_EQ(why(LinkType::raw_ip, changed(four, 0, 0x44)), FrameReject::bad_header) << "a header of 16 bytes";
    EXPECT_EQ(why(LinkType::raw_ip, changed(four, 3, 19)), FrameReject::bad_header) << "shorter than its header";
    EXPECT_EQ(why(LinkType::raw_ip, changed(four, 25, 7)), FrameReject::bad_header) << "UDP shorter than its header";
    EXPECT_EQ(why(LinkType::raw_ip, changed(four, 25, 12)), FrameReject::bad_header) << "UDP longer than IP";
    EXPECT_EQ(why(LinkType::raw_ip, ipv4({1, 2, 3})), FrameReject::bad_header);
    EXPECT_EQ(why(LinkType::raw_ip, ipv6(0, {17, 200, 0, 0, 0, 0, 0, 0})), FrameReject::bad_header);
    EXPECT_EQ(why(LinkType::raw_ip, ipv6(0, {17})), FrameReject::bad_header);
}

TEST(Frame, AnyBytesAreTotal) {
    constexpr unsigned kSeed = 20'260'103;
    std::mt19937 random(kSeed);
    for (int round = 0; round < 200'000; ++round) {
        Bytes bytes =
            round % 2 == 0 ? ethernet({0x08, 0x00}, ipv4(kUdp)) : ethernet({0x86, 0xDD}, ipv6(0, Bytes(24, 0) + kUdp));
        for (int i = 0; i < 4; ++i) bytes[random() % bytes.size()] = static_cast<std::uint8_t>(random());
        bytes.resize(random() % (bytes.size() + 1));
        const Frame frame = parse_frame(static_cast<LinkType>(random() % 5), bytes);
        if (frame.udp_payload.empty()) continue;
        ASSERT_EQ(frame.reject, FrameReject::none) << "seed " << kSeed << " round " << round;
        ASSERT_GE(frame.udp_payload.data(), bytes.data());
        ASSERT_LE(frame.udp_payload.data() + frame.udp_payload.size(), bytes.data() + bytes.size());
    }
}

// ---- files

struct Reading {
    std::vector<std::pair<CaptureTime, Bytes>> datagrams;
    std::string error;
    CaptureCounts counts;
};
Reading read_all(const std::filesystem::path& path) {
    Reading all;
    auto reader = CaptureReader::open(path);
    if (!reader) {
        all.error = reader.error().message;
        return all;
    }
    for (;;) {
        const CaptureOutcome outcome = reader->next();
        if (const auto* datagram = std::get_if<Datagram>(&outcome)) {
            all.datagrams.emplace_back(datagram->time, Bytes(datagram->payload.begin(), datagram->payload.end()));
        } else if (const auto* error = std::get_if<Error>(&outcome)) {
            EXPECT_EQ(error->kind, ErrorKind::damaged);
            all.error = error->message;
        } else {
            break;
        }
    }
    all.counts = reader->counts();
    return all;
}

/// Packets of any link, by libpcap itself; `precision` as libpcap names it.
void write_raw(const std::filesystem::path& path, int dlt, int precision, const std::vector<Bytes>& packets) {
    pcap_t* pcap = pcap_open_dead_with_tstamp_precision(dlt, 65'535, static_cast<u_int>(precision));
    pcap_dumper_t* dump = pcap_dump_open(pcap, path.c_str());
    ASSERT_NE(dump, nullptr);
    for (const Bytes& packet : packets) {
        pcap_pkthdr header{};
        header.ts.tv_sec = 1'700'000'000;
        header.ts.tv_usec = precision == PCAP_TSTAMP_PRECISION_NANO ? 123'456'789 : 123'456;
        header.caplen = header.len = static_cast<bpf_u_int32>(packet.size());
        pcap_dump(reinterpret_cast<u_char*>(dump), &header, packet.data());
    }
    pcap_dump_close(dump);
    pcap_close(pcap);
}

Bytes slurp(const std::filesystem::path& path) {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}
void spill(const std::filesystem::path& path, const Bytes& bytes) {
    std::ofstream(path, std::ios::binary)
        .write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
}

void write_three(const std::filesystem::path& path, const CaptureFormat& format) {
    auto writer = CaptureWriter::create(path, format);
    ASSERT_TRUE(writer.ok()) << writer.error().message;
    ASSERT_TRUE(writer->write(kTime, kPayload).ok());
    ASSERT_TRUE(writer->write(kTime + nanoseconds(1), {}).ok());
    ASSERT_TRUE(writer->write(kTime + seconds(1), Bytes(1'000, 0x5A)).ok());
    ASSERT_TRUE(writer->close().ok());
}

TEST(Capture, WhatIsWrittenIsReadToTheNanosecond) {
    const TempDir folder;
    for (const bool on_ethernet : {false, true}) {
        write_three(folder / "three.pcap", {.ethernet = on_ethernet});
        const Reading all = read_all(folder / "three.pcap");
        EXPECT_EQ(all.error, "");
        ASSERT_EQ(all.datagrams.size(), 3U);
        EXPECT_EQ(all.datagrams[0], std::pair(kTime, kPayload));
        EXPECT_EQ(all.datagrams[1], std::pair(kTime + nanoseconds(1), Bytes{}));
        EXPECT_EQ(all.datagrams[2], std::pair(kTime + seconds(1), Bytes(1'000, 0x5A)));
    }
}

TEST(Capture, ChecksumsAreRight) {
    const TempDir folder;
    write_three(folder / "three.pcap", {});
    const Bytes file = slurp(folder / "three.pcap");
    ASSERT_GE(file.size(), 24U + 16 + 31);
    EXPECT_EQ(Bytes(file.begin(), file.begin() + 4), (Bytes{0x4D, 0x3C, 0xB2, 0xA1}))
        << "nanosecond magic, little endian";
    const Bytes packet(file.begin() + 40, file.begin() + 40 + 31);
    const auto sum = [](const Bytes& bytes) {
        unsigned total = 0;
        for (std::size_t i = 0; i < bytes.size(); ++i) total += i % 2 == 0 ? bytes[i] * 256U : bytes[i];
        while (total > 0xFFFF) total = (total & 0xFFFF) + (total >> 16);
        return total;
    };
    EXPECT_EQ(sum(Bytes(packet.begin(), packet.begin() + 20)), 0xFFFFU);
    const Bytes pseudo = Bytes(packet.begin() + 12, packet.begin() + 20) + Bytes{0, 17, 0, 11};
    EXPECT_EQ(sum(pseudo + Bytes(packet.begin() + 20, packet.end())), 0xFFFFU);
}

TEST(Capture, ReadsMicrosecondsAndEveryLink) {
    const TempDir folder;
    const auto file = folder / "x.pcap";
    write_raw(file, DLT_RAW, PCAP_TSTAMP_PRECISION_MICRO, {ipv4(kUdp)});
    ASSERT_EQ(read_all(file).datagrams.size(), 1U);
    EXPECT_EQ(read_all(file).datagrams[0].first, kTime - nanoseconds(789));

    const std::vector<std::pair<int, Bytes>> links = {
        {DLT_EN10MB, ethernet({0x08, 0x00}, ipv4(kUdp))},
        {DLT_LINUX_SLL, Bytes(14, 0) + Bytes{0x08, 0x00} + ipv4(kUdp)},
        {DLT_LINUX_SLL2, Bytes{0x08, 0x00} + Bytes(18, 0) + ipv4(kUdp)},
        {DLT_NULL, Bytes{2, 0, 0, 0} + ipv4(kUdp)},
        {DLT_LOOP, Bytes{0, 0, 0, 2} + ipv4(kUdp)},
        {DLT_IPV4, ipv4(kUdp)},
        {DLT_IPV6, ipv6(17, kUdp)},
    };
    for (const auto& [dlt, packet] : links) {
        write_raw(file, dlt, PCAP_TSTAMP_PRECISION_NANO, {packet});
        const Reading all = read_all(file);
        ASSERT_EQ(all.datagrams.size(), 1U) << "link " << dlt << " " << all.error;
        EXPECT_EQ(all.datagrams[0], std::pair(kTime, kPayload));
    }
}

TEST(Capture, ReadsPcapng) {
    const TempDir folder;
    const auto word = [](std::uint32_t value) {
        Bytes bytes(4);
        for (std::size_t i = 0; i < 4; ++i) bytes[i] = static_cast<std::uint8_t>(value >> (8 * i));
        return bytes;
    };
    const Bytes packet = ipv4(kUdp) + Bytes(1, 0);  // 31 bytes and padding to 32
    const Bytes section =
        word(0x0A0D0D0A) + word(28) + word(0x1A2B3C4D) + word(1) + word(0xFFFFFFFF) + word(0xFFFFFFFF) + word(28);
    const Bytes interface = word(1) + word(32) + word(101 /* raw IP */) + word(65'535) + Bytes{9, 0, 1, 0, 9, 0, 0, 0} +
                            word(0) + word(32);  // time in units of 10^-9 s
    const auto stamp = static_cast<std::uint64_t>(kTime.time_since_epoch().count());
    const Bytes block = word(6) + word(64) + word(0) + word(static_cast<std::uint32_t>(stamp >> 32)) +
                        word(static_cast<std::uint32_t>(stamp)) + word(31) + word(31) + packet + word(64);
    spill(folder / "x.pcapng", section + interface + block);
    const Reading all = read_all(folder / "x.pcapng");
    EXPECT_EQ(all.error, "");
    ASSERT_EQ(all.datagrams.size(), 1U);
    EXPECT_EQ(all.datagrams[0], std::pair(kTime, kPayload));
}

TEST(Capture, CountsWhatIsNoDatagram) {
    const TempDir folder;
    write_raw(folder / "x.pcap", DLT_RAW, PCAP_TSTAMP_PRECISION_NANO,
              {ipv4(kUdp), ipv4(kUdp, 6), ipv4(kUdp, 6), {0x10, 0}, ipv6(44, Bytes{17, 0, 0, 1, 1, 2, 3, 4} + kUdp)});
    const Reading all = read_all(folder / "x.pcap");
    EXPECT_EQ(all.counts.packets, 5U);
    EXPECT_EQ(all.counts.datagrams, 1U);
    EXPECT_EQ(all.counts.rejects, (std::array<std::uint64_t, kFrameRejects>{0, 0, 1, 2, 1, 0, 0}));
}

TEST(Capture, ACutFileGivesWhatIsReadableThenSaysSo) {
    const TempDir folder;
    write_three(folder / "three.pcap", {});
    const Bytes whole = slurp(folder / "three.pcap");
    // Ends of the global header and of the three packets: there a cut can not be seen.
    const std::vector<std::size_t> ends = {24, 24 + 16 + 31, 24 + 16 + 31 + 16 + 28, whole.size()};
    for (std::size_t length = 0; length <= whole.size(); ++length) {
        spill(folder / "cut.pcap", Bytes(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(length)));
        const Reading all = read_all(folder / "cut.pcap");
        std::size_t readable = 0;
        while (readable + 1 < ends.size() && ends[readable + 1] <= length) ++readable;
        ASSERT_EQ(all.datagrams.size(), length < 24 ? 0 : readable) << "cut at " << length;
        const bool clean = std::find(ends.begin(), ends.end(), length) != ends.end();
        ASSERT_EQ(all.error.empty(), clean) << "cut at " << length << ": " << all.error;
        if (!clean && length > 24) {
            ASSERT_THAT(all.error, HasSubstr("after " + std::to_string(readable) + " packets")) << length;
        }
    }
}

TEST(Capture, AbsurdLengthsAreDamage) {
    const TempDir folder;
    write_three(folder / "three.pcap", {});
    const Bytes whole = slurp(folder / "three.pcap");
    for (const std::uint8_t high : Bytes{0x7F, 0xFF}) {
        Bytes bytes = whole;
        bytes[24 + 16 + 31 + 11] = high;  // captured length of the second packet: 2 or 4 GB
        spill(folder / "absurd.pcap", bytes);
        const Reading all = read_all(folder / "absurd.pcap");
        EXPECT_EQ(all.datagrams.size(), 1U);
        EXPECT_THAT(all.error, HasSubstr("after 1 packets"));
    }
}

TEST(Capture, AnImpossibleFractionOfASecondIsCounted) {
    const TempDir folder;
    write_three(folder / "three.pcap", {});
    Bytes bytes = slurp(folder / "three.pcap");
    for (std::size_t i = 28; i < 32; ++i) bytes[i] = 0xFF;
    spill(folder / "time.pcap", bytes);
    const Reading all = read_all(folder / "time.pcap");
    EXPECT_EQ(all.datagrams.size(), 2U);
    EXPECT_EQ(all.counts.rejects[static_cast<std::size_t>(FrameReject::bad_time)], 1U);
}

TEST(Capture, SaysWhatIsNoCapture) {
    const TempDir folder;
    const auto kind = [](const std::filesystem::path& path) {
        const auto reader = CaptureReader::open(path);
        EXPECT_FALSE(reader.ok());
        EXPECT_THAT(reader.error().message, HasSubstr(path.string()));
        return reader.error().kind;
    };
    EXPECT_EQ(kind(folder / "nothing.pcap"), ErrorKind::not_found);
    EXPECT_EQ(kind(folder.path()), ErrorKind::failed);
    spill(folder / "empty.pcap", {});
    EXPECT_EQ(kind(folder / "empty.pcap"), ErrorKind::damaged);
    spill(folder / "text.pcap", Bytes(200, 'x'));
    EXPECT_EQ(kind(folder / "text.pcap"), ErrorKind::damaged);
    write_raw(folder / "wifi.pcap", DLT_IEEE802_11, PCAP_TSTAMP_PRECISION_NANO, {ipv4(kUdp)});
    EXPECT_EQ(kind(folder / "wifi.pcap"), ErrorKind::damaged);
}

TEST(CaptureWriter, RefusesWhatDoesNotFit) {
    const TempDir folder;
    EXPECT_FALSE(CaptureWriter::create(folder / "no such folder" / "x.pcap").ok());
    auto writer = CaptureWriter::create(folder / "x.pcap");
    ASSERT_TRUE(writer.ok());
    EXPECT_TRUE(writer->write(kTime, Bytes(65'507, 1)).ok());
    EXPECT_FALSE(writer->write(kTime, Bytes(65'508, 1)).ok());
    EXPECT_FALSE(writer->write(CaptureTime(nanoseconds(-1)), kPayload).ok());
    ASSERT_TRUE(writer->close().ok());
    EXPECT_EQ(read_all(folder / "x.pcap").datagrams.size(), 1U);
}

TEST(CaptureWriter, AFullDiskIsAnError) {
    auto writer = CaptureWriter::create("/dev/full");
    ASSERT_TRUE(writer.ok());
    Status status = Ok{};
    for (int i = 0; i < 200 && status.ok(); ++i) status = writer->write(kTime, Bytes(1'000, 1));
    if (status.ok()) status = writer->close();
    ASSERT_FALSE(status.ok());
    EXPECT_THAT(status.error().message, HasSubstr("No space left"));
}

}  // namespace
}  // namespace lestapenna::sandbox
