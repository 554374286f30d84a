// `lestapenna retention`: the operator sees what would go, and it goes.
#include "program.h"

namespace lestapenna::system_test {
namespace {

/// A session of a year ago.
class Retention : public Program {
  protected:
    void SetUp() override {
        import(table_, "old");
        order({"master", "old"});
    }
    static std::vector<std::string> tiers(const Json& report) {
        std::vector<std::string> all;
        for (const auto& one : report["removals"]) all.push_back(one["tier"]);
        return all;
    }
    sandbox::SimulatedTable table_ = play();
};

TEST_F(Retention, SaysWhatWouldGoThenRemovesItAndWhatIsLeftStillServes) {
    const auto before = belongings("old");
    const auto storage = ask({"sessions", "old"})["storage"];
    EXPECT_EQ(storage["fragments"]["objects"], 2);
    EXPECT_GT(storage["journal_bytes"], 1000);

    const auto told = ask({"retention", "--dry-run"});
    EXPECT_EQ(told["dry_run"], true);
    EXPECT_EQ(told["doubt"], nullptr);
    EXPECT_THAT(tiers(told), ElementsAre("journal", "chunks", "fragments"));
    EXPECT_EQ(belongings("old"), before);
    EXPECT_THAT(run({"retention", "--dry-run"}).out, HasSubstr("would go"));

    const auto done = ask({"retention"});
    EXPECT_EQ(done["removals"], told["removals"]);
    EXPECT_EQ(done["bytes"], storage["chunks"]["bytes"].get<int>() + storage["fragments"]["bytes"].get<int>() +
                                 storage["journal_bytes"].get<int>());
    EXPECT_FALSE(fs::exists(journal("old")));
    const auto left = digests(stored("old"));
    EXPECT_EQ(left.size(), 2U) << "master and manifest";
    EXPECT_EQ(left.at("master/MASTER-old.mp3"), before.files.at("master/MASTER-old.mp3"));

    const auto session = ask({"sessions", "old"});
    EXPECT_EQ(session["storage"]["chunks"], (Json{{"objects", 0}, {"bytes", 0}}));
    EXPECT_EQ(session["storage"]["masters"]["objects"], 1);
    EXPECT_EQ(session["storage"]["journal_bytes"], nullptr);
    EXPECT_TRUE(session["master"]["path"].is_string());
    EXPECT_EQ(session["tracks"][0]["fragments"][0]["path"], nullptr);
    EXPECT_THAT(run({"sessions", "old"}).out, HasSubstr("the journal is gone"));
    order({"master", "old", "--out", (folder_ / "again.mp3").string()});
    EXPECT_EQ(slurp(folder_ / "again.mp3"), slurp(master_of("old")));
    EXPECT_EQ(digests(stored("old")), left) << "what expired is not made again";
    EXPECT_EQ(ask({"retention"})["objects"], 0);
}

TEST_F(Retention, TheConfigurationSaysHowLong) {
    const Words forever{"LESTAPENNA_RETENTION_CHUNKS=forever", "LESTAPENNA_RETENTION_FRAGMENTS=forever",
                        "LESTAPENNA_RETENTION_JOURNALS=forever"};
    const auto before = belongings("old");
    EXPECT_EQ(ask({"retention"}, kDone, forever)["objects"], 0);
    EXPECT_EQ(belongings("old"), before);
    Words masters = forever;
    masters.emplace_back("LESTAPENNA_RETENTION_MASTERS=30d");
    EXPECT_THAT(tiers(ask({"retention"}, kDone, masters)), ElementsAre("master"));
    EXPECT_FALSE(fs::exists(master_of("old")));
}

TEST_F(Retention, NothingGoesWhileTheMasterIsNotAsTheCatalogKnowsIt) {
    fs::resize_file(master_of("old"), 1000);
    const auto before = belongings("old");
    const auto report = ask({"retention"}, kDone, {"LESTAPENNA_RETENTION_CHUNKS=forever"});
    EXPECT_EQ(report["objects"], 0);
    ASSERT_EQ(report["kept"].size(), 2U);
    for (const auto& kept : report["kept"]) EXPECT_THAT(kept["why"].get<std::string>(), HasSubstr("MASTER-old"));
    EXPECT_EQ(belongings("old"), before);
}

}  // namespace
}  // namespace lestapenna::system_test
