// Buckets of the bot before us: MP3 files that ffmpeg made, no manifest, no journal. The master that comes out of them
// is held against what was said.
#include "workflows/old_bucket.h"

#include <algorithm>

#include <fmt/format.h>
#include <gmock/gmock.h>

#include "audio/files.h"
#include "audio/mp3.h"
#include "growing_table.h"
#include "judge.h"
#include "workflows/rebuild.h"
#include "workflows/scan_store.h"

namespace lestapenna::workflows {
namespace {

using catalog::MasterSource;
using ::testing::IsEmpty;

constexpr UnixTime kStart{milliseconds(1'760'000'000'000)};
constexpr std::size_t kTurn = 4 * kSampleRate;
constexpr const char* kNoFfmpeg = "needs the ffmpeg program, which makes the files";

/// One who spoke, and since when.
struct Speaker {
    UserId user;
    milliseconds joined{};
    std::vector<float> voice;  ///< from then on
};

class OldBucket : public ::testing::Test {
  protected:
    void SetUp() override {
        if (!test::has_program("ffmpeg")) GTEST_SKIP() << kNoFfmpeg;
        auto voices = test::buzzing_voices(2, 40);
        // They take turns of 4 s, because buzzes hide each other from the judge.
        for (std::size_t v = 0; v < 2; ++v) {
            for (std::size_t i = 0; i < voices[v].size(); ++i) {
                if (i / kTurn % 2 != v) voices[v][i] = 0;
            }
        }
        speakers_ = {{UserId{11}, milliseconds(0), voices[0]}, {UserId{12}, milliseconds(8'300), voices[1]}};
    }
    /// Puts [from, to) of a voice under `key`, encoded by ffmpeg with these words, through a pipe or to a file.
    void encode(const std::string& key, const Speaker& speaker, milliseconds from, milliseconds to,
                const std::vector<std::string>& words, bool pipe = false) {
        const auto wav = folder_ / "piece.wav";
        auto writer = audio::AudioFileWriter::create(wav, audio::SampleFormat::wav_16);
        const auto begin = static_cast<std::size_t>(from.count() * kSamplesPerMs);
        const auto end = std::min(speaker.voice.size(), static_cast<std::size_t>(to.count() * kSamplesPerMs));
        ASSERT_TRUE(writer->write(std::span(speaker.voice).subspan(begin, end - begin)).ok());
        ASSERT_TRUE(writer->close().ok());
        const auto path = desk_.config().data.dir / "store" / key;
        std::filesystem::create_directories(path.parent_path());
        std::vector<std::string> line{"ffmpeg", "-v", "error", "-y", "-i", wav.string()};
        line.insert(line.end(), words.begin(), words.end());
        line.insert(line.end(), {"-c:a", "libmp3lame", "-f", "mp3", pipe ? "pipe:1" : path.string()});
        const auto result = test::run_process(line);
        ASSERT_EQ(result.exit_code, 0) << result.err;
        if (!pipe) return;
        ASSERT_TRUE(write_file(path, result.out).ok());
    }
    static std::string name(const Speaker& speaker, milliseconds at) {
        return fmt::format("{}-{}.mp3", speaker.user.text(), (kStart + speaker.joined + at).time_since_epoch().count());
    }
    /// Scans, rebuilds, and finds each speaker's words in the master, at most `within` from where they were said.
    void expect_all_is_heard(const SessionId& id, MasterSource source, milliseconds within) {
        const auto scan = scan_store(desk_.tools());
        ASSERT_TRUE(scan.ok()) << scan.error().message;
        EXPECT_THAT(scan->foreign, IsEmpty());
        ASSERT_THAT(scan->sessions, ::testing::Contains(id));
        EXPECT_EQ(desk_.catalog().session(id)->start, kStart);
        const auto rebuilt = restore(desk_.tools(), id);
        ASSERT_TRUE(rebuilt.ok()) << rebuilt.error().message;
        EXPECT_EQ(rebuilt->source, source);
        EXPECT_THAT(rebuilt->lost, IsEmpty());
        const auto key = store::key(store::MasterKey{id}).text();
        const auto master = audio::decode_mp3(*read_file(desk_.config().data.dir / "store" / key, 1U << 30))->pcm;
        const test::Judge judge(master);
        for (const Speaker& speaker : speakers_) {
            std::vector<float> truth(static_cast<std::size_t>(speaker.joined.count() * kSamplesPerMs));
            truth.insert(truth.end(), speaker.voice.begin(), speaker.voice.end());
            std::vector<test::Interval> runs;
            for (std::size_t at = 0; at < speaker.voice.size(); at += kTurn) {
                const auto turn = std::span(speaker.voice).subspan(at, kTurn);
                const SamplePos start{speaker.joined + Samples{static_cast<std::int64_t>(at)}};
                const bool talks = std::ranges::any_of(turn, [](float x) { return x != 0; });
                if (talks) runs.push_back({start, start + Samples{kTurn}});
            }
            EXPECT_EQ(runs.size(), 5U);
            const auto heard = judge.listen(truth, runs);
            EXPECT_EQ(heard.missing, 0U) << speaker.user.text();
            EXPECT_LE(heard.max_ms, static_cast<double>(within.count())) << speaker.user.text();
            std::printf("  %s: median %.3f, max %.3f ms\n", speaker.user.text().c_str(), heard.median_ms, heard.max_ms);
        }
        const auto row = **desk_.catalog().master(id);
        EXPECT_NEAR(*row.levels.loudness_lufs, -23, 0.2);
        EXPECT_EQ(desk_.catalog().session(id)->status, catalog::SessionStatus::complete);
    }

    test::TempDir folder_;
    Desk desk_{*SessionId::parse("desk"), kStart};
    std::vector<Speaker> speakers_;
};

TEST_F(OldBucket, FragmentsOfFfmpegWhateverTheirRateAndChannels) {
    const std::vector<std::vector<std::string>> forms{{"-ac", "2", "-b:a", "64k"},
                                                      {"-b:a", "64k"},
                                                      {"-ar", "44100", "-b:a", "96k"},
                                                      {"-ar", "24000", "-b:a", "48k"},
                                                      {"-q:a", "4"}};
    for (std::size_t i = 0; i < forms.size(); ++i) {
        SCOPED_TRACE(fmt::format("{}", fmt::join(forms[i], " ")));
        const auto id = *SessionId::parse("old-" + std::to_string(i));
        for (const Speaker& speaker : speakers_) {
            encode("recordings/" + id.text() + "/full/FULL-" + name(speaker, {}), speaker, {}, seconds(40), forms[i]);
        }
        expect_all_is_heard(id, MasterSource::fragments, milliseconds(1));
    }
}

TEST_F(OldBucket, ChunksOfAnEncoderThatWasRestarted) {
    for (const bool pipe : {false, true}) {
        const auto id = *SessionId::parse(pipe ? "piped" : "closed");
        for (const Speaker& speaker : speakers_) {
            for (milliseconds at{}; at < seconds(40); at += milliseconds(9'990)) {
                encode("recordings/" + id.text() + "/chunks/" + name(speaker, at), speaker, at,
                       at + milliseconds(9'990), {"-ac", "2", "-b:a", "64k"}, pipe);
            }
        }
        expect_all_is_heard(id, MasterSource::chunks, milliseconds(1));
    }
}

TEST_F(OldBucket, FilesWithoutAnyHeaderAndInTheFoldersOfAGuild) {
    const auto id = *SessionId::parse("guilded");
    for (const Speaker& speaker : speakers_) {
        encode("recordings/4711/guilded/FULL-" + name(speaker, {}), speaker, {}, seconds(40),
               {"-b:a", "64k", "-write_xing", "0", "-id3v2_version", "0"});
    }
    expect_all_is_heard(id, MasterSource::fragments, milliseconds(30));
    EXPECT_EQ(desk_.catalog().session(id)->guild_id, "4711");
    EXPECT_TRUE(desk_.store().puts.contains("recordings/guilded/master/MASTER-guilded.mp3"));
    for (const auto& [key, count] : desk_.store().puts) EXPECT_EQ(key.find("4711"), std::string::npos) << key;
}

TEST_F(OldBucket, FilesThatLieInOneHeap) {
    const auto id = *SessionId::parse("flat-1760000000000");
    encode("recordings/FULL-" + name(speakers_[0], {}), speakers_[0], {}, seconds(40), {"-b:a", "64k"});
    for (const seconds at : {seconds(0), seconds(20)}) {
        encode("recordings/" + name(speakers_[1], at), speakers_[1], at, at + seconds(20), {"-b:a", "64k"});
    }
    expect_all_is_heard(id, MasterSource::chunks, milliseconds(1));
}

}  // namespace
}  // namespace lestapenna::workflows
