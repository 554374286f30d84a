// `lestapenna recover`: what nobody ended is finished from the shell.
#include <optional>

#include "catalog/catalog.h"
#include "journal/writer.h"
#include "program.h"
#include "simulated_journal.h"

namespace lestapenna::system_test {
namespace {

class Recover : public Program {
  protected:
    /// A session as a recorder that was killed leaves it.
    void leave(const std::string& session) {
        const auto id = *SessionId::parse(session);
        fs::create_directories(data());
        auto catalog = std::move(*catalog::Catalog::open(data() / "catalog.sqlite"));
        ASSERT_TRUE(catalog.insert_session({.id = id, .guild_id = "7", .start = table_.start_time}));
        std::vector<journal::Record> joins;
        for (const auto& sender : table_.senders) joins.emplace_back(journal::Join{BootTime{}, sender.user});
        ASSERT_TRUE(test::write_journal(table_, data() / "journal", id, joins));
    }
    std::vector<std::string> jobs(const std::string& session) {
        const auto catalog = std::move(*catalog::Catalog::open(data() / "catalog.sqlite"));
        const auto open = catalog.open_jobs(SessionId::parse(session));
        std::vector<std::string> names;
        for (const auto& [job, status] : *open) names.push_back(job.name);
        return names;
    }

    sandbox::SimulatedTable table_ = play();
};

TEST_F(Recover, FinishesEachOnceAndLetsItsTableBeTold) {
    import(table_, "imported");
    leave("left");
    const auto recovered = ask({"recover"});
    ASSERT_EQ(recovered.size(), 2U);
    for (const auto& session : recovered) {
        EXPECT_EQ(session["status"], "complete");
        EXPECT_EQ(session, ask({"sessions", session["session"].get<std::string>()}));
        EXPECT_EQ(session["tracks"].size(), 2U);
        EXPECT_TRUE(session["master"].is_object());
    }
    EXPECT_THAT(jobs("left"), ElementsAre("transcript", "report"));
    EXPECT_THAT(jobs("imported"), IsEmpty()) << "nobody waits for it";

    const auto files = digests(data() / "store");
    EXPECT_EQ(ask({"recover"}), Json::array());
    EXPECT_EQ(run({"recover"}).out, "nothing to recover: every session was ended\n");
    EXPECT_EQ(ask({"recover", "left"}).size(), 1U) << "who names one gets it";
    EXPECT_EQ(digests(data() / "store"), files);
    EXPECT_THAT(jobs("left"), ElementsAre("transcript", "report"));
}

TEST_F(Recover, RefusesWhatIsBeingRecordedAndWhatNobodyKnows) {
    leave("left");
    expect_refused({"recover", "nobody"}, kFailed, "not_found", "no session");
    journal::Committer committer(1);
    auto recorder = std::optional(
        journal::Writer::open(committer, data() / "journal", {*SessionId::parse("left"), table_.start_time, {}, {}}));
    ASSERT_TRUE(recorder->ok());
    expect_refused({"recover", "left"}, kFailed, "locked", "is being recorded");
    EXPECT_EQ(ask({"recover"}), Json::array()) << "it is not left alone at all";
    EXPECT_EQ(ask({"sessions", "left"})["status"], "recording");
    recorder.reset();
    EXPECT_EQ(ask({"recover"})[0]["status"], "complete");
}

TEST_F(Recover, SaysWhatIsMissing) {
    sandbox::LineOptions line;
    line.seed = kSeed;
    line.loss = 0.05;
    table_ = play({.line = line});
    leave("lossy");
    order({"recover"}, kGaps);
    leave("harmed");
    auto bytes = slurp(segment("harmed"));
    std::fill(bytes.begin() + 4'096, bytes.begin() + 8'192, std::uint8_t{0xAA});
    spit(segment("harmed"), bytes);
    order({"recover"}, kDamaged);
    leave("gone");
    fs::remove_all(journal("gone"));
    EXPECT_EQ(ask({"recover"})[0]["status"], "failed");
    EXPECT_EQ(ask({"recover"}), Json::array());
}

}  // namespace
}  // namespace lestapenna::system_test
