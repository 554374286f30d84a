// `lestapenna recover --scan-store` and `master` on a machine that lost everything but the store.
#include "program.h"

namespace lestapenna::system_test {
namespace {

class Restore : public Program {
  protected:
    /// All of the data folder but the store.
    void lose_the_machine() {
        for (const auto& entry : fs::directory_iterator(data())) {
            if (entry.path().filename() != "store") fs::remove_all(entry.path());
        }
    }
    void make(const std::string& session) {
        import(play(), session);
        order({"master", session});
    }
};

TEST_F(Restore, WhatWasMadeIsThereAgainAndWhatIsGoneIsRebuilt) {
    make("evening");
    auto before = ask({"sessions", "evening"});
    before["storage"]["journal_bytes"] = nullptr;  // it is what is lost
    EXPECT_EQ(before["master"]["source"], "journal");
    const auto files = digests(data() / "store");
    const auto length = decode_mp3(master_of("evening")).size();
    lose_the_machine();

    const auto scanned = ask({"recover", "--scan-store"});
    ASSERT_EQ(scanned.size(), 1U);
    EXPECT_EQ(scanned[0], before);
    EXPECT_EQ(ask({"master", "evening"}), before);
    EXPECT_EQ(digests(data() / "store"), files);

    for (const std::string source : {"fragments", "chunks"}) {
        if (source == "chunks") fs::remove_all(stored("evening") / "full");
        fs::remove(master_of("evening"));
        const auto again = ask({"master", "evening"});
        EXPECT_EQ(again["status"], "complete");
        EXPECT_EQ(again["master"]["source"], source);
        EXPECT_EQ(again["master"]["duration_ms"], before["master"]["duration_ms"]);
        EXPECT_EQ(decode_mp3(master_of("evening")).size(), length);
        EXPECT_THAT(run({"master", "evening"}).out, HasSubstr("master (from " + source + ")"));
    }
}

TEST_F(Restore, SaysWhatIsLost) {
    make("evening");
    lose_the_machine();
    const auto fragment = fs::directory_iterator(stored("evening") / "full")->path();
    fs::remove(fragment);
    const auto scan = run({"recover", "--scan-store", "--json"});
    EXPECT_EQ(scan.exit_code, kGaps);
    EXPECT_THAT(scan.err, HasSubstr(fragment.filename().string()));
    fs::remove_all(stored("evening") / "chunks");
    fs::remove(master_of("evening"));
    const auto rebuilt = run({"master", "evening", "--json"});
    EXPECT_EQ(rebuilt.exit_code, kGaps);
    EXPECT_EQ(value(rebuilt)["master"]["source"], "fragments");
    EXPECT_THAT(rebuilt.err, HasSubstr(fragment.filename().string()));

    fs::remove_all(stored("evening") / "full");
    fs::remove(master_of("evening"));
    const auto nothing = run({"master", "evening", "--json"});
    EXPECT_EQ(nothing.exit_code, kFailed);
    EXPECT_EQ(value(nothing)["error"]["code"], "not_found");
}

TEST_F(Restore, ADamagedManifestAndForeignFilesAreNamed) {
    make("evening");
    lose_the_machine();
    spit(stored("evening") / "session.json", "{\"manifest\": 99}");
    spit(data() / "store/recordings/holiday.jpg", "x");
    const auto scan = run({"recover", "--scan-store", "--json"});
    EXPECT_EQ(scan.exit_code, kDamaged);
    EXPECT_THAT(scan.err, AllOf(HasSubstr("recordings/evening/session.json"), HasSubstr("recordings/holiday.jpg")));
    const auto sessions = value(scan);
    ASSERT_EQ(sessions.size(), 1U);
    EXPECT_EQ(sessions[0]["tracks"].size(), 2U);
    EXPECT_EQ(sessions[0]["status"], "complete");
    EXPECT_TRUE(fs::exists(data() / "store/recordings/holiday.jpg"));
}

TEST_F(Restore, AnEmptyStoreIsAnEmptyArray) {
    EXPECT_EQ(ask({"recover", "--scan-store"}), Json::array());
    expect_refused({"recover", "evening", "--scan-store"}, kUsage, "usage", "--scan-store");
}

}  // namespace
}  // namespace lestapenna::system_test
