// After a restart, and at the end of the process, when Discord or the disk are not as they should be: the table is
// told, and nobody gives up while people sit there.
#include <chrono>
#include <future>

#include <fmt/format.h>

#include "base/log.h"
#include "journal/unfinished.h"
#include "ways.h"

namespace lestapenna::bot {
namespace {

using catalog::SessionStatus;
using testing::AllOf;
using testing::HasSubstr;
using testing::StartsWith;

constexpr const char* kNotYet = "Rieccomi, ma non registro ancora";

class Return : public CommandTest {
  protected:
    void SetUp() override {
        open();
        start();
        anna_ = manager("Anna");
        id_ = record(anna_);
    }
    void fault(const std::string& path, int times, int status, milliseconds delay = milliseconds(0)) {
        direct([&](sandbox::Loopback& discord) {
            sandbox::RestFault fault;
            fault.path = path;
            fault.times = times;
            fault.status = status;
            fault.delay = delay;
            fault.body = R"({"message": "Missing Access", "code": 50001})";
            discord.add_fault(fault);
        });
    }
    void hold_answers(bool hold) {
        direct([&](sandbox::Loopback& discord) { discord.hold_voice_answers(bot(), hold); });
    }
    [[nodiscard]] SessionStatus status() { return catalog().session(*id_)->status; }
    [[nodiscard]] std::string in_channel() const { return "/channels/" + text().text(); }

    UserId anna_;
    std::optional<SessionId> id_;
};

TEST_F(Return, TriesUntilItMayRecord) {
    stop();
    fault("/members/@me", 1'000'000, 403);
    fault(in_channel(), 1, 403);  // the notice, once
    start();
    EXPECT_THAT(wait_for_post_in(text(), kNotYet).content, AllOf(HasSubstr(text::short_id(*id_)), HasSubstr("[REC]")));
    EXPECT_TRUE(eventually([&] { return is_recording_in(voice()); }));
    wait_for_post_in(text(), "Continuo la sessione");
    EXPECT_EQ(status(), SessionStatus::recording);
    EXPECT_EQ(sessions_known(), 1U);
}

TEST_F(Return, TriesUntilNobodyIsThere) {
    stop();
    hold_answers(true);
    start();
    wait_for_post_in(text(), kNotYet);
    EXPECT_EQ(status(), SessionStatus::recording);
    sit(anna_, std::nullopt);
    wait_for_post_in(text(), "Al tavolo non c'è più nessuno");
    wait_until_idle();
    EXPECT_EQ(status(), SessionStatus::complete);
}

TEST_F(Return, TriesUntilSomebodyEndsIt) {
    stop();
    hold_answers(true);
    start();
    wait_for_post_in(text(), kNotYet);
    EXPECT_THAT(type(anna_, "$termina"), AllOf(StartsWith("⏹️"), HasSubstr(text::short_id(*id_))));
    hold_answers(false);
    wait_for_post_in(text(), text::no_audio(Language::it, *id_));
    wait_until_idle();
    EXPECT_EQ(status(), SessionStatus::complete);
    EXPECT_FALSE(is_recording_in(voice()));
    EXPECT_THAT(type(anna_, "$termina"), text::not_recording(Language::it, "$"));
}

TEST_F(Return, OneWhoseEndWasAskedForIsFinished) {
    stop();
    ASSERT_TRUE(catalog().set_status(*id_, SessionStatus::ending).ok());
    start();
    ASSERT_TRUE(eventually([&] { return status() == SessionStatus::complete; }));
    wait_until_idle();
    EXPECT_FALSE(is_recording_in(voice()));
}

TEST_F(Return, ABreakIsNamed) {
    const auto on_a_break = text::with_break(Language::it, "", true, "$");
    EXPECT_THAT(type(anna_, "$ascolta"), testing::Not(HasSubstr(on_a_break)));
    type(anna_, "$pausa");
    EXPECT_THAT(type(anna_, "$ascolta"), HasSubstr(on_a_break));
    stop();
    start();
    EXPECT_THAT(wait_for_post_in(text(), "Continuo la sessione").content, HasSubstr(on_a_break));
    stop();
    sit(anna_, std::nullopt);
    start();
    ASSERT_TRUE(eventually([&] { return status() == SessionStatus::complete; }));
    wait_until_idle();
    sit(anna_);
    EXPECT_THAT(type(anna_, "$ascolta"), AllOf(HasSubstr(text::short_id(*id_)), HasSubstr(on_a_break)));
}

TEST_F(Return, AJournalHeldForAMomentIsWaitedFor) {
    stop();
    sit(anna_, std::nullopt);
    start();
    ASSERT_TRUE(eventually([&] { return status() == SessionStatus::complete; }));
    wait_until_idle();
    sit(anna_);
    journal::Committer committer;
    const auto unfinished = journal::read_unfinished(journal(*id_));
    ASSERT_TRUE(unfinished.ok()) << unfinished.error().message;
    const auto head = journal::head_to_go_on(*unfinished, read_clocks(), this_boot());
    auto recovery =
        std::make_unique<Result<journal::Writer>>(journal::Writer::open(committer, config_.data.dir / "journal", head));
    ASSERT_TRUE(recovery->ok()) << recovery->error().message;
    const auto typed = send(anna_, "$ascolta");
    EXPECT_FALSE(eventually([&] { return answer_to(typed).has_value(); }, seconds(1))) << "it waits";
    recovery.reset();
    ASSERT_TRUE(eventually([&] { return answer_to(typed).has_value(); }));
    EXPECT_THAT(answer_to(typed)->content, HasSubstr("continuo la sessione `" + text::short_id(*id_)));
    EXPECT_TRUE(is_recording_in(voice()));
}

TEST_F(Return, WhatNeverBeganHasNoAudio) {
    type(anna_, "$termina");
    wait_until_idle();
    ASSERT_TRUE(catalog().set_status(*id_, SessionStatus::failed).ok());
    EXPECT_EQ(type(anna_, "$scarica " + id_->text()), text::no_audio(Language::it, *id_));
}

TEST_F(Return, AServerThatDiscordDoesNotShowIsAnswered) {
    const auto outage =
        fmt::format(R"({{"op":0,"s":900,"t":"GUILD_DELETE","d":{{"id":"{}","unavailable":true}}}})", guild().text());
    direct([&](sandbox::Loopback& discord) { discord.send_raw(bot(), outage); });
    EXPECT_EQ(type(anna_, "$stato"), text::not_there_yet(Language::it));
    EXPECT_EQ(slash(anna_, "stato", {}, "en-GB").content, text::not_there_yet(Language::en));
    EXPECT_TRUE(is_recording_in(voice()));
}

class Leaving : public CommandTest {};

TEST_F(Leaving, WaitsForNobodyForLong) {
    open({.guilds = 2});
    start();
    const UserId anna = person("Anna");
    const UserId bice = person("Bice");
    sit(anna);
    sit(bice, stage(1).voice, 1);
    type(bice, "$ascolta", stage(1).text);
    ASSERT_TRUE(is_recording_in(stage(1).voice, 1));
    direct([&](sandbox::Loopback& discord) {
        sandbox::RestFault slow;
        slow.path = "/channels/" + text().text();
        slow.times = 1'000'000;
        slow.delay = seconds(300);
        discord.add_fault(slow);
    });
    send(anna, "$stato");    // its answer is under way to the end
    send(anna, "$ascolta");  // the notice is
    ASSERT_TRUE(eventually(
        [&] { return direct([&](auto& discord) { return discord.nickname(guild(), bot()); }).starts_with("[REC]"); }));
    const auto begun = BootClock::now();
    auto left = std::async(std::launch::async, [this] { stop(); });
    EXPECT_TRUE(eventually([&] { return !is_recording_in(stage(1).voice, 1); }, seconds(8))) << "nobody holds it up";
    left.get();
    const auto took = std::chrono::duration<double>(BootClock::now() - begun).count();
    std::printf("  left in %.1f s\n", took);
    EXPECT_LT(took, 45.0) << "a service manager kills after 90 s";
    EXPECT_EQ(catalog().sessions_of(stage(1).guild.text(), 1)->front().status, SessionStatus::recording);
}

/// Seen by the address sanitizer and valgrind.
TEST_F(Leaving, WhoIsAnsweredTooLateTouchesNothing) {
    open();
    start();
    const UserId anna = person("Anna");
    const ChannelId elsewhere = direct([&](sandbox::Loopback& discord) {
        sandbox::RestFault slow;
        slow.path = "/channels/" + text().text();
        slow.times = 1'000'000;
        slow.delay = seconds(300);
        discord.add_fault(slow);
        return discord.add_text_channel(guild(), "elsewhere");
    });
    const auto typed = send(anna, "$aiuto");
    EXPECT_EQ(type(anna, "$aiuto", elsewhere), text::help(Language::it, "$")) << "commands are taken in order";
    stop();
    EXPECT_FALSE(answer_to(typed));
}

}  // namespace
}  // namespace lestapenna::bot
