// Two people who talk English, spoken by espeak-ng; the recogniser that the distribution packages as queue.command; the
// transcript: in order, with the right names, at the right times. Not its words.
#include <regex>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "../jobs/table.h"
#include "workflows/transcript.h"

namespace lestapenna {
namespace {

using ::testing::SizeIs;

struct Said {
    milliseconds time;
    std::string name;
};

class SpeechTest : public ::testing::Test {
  protected:
    void SetUp() override {
        for (const char* program : {"espeak-ng", "ffmpeg", "pocketsphinx_continuous", "awk"}) {
            if (!test::has_program(program)) GTEST_SKIP() << "needs " << program << " (tools/packages program test)";
        }
        table_.session("one");
    }
    /// An MP3 of so much silence, a sentence, and two seconds of silence.
    std::string audio(const std::string& voice, const std::string& sentence, int silence_s) {
        const auto wav = (table_.folder() / "said.wav").native();
        const auto mp3 = (table_.folder() / "said.mp3").native();
        EXPECT_EQ(test::run_process({"espeak-ng", "-v", voice, "-s", "130", "-w", wav, sentence}).exit_code, 0);
        const auto made = test::run_process(
            {"ffmpeg", "-nostdin", "-loglevel", "error", "-y", "-f", "lavfi", "-t", std::to_string(silence_s), "-i",
             "anullsrc=r=48000:cl=mono", "-i", wav, "-filter_complex",
             "[1:a]aresample=48000[b];[0:a][b]concat=n=2:v=0:a=1,apad=pad_dur=2", "-b:a", "64k", mp3});
        EXPECT_EQ(made.exit_code, 0) << made.err;
        return *read_text_file(mp3, 10 << 20);
    }
    std::vector<Said> transcript() {
        const auto text = *workflows::transcript_text(table_.catalog(), *SessionId::parse("one"));
        std::cout << text;
        static const std::regex kLine(R"(\[(\d+):(\d\d):(\d\d)\] (\w+): .+)");
        std::vector<Said> said;
        for (std::sregex_iterator at(text.begin(), text.end(), kLine), end; at != end; ++at) {
            const int total = 3600 * std::stoi((*at)[1]) + 60 * std::stoi((*at)[2]) + std::stoi((*at)[3]);
            said.push_back({seconds(total), (*at)[4]});
        }
        return said;
    }

    test::TranscribedTable table_;
};

TEST_F(SpeechTest, WhoSaidSomethingWhen) {
    // On the session's clock: user 5 at 4 s + 6 s, user 6 at 20 s + 3 s, user 5 again at 40 s + 1 s.
    const std::vector<std::string> keys{
        table_.fragment("one", 6, seconds(20), audio("en-us+f3", "Open the old door.", 3)),
        table_.fragment("one", 5, seconds(4), audio("en-us", "The dragon is here.", 6)),
        table_.fragment("one", 5, seconds(40), audio("en-us", "We go home now.", 1))};
    table_.config.queue.command = {std::string(LESTAPENNA_TESTS_DIR) + "/queue/recogniser.sh", "{file}", "{output}"};
    table_.start();
    for (const auto& key : keys) {
        ASSERT_TRUE(table_.becomes(key, catalog::TranscriptionStatus::done)) << table_.row(key).error;
    }
    const auto said = transcript();
    ASSERT_THAT(said, SizeIs(3)) << "three sentences";
    const std::vector<Said> truth{{seconds(10), "user5"}, {seconds(23), "user6"}, {seconds(41), "user5"}};
    for (std::size_t i = 0; i < truth.size(); ++i) {
        EXPECT_EQ(said[i].name, truth[i].name) << i;
        EXPECT_LE(std::chrono::abs(said[i].time - truth[i].time), seconds(1)) << i;
    }
}

}  // namespace
}  // namespace lestapenna
