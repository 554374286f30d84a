// A whole evening: six people, two who leave and come back, one pause, a rotation every few minutes; commands typed by
// a player. Then everything that should be there is counted against what is there, and heard against what was said.
// A minute and a half; with LESTAPENNA_LONG=1 two hours at real speed with 24 rotations, as the issue asks.
#include <cstdlib>
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "base/parallel.h"
#include "listening.h"
#include "render/chunk.h"
#include "table.h"
#include "workflows/master.h"

namespace lestapenna::bot {
namespace {

using nlohmann::json;

constexpr milliseconds kLook{50};

struct Plan {
    seconds length;
    seconds rotation;
    seconds pause;
    seconds away;
};
Plan plan() {
    // LESTAPENNA_EVENING_MINUTES: any length, with 24 rotations.
    if (const char* const minutes = std::getenv("LESTAPENNA_EVENING_MINUTES")) {
        const seconds length(60L * std::strtol(minutes, nullptr, 10));
        return {length, length / 24, length / 60, seconds(30)};
    }
    const char* const wish = std::getenv("LESTAPENNA_LONG");
    const bool whole = wish != nullptr && std::string_view(wish) == "1";
    return whole ? Plan{seconds(7200), seconds(300), seconds(120), seconds(60)}
                 : Plan{seconds(90), seconds(30), seconds(10), seconds(8)};
}

/// The same person, gone for a while: two players of one user.
std::pair<sandbox::Player, sandbox::Player> leaves_and_returns(const sandbox::Player& player, SamplePos leaves,
                                                               SamplePos returns) {
    sandbox::Player before{player.user, player.join, leaves, {}};
    sandbox::Player after{player.user, returns, player.leave, {}};
    for (const sandbox::Talk& talk : player.talks) {
        const SamplePos end = talk.start + Samples(static_cast<std::int64_t>(talk.pcm.size()));
        if (end < leaves - Samples(seconds(1))) before.talks.push_back(talk);
        if (talk.start > returns + Samples(seconds(2))) after.talks.push_back(talk);
    }
    return {std::move(before), std::move(after)};
}

sandbox::Script script(const Plan& plan, std::span<const std::vector<float>> voices) {
    sandbox::CutTable cut;
    cut.length = plan.length;
    cut.share = 0.2;
    cut.seed = kTableSeed;
    cut.join_spread = plan.length / 20;
    sandbox::Script script = sandbox::cut_table(voices, cut);
    for (const auto& [who, third] : {std::pair<std::size_t, int>{1, 1}, {4, 2}}) {
        const SamplePos leaves{Samples(plan.length) * third / 3};
        auto [before, after] = leaves_and_returns(script.players[who], leaves, leaves + Samples(plan.away));
        script.players[who] = std::move(before);
        script.players.push_back(std::move(after));
    }
    return script;
}

class Evening : public TableTest {
  protected:
    void SetUp() override {
        const auto data = test::test_data();
        if (!data) GTEST_SKIP() << test::kNoTestData;
        TableSetup setup;
        setup.script = script(plan_, test::voices(*data / "speech", 6));
        connections_ = setup.script->players.size();
        ASSERT_NO_FATAL_FAILURE(open(std::move(setup)));
        config_.capture.rotation = plan_.rotation;
        auto store = store::open_store(config_);
        ASSERT_TRUE(store.ok());
        store_ = std::move(*store);
        cli::ServiceOptions how;
        how.threads = usable_cpus();
        ASSERT_NO_FATAL_FAILURE(start(how));
    }

    [[nodiscard]] workflows::Tools tools() {
        render::Work work;
        work.threads = usable_cpus();
        return {config_, catalog(), *store_, work};
    }
    [[nodiscard]] UserId master() const { return stage().players.front(); }
    /// Part of what the bot wrote to anybody.
    [[nodiscard]] bool written(std::string_view part) {
        return std::ranges::any_of(posted(),
                                   [part](const Posted& one) { return one.content.find(part) != std::string::npos; });
    }
    void sleep_until(BootTime time) {
        while (BootClock::now() < time) ASSERT_FALSE(service_->broken_within(kLook).has_value());
    }

    /// The play, with its pause; returns when the link has come.
    void play() {
        sit(master());
        send(master(), "$ascolta");
        ASSERT_TRUE(eventually([&] { return last_session() && is_recording_in(voice()); }));
        const BootTime zero = BootClock::now() + sandbox::kEarly;
        const auto begun = show_->begin(zero, last_session()->start, folder_ / "truth");
        ASSERT_TRUE(begun.ok()) << begun.error().message;
        ASSERT_NO_FATAL_FAILURE(sleep_until(zero + plan_.length / 2));
        send(master(), "$pausa");
        ASSERT_NO_FATAL_FAILURE(sleep_until(zero + plan_.length / 2 + plan_.pause));
        send(master(), "$riprendi");
        ASSERT_TRUE(eventually([&] { return show_->over_within(kLook); }, plan_.length + seconds(60)));
        const auto length = std::chrono::duration_cast<Samples>(unix_now() - last_session()->start);
        send(master(), "$termina");
        const BootTime asked = BootClock::now();
        ASSERT_TRUE(eventually([&] { return written(config_.web.public_url); }, seconds(1800)));
        const std::chrono::duration<double> took = BootClock::now() - asked;
        std::printf("  from $termina to the link: %.1f s\n", took.count());
        ASSERT_TRUE(eventually([&] {
            const auto busy = service_->busy();
            return busy && busy->jobs == 0 && busy->sessions == 0;
        }));
        ASSERT_TRUE(show_->finish(length).ok());
    }

    /// What was said outside of the pauses.
    [[nodiscard]] std::vector<test::Said> said(const timeline::Timeline& timeline) const {
        const json ledger = json::parse(std::ifstream(folder_ / "truth/ledger.json"));
        std::map<UserId, test::Said> people;
        for (const json& sender : ledger["senders"]) {
            const UserId user = *UserId::parse(sender["user_id"].get<std::string>());
            auto [at, fresh] = people.try_emplace(user, test::Said{user, {}, {}});
            if (fresh) at->second.truth = *audio::read_mono_48k(folder_ / "truth" / (user.text() + ".wav"));
            for (const json& run : sender["runs"]) {
                const test::Interval one{SamplePos{Samples{run["start_sample"].get<std::int64_t>()}},
                                         SamplePos{Samples{run["end_sample"].get<std::int64_t>()}}};
                if (!touches_pause(timeline, one)) at->second.runs.push_back(one);
            }
        }
        std::vector<test::Said> all;
        for (auto& [user, one] : people) {
            mute_pauses(timeline, one.truth);
            all.push_back(std::move(one));
        }
        return all;
    }
    static bool touches_pause(const timeline::Timeline& timeline, const test::Interval& run) {
        constexpr Samples kGuard{seconds(1)};
        return std::ranges::any_of(timeline.pauses, [&](const auto& pause) {
            return run.end + kGuard > floor_samples(pause.first) && run.start - kGuard < floor_samples(pause.second);
        });
    }
    static void mute_pauses(const timeline::Timeline& timeline, std::vector<float>& truth) {
        for (const auto& [from, to] : timeline.pauses) {
            const auto begin = std::min<std::int64_t>(floor_samples(from).time_since_epoch().count(),
                                                      static_cast<std::int64_t>(truth.size()));
            const auto end = std::min<std::int64_t>(floor_samples(to).time_since_epoch().count(),
                                                    static_cast<std::int64_t>(truth.size()));
            std::fill(truth.begin() + begin, truth.begin() + end, 0.0F);
        }
    }

    /// One line of the table: expected, found.
    static void row(const char* what, std::size_t expected, std::size_t found) {
        std::printf("  %-44s expected %4zu  found %4zu\n", what, expected, found);
        EXPECT_EQ(expected, found) << what;
    }
    void expect_everything_once(const timeline::Timeline& timeline, const SessionId& id) {
        std::size_t windows = 0;
        for (const auto& connection : timeline.connections)
            windows += render::chunk_windows(connection, plan_.rotation).size();
        const auto objects = store_->list(store::session_prefix(id));
        ASSERT_TRUE(objects.ok());
        std::map<std::string, std::size_t> stored;
        for (const auto& object : *objects) {
            const auto rest = object.key.text().substr(store::session_prefix(id).size());
            ++stored[rest.substr(0, rest.find('/'))];
        }
        const auto stored_rows = [](const auto& rows) {
            return static_cast<std::size_t>(std::ranges::count_if(
                *rows, [](const auto& one) { return one.status == catalog::FileStatus::stored; }));
        };
        row("sessions", 1, catalog().sessions()->size());
        row("connections (6 people, 2 came back)", connections_, timeline.connections.size());
        row("pauses", 1, timeline.pauses.size());
        row("chunks in the store", windows, stored["chunks"]);
        row("rows of chunks, stored", windows, stored_rows(catalog().chunks(id)));
        row("fragments in the store", connections_, stored["full"]);
        row("rows of recordings, stored", connections_, stored_rows(catalog().recordings(id)));
        row("entries of the transcription queue", connections_, catalog().transcriptions(id)->size());
        row("masters in the store", 1, stored["master"]);
        row("manifests in the store", 1, stored["session.json"]);
        row("kinds of files in the store", 4, stored.size());
        row("jobs that wait, run or failed", 0, catalog().open_jobs(std::nullopt)->size());
        EXPECT_EQ(catalog().session(id)->status, catalog::SessionStatus::complete);
    }

    Plan plan_ = plan();
    std::size_t connections_ = 0;
    std::unique_ptr<store::ObjectStore> store_;
};

TEST_F(Evening, IsThereAsItWas) {
    std::printf("  %lld s, rotation %lld s, seed %llu\n", static_cast<long long>(plan_.length.count()),
                static_cast<long long>(plan_.rotation.count()), static_cast<unsigned long long>(kTableSeed));
    ASSERT_NO_FATAL_FAILURE(play());
    const SessionId id = last_session()->id;
    stop();

    auto finished = workflows::Session::open(tools(), id);
    ASSERT_TRUE(finished.ok()) << finished.error().message;
    const timeline::Timeline& timeline = finished->timeline();
    EXPECT_FALSE(timeline.has_gaps());
    expect_everything_once(timeline, id);

    const auto heard = test::listen(tools(), id, said(timeline));
    EXPECT_EQ(heard.missing, 0U);
    EXPECT_LE(heard.masked, 1 + heard.offsets_ms.size() / 50);
    EXPECT_LE(heard.median_ms(), 2.0);
    EXPECT_LE(heard.max_ms(), 5.0);
    EXPECT_LE(heard.worst_energy, 0.01);
    test::expect_levels(catalog(), id);
}

}  // namespace
}  // namespace lestapenna::bot
