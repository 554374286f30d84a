// Slices against one uncut encode of the same sound, and what silence costs.
#include "render/slices.h"

#include <algorithm>
#include <limits>
#include <numeric>

#include "audio/mp3.h"
#include "base/parallel.h"
#include "recorded.h"

namespace lestapenna::render {
namespace {

using namespace testing;
using audio::kMp3DecodedDelay;
using audio::kMp3FrameSamples;

const auto kAsItIs = [](std::span<float>) {};

PcmSource source_of(const std::vector<float>& pcm, std::int64_t shift = 0) {
    return [&pcm, shift](Samples first, std::span<float> out) {
        for (std::size_t i = 0; i < out.size(); ++i) {
            const std::int64_t at = first.count() + shift + static_cast<std::int64_t>(i);
            out[i] = at >= 0 && at < std::ssize(pcm) ? pcm[static_cast<std::size_t>(at)] : 0.0F;
        }
    };
}

/// One encoder from beginning to end, without reservoir like ours.
Bytes encode_uncut(const audio::Mp3Format& format, const std::vector<float>& pcm) {
    audio::Mp3Encoder encoder(format);
    const auto frames = static_cast<std::size_t>(audio::mp3_frames(Samples{std::ssize(pcm)}));
    Bytes bytes;
    std::vector<float> frame(kMp3FrameSamples);
    for (std::size_t f = 0; bytes.size() < frames * format.frame_bytes(); ++f) {
        source_of(pcm)(Samples{static_cast<std::int64_t>(f) * kMp3FrameSamples}, frame);
        encoder.encode(frame, bytes);
    }
    bytes.resize(frames * format.frame_bytes());
    return bytes;
}

Bytes encode_in_slices(const audio::Mp3Format& format, const std::vector<float>& pcm) {
    const SlicePlan plan(Samples{std::ssize(pcm)});
    std::vector<Bytes> slices(static_cast<std::size_t>(plan.count()));
    parallel_for(slices.size(), 2, [&](std::size_t i) {
        slices[i] = encode_slice(format, plan, plan.slice(static_cast<std::int64_t>(i)), source_of(pcm), kAsItIs);
    });
    Bytes bytes;
    for (const Bytes& slice : slices) bytes.insert(bytes.end(), slice.begin(), slice.end());
    return bytes;
}

std::vector<float> decode_frames(std::span<const std::uint8_t> frames) {
    std::vector<float> pcm;
    EXPECT_TRUE(audio::Mp3Decoder().decode(frames, pcm).ok());
    return pcm;
}

/// Which frames of `a` and `b` have other bytes.
std::vector<std::int64_t> unlike_frames(const audio::Mp3Format& format, const Bytes& a, const Bytes& b) {
    const auto size = static_cast<std::ptrdiff_t>(format.frame_bytes());
    std::vector<std::int64_t> unlike;
    for (std::ptrdiff_t f = 0; (f + 1) * size <= std::ssize(a); ++f) {
        if (!std::equal(a.begin() + f * size, a.begin() + (f + 1) * size, b.begin() + f * size)) unlike.push_back(f);
    }
    return unlike;
}

/// Shift of `b` against `a` where half a second from `at` on differs least, +-2,000 samples.
std::int64_t shift_at(std::span<const float> a, std::span<const float> b, std::int64_t at) {
    constexpr std::int64_t kReach = 2'000;
    constexpr std::size_t kLength = kSampleRate / 2;
    const auto pattern = a.subspan(static_cast<std::size_t>(at), kLength);
    double least = std::numeric_limits<double>::max();
    std::int64_t found = 0;
    for (std::int64_t shift = -kReach; shift <= kReach; ++shift) {
        const double error = error_energy(pattern, b.subspan(static_cast<std::size_t>(at + shift), kLength));
        if (error < least) least = error, found = shift;
    }
    return found;
}

/// Energy of truth and of both encodes' errors within 10 ms of a join.
struct JoinError {
    double truth = 0;
    double uncut = 0;
    double sliced = 0;
};
JoinError& operator+=(JoinError& sum, const JoinError& one) {
    sum.truth += one.truth;
    sum.uncut += one.uncut;
    sum.sliced += one.sliced;
    return sum;
}

/// `uncut` and `sliced` are decoded pieces that begin at decoded sample `origin` of the file.
JoinError error_at(const std::vector<float>& pcm, std::int64_t join, std::span<const float> uncut,
                   std::span<const float> sliced, std::int64_t origin) {
    constexpr std::int64_t kAround = 480;
    const std::int64_t from = join - kAround;
    const auto truth = std::span(pcm).subspan(static_cast<std::size_t>(from), 2 * kAround);
    const auto at = static_cast<std::size_t>(from + kMp3DecodedDelay - origin);
    return {energy(truth), error_energy(truth, uncut.subspan(at, 2 * kAround)),
            error_energy(truth, sliced.subspan(at, 2 * kAround))};
}

/// 330 s of people who do not pause, and what one encoder makes of it.
struct Uncut {
    std::vector<float> pcm;
    Bytes frames;
};
Uncut uncut_speech(const audio::Mp3Format& format) {
    auto pcm = endless_speech(kHumanVoices, seconds(330));
    Bytes frames = encode_uncut(format, pcm);
    return {std::move(pcm), std::move(frames)};
}

void compare_whole(const audio::Mp3Format& format, const Uncut& uncut) {
    const Bytes sliced = encode_in_slices(format, uncut.pcm);
    ASSERT_EQ(uncut.frames.size(), sliced.size());
    const auto unlike = static_cast<double>(unlike_frames(format, uncut.frames, sliced).size());
    const std::size_t frames = sliced.size() / format.frame_bytes();
    const auto a = decode_frames(uncut.frames);
    const auto b = decode_frames(sliced);
    for (std::int64_t join = kSlice.count(); join + kSampleRate < std::ssize(uncut.pcm); join += kSlice.count()) {
        EXPECT_EQ(shift_at(a, b, join + kMp3DecodedDelay), 0) << "join at " << join;
    }
    std::printf("  %d kbit/s in slices: %.0f of %zu frames differ\n", format.kbps, unlike, frames);
    EXPECT_LE(unlike, 0.001 * static_cast<double>(frames));
}

/// Many joins at little cost: the uncut encode goes on as a slice that begins at any of its frames.
void compare_joins(const audio::Mp3Format& format, const Uncut& uncut) {
    constexpr std::int64_t kFirst = 150;
    constexpr std::int64_t kEvery = 131;  // frames, 3.1 s
    constexpr std::int64_t kShown = 20;   // frames of the new slice that are looked at
    constexpr std::int64_t kBefore = 4;
    const SlicePlan plan(Samples{(kSliceFrames * 2 + 10) * kMp3FrameSamples});
    const auto& pcm = uncut.pcm;
    const auto count = static_cast<std::size_t>((std::ssize(pcm) / kMp3FrameSamples - kFirst - kShown) / kEvery);
    std::vector<JoinError> errors(count);
    std::vector<std::size_t> unlike(count);
    parallel_for(count, 2, [&](std::size_t i) {
        const std::int64_t join = kFirst + static_cast<std::int64_t>(i) * kEvery;
        const auto source = source_of(pcm, (join - kSliceFrames) * kMp3FrameSamples);
        const Bytes slice = encode_slice(format, plan, {kSliceFrames, kSliceFrames + kShown}, source, kAsItIs);
        const auto size = static_cast<std::ptrdiff_t>(format.frame_bytes());
        const Bytes there(uncut.frames.begin() + (join - kBefore) * size,
                          uncut.frames.begin() + (join + kShown) * size);
        Bytes joined = there;
        std::copy(slice.begin(), slice.end(), joined.begin() + kBefore * size);
        unlike[i] = unlike_frames(format, there, joined).size();
        errors[i] = error_at(pcm, join * kMp3FrameSamples, decode_frames(there), decode_frames(joined),
                             (join - kBefore) * kMp3FrameSamples);
    });
    JoinError sum;
    double worst = 0;  // dB that a join is worse in slices
    for (const JoinError& error : errors) {
        sum += error;
        if (error.truth > 1e-4) worst = std::max(worst, db(error.sliced / error.uncut));
    }
    const auto differing = std::accumulate(unlike.begin(), unlike.end(), std::size_t{0});
    std::printf(
        "  %d kbit/s, %zu joins: SNR %.2f dB uncut, %.2f dB joined; the worst join loses %.3f dB; %zu of the "
        "%zu frames after joins differ\n",
        format.kbps, count, db(sum.truth / sum.uncut), db(sum.truth / sum.sliced), worst, differing,
        count * static_cast<std::size_t>(kShown));
    EXPECT_NEAR(db(sum.truth / sum.uncut), db(sum.truth / sum.sliced), 0.1);
    EXPECT_LE(worst, 1.0);
}

TEST(Slices, AgainstOneUncutEncode64) {
    if (!test::test_data()) GTEST_SKIP() << test::kNoTestData;
    const Uncut uncut = uncut_speech(audio::kTrackMp3);
    compare_whole(audio::kTrackMp3, uncut);
    compare_joins(audio::kTrackMp3, uncut);
}

TEST(Slices, AgainstOneUncutEncode128) {
    if (!test::test_data()) GTEST_SKIP() << test::kNoTestData;
    const Uncut uncut = uncut_speech(audio::kMasterMp3);
    compare_whole(audio::kMasterMp3, uncut);
    compare_joins(audio::kMasterMp3, uncut);
}

TEST(Slices, FromTheMiddleIsTheSame) {
    const auto pcm = buzz(seconds(65));
    const SlicePlan plan(Samples{std::ssize(pcm)});
    const Frames slice = plan.slice(1);
    const Bytes whole = encode_slice(audio::kTrackMp3, plan, slice, source_of(pcm), kAsItIs);
    for (const Frames part : {Frames{slice.begin, slice.begin + 1}, Frames{slice.begin + 700, slice.begin + 711}}) {
        const Bytes alone = encode_slice(audio::kTrackMp3, plan, part, source_of(pcm), kAsItIs);
        const auto at = whole.begin() + (part.begin - slice.begin) * 192;
        EXPECT_EQ(alone, Bytes(at, at + part.size() * 192)) << part.begin;
    }
}

TEST(Slices, PlanCoversEveryFrameOnce) {
    for (const std::int64_t n : {0LL, 1LL, 1152LL, 1153LL, 1'439'999LL, 1'440'000LL, 1'440'001LL, 14'400'000LL}) {
        const SlicePlan plan{Samples{n}};
        EXPECT_EQ(plan.frames(), (n + 1151) / 1152 + 1);
        std::int64_t next = 0;
        for (std::int64_t i = 0; i < plan.count(); ++i) {
            EXPECT_EQ(plan.slice(i).begin, next);
            EXPECT_EQ(plan.slice_of(plan.slice(i).begin), i);
            EXPECT_EQ(plan.slice_of(plan.slice(i).end - 1), i);
            next = plan.slice(i).end;
        }
        EXPECT_EQ(next, plan.frames());
    }
}

// An hour with ten seconds of speech: all but about ten seconds of frames are the canonical one.
TEST(Slices, SilenceCostsNothing) {
    const auto script = one_player({{SamplePos{seconds(600)}, buzz(seconds(4))},
                                    {SamplePos{seconds(1'800)}, buzz(seconds(3))},
                                    {SamplePos{seconds(3'590)}, buzz(seconds(3))}},
                                   seconds(3'600));
    const auto user = script.players[0].user;
    const Recorded session(sandbox::simulate(script, {}), seconds(300),
                           {journal::Join{BootTime{}, user}, journal::Leave{BootTime{seconds(3'600)}, user}});
    const auto decoded = session.decoded();
    ASSERT_EQ(decoded.size(), 1U);
    const Samples length = decoded[0].connection().length();
    ASSERT_EQ(length, Samples{seconds(3'600)});
    const SlicePlan plan(length);
    const auto& silence = audio::silent_frame(audio::kTrackMp3);
    std::int64_t encoded = 0;
    for (std::int64_t i = 0; i < plan.count(); ++i) {
        const Bytes slice = encode_slice(audio::kTrackMp3, plan, plan.slice(i), decoded[0].pcm.source(), kAsItIs);
        for (std::size_t at = 0; at < slice.size(); at += silence.size()) {
            encoded += !std::equal(silence.begin(), silence.end(), slice.begin() + static_cast<std::ptrdiff_t>(at));
        }
    }
    const std::int64_t spoken = seconds(10) / milliseconds(24);
    std::printf("  %lld of %lld frames were encoded for %lld frames of speech in three runs\n",
                static_cast<long long>(encoded), static_cast<long long>(plan.frames()), static_cast<long long>(spoken));
    EXPECT_GE(encoded, spoken);
    EXPECT_LE(encoded, spoken + 3 * 6);
}

// What is said between two silences loses nothing at its edges, wherever they lie in a frame.
TEST(Slices, AnIslandOfSoundIsWhole) {
    const auto word = buzz(milliseconds(300));
    double uncut_error = 0;
    double sliced_error = 0;
    for (std::int64_t shift = 0; shift < kMp3FrameSamples; shift += 64) {
        std::vector<float> pcm(2 * kSampleRate);
        std::copy(word.begin(), word.end(), pcm.begin() + kSampleRate / 2 + shift);
        const SlicePlan plan(Samples{std::ssize(pcm)});
        const auto uncut = decode_frames(encode_uncut(audio::kTrackMp3, pcm));
        const auto sliced = decode_frames(encode_slice(audio::kTrackMp3, plan, plan.slice(0), source_of(pcm), kAsItIs));
        const auto of = [&](const std::vector<float>& decoded) {
            return std::span(decoded).subspan(kMp3DecodedDelay, pcm.size() - kMp3DecodedDelay);
        };
        uncut_error += error_energy(std::span(pcm).first(of(uncut).size()), of(uncut));
        sliced_error += error_energy(std::span(pcm).first(of(sliced).size()), of(sliced));
    }
    std::printf("  error %.3g uncut, %.3g as islands\n", uncut_error, sliced_error);
    EXPECT_LT(db(sliced_error / uncut_error), 0.1);
}

// Canonical frames decode to exact zeros, also right after sound has died away.
TEST(Slices, SilenceIsExactlyZero) {
    auto pcm = buzz(seconds(3));
    std::fill(pcm.begin() + kSampleRate, pcm.begin() + 2 * kSampleRate, 0.0F);
    const SlicePlan plan(Samples{std::ssize(pcm)});
    const auto decoded = decode_frames(encode_slice(audio::kTrackMp3, plan, plan.slice(0), source_of(pcm), kAsItIs));
    const auto quiet =
        std::span(decoded).subspan(kSampleRate + 6 * kMp3FrameSamples, kSampleRate - 12 * kMp3FrameSamples);
    EXPECT_EQ(energy(quiet), 0.0);
    EXPECT_GT(energy(std::span(decoded).first(kSampleRate)), 1.0);
}

}  // namespace
}  // namespace lestapenna::render
