// MP3 files as they are found: whole, cut off, harmed. What ffmpeg makes is heard in tests/workflows/old_bucket_test.
#include "audio/mp3_file.h"

#include <random>

#include <gtest/gtest.h>

#include "audio/mp3.h"
#include "base/files.h"
#include "support.h"

namespace lestapenna::audio {
namespace {

constexpr Samples kLength{100'000};

/// Silence of kLength, as our encoder frames it.
std::vector<std::uint8_t> silence() {
    const std::int64_t frames = mp3_frames(kLength);
    auto bytes = info_frame(kTrackMp3, frames, kLength);
    const auto& frame = silent_frame(kTrackMp3);
    for (std::int64_t f = 0; f < frames; ++f) bytes.insert(bytes.end(), frame.begin(), frame.end());
    return bytes;
}

Result<Mp3File> opened(const test::TempDir& folder, std::span<const std::uint8_t> bytes) {
    EXPECT_TRUE(write_file(folder / "x.mp3", bytes).ok());
    return Mp3File::open(folder / "x.mp3");
}

TEST(Mp3File, IsAsLongAsItsInfoFrameSays) {
    const test::TempDir folder;
    auto bytes = silence();
    const auto whole = opened(folder, bytes);
    ASSERT_TRUE(whole.ok());
    EXPECT_EQ(whole->length(), kLength);
    EXPECT_TRUE(whole->whole());
    const std::size_t frame = silent_frame(kTrackMp3).size();
    bytes.resize(bytes.size() - 10 * frame - 7);
    const auto cut = opened(folder, bytes);
    ASSERT_TRUE(cut.ok());
    EXPECT_FALSE(cut->whole());
    EXPECT_EQ(cut->length(), Samples{(mp3_frames(kLength) - 11) * kMp3FrameSamples - kMp3DecodedDelay});
}

TEST(Mp3File, WhatIsHarmedInTheMiddleKeepsItsLength) {
    const test::TempDir folder;
    auto bytes = silence();
    std::fill(bytes.begin() + 5'000, bytes.begin() + 9'000, std::uint8_t{0});
    const auto harmed = opened(folder, bytes);
    ASSERT_TRUE(harmed.ok());
    EXPECT_FALSE(harmed->whole());
    EXPECT_EQ(harmed->length(), kLength);
}

TEST(Mp3File, RubbishIsRefusedOrHeardButNeverFatal) {
    const test::TempDir folder;
    EXPECT_EQ(Mp3File::open(folder / "none.mp3").error().kind, ErrorKind::not_found);
    EXPECT_EQ(opened(folder, {}).error().kind, ErrorKind::damaged);
    EXPECT_EQ(opened(folder, std::vector<std::uint8_t>(10'000, 0xFF)).error().kind, ErrorKind::damaged);
    constexpr unsigned kSeed = 7;
    std::mt19937 random(kSeed);
    const auto good = silence();
    std::vector<float> pcm(3'000);
    for (int i = 0; i < 200; ++i) {
        SCOPED_TRACE("seed " + std::to_string(kSeed) + ", round " + std::to_string(i));
        auto bytes = good;
        for (auto n = random() % 60; n > 0; --n) bytes[random() % bytes.size()] = static_cast<std::uint8_t>(random());
        bytes.resize(random() % bytes.size());
        const auto file = opened(folder, bytes);
        if (!file) continue;
        EXPECT_LE(file->length(), Samples{10 * kSampleRate});
        for (const std::int64_t first : {-1'500, 0, 50'000, 99'000}) file->read(Samples{first}, pcm);
    }
}

}  // namespace
}  // namespace lestapenna::audio
