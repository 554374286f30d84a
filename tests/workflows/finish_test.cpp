// A whole session from journal to store: the bytes do not depend on threads or on what was there before.
#include <algorithm>
#include <map>
#include <set>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <sys/wait.h>
#include <unistd.h>

#include "audio/mp3.h"
#include "dying.h"
#include "growing_table.h"
#include "table.h"

namespace lestapenna::workflows {
namespace {

constexpr std::uint64_t kSeed = 7;

sandbox::SimulatedTable small_table(seconds length = seconds(95)) {
    sandbox::CutTable cut;
    cut.length = length;
    cut.seed = kSeed;
    cut.share = 0.3;
    sandbox::LineOptions line;
    line.seed = kSeed;
    line.jitter = milliseconds(30);
    line.loss = 0.02;
    return sandbox::simulate(sandbox::cut_table(buzzing_voices(3), cut), line);
}

TEST(Finish, SameBytesWithAnyNumberOfThreads) {
    const auto simulated = small_table();
    const auto id = SessionId::parse("session-under-test");
    std::map<std::string, std::vector<std::uint8_t>> first;
    for (const unsigned threads : {1U, 2U, 4U}) {
        Table table(simulated, *id);
        table.finish(threads);
        const auto objects = table.objects();
        EXPECT_EQ(objects.size(), 3U + 3U + 1U + 1U) << "chunks, fragments, master, manifest";
        if (first.empty()) first = objects;
        EXPECT_EQ(objects, first) << threads << " threads";
    }
}

TEST(Finish, AgainIsTheSame) {
    Table table(small_table());
    table.finish(2);
    const auto before = table.objects();
    table.finish(2);
    EXPECT_EQ(table.objects(), before);
    const auto master = store::key(store::MasterKey{table.id()});
    ASSERT_TRUE(table.store().remove(master).ok());
    table.finish(1);
    EXPECT_EQ(table.objects(), before);
}

TEST(Finish, LevelsHold) {
    Table table(small_table());
    table.finish(4);
    const auto rows = table.catalog().recordings(table.id());
    ASSERT_TRUE(rows.ok());
    ASSERT_EQ(rows->size(), 3U);
    for (const auto& row : *rows) {
        EXPECT_FALSE(row.level_flag.has_value()) << *row.level_flag;
        ASSERT_TRUE(row.levels.loudness_lufs.has_value());
        EXPECT_NEAR(*row.levels.loudness_lufs, -23, 0.2);
        EXPECT_LE(*row.levels.true_peak_dbtp, -1.0);
        std::printf("fragment %.2f LUFS %.2f dBTP gain %.2f speech %.2f\n", *row.levels.loudness_lufs,
                    *row.levels.true_peak_dbtp, *row.gain_db, *row.speech_lufs);
    }
    const auto master = table.catalog().master(table.id());
    ASSERT_TRUE(master.ok() && *master);
    EXPECT_NEAR(*(*master)->levels.loudness_lufs, -23, 0.2);
    EXPECT_LE(*(*master)->levels.true_peak_dbtp, -1.0);
}

TEST(Finish, MusicStandsBackInTheMixOrIsLeftOutAndIsNeverTranscribed) {
    const auto simulated = small_table(seconds(40));
    const UserId bot = simulated.senders[1].user;
    std::map<std::string, std::vector<std::uint8_t>> masters;
    for (const std::string how : {"person", "mix", "exclude"}) {
        SCOPED_TRACE(how);
        Table table(simulated);
        if (how == "exclude") table.config().audio.bots = BotTracks::exclude;
        const catalog::Track track{.session = table.id(), .user = bot, .name = "Tavern", .bot = how != "person"};
        ASSERT_TRUE(table.catalog().upsert_track(track).ok());
        table.finish(2);
        EXPECT_TRUE(*is_finished(table.tools(1), table.id()));

        const auto queue = table.catalog().transcriptions(table.id());
        std::set<UserId> queued;
        for (const auto& entry : *queue) queued.insert(entry.user);
        EXPECT_EQ(queued.size(), how == "person" ? 3U : 2U);
        EXPECT_EQ(queued.contains(bot), how == "person");
        const auto rows = *table.catalog().recordings(table.id());
        ASSERT_EQ(rows.size(), 3U) << "it has a fragment all the same";
        const auto fragment = std::ranges::find(rows, bot, &catalog::Recording::user);
        const double gain = *fragment->gain_db - (how == "mix" ? 12 : 0);
        const auto master = *table.catalog().master(table.id());
        ASSERT_TRUE(master);
        const std::string in_mix =
            how == "exclude" ? fragment->key + " at -inf dB" : fmt::format("{} at {:.3f} dB", fragment->key, gain);
        EXPECT_NE(master->recipe.find(in_mix), std::string::npos) << master->recipe;
        masters[how] = table.objects().at(master->key);
    }
    EXPECT_NE(masters["person"], masters["mix"]);
    EXPECT_NE(masters["mix"], masters["exclude"]);
}

TEST(Finish, ASessionOfMusicAloneThatIsLeftOutIsCompleteWithoutAMaster) {
    const auto simulated = small_table(seconds(20));
    Table table(simulated);
    table.config().audio.bots = BotTracks::exclude;
    for (const auto& sender : simulated.senders) {
        ASSERT_TRUE(
            table.catalog().upsert_track({.session = table.id(), .user = sender.user, .name = "m", .bot = true}).ok());
    }
    table.finish(2);
    EXPECT_EQ(table.catalog().session(table.id())->status, catalog::SessionStatus::complete);
    EXPECT_EQ(*table.catalog().master(table.id()), std::nullopt);
    EXPECT_TRUE(*is_finished(table.tools(1), table.id()));
}

/// The tier of each key: "chunks", "full", "master", or "session.json".
std::vector<std::string> tiers_of(const std::vector<std::string>& keys) {
    std::vector<std::string> tiers;
    for (const std::string& key : keys) {
        const auto from = key.find('/', key.find('/') + 1) + 1;
        tiers.push_back(key.substr(from, key.find('/', from) - from));
    }
    return tiers;
}

TEST(Finish, TheMasterGoesUpFirst) {
    const BuzzingTable table(2, seconds(40));
    Desk desk(SessionId::make(), table.simulated.start_time);
    auto journal = desk.journal(table.simulated.start_time, table.records());
    ASSERT_TRUE(journal.end().ok());
    desk.finish();
    EXPECT_THAT(tiers_of(desk.store().order), ::testing::ElementsAre("master", "full", "full", "chunks", "chunks",
                                                                     "chunks", "chunks", "session.json"));
    EXPECT_TRUE(std::filesystem::is_empty(desk.config().data.dir / "cache")) << "nothing of it is left here";
}

/// What the catalog calls stored is stored, and a fragment that is, and no other, is in the transcription queue.
void expect_true_rows(Desk& desk) {
    const auto objects = desk.objects();
    const auto fragments = *desk.catalog().recordings(desk.id());
    const auto chunks = *desk.catalog().chunks(desk.id());
    const auto master = *desk.catalog().master(desk.id());
    const auto queue = *desk.catalog().transcriptions(desk.id());
    std::set<std::string> stored;
    for (const auto& row : fragments) {
        if (row.status == catalog::FileStatus::stored) stored.insert(row.key);
    }
    std::set<std::string> queued;
    for (const auto& entry : queue) queued.insert(entry.file);
    EXPECT_EQ(queued, stored);
    for (const auto& row : chunks) {
        if (row.status == catalog::FileStatus::stored) stored.insert(row.key);
    }
    if (master && master->content) stored.insert(master->key);
    for (const std::string& key : stored) EXPECT_TRUE(objects.contains(key)) << key;
    if (desk.catalog().session(desk.id())->status != catalog::SessionStatus::complete) return;
    EXPECT_EQ(stored.size(), fragments.size() + chunks.size() + 1) << "it is complete with all of it";
}

TEST(Finish, KilledAnywhereTheNextOneFinishesIt) {
    const BuzzingTable table(2, seconds(8));
    const auto id = *SessionId::parse("dies-and-lives");
    Desk fresh(id, table.simulated.start_time);
    auto journal = fresh.journal(table.simulated.start_time, table.records());
    ASSERT_TRUE(journal.end().ok());
    Desk undisturbed(fresh);
    undisturbed.finish();
    const auto whole = undisturbed.objects();

    const auto finish_in_child = [&](Desk& desk, int call) {
        const pid_t child = fork();
        if (child == 0) {
            auto session = Session::open(desk.tools(1), id);
            test::die_at(call);
            const bool done = session && finish_session(*session);
            _exit(done ? std::clamp(test::calls_so_far(), 1, 255) : 255);
        }
        int how = 0;
        waitpid(child, &how, 0);
        return WIFEXITED(how) ? WEXITSTATUS(how) : 255;
    };
    Desk counted(fresh);
    const int calls = finish_in_child(counted, 0);
    ASSERT_LT(calls, 255) << "undisturbed it is done";
    std::set<std::string> left;  // by those that were killed: which tiers
    for (int call = 1; call <= calls; ++call) {
        SCOPED_TRACE(fmt::format("at call {} of {}", call, calls));
        Desk desk(fresh);
        EXPECT_EQ(finish_in_child(desk, call), 0) << "it dies";
        expect_true_rows(desk);
        std::vector<std::string> keys;
        for (const auto& [key, bytes] : desk.objects()) keys.push_back(key);
        const auto tiers = tiers_of(keys);
        left.insert(fmt::format("{}", fmt::join(std::set(tiers.begin(), tiers.end()), " ")));
        const auto master = *desk.catalog().master(id);
        const bool stands = master && !master->recipe.empty();
        desk.finish();
        EXPECT_EQ(desk.store().puts.count(store::key(store::MasterKey{id}).text()), stands ? 0U : 1U);
        EXPECT_EQ(desk.objects(), whole);
        expect_true_rows(desk);
        EXPECT_TRUE(*is_finished(desk.tools(), id));
    }
    EXPECT_THAT(left, ::testing::ElementsAre("", "chunks full master", "chunks full master session.json", "full master",
                                             "master"));
}

}  // namespace
}  // namespace lestapenna::workflows
