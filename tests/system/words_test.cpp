// Ids and configuration from people: whatever they write is understood or refused in one sentence.
#include "program.h"

namespace lestapenna::system_test {
namespace {

class WordsFromPeople : public Program {};

TEST_F(WordsFromPeople, UnknownAndHostileIds) {
    import(play(), "01JTESTSESSION000000ABCDEF");
    const auto before = digests(data() / "journal");
    const Words ids{
        "nobody",       "../../etc/passwd",       "/etc/passwd", "..", ".",      std::string(10'000, 'A'),
        "caff\xC3\xA8", "\xFF\xFE\x01\n\x1b[31m", "' OR 1=1 --", "%",  "______", "01JTESTSESSION000000ABCDEF/../x"};
    for (const auto& id : ids) {
        // "--": it is an id, whatever it begins with
        expect_refused({"sessions", "--", id}, kFailed, "not_found", "there is no session");
        expect_refused({"master", "--", id}, kFailed, "not_found", "there is no session");
        expect_refused({"export", "--format", "wav", "--out", "out", "--", id}, kFailed, "not_found",
                       "there is no session");
    }
    for (const auto& path : {"nobody", "../../nowhere", "caff\xC3\xA8"})
        expect_refused({"journal", "verify", path}, kFailed, "not_found", path);
    EXPECT_FALSE(fs::exists(folder_ / "out"));
    EXPECT_EQ(digests(data() / "journal"), before);
    EXPECT_EQ(ask({"sessions", "abcdef"})["session"], "01JTESTSESSION000000ABCDEF") << "in any case of letters";
    order({"sessions", "BCDEF"}, kFailed);
}

TEST_F(WordsFromPeople, AnEndingThatSeveralHave) {
    const auto table = play();
    import(table, "01AAAAAAAABCDEFG");
    import(table, "01BBBBBBBABCDEFG");
    for (const std::string verb : {"sessions", "master"})
        expect_refused({verb, "ABCDEFG"}, kUsage, "usage", "01AAAAAAAABCDEFG, 01BBBBBBBABCDEFG");
    EXPECT_EQ(ask({"sessions", "AABCDEFG"})["session"], "01AAAAAAAABCDEFG");
}

TEST_F(WordsFromPeople, ExportsThatCanNotBe) {
    const auto table = play();
    import(table, "session");
    const auto wants = [](const Words& more) {
        Words words{"export", "session", "--out", "out"};
        words.insert(words.end(), more.begin(), more.end());
        return words;
    };
    expect_refused(wants({}), kUsage, "usage", "--format");
    expect_refused(wants({"--format", "ogg"}), kUsage, "usage", "--format");
    for (const std::string odd : {"x", "1:2:3:4", "-1", "", "1e9", "1:", "nan", "99999999999"})
        expect_refused(wants({"--format", "wav", "--from=" + odd + "x"}), kUsage, "usage", "--from");
    expect_refused(wants({"--format", "wav", "--from", "5", "--to", "4"}), kUsage, "usage", "nothing between");
    expect_refused(wants({"--format", "wav", "--from", "1:00:00"}), kUsage, "usage", "nothing between");
    expect_refused(wants({"--format", "wav", "--user", "42"}), kFailed, "not_found", "42");
    expect_refused(wants({"--format", "wav", "--user", "../x"}), kFailed, "not_found", "was not heard");
    spit(folder_ / "file", std::string_view("x"));
    expect_refused({"export", "session", "--format", "wav", "--out", "file"}, kFailed, "failed", "file");
    EXPECT_FALSE(fs::exists(folder_ / "out"));

    const auto& user = table.senders[1].user.text();
    const auto one = ask(wants({"--format", "opus", "--user", user, "--from", "0:02", "--to", "0:00:04.5"}));
    EXPECT_EQ(one["files"].size(), 1U);
    EXPECT_EQ(one["duration_ms"], 2'500);
    EXPECT_EQ(one["from_ms"], 2'000);
}

TEST_F(WordsFromPeople, AMasterThatCanNotBeCopied) {
    import(play(), "session");
    expect_refused({"master", "session", "--out", "nowhere/x.mp3"}, kFailed, "failed", "nowhere/x.mp3");
    EXPECT_EQ(ask({"sessions", "session"})["status"], "complete") << "it is made all the same";
    fs::create_directory(folder_ / "folder");
    order({"master", "session", "--out", "folder"}, kFailed);
    EXPECT_TRUE(fs::is_empty(folder_ / "folder"));
    order({"master", "session", "--out", "x.mp3"});
}

TEST_F(WordsFromPeople, AWrongConfiguration) {
    const auto refused = [&](std::string_view text, const std::string& hint) {
        spit(folder_ / "lestapenna.toml", text);
        expect_refused({"sessions"}, kUsage, "usage", hint);
        expect_refused({"demo", "--seconds", "1"}, kUsage, "usage", "lestapenna.toml");
        EXPECT_FALSE(fs::exists(data()) || fs::exists(folder_ / "demo"));
    };
    refused("[capture]\nrotashun = \"5m\"\n", "did you mean \"rotation\"?");
    refused("[captur]\nrotation = \"5m\"\n", "did you mean");
    refused("[capture]\nrotation = \"5 parsecs\"\n", "rotation");
    refused("[capture]\nrotation = 300\n", "rotation");
    refused("[capture]\nrotation = \"45s\"\n", "30");
    refused("[web]\nlisten = true\n", "listen");
    refused("[audio]\nloudness = \"loud\"\n", "ebu-r128");
    refused("[capture\nrotation = \"5m\"\n", "lestapenna.toml:1");
    refused("\xFF\xFE\x00", "lestapenna.toml");
    spit(folder_ / "lestapenna.toml", std::string(3 << 20, '#'));
    expect_refused({"sessions"}, kUsage, "usage", "lestapenna.toml");
    fs::remove(folder_ / "lestapenna.toml");
    expect_refused({"sessions", "--config", "elsewhere.toml"}, kUsage, "usage", "elsewhere.toml");
}

TEST_F(WordsFromPeople, VariablesAndDotenv) {
    import(play(), "session");
    spit(folder_ / ".env", std::string_view("LESTAPENNA_DATA_DIR=elsewhere\nLESTAPENNA_AUDIO_LOUDNES=podcast\n"));
    const auto result = run({"sessions", "--json"});
    EXPECT_EQ(result.exit_code, kDone);
    EXPECT_EQ(value(result), Json::array()) << ".env says where";
    EXPECT_THAT(result.err, HasSubstr("did you mean LESTAPENNA_AUDIO_LOUDNESS?"));
    EXPECT_EQ(ask({"sessions"}, kDone, {"LESTAPENNA_DATA_DIR=data"}).size(), 1U) << "the environment wins";
    expect_refused({"sessions"}, kUsage, "usage", "capture.rotation",
                   {"LESTAPENNA_CAPTURE_ROTATION=fast", "LESTAPENNA_AUDIO_LOUDNES="});
}

TEST_F(WordsFromPeople, TheLoudnessOfTheMasterIsAsConfigured) {
    import(play(), "session");
    const auto quiet = ask({"master", "session"});
    spit(folder_ / "lestapenna.toml", std::string_view("[audio]\nloudness = \"podcast\"\n"));
    const auto loud = ask({"master", "session"});
    EXPECT_NEAR(loud["master"]["loudness_lufs"].get<double>(), -16, 0.2) << "made anew for the new target";
    EXPECT_EQ(loud["tracks"], quiet["tracks"]) << "fragments stay at -23";
}

}  // namespace
}  // namespace lestapenna::system_test
