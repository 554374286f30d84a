// A sandbox and a bot in one test: people talk, the bot records, things happen to it.
#pragma once

#include <algorithm>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "buzz.h"
#include "journal/reader.h"
#include "recording_bot.h"
#include "sandbox/show.h"
#include "support.h"
#include "timeline/timeline.h"

namespace lestapenna::recorder {

constexpr std::uint64_t kSeed = 20261122;
constexpr UserId kStarter{4'242};

class Live : public ::testing::Test {
  protected:
    /// So many people who talk most of the time, for as long as it takes.
    void open(std::size_t players) {
        sandbox::CutTable cut;
        cut.length = seconds(60);
        cut.share = 0.8;
        cut.seed = kSeed;
        sandbox::ShowOptions options;
        options.script = sandbox::cut_table(test::buzzing_voices(players), cut);
        for (std::size_t i = 0; i < players; ++i) options.names.push_back("Player " + std::to_string(i));
        options.discord.seed = kSeed;
        auto show = sandbox::Show::open(std::move(options));
        ASSERT_TRUE(show.ok()) << show.error().message;
        show_ = std::move(*show);
        for (auto* const which : {&catalog_, &rows_}) {
            auto opened = catalog::Catalog::open(folder_ / "catalog.sqlite");
            ASSERT_TRUE(opened.ok()) << opened.error().message;
            *which = std::make_unique<catalog::Catalog>(std::move(*opened));
        }
    }

    void log_in(const discord::VoiceTiming& timing = {}, milliseconds empty_end = std::chrono::minutes(5)) {
        RecordingBotOptions options;
        options.token = stage().bot.token;
        options.api_base = stage().addresses.api_base;
        options.trust.extra_ca_pem = stage().addresses.ca_pem;
        options.journal_root = folder_ / "journal";
        options.journal = journal_;
        options.voice.timing = timing;
        options.empty_end = empty_end;
        auto bot = RecordingBot::log_in(std::move(options), *catalog_, stage().guild);
        ASSERT_TRUE(bot.ok()) << bot.error().message;
        bot_ = std::move(*bot);
    }

    [[nodiscard]] const sandbox::Stage& stage() const { return show_->stage(); }
    [[nodiscard]] Where where() const { return {stage().guild, stage().voice, stage().text, kStarter, "it"}; }
    Result<Ok, StartError> start() { return bot_->start(where()); }
    void talk(UnixTime session_start) {
        const auto begun = show_->begin(BootClock::now() + sandbox::kEarly, session_start, folder_ / "truth");
        ASSERT_TRUE(begun.ok()) << begun.error().message;
    }
    /// Logs in, starts, and hears everybody.
    void record(std::size_t players) {
        open(players);
        ASSERT_NO_FATAL_FAILURE(log_in());
        const auto started = start();
        ASSERT_TRUE(started.ok()) << started.error().message;
        talk(bot_->start_time());
        ASSERT_TRUE(hears_more(50));
    }
    [[nodiscard]] bool hears_more(std::uint64_t packets) const {
        const auto now = bot_->report().packets;
        return eventually([&] { return bot_->report().packets >= now + packets; });
    }
    void direct(const std::function<void(sandbox::Loopback&)>& work) const { show_->direct(work); }

    /// The bot is in a voice session of this channel's server.
    [[nodiscard]] bool is_at(ChannelId channel) const {
        bool there = false;
        show_->direct([&](sandbox::Loopback& discord) {
            there = discord.voice_server(channel).ssrc(stage().guild, stage().bot.user).has_value();
        });
        return there;
    }

    [[nodiscard]] static bool eventually(const std::function<bool()>& holds, seconds within = seconds(30)) {
        for (const auto until = BootClock::now() + within; BootClock::now() < until;) {
            if (holds()) return true;
            std::this_thread::sleep_for(milliseconds(5));
        }
        return false;
    }

    /// What the Recorders told of one kind.
    template <class Kind>
    [[nodiscard]] std::vector<Kind> told() const {
        std::vector<Kind> found;
        for (const Happening& what : bot_->told()) {
            if (const auto* one = std::get_if<Kind>(&what)) found.push_back(*one);
        }
        return found;
    }

    /// Somebody who comes into the channel and says nothing; a bot where it is to be one.
    UserId come(const std::string& name, bool bot = false) {
        UserId user;
        direct([&](sandbox::Loopback& discord) { user = bot ? discord.add_bot(name).user : discord.add_person(name); });
        come_back(user);
        return user;
    }
    void come_back(UserId user) { put(user, stage().voice); }
    void go(UserId user) { put(user, std::nullopt); }
    void put(UserId user, std::optional<ChannelId> where) {
        direct([&](sandbox::Loopback& discord) {
            discord.set_voice(stage().guild, user, where, [](const discord::Event&) {});
        });
    }
    [[nodiscard]] bool is_present(UserId user) const {
        const Report report = bot_->report();
        return std::ranges::any_of(report.heard, [&](const Heard& one) { return one.user == user && one.present; });
    }
    [[nodiscard]] std::string nickname() const {
        std::string nick;
        direct([&](sandbox::Loopback& discord) { nick = discord.nickname(stage().guild, stage().bot.user); });
        return nick;
    }
    [[nodiscard]] std::size_t notices() const {
        std::size_t count = 0;
        direct([&](sandbox::Loopback& discord) { count = discord.posted().size(); });
        return count;
    }

    /// The Recorder is gone as by a kill; what it left.
    [[nodiscard]] journal::Unfinished cut_off() {
        const auto folder = journal();
        bot_->cut_off();
        EXPECT_TRUE(eventually([&] { return !journal::is_locked(folder); }));
        auto left = journal::read_unfinished(folder);
        EXPECT_TRUE(left.ok());
        return left.ok() ? *left : journal::Unfinished{};
    }

    [[nodiscard]] catalog::SessionStatus status() const { return rows_->session(bot_->session())->status; }
    [[nodiscard]] std::filesystem::path journal() const { return folder_ / "journal" / bot_->session().text(); }
    /// Every record of one kind.
    template <class Kind>
    [[nodiscard]] std::vector<Kind> all() const {
        std::vector<Kind> found;
        auto reader = journal::Reader::open(journal());
        EXPECT_TRUE(reader.ok());
        for (;;) {
            const auto outcome = reader->next();
            EXPECT_FALSE(std::holds_alternative<journal::Damage>(outcome));
            const auto* const item = std::get_if<journal::Item>(&outcome);
            if (item == nullptr) return found;
            if (const auto* record = std::get_if<Kind>(&item->record)) found.push_back(*record);
        }
    }
    [[nodiscard]] timeline::Timeline timeline() const {
        auto read = timeline::read(journal(), seconds(300));
        EXPECT_TRUE(read.ok());
        return std::move(*read);
    }

    test::TempDir folder_;
    journal::WriterOptions journal_;  ///< what a test wants otherwise it changes before log_in()
    std::unique_ptr<sandbox::Show> show_;
    std::unique_ptr<catalog::Catalog> catalog_;  ///< the bot's
    std::unique_ptr<catalog::Catalog> rows_;     ///< the test's
    std::unique_ptr<RecordingBot> bot_;
};

}  // namespace lestapenna::recorder
