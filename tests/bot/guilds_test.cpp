// Twenty guilds at once in one process: each session is whole, and no command of one guild shows anything of another's.
#include <fstream>

#include <gmock/gmock.h>

#include "bot/text.h"
#include "store/keys.h"
#include "table.h"

namespace lestapenna::bot {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr std::size_t kGuilds = 20;
constexpr std::size_t kTalkers = 2;
constexpr seconds kLength{20};

class Guilds : public TableTest {
  protected:
    struct Evening {
        UserId master;  ///< who types
        SessionId session;
        UnixTime start;
        UnixTime end{};
    };

    void SetUp() override {
        TableSetup setup;
        setup.guilds = kGuilds;
        setup.talkers = kTalkers;
        setup.length = kLength;
        ASSERT_NO_FATAL_FAILURE(open(std::move(setup)));
        ASSERT_NO_FATAL_FAILURE(start());
    }
    [[nodiscard]] ChannelId channel(std::size_t guild) const { return stage(guild).text; }

    /// $ascolta in each, one right after the other; then all play at once.
    std::vector<Evening> begin_all() {
        std::vector<UserId> masters;
        for (std::size_t g = 0; g < kGuilds; ++g) {
            masters.push_back(person("Master " + std::to_string(g), stage(g).guild));
            sit(masters[g], stage(g).voice, g);
            send(masters[g], "$ascolta", channel(g));
        }
        std::vector<Evening> evenings;
        for (std::size_t g = 0; g < kGuilds; ++g) {
            EXPECT_TRUE(eventually([&] { return is_recording_in(stage(g).voice, g) && last_session(g); })) << g;
            const auto session = last_session(g);
            if (!session) return evenings;
            evenings.push_back({masters[g], session->id, session->start, {}});
        }
        for (std::size_t g = 0; g < kGuilds; ++g) play(evenings[g].start, g);
        return evenings;
    }
    void end_all(std::vector<Evening>& evenings) {
        for (std::size_t g = 0; g < kGuilds; ++g) {
            ASSERT_TRUE(eventually([&] { return show_->over_within(milliseconds(50), g); }, kLength + seconds(60)));
            send(evenings[g].master, "$termina", channel(g));
            evenings[g].end = unix_now();
        }
        for (const Evening& evening : evenings) ASSERT_FALSE(wait_for_direct(evening.master, "http").content.empty());
        wait_until_idle();
    }

    /// By what the voice servers say they sent.
    void expect_whole(std::size_t g, const Evening& evening) {
        SCOPED_TRACE("guild " + std::to_string(g));
        const auto length = std::chrono::duration_cast<Samples>(evening.end - evening.start);
        ASSERT_TRUE(show_->finish(length, g).ok());
        EXPECT_EQ(catalog().session(evening.session)->status, catalog::SessionStatus::complete);
        std::map<UserId, catalog::Track> tracks;
        const auto rows = catalog().tracks(evening.session);
        for (const auto& track : *rows) tracks.emplace(track.user, track);
        const json ledger = json::parse(std::ifstream(folder_ / ("truth-" + std::to_string(g)) / "ledger.json"));
        ASSERT_EQ(ledger["senders"].size(), kTalkers);
        for (const json& sender : ledger["senders"]) {
            const auto user = *UserId::parse(sender["user_id"].get<std::string>());
            ASSERT_TRUE(tracks.contains(user));
            const auto& track = tracks.at(user);
            EXPECT_EQ(track.received, sender["delivered"].get<std::int64_t>());
            EXPECT_EQ(track.lost, 0);
            EXPECT_GT(track.received, 100);
        }
        std::size_t received = 0;
        for (const auto& [user, track] : tracks) received += track.received > 0 ? 1 : 0;
        EXPECT_EQ(received, kTalkers) << "nobody else's voice is in it";
        EXPECT_EQ(catalog().recordings(evening.session)->size(), kTalkers);
        EXPECT_EQ(catalog().transcriptions(evening.session)->size(), kTalkers);
        EXPECT_TRUE(*catalog().master(evening.session));
    }
};

TEST_F(Guilds, AreApartAndWhole) {
    auto evenings = begin_all();
    ASSERT_EQ(evenings.size(), kGuilds);
    const auto id = [&](std::size_t g) { return text::short_id(evenings[g % kGuilds].session); };

    // While all are recording.
    for (std::size_t g = 0; g < kGuilds; g += 5) {
        const auto status = type(evenings[g].master, "$stato", channel(g));
        EXPECT_THAT(status, HasSubstr(id(g)));
        for (std::size_t other = 1; other < kGuilds; ++other) EXPECT_THAT(status, Not(HasSubstr(id(g + other))));
    }
    ASSERT_NO_FATAL_FAILURE(end_all(evenings));
    for (std::size_t g = 0; g < kGuilds; ++g) expect_whole(g, evenings[g]);

    // Afterwards: of somebody who may do everything in a guild of theirs, with another guild's id.
    const std::string unknown = type(evenings[0].master, "$scarica NNNNNN", channel(0));
    for (std::size_t g = 0; g < kGuilds; g += 4) {
        direct([&](sandbox::Loopback& discord) {
            const auto all = discord.add_role(stage(g).guild, "tutto", permission::administrator);
            discord.give_role(stage(g).guild, evenings[g].master, all);
        });
        const auto list = type(evenings[g].master, "$sessioni", channel(g));
        EXPECT_THAT(list, HasSubstr(id(g)));
        for (std::size_t other = 1; other < kGuilds; ++other) EXPECT_THAT(list, Not(HasSubstr(id(g + other))));
        for (const std::string word : {"$scarica ", "$ripristina "}) {
            EXPECT_EQ(type(evenings[g].master, word + id(g + 1), channel(g)), unknown);
            EXPECT_EQ(type(evenings[g].master, word + evenings[(g + 1) % kGuilds].session.text(), channel(g)), unknown);
        }
        EXPECT_EQ(slash(evenings[g].master, "scarica", {{"sessione", id(g + 1)}}, "it", channel(g)).content,
                  text::unknown_session(Language::it, "/"));
    }
}

}  // namespace
}  // namespace lestapenna::bot
