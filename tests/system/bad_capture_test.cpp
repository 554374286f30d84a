// Captures that are not what they should be: one sentence, the documented exit code, and nobody else suffers.
#include <random>

#include "audio/files.h"
#include "audio/opus.h"
#include "program.h"

namespace lestapenna::system_test {
namespace {

constexpr std::size_t kFileHeader = 24;
constexpr std::size_t kPacketHeader = 16;

std::uint32_t u32(const Bytes& bytes, std::size_t at) {
    return static_cast<std::uint32_t>(bytes[at] | bytes[at + 1] << 8 | bytes[at + 2] << 16) |
           static_cast<std::uint32_t>(bytes[at + 3]) << 24;
}
void set_u32(Bytes& bytes, std::size_t at, std::uint32_t value) {
    for (std::size_t i = 0; i < 4; ++i) bytes[at + i] = static_cast<std::uint8_t>(value >> (8 * i));
}
/// Where packet number `n` of a capture begins.
std::size_t packet_at(const Bytes& capture, std::size_t n) {
    std::size_t at = kFileHeader;
    for (; n > 0; --n) at += kPacketHeader + u32(capture, at + 8);
    return at;
}
Bytes first(const Bytes& bytes, std::size_t count) {
    return {bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(count)};
}

class BadCapture : public Program {
  protected:
    /// A session that stays as it is, and a good capture to spoil.
    void SetUp() override {
        import(table_, "bystander");
        order({"master", "bystander"});
        before_ = belongings("bystander");
        listed_ = ask({"sessions", "bystander"});
        good_ = slurp(folder_ / "bystander.pcap");
    }
    void TearDown() override {
        EXPECT_EQ(belongings("bystander"), before_);
        EXPECT_EQ(ask({"sessions", "bystander"}), listed_);
    }

    void expect_no_import(const std::string& file, int exit_code, const std::string& code, const std::string& hint) {
        expect_refused({"import", file, "--users", users_of(table_)}, exit_code, code, hint);
        EXPECT_EQ(ask({"sessions"}).size(), 1U);
        EXPECT_EQ(std::distance(fs::directory_iterator(data() / "journal"), {}), 1) << "no journal is left behind";
    }
    /// Imports what can be read of `capture`; the session object.
    Json import_damaged(const Bytes& capture, const std::string& session, const std::string& said) {
        spit(folder_ / "bad.pcap", capture);
        const auto result = run({"import", "bad.pcap", "--users", users_of(table_), "--session", session, "--json"});
        EXPECT_EQ(result.exit_code, kDamaged) << result.err;
        EXPECT_THAT(result.err, AllOf(HasSubstr("bad.pcap"), HasSubstr(said)));
        EXPECT_EQ(std::ranges::count(result.err, '\n'), 1) << result.err;
        return value(result);
    }
    static std::uint64_t received(const Json& session) {
        std::uint64_t sum = 0;
        for (const auto& track : session["tracks"]) sum += track["packets_received"].get<std::uint64_t>();
        return sum;
    }

    const sandbox::SimulatedTable table_ = play();
    Bytes good_;
    Belongings before_;
    Json listed_;
};

TEST_F(BadCapture, WhatIsNoCaptureIsRefused) {
    spit(folder_ / "empty", std::string_view());
    spit(folder_ / "text", std::string_view("A capture? No: a text, long enough to hold a header of one.\n"));
    spit(folder_ / "header-cut", first(good_, 10));
    fs::create_directory(folder_ / "folder");
    for (const std::string name : {"empty", "text", "header-cut"})
        expect_no_import(name, kDamaged, "damaged", "a pcap or pcapng file is needed");
    expect_no_import("missing", kFailed, "not_found", "check the name");
    expect_no_import("folder", kFailed, "failed", "name a pcap or pcapng file");
    expect_no_import("/dev/null", kDamaged, "damaged", "a pcap or pcapng file is needed");
}

TEST_F(BadCapture, ACaptureWithoutVoiceIsRefused) {
    spit(folder_ / "no-packets", first(good_, kFileHeader));
    expect_no_import("no-packets", kDamaged, "damaged", "nothing to import");
    spit(folder_ / "cut-at-once", first(good_, kFileHeader + 7));
    expect_no_import("cut-at-once", kDamaged, "damaged", "nothing in it can be imported");

    // UDP, but never RTP: the version bits are wrong.
    auto foreign = table_;
    for (auto& arrival : foreign.arrivals) arrival.datagram[0] = 0x17;
    write_capture(foreign, folder_ / "foreign");
    expect_no_import("foreign", kDamaged, "damaged", "no Opus in clear RTP");
    // Other payload types: video and its RTX.
    for (auto& arrival : foreign.arrivals) {
        arrival.datagram[0] = 0x80;
        arrival.datagram[1] = 101;
    }
    write_capture(foreign, folder_ / "video");
    expect_no_import("video", kDamaged, "damaged", "no Opus in clear RTP");
}

TEST_F(BadCapture, OfACutOneWhatIsReadableIsKept) {
    constexpr std::size_t kWhole = 200;
    const std::size_t next = packet_at(good_, kWhole);
    for (const auto& [name, length] :
         {std::pair<std::string, std::size_t>{"in-header", next + 9}, {"in-packet", next + kPacketHeader + 30}}) {
        const auto session = import_damaged(first(good_, length), name, "cut or damaged after 200 packets");
        EXPECT_EQ(session["status"], "ending");
        EXPECT_EQ(received(session), kWhole);
        EXPECT_EQ(ask({"master", name})["status"], "complete") << "from here on a session like any other";
    }
}

TEST_F(BadCapture, AbsurdLengthsAndTimesEndNothingElse) {
    constexpr std::size_t kWhole = 150;
    auto absurd = good_;
    set_u32(absurd, packet_at(good_, kWhole) + 8, 0xFFFF'FFF0U);
    EXPECT_EQ(received(import_damaged(absurd, "absurd-length", "cut or damaged after 150 packets")), kWhole);

    // IP and UDP lengths that contradict the packet: that packet is left out, and only that.
    auto contradicting = good_;
    const std::size_t ip = packet_at(good_, kWhole) + kPacketHeader;
    contradicting[ip + 2] = 0xFF;
    spit(folder_ / "ip.pcap", contradicting);
    const auto result = run({"import", "ip.pcap", "--users", users_of(table_), "--session", "ip", "--json"});
    EXPECT_EQ(result.exit_code, kDone) << "the file is whole";
    EXPECT_THAT(result.err, HasSubstr("1 packets were left out: cut"));
    EXPECT_EQ(received(value(result)), table_.arrivals.size() - 1);

    // One packet from the year 2106: no session of eighty years.
    auto late = good_;
    set_u32(late, packet_at(good_, kWhole), 0xFFFF'FFFFU);
    spit(folder_ / "late.pcap", late);
    const auto session = ask({"import", "late.pcap", "--users", users_of(table_), "--session", "late"});
    EXPECT_EQ(received(session), table_.arrivals.size() - 1);
    EXPECT_EQ(session["duration_ms"], listed_["duration_ms"]);
}

TEST_F(BadCapture, NoiseInTheMiddleNeverCrashes) {
    std::mt19937_64 random(kSeed);
    SCOPED_TRACE("seed " + std::to_string(kSeed));
    for (int round = 0; round < 6; ++round) {
        auto noisy = good_;
        for (int i = 0; i < 40; ++i)
            noisy[kFileHeader + random() % (noisy.size() - kFileHeader)] = static_cast<std::uint8_t>(random());
        spit(folder_ / "noisy.pcap", noisy);
        const auto session = "noisy-" + std::to_string(round);
        const auto result = run({"import", "noisy.pcap", "--users", users_of(table_), "--session", session, "--json"});
        EXPECT_THAT(result.exit_code, ::testing::AnyOf(kDone, kDamaged)) << result.err;
        if (value(result).contains("error")) continue;
        const auto rendered = run({"master", session, "--json"});
        EXPECT_THAT(rendered.exit_code, ::testing::AnyOf(kDone, kGaps)) << rendered.err;
        EXPECT_EQ(value(rendered)["status"], "complete");
    }
}

/// Players whose packets are unusual, beside one who must not notice.
class OddPackets : public Program {
  protected:
    static constexpr std::size_t kOdd = 1;

    /// The other player's fragment and export.
    std::pair<Bytes, Bytes> bystander(const std::string& session, int exit_code) {
        const auto mastered = ask({"master", session}, exit_code);
        order({"export", session, "--format", "wav", "--out", session}, exit_code);
        const auto& track = mastered["tracks"].at(0);
        return {slurp(track["fragments"].at(0)["path"].get<std::string>()),
                slurp(folder_ / session / (track["user_id"].get<std::string>() + ".wav"))};
    }
};

TEST_F(OddPackets, CorruptOpusSpoilsNobodyElse) {
    auto table = play();
    import(table, "clean");
    std::mt19937_64 random(kSeed);
    std::size_t spoiled = 0;
    for (auto& arrival : table.arrivals) {
        if (arrival.ssrc != table.senders[kOdd].ssrc || random() % 4 != 0) continue;
        auto& bytes = arrival.datagram;
        switch (spoiled++ % 4) {
            case 0:  // no payload at all: no packet, so that one is missing
                bytes.resize(12);
                break;
            case 1:  // a TOC that promises frames whose lengths do not add up
                bytes.resize(14);
                bytes[12] = 0xFF;
                bytes[13] = 0x3F;
                break;
            case 2:  // noise after a good TOC
                for (std::size_t i = 13; i < bytes.size(); ++i) bytes[i] = static_cast<std::uint8_t>(random());
                break;
            default:  // all noise
                for (std::size_t i = 12; i < bytes.size(); ++i) bytes[i] = static_cast<std::uint8_t>(random());
        }
    }
    ASSERT_GT(spoiled, 20U);
    import(table, "corrupt");
    EXPECT_EQ(bystander("corrupt", kGaps), bystander("clean", kDone));
    EXPECT_EQ(ask({"sessions", "corrupt"})["tracks"].at(kOdd)["packets_lost"], (spoiled + 3) / 4);
    for (const std::string format : {"opus", "flac"})
        order({"export", "corrupt", "--format", format, "--out", "out"}, kGaps);
    for (const auto& sender : table.senders) {
        const auto file = audio::read_mono_48k(folder_ / "out" / (sender.user.text() + ".opus"));
        ASSERT_TRUE(file.ok()) << "what we write can be read";
        EXPECT_TRUE(std::ranges::all_of(*file, [](float x) { return std::isfinite(x); }));
    }
}

TEST_F(OddPackets, EveryPacketLengthMonoAndStereoAtOneTable) {
    Sitting sitting{.speakers = 9, .length = seconds(27)};
    const std::array tenths{25, 50, 100, 200, 400, 600, 800, 1'000, 1'200};
    for (std::size_t i = 0; i < tenths.size(); ++i) {
        sandbox::Sender sender;
        sender.frame = Samples{tenths[i] * kSamplesPerMs / 10};
        sender.encoder.channels = i % 2 == 0 ? 1 : 2;
        sender.encoder.voip = i % 3 != 0;
        sitting.line.senders.push_back(sender);
    }
    const auto table = play(sitting);
    import(table, "all-lengths");
    const auto session = ask({"master", "all-lengths"});
    ASSERT_EQ(session["tracks"].size(), tenths.size());
    for (std::size_t i = 0; i < tenths.size(); ++i) {
        const auto& track = session["tracks"][i];
        SCOPED_TRACE("frames of " + std::to_string(tenths[i]) + " tenths of a ms");
        EXPECT_EQ(track["packets_received"], table.senders[i].delivered);
        EXPECT_NEAR(track["fragments"].at(0)["loudness_lufs"].get<double>(), -23, 0.2);
    }
    for (const std::string format : {"opus", "wav"}) {
        order({"export", "all-lengths", "--format", format, "--out", "out"});
        for (const auto& sender : table.senders) {
            const auto file = audio::read_mono_48k(folder_ / "out" / (sender.user.text() + "." + format));
            ASSERT_TRUE(file.ok());
            EXPECT_EQ(static_cast<std::int64_t>(file->size()) / kSamplesPerMs, session["duration_ms"]);
        }
    }
}

TEST_F(OddPackets, APlayerWhoChangesTheirMindPacketByPacket) {
    auto table = play();
    std::vector<audio::OpusEncoder> encoders;
    for (const int channels : {1, 2}) encoders.emplace_back(audio::OpusEncoderOptions{.channels = channels});
    const std::array<std::size_t, 4> lengths{120, 480, 960, 2'880};
    // The odd player's packets anew: another length, mono or stereo, each time; the clock goes on truthfully.
    std::uint32_t timestamp = 1'000;
    std::uint16_t seq = 65'500;
    std::size_t packets = 0;
    std::vector<sandbox::Arrival> odd;
    auto time = table.arrivals.front().time;
    for (std::size_t i = 0; i < 400; ++i, ++packets) {
        const std::size_t length = lengths[(i * 7) % lengths.size()];
        std::vector<float> pcm(length);
        for (std::size_t k = 0; k < length; ++k) pcm[k] = 0.2F * std::sin(static_cast<float>(timestamp + k) * 0.05F);
        Bytes datagram{0x80, 0x78, static_cast<std::uint8_t>(seq >> 8), static_cast<std::uint8_t>(seq)};
        for (const std::uint32_t word : {timestamp, table.senders[kOdd].ssrc}) {
            for (int shift = 24; shift >= 0; shift -= 8) datagram.push_back(static_cast<std::uint8_t>(word >> shift));
        }
        const auto opus = encoders[i % 2].encode(pcm);
        datagram.insert(datagram.end(), opus.begin(), opus.end());
        odd.push_back({time, table.senders[kOdd].ssrc, datagram});
        time += std::chrono::duration_cast<nanoseconds>(Samples{static_cast<std::int64_t>(length)});
        timestamp += static_cast<std::uint32_t>(length);
        ++seq;
    }
    import(table, "as-usual", {"--start", std::to_string(table.start_time.time_since_epoch().count())});
    std::erase_if(table.arrivals, [&](const auto& one) { return one.ssrc == table.senders[kOdd].ssrc; });
    table.arrivals.insert(table.arrivals.end(), odd.begin(), odd.end());
    std::ranges::stable_sort(table.arrivals, {}, &sandbox::Arrival::time);
    import(table, "odd", {"--start", std::to_string(table.start_time.time_since_epoch().count())});
    EXPECT_EQ(bystander("odd", kDone).first, bystander("as-usual", kDone).first);
    const auto track = ask({"sessions", "odd"})["tracks"].at(kOdd);
    EXPECT_EQ(track["packets_received"], packets);
    EXPECT_EQ(track["packets_lost"], 0);
    EXPECT_NEAR(track["fragments"].at(0)["loudness_lufs"].get<double>(), -23, 0.2);
}

}  // namespace
}  // namespace lestapenna::system_test
