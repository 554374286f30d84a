// kill -9 at random moments: while people talk, between the jobs of the end, in the middle of rendering. After each the
// program is started again; at the end everything that was durable at any kill must be there once, and only once.
// LESTAPENNA_LONG=1: 50 kills; LESTAPENNA_KILL_SEED: another evening. The seed is printed.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <set>
#include <tuple>

#include "base/files.h"
#include "journal/reader.h"
#include "render/chunk.h"
#include "store/directory.h"
#include "store/keys.h"
#include "table.h"
#include "timeline/timeline.h"

namespace lestapenna::bot {
namespace {

constexpr milliseconds kRotation = seconds(30);
constexpr std::size_t kTalkers = 3;
constexpr seconds kBackWithin{5};  // recording again, from the start of the program on

std::uint64_t seed() {
    const char* const wish = std::getenv("LESTAPENNA_KILL_SEED");
    return wish != nullptr ? std::strtoull(wish, nullptr, 10) : std::random_device{}();
}

struct Plan {
    std::size_t sessions;  ///< one after the other, each in a guild of its own
    int while_recording;   ///< kills of each
    int while_finishing;
    seconds length;
};
Plan plan() {
    const char* const wish = std::getenv("LESTAPENNA_LONG");
    const bool whole = wish != nullptr && std::string_view(wish) == "1";
    return whole ? Plan{5, 6, 4, seconds(60)} : Plan{1, 2, 2, seconds(50)};
}

/// What makes a packet itself and no other.
using PacketId = std::tuple<std::uint32_t, std::uint16_t, std::uint32_t, std::int64_t>;

/// What a journal holds, as far as it can be read.
struct Journaled {
    std::vector<PacketId> packets;
    std::vector<BootTime> arrivals;
    std::set<UnixTime> starts;  ///< of all its segments: one
    std::size_t restarts = 0;   ///< Gap{restart}
    std::size_t ends = 0;
};

Journaled read_journal(const std::filesystem::path& folder) {
    Journaled found;
    auto reader = journal::Reader::open(folder);
    if (!reader) return found;  // killed before the first byte
    for (;;) {
        const auto outcome = reader->next();
        if (std::holds_alternative<journal::CleanEnd>(outcome)) break;
        const auto* const item = std::get_if<journal::Item>(&outcome);
        if (item == nullptr) continue;  // a torn tail: what it held was never durable
        if (const auto* packet = std::get_if<journal::Packet>(&item->record)) {
            found.packets.emplace_back(packet->ssrc, packet->seq, packet->rtp_timestamp,
                                       packet->arrival.time_since_epoch().count());
            found.arrivals.push_back(packet->arrival);
        }
        if (const auto* gap = std::get_if<journal::Gap>(&item->record)) {
            found.restarts += gap->reason == journal::GapReason::restart ? 1U : 0U;
        }
        found.ends += std::holds_alternative<journal::End>(item->record) ? 1U : 0U;
    }
    for (const auto& segment : reader->segments()) found.starts.insert(segment.session_start);
    return found;
}

class Killed : public TableTest {
  protected:
    void SetUp() override {
        std::printf("  LESTAPENNA_KILL_SEED=%llu\n", static_cast<unsigned long long>(seed_));
        TableSetup setup;
        setup.talkers = kTalkers;
        setup.share = 0.8;
        setup.length = plan_.length;
        setup.guilds = plan_.sessions;
        open(std::move(setup));
        config_.capture.rotation = kRotation;
        bice_ = person("Bice");
    }

    nanoseconds up_to(nanoseconds most) {
        return nanoseconds(std::uniform_int_distribution<std::int64_t>(0, most.count())(random_));
    }
    /// Time goes by; the program must not end of itself.
    void let_run_until(BootTime until) {
        ASSERT_TRUE(program_->until([&] { return BootClock::now() >= until; })) << program_log();
    }

    /// What was durable when the program was killed stays.
    void kill_now() {
        kill_program();
        ++kills_;
        note_what_was_under_way();
        if (!id_) return;
        auto now = read_journal(journal(*id_));
        expect_all_there(now);
        if (now.ends == 0) ++restarts_;  // it will go on
        durable_ = std::move(now.packets);
    }
    /// As the catalog was left.
    void note_what_was_under_way() {
        const auto session = last_session(guild_);
        std::string doing = session ? std::string(to_text(session->status)) : "no session";
        const auto jobs = catalog().open_jobs(std::nullopt);
        ASSERT_TRUE(jobs.ok()) << jobs.error().message;
        for (const auto& [job, status] : *jobs) {
            if (status == catalog::JobStatus::running) doing += ", in job " + job.name;
        }
        ++under_way_[doing];
    }
    void expect_all_there(const Journaled& now) {
        const std::set<PacketId> there(now.packets.begin(), now.packets.end());
        EXPECT_EQ(there.size(), now.packets.size()) << "a packet twice";
        missing_ += static_cast<std::size_t>(
            std::ranges::count_if(durable_, [&](const PacketId& one) { return !there.contains(one); }));
    }

    /// Started again in the middle of a session: how long it takes until a packet is journaled.
    void come_back() {
        const auto before = read_journal(journal(*id_)).packets.size();
        const auto begun = BootClock::now();
        launch_program();
        ASSERT_TRUE(
            program_->until([&] { return is_recording_in(stage(guild_).voice, guild_) || waited_long(begun); }));
        Journaled now;
        ASSERT_TRUE(program_->until([&] {
            now = read_journal(journal(*id_));
            return now.packets.size() > before || waited_long(begun);
        })) << program_log();
        ASSERT_GT(now.packets.size(), before) << "nothing is recorded any more\n" << program_log();
        const std::chrono::duration<double> took = now.arrivals[before] - begun;
        slowest_back_ = std::max(slowest_back_, took.count());
        EXPECT_LE(took, kBackWithin);
    }
    static bool waited_long(BootTime since) { return BootClock::now() - since > seconds(60); }

    void begin_session() {
        sit(bice_, stage(guild_).voice, guild_);
        type(bice_, "$ascolta", stage(guild_).text);
        ASSERT_TRUE(eventually([&] { return is_recording_in(stage(guild_).voice, guild_) && last_session(guild_); }))
            << program_log();
        id_ = last_session(guild_)->id;
        start_ = last_session(guild_)->start;
        durable_.clear();
        restarts_ = 0;
        play(start_, guild_);
        ASSERT_TRUE(eventually([&] { return !read_journal(journal(*id_)).packets.empty(); })) << program_log();
    }

    /// One kill in each part of the play; returns at its end, when its first windows have long closed.
    void kill_while_recording() {
        const nanoseconds part = plan_.length / plan_.while_recording;
        const auto begun = BootClock::now();
        for (int i = 0; i < plan_.while_recording; ++i) {
            ASSERT_NO_FATAL_FAILURE(let_run_until(begun + i * part + up_to(part)));
            kill_now();
            ASSERT_NO_FATAL_FAILURE(come_back());
        }
        ASSERT_NO_FATAL_FAILURE(let_run_until(begun + plan_.length));
    }

    bool nothing_open() {
        const auto sessions = catalog().sessions();
        return sessions && std::ranges::none_of(*sessions, [](const catalog::Session& one) {
                   return one.status == catalog::SessionStatus::recording ||
                          one.status == catalog::SessionStatus::ending;
               });
    }
    catalog::SessionStatus status() {
        const auto session = last_session(guild_);
        EXPECT_TRUE(session) << "the session is no more";
        return session ? session->status : catalog::SessionStatus::failed;
    }
    /// A command that came when nobody was there is lost; whoever gave it gives it again.
    void insist_on_the_end() {
        const auto is_over = [&] {
            if (status() != catalog::SessionStatus::recording) return true;
            type(bice_, "$termina", stage(guild_).text);
            return false;
        };
        EXPECT_TRUE(eventually(is_over, seconds(120))) << program_log();
    }

    void kill_while_finishing() {
        send(bice_, "$termina", stage(guild_).text);
        for (int i = 0; i < plan_.while_finishing; ++i) {
            ASSERT_NO_FATAL_FAILURE(let_run_until(BootClock::now() + up_to(milliseconds(1'500))));
            kill_now();
            ASSERT_NO_FATAL_FAILURE(start_program());
            insist_on_the_end();
        }
        ASSERT_TRUE(program_->until([&] { return status() == catalog::SessionStatus::complete; })) << program_log();
        wait_until_idle();
        sit(bice_, std::nullopt, guild_);
    }

    /// One line of the table.
    static void row(const char* what, std::size_t expected, std::size_t found) {
        std::printf("  %-44s expected %4zu  found %4zu\n", what, expected, found);
        EXPECT_EQ(expected, found) << what;
    }
    void expect_everything_once() {
        const auto now = read_journal(journal(*id_));
        expect_all_there(now);
        row("sessions of the guild", 1, catalog().sessions_of(stage(guild_).guild.text(), 99)->size());
        row("outages by a restart", restarts_, now.restarts);
        row("durable packets that are missing", 0, missing_);
        row("time zeros", 1, now.starts.size());
        EXPECT_EQ(*now.starts.begin(), start_);
        EXPECT_EQ(last_session(guild_)->start, start_);
        row("ends in the journal", 1, now.ends);

        const auto timeline = timeline::read(journal(*id_), kRotation);
        ASSERT_TRUE(timeline.ok()) << timeline.error().message;
        std::size_t windows = 0;
        std::size_t heard = 0;
        for (const auto& connection : timeline->connections) {
            windows += render::chunk_windows(connection, kRotation).size();
            heard += connection.has_audio() ? 1U : 0U;
        }
        row("connections with packets", kTalkers, heard);
        expect_files(windows);
        expect_one_link();
    }
    void expect_files(std::size_t windows) {
        auto store = store::DirectoryStore::open(config_.data.dir / "store");
        ASSERT_TRUE(store.ok());
        const auto objects = (*store)->list(store::session_prefix(*id_));
        ASSERT_TRUE(objects.ok());
        std::map<std::size_t, std::size_t> kinds;  // by the variant's index
        std::size_t strange = 0;
        for (const auto& object : *objects) {
            const auto parts = store::parse_tier_key(object.key.text());
            if (parts) ++kinds[parts->index()];
            strange += parts ? 0U : 1U;
        }
        const auto stored = [](const auto& rows) {
            return static_cast<std::size_t>(std::ranges::count_if(
                *rows, [](const auto& one) { return one.status == catalog::FileStatus::stored; }));
        };
        row("chunks in the store", windows, kinds[store::TierKey(store::ChunkKey{*id_, {}, {}}).index()]);
        row("rows of chunks, stored", windows, stored(catalog().chunks(*id_)));
        row("rows of chunks", windows, catalog().chunks(*id_)->size());
        row("fragments in the store", kTalkers, kinds[store::TierKey(store::FragmentKey{*id_, {}, {}}).index()]);
        row("rows of recordings, stored", kTalkers, stored(catalog().recordings(*id_)));
        row("rows of recordings", kTalkers, catalog().recordings(*id_)->size());
        row("entries of the transcription queue", kTalkers, catalog().transcriptions(*id_)->size());
        row("masters in the store", 1, kinds[store::TierKey(store::MasterKey{*id_}).index()]);
        row("manifests in the store", 1, kinds[store::TierKey(store::ManifestKey{*id_}).index()]);
        row("other files in the store", 0, strange);
        row("jobs that wait, run or failed", 0, catalog().open_jobs(std::nullopt)->size());
    }
    /// Told once, and it leads to the master.
    void expect_one_link() {
        std::set<std::string> links;
        std::size_t times = 0;
        for (const auto& message : direct_messages(bice_)) {
            const auto link = link_in(message.content);
            if (link.find(id_->text()) == std::string::npos) continue;
            links.insert(link);
            ++times;
        }
        row("links to the master", 1, links.size());
        row("times a link was sent", 1, times);
        ASSERT_FALSE(links.empty());
        EXPECT_EQ(fetch(*links.begin()).status, 200);
    }

    const Plan plan_ = plan();
    const std::uint64_t seed_ = seed();
    std::mt19937_64 random_{seed_};
    UserId bice_;
    std::size_t guild_ = 0;  ///< of the present session
    std::optional<SessionId> id_;
    UnixTime start_;
    std::vector<PacketId> durable_;  ///< at the latest kill
    std::size_t missing_ = 0;
    std::size_t restarts_ = 0;  ///< with which the session went on
    int kills_ = 0;
    std::map<std::string, int> under_way_;  ///< kills by what they cut off
    double slowest_back_ = 0;
};

TEST_F(Killed, NothingIsLostOrDoneTwice) {
    ASSERT_NO_FATAL_FAILURE(start_program());
    for (guild_ = 0; guild_ < plan_.sessions; ++guild_) {
        std::printf("  session %zu\n", guild_ + 1);
        id_.reset();
        ASSERT_NO_FATAL_FAILURE(begin_session());
        ASSERT_NO_FATAL_FAILURE(kill_while_recording());
        ASSERT_NO_FATAL_FAILURE(kill_while_finishing());
        ASSERT_NO_FATAL_FAILURE(expect_everything_once());
    }
    std::printf("  %d kills; at most %.2f s from the start of the program to the first packet\n", kills_,
                slowest_back_);
    for (const auto& [doing, times] : under_way_) std::printf("  %3d x %s\n", times, doing.c_str());
    EXPECT_EQ(stop_program(), 0);
}

/// Everything that begins with a command: what the kill leaves is either a session that goes on, or none.
TEST_F(Killed, WhileItBegins) {
    sit(bice_);
    const int times = plan_.sessions > 1 ? 10 : 2;
    for (int i = 0; i < times; ++i) {
        ASSERT_NO_FATAL_FAILURE(start_program());
        send(bice_, "$ascolta");
        ASSERT_NO_FATAL_FAILURE(let_run_until(BootClock::now() + up_to(milliseconds(600))));
        kill_now();
        ASSERT_NO_FATAL_FAILURE(start_program());
        const auto is_settled = [&] { return is_recording_in(voice()) || nothing_open(); };
        ASSERT_TRUE(program_->until(is_settled)) << program_log();
        if (last_session()) insist_on_the_end();
        wait_until_idle();
        const auto nick = direct([&](sandbox::Loopback& discord) { return discord.nickname(guild(), bot()); });
        EXPECT_EQ(nick, "") << "the sign is taken down";
        EXPECT_FALSE(is_recording_in(voice()));
        EXPECT_EQ(stop_program(), 0);
    }
    const auto sessions = catalog().sessions();
    ASSERT_TRUE(sessions.ok()) << sessions.error().message;
    for (const auto& session : *sessions) {
        const bool over =
            session.status == catalog::SessionStatus::complete || session.status == catalog::SessionStatus::failed;
        EXPECT_TRUE(over) << to_text(session.status);
    }
}

}  // namespace
}  // namespace lestapenna::bot
