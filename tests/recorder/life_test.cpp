// A session's life: pauses, notes, who comes and goes, nobody left; and going on where another process was cut off.
#include <cmath>
#include <fstream>
#include <map>

#include <gmock/gmock.h>
#include <nlohmann/json.hpp>

#include "live.h"

namespace lestapenna::recorder {
namespace {

using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

TEST_F(Live, InAPauseNothingIsStored) {
    ASSERT_NO_FATAL_FAILURE(record(2));
    EXPECT_FALSE(bot_->resume()) << "it is not paused";
    ASSERT_TRUE(bot_->pause());
    EXPECT_FALSE(bot_->pause());
    EXPECT_TRUE(bot_->report().is_paused);
    ASSERT_TRUE(eventually([&] { return bot_->report().paused >= 100; })) << "people go on talking";
    const auto stored = bot_->report().packets;
    ASSERT_TRUE(bot_->resume());
    EXPECT_EQ(bot_->report().packets, stored);
    ASSERT_TRUE(hears_more(50));
    for (const Heard& one : bot_->report().heard) EXPECT_EQ(one.lost, 0U) << one.name;
    ASSERT_TRUE(bot_->stop().ok());
    const auto pauses = all<journal::Pause>();
    const auto resumes = all<journal::Resume>();
    ASSERT_EQ(pauses.size(), 1U);
    ASSERT_EQ(resumes.size(), 1U);
    for (const auto& packet : all<journal::Packet>())
        EXPECT_TRUE(packet.arrival < pauses[0].at || packet.arrival >= resumes[0].at);
    const auto timeline = this->timeline();
    EXPECT_EQ(timeline.pauses.size(), 1U);
    EXPECT_FALSE(timeline.has_gaps());
    EXPECT_EQ(timeline.connections.size(), 2U) << "who was there stays there";
}

TEST_F(Live, ANoteStandsWhereItWasMade) {
    ASSERT_NO_FATAL_FAILURE(record(1));
    EXPECT_TRUE(bot_->note(kStarter, "il drago è morto"));
    EXPECT_FALSE(bot_->note(kStarter, std::string(journal::kMaxMarkerBytes + 1, 'x')));
    ASSERT_TRUE(bot_->stop().ok());
    EXPECT_FALSE(bot_->note(kStarter, "tardi")) << "it is over";
    const auto notes = timeline().notes;
    ASSERT_EQ(notes.size(), 1U);
    EXPECT_EQ(notes[0].text, "il drago è morto");
    EXPECT_EQ(notes[0].user, kStarter);
}

TEST_F(Live, WhoComesIsToldOnceAndNotWhoWasThere) {
    open(0);
    const UserId early = come("Anna");
    ASSERT_NO_FATAL_FAILURE(log_in());
    ASSERT_TRUE(eventually([&] {
        bool there = false;
        direct([&](sandbox::Loopback& discord) { there = discord.voice_state(stage().guild, early).has_value(); });
        return there;
    }));
    ASSERT_TRUE(start().ok());
    ASSERT_TRUE(eventually([&] { return is_present(early); }));
    const UserId late = come("Bruno");
    const UserId music = come("Musica", true);
    ASSERT_TRUE(eventually([&] { return told<Joined>().size() == 2; }));
    go(late);
    go(early);
    ASSERT_TRUE(eventually([&] { return told<Left>().size() == 2; }));
    come_back(late);
    ASSERT_TRUE(eventually([&] { return is_present(late); }));
    ASSERT_TRUE(bot_->stop().ok());
    const auto joined = told<Joined>();
    ASSERT_EQ(joined.size(), 2U) << "nobody twice";
    std::map<UserId, Joined> by_user;
    for (const auto& one : joined) by_user[one.user] = one;
    EXPECT_EQ(by_user.at(late).name, "Bruno");
    EXPECT_FALSE(by_user.at(late).bot);
    EXPECT_TRUE(by_user.at(music).bot);
    const auto ended = told<Ended>();
    ASSERT_EQ(ended.size(), 1U);
    EXPECT_EQ(ended[0].cause, EndCause::stopped);
    std::map<UserId, bool> bots;
    const auto tracks = rows_->tracks(bot_->session());
    ASSERT_TRUE(tracks.ok());
    for (const auto& track : *tracks) bots[track.user] = track.bot;
    EXPECT_EQ(bots, (std::map<UserId, bool>{{early, false}, {late, false}, {music, true}}));
}

TEST_F(Live, WhatWasCountedOfSomeoneStaysWhenTheyComeBack) {
    open(0);
    const UserId anna = come("Anna");
    ASSERT_NO_FATAL_FAILURE(log_in());
    ASSERT_TRUE(start().ok());
    ASSERT_TRUE(eventually([&] { return rows_->tracks(bot_->session())->size() == 1; }));
    catalog::Track counted = rows_->tracks(bot_->session())->front();
    counted.received = 1'000;
    ASSERT_TRUE(rows_->upsert_track(counted).ok());
    go(anna);
    ASSERT_TRUE(eventually([&] { return told<Left>().size() == 1; }));
    come_back(anna);
    ASSERT_TRUE(eventually([&] { return is_present(anna); }));
    ASSERT_TRUE(bot_->stop().ok());
    EXPECT_EQ(rows_->tracks(bot_->session())->front(), counted);
}

TEST_F(Live, NobodyLeftEndsIt) {
    open(0);
    const UserId anna = come("Anna");
    come("Musica", true);  // keeps nobody company
    ASSERT_NO_FATAL_FAILURE(log_in({}, seconds(3)));
    ASSERT_TRUE(start().ok());
    ASSERT_TRUE(eventually([&] { return is_present(anna); }));
    go(anna);
    ASSERT_TRUE(eventually([&] { return !is_present(anna); }));
    // Back in time: it starts from nothing again.
    EXPECT_FALSE(bot_->over_within(milliseconds(1'500)).has_value());
    come_back(anna);
    EXPECT_FALSE(bot_->over_within(seconds(4)).has_value()) << "somebody is there";
    const auto gone = BootClock::now();
    go(anna);
    EXPECT_EQ(bot_->over_within(seconds(60)), EndCause::empty);
    EXPECT_GE(BootClock::now() - gone, seconds(2)) << "3 s, counted each second";
    EXPECT_EQ(status(), catalog::SessionStatus::ending);
    EXPECT_TRUE(timeline().ended);
    const auto ended = told<Ended>();
    ASSERT_EQ(ended.size(), 1U);
    EXPECT_EQ(ended[0].cause, EndCause::empty);
    EXPECT_EQ(nickname(), "");
}

TEST_F(Live, ADeafTableIsTold) {
    ASSERT_NO_FATAL_FAILURE(record(1));
    const auto deafen = [&](bool deaf) {
        direct([&](sandbox::Loopback& discord) { discord.deafen(stage().guild, stage().bot.user, deaf); });
    };
    deafen(true);
    ASSERT_TRUE(eventually([&] { return told<Deafened>().size() == 1; }));
    EXPECT_TRUE(bot_->report().deaf);
    deafen(false);
    ASSERT_TRUE(eventually([&] { return told<Deafened>().size() == 2; }));
    EXPECT_FALSE(bot_->report().deaf);
    EXPECT_TRUE(told<Deafened>()[0].deaf);
    EXPECT_FALSE(told<Deafened>()[1].deaf);
}

TEST_F(Live, AReportSaysWhoIsHeard) {
    ASSERT_NO_FATAL_FAILURE(record(2));
    direct(
        [&](sandbox::Loopback& discord) { discord.voice_server(stage().voice).drop(stage().guild, stage().bot.user); });
    ASSERT_TRUE(eventually([&] { return bot_->report().voice.resumes == 1; }));
    ASSERT_TRUE(eventually([&] { return bot_->report().connected; }));
    const auto heard_of_all = [&] {
        const auto heard = bot_->report().heard;
        return heard.size() == 2 && std::ranges::all_of(heard, [](const Heard& one) { return one.packets > 50; });
    };
    ASSERT_TRUE(eventually(heard_of_all));
    ASSERT_TRUE(eventually([&] { return bot_->report().durable_records > 100; }));
    const Report report = bot_->report();
    EXPECT_EQ(report.channel, stage().voice);
    EXPECT_EQ(report.refused + report.oversized + report.paused, 0U);
    EXPECT_GT(report.last_sync, nanoseconds(0));
    EXPECT_LT(report.not_durable, seconds(20)) << "a disk that many share";
    EXPECT_EQ(report.voice_closes, (std::map<std::uint16_t, std::uint64_t>{{0, 1}}));
    std::vector<std::string> names;
    std::uint64_t packets = 0;
    for (const Heard& one : report.heard) {
        names.push_back(one.name);
        packets += one.packets;
        EXPECT_TRUE(one.present);
        EXPECT_FALSE(one.bot);
        EXPECT_EQ(one.lost, 0U);
        ASSERT_TRUE(one.last.has_value());
        EXPECT_LT(BootClock::now() - *one.last, seconds(30));
    }
    EXPECT_EQ(packets, report.packets);
    EXPECT_THAT(names, UnorderedElementsAre("Player 0", "Player 1"));
    ASSERT_TRUE(bot_->stop().ok());
    EXPECT_EQ(bot_->report().heard.size(), 2U) << "also once it is over";
}

// ---- going on

/// How far each run that begins outside of the outages is from where it was said.
std::vector<double> offsets_ms(const timeline::Timeline& timeline, const std::filesystem::path& truth) {
    const auto ledger = nlohmann::json::parse(std::ifstream(truth / "ledger.json"), nullptr, false);
    std::vector<double> offsets;
    for (const auto& sender : ledger["senders"]) {
        const auto user = *UserId::parse(sender["user_id"].get<std::string>());
        std::vector<std::int64_t> placed;
        for (const auto& connection : timeline.connections) {
            if (connection.user != user) continue;
            for (const auto& stream : connection.streams) {
                for (const auto& packet : stream.packets) placed.push_back(packet.at.time_since_epoch().count());
            }
        }
        std::ranges::sort(placed);
        for (const auto& run : sender["runs"]) {
            const auto start = run["start_sample"].get<std::int64_t>();
            const auto said = to_session_time(SamplePos{Samples{start}});
            const auto unheard = [&](const timeline::Outage& o) { return said >= o.from && said <= o.to; };
            if (std::ranges::any_of(timeline.outages, unheard)) continue;
            const auto next = std::ranges::lower_bound(placed, start - kSampleRate / 100);
            if (next == placed.end()) {
                ADD_FAILURE() << "nothing was recorded of a run at " << start;
                continue;
            }
            offsets.push_back(static_cast<double>(*next - start) / kSamplesPerMs);
        }
    }
    return offsets;
}

TEST_F(Live, GoesOnInTheSameSession) {
    ASSERT_NO_FATAL_FAILURE(record(2));
    const auto session = bot_->session();
    const auto start_time = bot_->start_time();
    ASSERT_TRUE(hears_more(300));
    const auto left = cut_off();
    EXPECT_FALSE(left.ended);
    EXPECT_EQ(left.present.size(), 2U);
    EXPECT_EQ(rows_->session(session)->status, catalog::SessionStatus::recording);
    std::this_thread::sleep_for(milliseconds(1'500));  // the outage: people go on talking meanwhile

    ASSERT_NO_FATAL_FAILURE(log_in());
    const auto started = bot_->start(where(), left);
    ASSERT_TRUE(started.ok()) << started.error().message;
    EXPECT_EQ(bot_->session(), session);
    EXPECT_EQ(bot_->start_time(), start_time);
    ASSERT_TRUE(hears_more(600));
    ASSERT_TRUE(bot_->stop().ok());
    show_->stop();
    ASSERT_TRUE(show_->over_within(seconds(30)));
    const auto length = std::chrono::duration_cast<Samples>(unix_now() - start_time);
    ASSERT_TRUE(show_->finish(length).ok());

    const auto timeline = this->timeline();
    EXPECT_EQ(timeline.start, start_time);
    EXPECT_TRUE(timeline.ended);
    EXPECT_EQ(timeline.connections.size(), 2U) << "who was there before and after has one connection";
    EXPECT_THAT(all<journal::Leave>(), IsEmpty());
    ASSERT_EQ(timeline.outages.size(), 1U);
    EXPECT_EQ(timeline.outages[0].reason, journal::GapReason::restart);
    EXPECT_EQ(timeline.outages[0].from, left.until);
    EXPECT_GE(timeline.outages[0].to - timeline.outages[0].from, milliseconds(1'500));
    EXPECT_THAT(told<Joined>(), IsEmpty()) << "nobody is told again";

    // What is missing is what was said in the outage, and nothing else.
    const double outage_ms =
        std::chrono::duration<double, std::milli>(timeline.outages[0].to - timeline.outages[0].from).count();
    for (const auto& connection : timeline.connections) {
        const auto counts = timeline.counts_of(connection.user);
        EXPECT_LE(static_cast<double>(counts.lost), outage_ms / 20 + 2);
        EXPECT_EQ(counts.late + counts.duplicate + counts.stray, 0U);
        // What was under way before the group had taken us in again opens for nobody outside of it.
        EXPECT_EQ(counts.undecryptable, counts.closed[static_cast<std::size_t>(journal::ClosedReason::no_key)]);
        EXPECT_LE(counts.undecryptable, 50U);
        for (const auto& stream : connection.streams) {
            for (std::size_t i = 1; i < stream.packets.size(); ++i) {
                if (stream.packets[i].missing == 0) continue;
                EXPECT_GE(to_session_time(stream.packets[i].at), timeline.outages[0].from);
                EXPECT_LE(to_session_time(stream.packets[i - 1].at), timeline.outages[0].to);
            }
        }
    }
    double worst = 0;
    const auto offsets = offsets_ms(timeline, folder_ / "truth");
    for (const double offset : offsets) worst = std::max(worst, std::abs(offset));
    std::printf("  %zu runs in both halves, the worst %.2f ms off\n", offsets.size(), worst);
    EXPECT_GE(offsets.size(), 4U);
    EXPECT_LE(worst, 5.0);
}

TEST_F(Live, WhoLeftInTheOutageLeftWhenItBegan) {
    open(0);
    const UserId anna = come("Anna");
    const UserId bruno = come("Bruno");
    ASSERT_NO_FATAL_FAILURE(log_in());
    ASSERT_TRUE(start().ok());
    ASSERT_TRUE(eventually([&] { return is_present(anna) && is_present(bruno); }));
    const auto left = cut_off();
    go(bruno);
    const UserId carla = come("Carla");
    ASSERT_NO_FATAL_FAILURE(log_in());
    ASSERT_TRUE(bot_->start(where(), left).ok());
    ASSERT_TRUE(eventually([&] { return is_present(carla); }));
    EXPECT_TRUE(is_present(anna));
    ASSERT_TRUE(eventually([&] { return told<Joined>().size() == 1; }));
    EXPECT_EQ(told<Joined>()[0].user, carla) << "who came meanwhile was not told yet";
    ASSERT_EQ(told<Left>().size(), 1U);
    EXPECT_EQ(told<Left>()[0].user, bruno);
    ASSERT_TRUE(bot_->stop().ok());
    const auto timeline = this->timeline();
    ASSERT_EQ(timeline.connections.size(), 3U);
    for (const auto& connection : timeline.connections) {
        if (connection.user == bruno) {
            EXPECT_EQ(connection.end, floor_samples(left.until));
        }
        if (connection.user == anna) {
            EXPECT_GT(to_session_time(connection.end), left.until);
        }
        if (connection.user == carla) {
            EXPECT_GT(to_session_time(connection.start), left.until);
        }
    }
    EXPECT_EQ(rows_->tracks(bot_->session())->size(), 3U);
}

TEST_F(Live, WhatWasFinishedMeanwhileGoesOnAsWell) {
    ASSERT_NO_FATAL_FAILURE(record(1));
    const auto session = bot_->session();
    static_cast<void>(cut_off());
    journal::Committer committer{1};
    const auto found = journal::read_unfinished(journal());
    ASSERT_TRUE(found.ok());
    ASSERT_TRUE(journal::close_connections(committer, folder_ / "journal", *found).ok());
    ASSERT_TRUE(rows_->set_status(session, catalog::SessionStatus::complete).ok());
    ASSERT_TRUE(rows_->set_end(session, found->last_alive()).ok());

    const auto closed = journal::read_unfinished(journal());
    ASSERT_TRUE(closed.ok());
    ASSERT_TRUE(bot_->start(where(), *closed).ok());
    EXPECT_EQ(status(), catalog::SessionStatus::recording);
    EXPECT_FALSE(rows_->session(session)->end.has_value());
    ASSERT_TRUE(hears_more(50));
    ASSERT_TRUE(bot_->stop().ok());
    const auto timeline = this->timeline();
    EXPECT_TRUE(timeline.ended);
    ASSERT_EQ(timeline.connections.size(), 2U) << "what was rendered stays what it was";
    EXPECT_LE(timeline.connections[0].end, floor_samples(closed->until) + milliseconds(20))
        << "but for its last packet";
    EXPECT_GT(timeline.connections[1].start, timeline.connections[0].end);
    EXPECT_GT(rows_->session(session)->end, found->last_alive());
}

TEST_F(Live, APauseOutlastsAKill) {
    ASSERT_NO_FATAL_FAILURE(record(1));
    ASSERT_TRUE(bot_->pause());
    const auto left = cut_off();
    EXPECT_TRUE(left.paused);
    ASSERT_TRUE(bot_->start(where(), left).ok());
    EXPECT_TRUE(bot_->report().is_paused);
    ASSERT_TRUE(eventually([&] { return bot_->report().paused >= 20; }));
    EXPECT_EQ(bot_->report().packets, 0U);
    ASSERT_TRUE(bot_->resume());
    ASSERT_TRUE(hears_more(50));
    ASSERT_TRUE(bot_->stop().ok());
    EXPECT_EQ(timeline().pauses.size(), 1U);
    EXPECT_FALSE(timeline().has_gaps()) << "nothing was to be heard";
}

}  // namespace
}  // namespace lestapenna::recorder
