// The demo as a newcomer meets it: everything it promises is there, and what was said is where it was said.
#include <cstdlib>

#include <signal.h>

#include "audio/files.h"
#include "background.h"
#include "judge.h"
#include "program.h"

namespace lestapenna::system_test {
namespace {

std::vector<std::string> keys(const Json& object) {
    std::vector<std::string> names;
    for (const auto& [key, value] : object.items()) names.push_back(key);
    return names;
}

class Demo : public Program {
  protected:
    Json ledger() const { return Json::parse(std::ifstream(folder_ / "demo/truth/ledger.json")); }

    static std::vector<test::Interval> runs_of(const Json& ledger, const std::string& user) {
        std::vector<test::Interval> runs;
        for (const auto& sender : ledger["senders"]) {
            if (sender["user_id"] != user) continue;
            for (const auto& run : sender["runs"]) {
                runs.push_back({SamplePos{Samples{run["start_sample"].get<std::int64_t>()}},
                                SamplePos{Samples{run["end_sample"].get<std::int64_t>()}}});
            }
        }
        return runs;
    }

    /// The file plays as long as it says, to the millisecond.
    static void expect_file(const Json& file) {
        const auto path = file["path"].get<std::string>();
        ASSERT_TRUE(fs::path(path).is_absolute()) << path;
        EXPECT_TRUE(path.ends_with(file["key"].get<std::string>()));
        EXPECT_TRUE(file["link"].get<std::string>().starts_with("http://127.0.0.1:")) << file["link"];
        const auto samples = static_cast<std::int64_t>(decode_mp3(path).size());
        EXPECT_EQ(samples / kSamplesPerMs, file["duration_ms"]) << path;
        // A second of speech is too short for a target to the tenth, and says so.
        if (file.value("level_flag", Json()).is_null()) {
            EXPECT_NEAR(file["loudness_lufs"].get<double>(), -23, 0.2) << path;
        }
        EXPECT_LE(file["true_peak_dbtp"].get<double>(), -1.0) << path;
    }

    static Json without_links(Json session) {
        session["master"]["link"] = nullptr;
        for (auto& track : session["tracks"]) {
            for (auto& fragment : track["fragments"]) fragment["link"] = nullptr;
        }
        return session;
    }

    /// 32 bit IEEE float, said plainly or as an extensible format.
    static void expect_float_wav(const fs::path& path) {
        auto bytes = slurp(path);
        bytes.resize(200);
        const std::string_view head(reinterpret_cast<const char*>(bytes.data()), bytes.size());
        const auto format = head.find("fmt ");
        ASSERT_NE(format, std::string_view::npos);
        const bool extensible = bytes.at(format + 8) == 0xFE && bytes.at(format + 9) == 0xFF;
        EXPECT_EQ(bytes.at(format + (extensible ? 32 : 8)), 3) << path;
        EXPECT_EQ(bytes.at(format + 22), 32) << path;
    }

    static void expect_shape(const Json& session) {
        EXPECT_THAT(keys(session),
                    ElementsAre("session", "guild_id", "channel_id", "status", "start_time", "duration_ms",
                                "encryption", "privacy_code", "storage", "master", "transcript", "tracks"));
        EXPECT_THAT(keys(session["master"]),
                    ElementsAre("path", "key", "link", "duration_ms", "loudness_lufs", "true_peak_dbtp", "source"));
        EXPECT_EQ(session["master"]["source"], "journal");
        for (const auto& track : session["tracks"]) {
            EXPECT_THAT(keys(track), ElementsAre("user_id", "name", "fragments", "chunks", "packets_received",
                                                 "packets_lost", "packets_undecryptable", "undecryptable", "truth"));
            for (const auto& fragment : track["fragments"]) {
                EXPECT_THAT(keys(fragment),
                            ElementsAre("path", "key", "link", "start_time", "duration_ms", "loudness_lufs",
                                        "true_peak_dbtp", "gain_db", "speech_lufs", "level_flag"));
            }
            for (const auto& chunk : track["chunks"])
                EXPECT_THAT(keys(chunk), ElementsAre("key", "start_time", "duration_ms"));
        }
    }
};

TEST_F(Demo, IsWhatTheContractSays) {
    const auto result = run({"demo", "--json", "--seconds", "10", "--seed", "7"});
    ASSERT_EQ(result.exit_code, kDone) << result.err;
    const auto session = value(result);
    EXPECT_THAT(result.err, HasSubstr("seed 7"));
    EXPECT_THAT(result.err, Not(HasSubstr("\x1b"))) << "no progress bar where there is no terminal";
    expect_shape(session);
    EXPECT_EQ(session["status"], "complete");
    EXPECT_TRUE(session["guild_id"].is_string());
    EXPECT_TRUE(session["channel_id"].is_string());
    ASSERT_EQ(session["tracks"].size(), 4U);
    expect_file(session["master"]);
    EXPECT_EQ(session["master"]["duration_ms"], session["duration_ms"]);

    std::int64_t last = 0;
    for (const auto& track : session["tracks"]) {
        ASSERT_EQ(track["fragments"].size(), 1U) << "each player connects once";
        const auto& fragment = track["fragments"][0];
        expect_file(fragment);
        EXPECT_EQ(fragment["level_flag"], nullptr);
        EXPECT_EQ(track["packets_lost"], 0);
        EXPECT_NE(track["name"], track["user_id"]);
        last = std::max(last, fragment["start_time"].get<std::int64_t>() + fragment["duration_ms"].get<std::int64_t>());
        for (const auto& chunk : track["chunks"])
            EXPECT_TRUE(fs::exists(folder_ / "demo/data/store" / chunk["key"].get<std::string>()));
    }
    EXPECT_EQ(session["start_time"].get<std::int64_t>() + session["duration_ms"].get<std::int64_t>(), last);
    EXPECT_THAT(session, ::testing::Truly([&](const Json& shown) {
                    auto listed = ask({"sessions", shown["session"]}, kDone, {"LESTAPENNA_DATA_DIR=demo/data"});
                    for (std::size_t i = 0; i < listed["tracks"].size(); ++i)
                        listed["tracks"][i]["truth"] = shown["tracks"][i]["truth"];
                    return listed == without_links(shown);
                }))
        << "`sessions` shows the same, without the truth, and without links where nobody serves them";
}

TEST_F(Demo, WhatWasSaidIsWhereItWasSaid) {
    const auto session = ask({"demo", "--seconds", "12", "--seed", "11"});
    const auto ledger = this->ledger();
    EXPECT_EQ(ledger["start_time"], session["start_time"]) << "sample 0 of the truth is time zero";
    const auto master = decode_mp3(session["master"]["path"].get<std::string>());
    const test::Judge mix(master);
    std::size_t heard = 0;
    for (const auto& track : session["tracks"]) {
        const auto truth = audio::read_audio_file(track["truth"].get<std::string>());
        ASSERT_TRUE(truth.ok());
        EXPECT_EQ(truth->channels, 1);
        EXPECT_EQ(truth->sample_rate, 48'000);
        EXPECT_EQ(static_cast<std::int64_t>(truth->pcm.size()), ledger["length_samples"]);
        expect_float_wav(track["truth"].get<std::string>());

        const auto runs = runs_of(ledger, track["user_id"]);
        ASSERT_FALSE(runs.empty());
        const auto in_mix = mix.listen(truth->pcm, runs);
        EXPECT_LE(in_mix.missing, runs.size() / 10) << track["name"] << ": hidden under others at most";
        EXPECT_LE(in_mix.max_ms, 5.0) << track["name"];
        heard += in_mix.runs.size() - in_mix.missing;

        const auto& fragment = track["fragments"][0];
        const auto alone = decode_mp3(fragment["path"].get<std::string>());
        const milliseconds delay{fragment["start_time"].get<std::int64_t>() -
                                 session["start_time"].get<std::int64_t>()};
        const auto own = test::Judge(alone, SamplePos{delay}).listen(truth->pcm, runs);
        EXPECT_EQ(own.missing, 0U) << track["name"];
        EXPECT_LE(own.max_ms, 5.0) << track["name"];
    }
    EXPECT_GT(heard, 4U);
}

TEST_F(Demo, AnyNumberOfPlayersAndAgainInTheSameFolder) {
    const auto one = ask({"demo", "--speakers", "1", "--seconds", "3", "--seed", "8"});
    EXPECT_EQ(one["tracks"].size(), 1U);
    const auto before = digests(folder_ / "demo/data/store");
    const auto many = ask({"demo", "--speakers", "7", "--seconds", "14", "--seed", "9"});
    ASSERT_EQ(many["tracks"].size(), 7U);
    for (const auto& track : many["tracks"]) EXPECT_EQ(track["fragments"].size(), 1U);
    const auto after = digests(folder_ / "demo/data/store");
    for (const auto& [file, digest] : before) EXPECT_EQ(after.at(file), digest) << "the first one is as it was";
    EXPECT_EQ(ask({"sessions"}, kDone, {"LESTAPENNA_DATA_DIR=demo/data"}).size(), 2U);
}

TEST_F(Demo, WorksWithoutASpeechProgram) {
    fs::create_directories(folder_ / "no-programs");
    const auto result = run({"demo", "--json", "--seconds", "4", "--speakers", "2", "--seed", "8", "--out", "here"},
                            {"PATH=" + (folder_ / "no-programs").string()});
    ASSERT_EQ(result.exit_code, kDone) << result.err;
    EXPECT_THAT(result.err, HasSubstr("espeak-ng is not installed"));
    const auto session = value(result);
    for (const auto& track : session["tracks"]) expect_file(track["fragments"].at(0));
    EXPECT_TRUE(fs::exists(folder_ / "here/truth/ledger.json"));
    EXPECT_FALSE(fs::exists(data())) << "everything lies under --out";
}

TEST_F(Demo, WaitsForTheWordsWhereSomebodyTranscribes) {
    std::ofstream(folder_ / "words.toml") << "[queue]\ncommand = [\"echo\", \"la porta è chiusa\", \"{file}\"]\n";
    const auto session = ask({"demo", "--speakers", "2", "--seconds", "4", "--seed", "8", "--config", "words.toml"});
    ASSERT_TRUE(session["transcript"].is_object());
    const auto bytes = slurp(session["transcript"]["path"].get<std::string>());
    const std::string words(bytes.begin(), bytes.end());
    for (const auto& track : session["tracks"])
        EXPECT_THAT(words, HasSubstr(track["name"].get<std::string>() + ": la porta è chiusa"));
}

TEST_F(Demo, ALossyLineIsCountedExactly) {
    const auto session = ask({"demo", "--seconds", "10", "--loss", "10", "--jitter", "40", "--seed", "3"}, kGaps);
    const auto ledger = this->ledger();
    ASSERT_EQ(session["tracks"].size(), ledger["senders"].size());
    std::size_t lost = 0;
    for (const auto& sender : ledger["senders"]) {
        const auto track = std::ranges::find_if(session["tracks"],
                                                [&](const Json& one) { return one["user_id"] == sender["user_id"]; });
        ASSERT_NE(track, session["tracks"].end());
        EXPECT_EQ((*track)["packets_received"], sender["delivered"]);
        EXPECT_EQ((*track)["packets_lost"], sender["lost"].size());
        lost += sender["lost"].size();
    }
    EXPECT_GT(lost, 20U);
}

TEST_F(Demo, StoppedInTheMiddleItKeepsWhatWasSaid) {
    test::Background demo({LESTAPENNA_BINARY, "demo", "--json", "--seconds", "120", "--speakers", "2", "--seed", "8"},
                          folder_.path(), folder_ / "out", folder_ / "err");
    const auto spoken = [this] {
        std::error_code none;
        std::uintmax_t bytes = 0;
        for (const auto& file : fs::directory_iterator(folder_ / "demo/truth", none)) {
            if (file.path().extension() == ".jsonl") bytes += fs::file_size(file.path(), none);
        }
        return bytes > 10'000;  // about a hundred frames
    };
    ASSERT_TRUE(demo.until(spoken));
    demo.signal(SIGINT);
    EXPECT_EQ(demo.wait(), kInterrupted);
    const auto said = slurp(folder_ / "out");
    EXPECT_EQ(Json::parse(said.begin(), said.end())["error"]["code"], "interrupted");

    const Words here{"LESTAPENNA_DATA_DIR=demo/data"};
    const auto listed = ask({"sessions"}, kDone, here);
    ASSERT_EQ(listed.size(), 1U);
    EXPECT_EQ(listed[0]["status"], "recording") << "nobody ended it: a bot that starts again would go on with it";
    const auto session = ask({"master", listed[0]["session"]}, kDone, here);
    EXPECT_EQ(session["status"], "complete");
    std::int64_t received = 0;
    for (const auto& track : session["tracks"]) received += track["packets_received"].get<std::int64_t>();
    std::int64_t delivered = 0;
    const auto ledger = this->ledger();
    for (const auto& sender : ledger["senders"]) delivered += sender["delivered"].get<std::int64_t>();
    EXPECT_EQ(received, delivered);
    EXPECT_GT(received, 50);
}

TEST_F(Demo, OddWishesAreRefused) {
    expect_refused({"demo", "--speakers", "0"}, kUsage, "usage", "--speakers");
    expect_refused({"demo", "--seconds", "soon"}, kUsage, "usage", "--seconds");
    expect_refused({"demo", "--loss", "200"}, kUsage, "usage", "--loss");
    spit(folder_ / "file", std::string_view("x"));
    expect_refused({"demo", "--seconds", "2", "--out", "file"}, kFailed, "failed", "file");
    EXPECT_FALSE(fs::exists(folder_ / "demo"));
}

}  // namespace
}  // namespace lestapenna::system_test
