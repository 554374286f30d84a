// Chunks: each plays alone, and end to end they are the whole stream, bit for bit.
#include "render/chunk.h"

#include <functional>

#include "audio/mp3.h"
#include "recorded.h"
#include "render/frame_file.h"

namespace lestapenna::render {
namespace {

using namespace testing;

/// Decodes a file as a player would.
using Player = std::function<std::vector<float>(const std::filesystem::path&)>;

std::vector<float> play_here(const std::filesystem::path& file) {
    auto audio = audio::decode_mp3(bytes_of(file));
    EXPECT_TRUE(audio.ok()) << audio.error().message;
    return audio.ok() ? std::move(audio->pcm) : std::vector<float>{};
}

std::vector<float> play_by(const std::vector<std::string>& argv, const std::filesystem::path& out) {
    const auto result = test::run_process(argv);
    EXPECT_EQ(result.exit_code, 0) << result.err;
    return raw_floats(out);
}

std::vector<float> play_in_ffmpeg(const std::filesystem::path& file) {
    const auto raw = file.parent_path() / "ffmpeg.f32";
    return play_by({"ffmpeg", "-v", "error", "-y", "-i", file, "-f", "f32le", raw}, raw);
}

std::vector<float> play_in_mpg123(const std::filesystem::path& file) {
    const auto raw = file.parent_path() / "mpg123.f32";
    return play_by({"mpg123", "-q", "-e", "f32", "-O", raw, file}, raw);
}

/// The connection as one MP3 file, slice by slice.
void write_whole(const ConnectionPcm& pcm, const std::filesystem::path& path) {
    const Samples length = pcm.connection().length();
    const SlicePlan plan(length);
    auto file = FrameFile::create(path, audio::kTrackMp3, {0, plan.frames()}, length);
    ASSERT_TRUE(file.ok());
    parallel_for(static_cast<std::size_t>(plan.count()), 2, [&](std::size_t i) {
        const Frames wanted = plan.slice(static_cast<std::int64_t>(i));
        const auto put =
            file->put(wanted.begin, encode_slice(audio::kTrackMp3, plan, wanted, pcm.source(), [](auto) {}));
        EXPECT_TRUE(put.ok());
    });
}

struct Chunks {
    test::TempDir folder;
    std::vector<ChunkFile> files;
    std::filesystem::path whole;
};

void make(const ConnectionPcm& pcm, seconds rotation, Chunks& chunks) {
    for (const ChunkWindow& window : chunk_windows(pcm.connection(), rotation)) {
        chunks.files.push_back({chunks.folder / (std::to_string(window.index) + ".mp3"), &pcm, window});
    }
    Work work;
    work.threads = 2;
    const Status made = make_chunks(chunks.files, work);
    ASSERT_TRUE(made.ok()) << made.error().message;
    chunks.whole = chunks.folder / "whole.mp3";
    write_whole(pcm, chunks.whole);
}

/// Plays the chunks one by one and the whole stream; nothing may differ.
void expect_seamless(const Chunks& chunks, const Player& play, const char* player) {
    const std::vector<float> whole = play(chunks.whole);
    const Samples length = chunks.files[0].pcm->connection().length();
    ASSERT_EQ(std::ssize(whole), length.count()) << player;
    double largest = 0;
    std::size_t unlike = 0;
    for (const ChunkFile& chunk : chunks.files) {
        const std::vector<float> alone = play(chunk.path);
        ASSERT_EQ(std::ssize(alone), chunk.window.length.count()) << player << ", window " << chunk.window.index;
        const Samples at = chunk.window.start - chunk.pcm->connection().start;
        for (std::size_t i = 0; i < alone.size(); ++i) {
            const float there = whole[static_cast<std::size_t>(at.count()) + i];
            unlike += bits_of(alone[i]) != bits_of(there);
            largest = std::max(largest, static_cast<double>(std::fabs(alone[i] - there)));
        }
    }
    std::printf("  %s: %zu chunks, %zu of %zu samples differ, by %.2g at most\n", player, chunks.files.size(), unlike,
                whole.size(), largest);
    EXPECT_EQ(unlike, 0U) << player;
}

void expect_seamless_everywhere(const Chunks& chunks) {
    expect_seamless(chunks, play_here, "libmpg123");
    if (test::has_program("ffmpeg")) expect_seamless(chunks, play_in_ffmpeg, "ffmpeg");
    if (test::has_program("mpg123")) expect_seamless(chunks, play_in_mpg123, "mpg123");
}

TEST(Chunk, TwelveJoinsInContinuousSpeech) {
    if (!test::test_data()) GTEST_SKIP() << test::kNoTestData;
    constexpr seconds kLength{383};  // thirteen windows, the last one short
    const auto speech = endless_speech(kHumanVoices, kLength);
    const auto table = sandbox::simulate(one_player({{SamplePos{}, speech}}, kLength), {});
    const Recorded session(table, seconds(30));
    const auto decoded = session.decoded();
    ASSERT_EQ(decoded.size(), 1U);
    Chunks chunks;
    make(decoded[0].pcm, seconds(30), chunks);
    ASSERT_EQ(chunks.files.size(), 13U);
    expect_seamless_everywhere(chunks);
}

TEST(Chunk, FiveMinutesOfATalker) {
    if (!test::test_data()) GTEST_SKIP() << test::kNoTestData;
    sandbox::CutTable cut;
    cut.length = seconds(640);
    cut.seed = 11;
    const std::vector<std::vector<float>> voices{voice(kHumanVoices[2])};
    const auto table = sandbox::simulate(sandbox::cut_table(voices, cut), {});
    const Recorded session(table);
    const auto decoded = session.decoded();
    ASSERT_EQ(decoded.size(), 1U);
    Chunks chunks;
    make(decoded[0].pcm, seconds(300), chunks);
    ASSERT_EQ(chunks.files.size(), 3U);
    EXPECT_EQ(std::filesystem::file_size(chunks.files[0].path), 2'400'192U + 192U);
    expect_seamless_everywhere(chunks);
}

TEST(Chunk, AWindowWithoutAPacketMakesNoFile) {
    const auto word = buzz(seconds(2));
    const auto script = one_player({{SamplePos{seconds(1)}, word}, {SamplePos{seconds(70)}, word}}, seconds(80));
    const Recorded session(sandbox::simulate(script, {}), seconds(30));
    const auto windows = chunk_windows(session.timeline().connections.at(0), seconds(30));
    ASSERT_EQ(windows.size(), 2U);
    EXPECT_EQ(windows[0].index, 0);
    EXPECT_EQ(windows[1].index, 2);
    EXPECT_EQ(windows[0].frames.begin, 0);
    EXPECT_EQ(windows[0].frames.end, 1'251);
    EXPECT_EQ(windows[1].frames.begin, 2'500);
    EXPECT_EQ(windows[1].start - windows[0].start, Samples{seconds(60)});
}

// A packet that begins before a window and sounds into it.
TEST(Chunk, ThePacketAcrossTheEdgeIsInBothWindows) {
    sandbox::LineOptions line;
    line.sender.frame = milliseconds(120);
    auto script = one_player({{SamplePos{}, buzz(seconds(30))}}, seconds(40));
    script.players[0].join = SamplePos{milliseconds(60)};  // 250 packets, the last from 29.94 to 30.06 s
    auto table = sandbox::simulate(script, line);
    // Without the five silence frames that follow, which would make the second window anyway.
    std::erase_if(table.arrivals, [](const auto& arrival) { return arrival.datagram.size() < 20; });
    const Recorded session(table, seconds(30), {journal::Join{BootTime{}, script.players[0].user}});
    const auto windows = chunk_windows(session.timeline().connections.at(0), seconds(30));
    ASSERT_EQ(windows.size(), 2U);
    EXPECT_EQ(windows[1].length, Samples{milliseconds(60)});
}

}  // namespace
}  // namespace lestapenna::render
