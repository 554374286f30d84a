#include "audio/opus.h"

#include <cmath>
#include <random>

#include <gtest/gtest.h>

#include "speech.h"

namespace lestapenna::audio {
namespace {

using testing::kSecond;

using Packet = std::vector<std::uint8_t>;
constexpr std::size_t kFrame = 960;

std::vector<float> room() {
    return std::vector<float>(static_cast<std::size_t>(kMaxOpusPacket.count()));
}

std::vector<Packet> encode(std::span<const float> pcm, const OpusEncoderOptions& options = {}) {
    OpusEncoder encoder(options);
    std::vector<Packet> packets;
    for (std::size_t at = 0; at + kFrame <= pcm.size(); at += kFrame) {
        packets.push_back(encoder.encode(pcm.subspan(at, kFrame)));
    }
    return packets;
}

std::vector<float> decode(OpusDecoder& decoder, std::span<const Packet> packets) {
    std::vector<float> pcm;
    auto out = room();
    for (const auto& packet : packets) {
        const auto samples = decoder.decode(packet, out);
        pcm.insert(pcm.end(), out.begin(), out.begin() + samples.count());
    }
    return pcm;
}

TEST(OpusDuration, EveryFrameLength) {
    const auto pcm = testing::babble(kFrame * 6, 1);
    for (const int samples : {120, 240, 480, 960, 1920, 2880, 3840, 4800, 5760}) {
        for (const int channels : {1, 2}) {
            OpusEncoder encoder({.channels = channels, .voip = samples >= 480});
            const auto packet = encoder.encode(std::span(pcm).first(static_cast<std::size_t>(samples)));
            ASSERT_TRUE(opus_duration(packet)) << samples;
            EXPECT_EQ(opus_duration(packet)->count(), samples);
            OpusDecoder decoder;
            auto out = room();
            EXPECT_EQ(decoder.decode(packet, out).count(), samples);
        }
    }
}

TEST(OpusDuration, NothingForWhatIsNoPacket) {
    EXPECT_FALSE(opus_duration({}));
    EXPECT_FALSE(opus_duration(Packet{0x7B}));             // code 3 without its count byte
    EXPECT_FALSE(opus_duration(Packet{0x7B, 0x00}));       // no frames
    EXPECT_FALSE(opus_duration(Packet{0x7B, 0x3F}));       // 63 frames of 20 ms: longer than 120 ms
    EXPECT_FALSE(opus_duration(Packet{0x79, 1, 2, 3}));    // two frames of equal length in three bytes
    EXPECT_FALSE(opus_duration(Packet{0x7A, 0xFF}));       // two frames, the first longer than the packet
    EXPECT_EQ(opus_duration(Packet{0x78}), Samples{960});  // DTX: a TOC alone
}

TEST(Opus, SilenceFrameIsRecognisedAndDecodesToNothingFromTheSecondOn) {
    const Packet silence{0xF8, 0xFF, 0xFE};
    EXPECT_TRUE(is_silence_frame(silence));
    EXPECT_FALSE(is_silence_frame(Packet{0xF8, 0xFF}));
    EXPECT_FALSE(is_silence_frame(Packet{0xF8, 0xFF, 0xFE, 0x00}));
    EXPECT_EQ(opus_duration(silence), Samples{960});
    OpusDecoder decoder;
    decode(decoder, encode(testing::babble(kFrame * 20, 2)));
    decode(decoder, std::vector<Packet>(1, silence));
    for (const float x : decode(decoder, std::vector<Packet>(4, silence))) ASSERT_LT(std::abs(x), 1e-20F);
}

TEST(Opus, StereoPacketsAreMixedDownAndKeepTheLevel) {
    const auto tone = testing::sine(440, 0.25, kFrame * 50);
    for (const int channels : {1, 2}) {
        OpusDecoder decoder;
        const auto pcm = decode(decoder, encode(tone, {.channels = channels, .voip = false}));
        ASSERT_EQ(pcm.size(), tone.size());
        const double level = testing::energy(std::span(pcm).subspan(kFrame * 10)) /
                             testing::energy(std::span(tone).subspan(kFrame * 10));
        EXPECT_NEAR(10 * std::log10(level), 0, 0.1) << channels << " channels";
    }
}

TEST(Opus, ACopyContinuesBitForBitAtEveryPacket) {
    auto voice = testing::speech("en-libri2033-m.opus");
    if (voice.empty()) voice = testing::babble(20 * kSecond, 3);
    voice.resize(20 * kSecond);
    for (const int rate : {24'000, 64'000, 128'000}) {
        const auto packets = encode(voice, {.bitrate = rate, .expected_loss_percent = 10});
        OpusDecoder whole;
        auto expected = room();
        auto got = room();
        for (std::size_t at = 0; at + 3 < packets.size(); ++at) {
            OpusDecoder copy(whole);
            OpusDecoder assigned;
            assigned = copy;
            for (auto* const other : {&copy, &assigned}) {  // the copies run ahead by three packets, one of them lost
                OpusDecoder reference(whole);
                for (std::size_t k = 0; k < 3; ++k) {
                    const auto lost = std::span(expected).first(kFrame);
                    if (k == 1) {
                        ASSERT_TRUE(reference.recover(packets[at + 2], lost));
                        ASSERT_TRUE(other->recover(packets[at + 2], std::span(got).first(kFrame)));
                    } else {
                        ASSERT_EQ(reference.decode(packets[at + k], expected), other->decode(packets[at + k], got));
                    }
                    ASSERT_TRUE(std::equal(lost.begin(), lost.end(), got.begin())) << "packet " << at;
                }
            }
            whole.decode(packets[at], expected);
        }
    }
}

TEST(Opus, TheOriginalIsUntouchedByItsCopy) {
    const auto packets = encode(testing::babble(kFrame * 40, 4));
    OpusDecoder alone;
    const auto expected = decode(alone, packets);
    OpusDecoder watched;
    std::vector<float> pcm;
    for (const auto& packet : packets) {
        OpusDecoder copy(watched);
        decode(copy, packets);
        const auto part = decode(watched, std::span(&packet, 1));
        pcm.insert(pcm.end(), part.begin(), part.end());
    }
    EXPECT_EQ(pcm, expected);
}

TEST(Opus, FecRecoversALostPacketFarBetterThanConcealment) {
    auto voice = testing::speech("en-libri1688-m.opus");
    if (voice.empty()) GTEST_SKIP() << "needs shared/speech (LESTAPENNA_TEST_DATA)";
    voice.resize(30 * kSecond);
    const auto packets = encode(voice, {.channels = 1, .bitrate = 64'000, .expected_loss_percent = 10});
    OpusDecoder ideal;
    OpusDecoder lossy;
    auto wanted = room();
    std::vector<float> all_wanted;
    std::vector<float> by_fec;
    std::vector<float> by_plc;
    std::vector<float> out(kFrame);
    for (std::size_t i = 0; i + 1 < packets.size(); ++i) {
        ideal.decode(packets[i], wanted);
        auto scratch = room();
        if (i % 20 != 10) {
            lossy.decode(packets[i], scratch);
            continue;
        }
        all_wanted.insert(all_wanted.end(), wanted.begin(), wanted.begin() + kFrame);
        OpusDecoder other(lossy);
        ASSERT_TRUE(other.conceal(out));
        by_plc.insert(by_plc.end(), out.begin(), out.end());
        ASSERT_TRUE(lossy.recover(packets[i + 1], out));
        by_fec.insert(by_fec.end(), out.begin(), out.end());
    }
    const double fec = testing::snr_db(all_wanted, by_fec);
    const double plc = testing::snr_db(all_wanted, by_plc);
    RecordProperty("fec_db", std::to_string(fec));
    RecordProperty("plc_db", std::to_string(plc));
    EXPECT_GT(fec, 10) << "measured: 12.3 dB beside 2.5 for PLC";
    EXPECT_GT(fec, plc + 7);
}

struct FecCount {
    int with = 0;
    int without = 0;
    int changed = 0;  ///< without a copy, and yet other than PLC: the packet changes the sender's band or mode
};

/// Recovering from a packet without a copy is PLC to the bit; with one it is not. So the decoder itself is the judge.
FecCount check_fec_flag(std::span<const float> voice, std::size_t samples, const OpusEncoderOptions& options) {
    FecCount count;
    OpusEncoder encoder(options);
    OpusDecoder decoder;
    auto out = room();
    std::vector<float> recovered(samples);
    std::vector<float> concealed(samples);
    for (std::size_t at = 0; at + samples <= voice.size(); at += samples) {
        const auto packet = encoder.encode(voice.subspan(at, samples));
        EXPECT_TRUE(OpusDecoder(decoder).recover(packet, recovered));
        EXPECT_TRUE(OpusDecoder(decoder).conceal(concealed));
        decoder.decode(packet, out);
        if (at < 20 * samples) continue;  // until encoder and decoder have settled on a mode
        ++(has_fec(packet) ? count.with : recovered == concealed ? count.without : count.changed);
        if (has_fec(packet)) {
            EXPECT_NE(recovered, concealed) << "packet at " << at;
        }
    }
    return count;
}

TEST(Opus, HasFecSaysWhetherRecoveryIsMoreThanConcealment) {
    const auto voice = testing::babble(5 * kSecond, 9);
    FecCount all;
    for (const int channels : {1, 2}) {
        for (const int rate : {16'000, 32'000, 64'000, 128'000}) {
            for (const std::size_t samples : {480U, 960U, 1920U, 2880U}) {
                SCOPED_TRACE(std::to_string(channels) + " channels, " + std::to_string(rate) + " bit/s, " +
                             std::to_string(samples) + " samples");
                const OpusEncoderOptions plain{.channels = channels, .bitrate = rate};
                EXPECT_EQ(check_fec_flag(voice, samples, plain).with, 0);
                auto careful = plain;
                careful.expected_loss_percent = 20;
                const auto count = check_fec_flag(voice, samples, careful);
                all.with += count.with;
                all.without += count.without;
                all.changed += count.changed;
            }
        }
    }
    EXPECT_GT(all.with, 1000);
    EXPECT_GT(all.without, 1000);
    EXPECT_LE(all.changed * 1000, all.without);
    EXPECT_FALSE(has_fec({}));
    EXPECT_FALSE(has_fec(Packet{0xF8, 0xFF, 0xFE}));
    EXPECT_FALSE(has_fec(Packet{0x08})) << "a SILK TOC alone";
}

TEST(Opus, ConcealmentTakesOnlyItsLengths) {
    OpusDecoder decoder;
    const auto packets = encode(testing::babble(kFrame * 10, 5));
    decode(decoder, packets);
    std::vector<float> out(6000);
    for (const std::size_t bad : {0U, 1U, 100U, 961U, 5880U}) {
        EXPECT_FALSE(decoder.conceal(std::span(out).first(bad))) << bad;
        EXPECT_FALSE(decoder.recover(packets[0], std::span(out).first(bad))) << bad;
    }
    for (const std::size_t good : {120U, 240U, 360U, 960U, 1080U, 2880U, 5760U}) {
        std::ranges::fill(out, 99.0F);
        EXPECT_TRUE(decoder.conceal(std::span(out).first(good))) << good;
        EXPECT_NE(out[good - 1], 99.0F);
        EXPECT_EQ(out[good], 99.0F) << "wrote past the end";
        std::ranges::fill(out, 99.0F);
        EXPECT_TRUE(decoder.recover(packets[0], std::span(out).first(good))) << good;
        EXPECT_NE(out[good - 1], 99.0F);
        EXPECT_EQ(out[good], 99.0F) << "wrote past the end";
    }
    EXPECT_FALSE(decoder.recover({}, std::span(out).first(kFrame)));
}

TEST(Opus, RubbishNeverCrashesAndTheNextPacketDecodes) {
    const unsigned seed = std::random_device{}();
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937 random(seed);
    const auto good = encode(testing::babble(kFrame * 5, 6));
    OpusDecoder decoder;
    std::vector<float> out(static_cast<std::size_t>(kMaxOpusPacket.count()) + 1);
    int refused = 0;
    for (int round = 0; round < 20'000; ++round) {
        Packet packet(random() % 120);
        for (auto& byte : packet) byte = static_cast<std::uint8_t>(random());
        if (round % 3 == 0) packet = good[random() % good.size()];
        if (round % 3 == 0 && !packet.empty()) packet[random() % packet.size()] ^= static_cast<std::uint8_t>(random());
        out.back() = 99;
        const auto samples = decoder.decode(packet, out);
        ASSERT_EQ(out.back(), 99.0F);
        ASSERT_LE(samples, kMaxOpusPacket);
        ASSERT_EQ(samples, opus_duration(packet).value_or(Samples{0}));
        for (std::int64_t i = 0; i < samples.count(); ++i) ASSERT_TRUE(std::isfinite(out[static_cast<std::size_t>(i)]));
        if (samples.count() == 0) ++refused;
        ASSERT_EQ(decoder.decode(good[0], out).count(), 960);
    }
    EXPECT_GT(refused, 100);
    EXPECT_LT(refused, 19'000);
}

}  // namespace
}  // namespace lestapenna::audio
