// Encrypted calls, end to end: Voices of ours with the sandbox's delivery service. Everybody hears everybody else, and
// nothing that could have been opened is lost, whatever happens to the group.
#include <algorithm>
#include <map>
#include <memory>

#include <gtest/gtest.h>

#include "call.h"

namespace lestapenna::test {
namespace {

using discord::Closed;
using sandbox::Misbehaviour;

TEST(Encrypted, TwoHearEachOther) {
    for (const bool transition_zero : {false, true}) {
        SCOPED_TRACE(transition_zero);
        Call call({.first_transition_zero = transition_zero});
        Participant& anna = call.add(1);
        Participant& bruno = call.add(2);
        anna.join(kTavern);
        ASSERT_TRUE(call.until([&] { return anna.voice().connected(); }));
        EXPECT_FALSE(anna.voice().may_speak()) << "alone there is nobody to hear it";
        EXPECT_FALSE(anna.voice().send(0, std::vector<std::uint8_t>{1, 2, 3})) << "never plain";
        EXPECT_TRUE(anna.voice().send(0, std::vector<std::uint8_t>{0xF8, 0xFF, 0xFE})) << "but silence";
        bruno.join(kTavern);
        ASSERT_TRUE(call.together({&anna, &bruno}));
        EXPECT_EQ(anna.encryption().privacy_code.size(), 30U);
        ASSERT_TRUE(call.all_hear_each_other({&anna, &bruno}));
        for (Participant* const one : {&anna, &bruno}) {
            EXPECT_EQ(one->closed_packets, 0U);
            EXPECT_EQ(one->counts().recoveries, 0U);
            EXPECT_EQ(one->counts().refused_messages, 0U);
            EXPECT_EQ(one->counts().epochs, 1U);
            EXPECT_EQ(one->counts().transitions, 1U);
        }
    }
}

TEST(Encrypted, OthersComeAndGoAndNobodyMissesAFrame) {
    Call call;
    Participant& anna = call.add(1);
    Participant& bruno = call.add(2);
    anna.join(kTavern);
    bruno.join(kTavern);
    ASSERT_TRUE(call.together({&anna, &bruno}));
    anna.talks = bruno.talks = true;
    std::string code = anna.encryption().privacy_code;
    for (int round = 0; round < 4; ++round) {
        Participant& carla = call.add(10 + round);
        carla.join(kTavern);
        ASSERT_TRUE(call.together({&anna, &bruno, &carla})) << round;
        EXPECT_NE(anna.encryption().privacy_code, code) << "another epoch";
        code = anna.encryption().privacy_code;
        ASSERT_TRUE(call.all_hear_each_other({&anna, &bruno, &carla})) << round;
        carla.leave();
        ASSERT_TRUE(call.until([&] { return anna.encryption().privacy_code != code; }));
        ASSERT_TRUE(call.together({&anna, &bruno}));
        code = anna.encryption().privacy_code;
    }
    anna.talks = bruno.talks = false;
    EXPECT_TRUE(call.heard_all(anna, bruno));
    EXPECT_TRUE(call.heard_all(bruno, anna));
    EXPECT_EQ(anna.closed_packets + bruno.closed_packets, 0U);
    EXPECT_GE(anna.counts().epochs, 9U);
}

TEST(Encrypted, AResumeInTheMiddleOfATransition) {
    Call call;
    Participant& anna = call.add(1);
    Participant& bruno = call.add(2);
    Participant& carla = call.add(3);
    anna.join(kTavern);
    bruno.join(kTavern);
    ASSERT_TRUE(call.together({&anna, &bruno}));
    anna.talks = bruno.talks = true;
    carla.join(kTavern);
    const std::uint64_t proposals = call.delivery().counts().proposals;
    ASSERT_TRUE(call.until([&] { return call.delivery().counts().proposals > proposals; }));
    call.server->drop(kCallGuild, bruno.user());
    ASSERT_TRUE(call.until([&] { return bruno.counts().resumes == 1 && bruno.voice().connected(); }));
    ASSERT_TRUE(call.together({&anna, &bruno, &carla}));
    ASSERT_TRUE(call.all_hear_each_other({&anna, &bruno, &carla}));
    anna.talks = bruno.talks = false;
    EXPECT_TRUE(call.heard_all(bruno, anna));
    EXPECT_TRUE(call.heard_all(anna, bruno));
    EXPECT_TRUE(call.heard_all(bruno, carla));
    EXPECT_TRUE(call.heard_all(anna, carla));
    EXPECT_EQ(bruno.counts().resumes, 1U);
    for (Participant* const one : {&anna, &bruno, &carla}) EXPECT_EQ(one->counts().rejoins, 0U);
}

// ---- TCP is cut by what is said to the group: the server may have heard it, and may not

class Cut : public testing::TestWithParam<bool> {
  protected:
    [[nodiscard]] static bool heard() { return GetParam(); }
    void cut(const Participant& whom, int op) { call_->server->cut_at(kCallGuild, whom.user(), op, heard()); }
    void begin(const sandbox::DeliveryOptions& delivery = {}) {
        call_ = std::make_unique<Call>(delivery);
        anna_ = &call_->add(1);
        bruno_ = &call_->add(2);
        carla_ = &call_->add(3);
    }
    [[nodiscard]] testing::AssertionResult two_together() {
        anna_->join(kTavern);
        bruno_->join(kTavern);
        const auto met = call_->together({anna_, bruno_});
        anna_->talks = bruno_->talks = true;
        return met;
    }
    void expect_all_together(const Participant& resumed) {
        ASSERT_TRUE(call_->until([&] { return resumed.counts().resumes > 0; }));
        const std::vector all{anna_, bruno_, carla_};
        ASSERT_TRUE(call_->together(all));
        ASSERT_TRUE(call_->all_hear_each_other(all));
        for (Participant* const one : all) {
            one->talks = false;
            EXPECT_EQ(one->counts().resumes, one == &resumed ? 1U : 0U);
            EXPECT_EQ(one->counts().rejoins, 0U);
        }
    }

    std::unique_ptr<Call> call_;
    Participant* anna_ = nullptr;
    Participant* bruno_ = nullptr;
    Participant* carla_ = nullptr;
};

TEST_P(Cut, AKeyPackageGetsThere) {
    begin();
    ASSERT_TRUE(two_together());
    cut(*carla_, 26);
    carla_->join(kTavern);
    expect_all_together(*carla_);
    EXPECT_TRUE(call_->heard_all(*anna_, *bruno_));
    EXPECT_TRUE(call_->heard_all(*bruno_, *anna_));
    EXPECT_TRUE(call_->heard_all(*anna_, *carla_));
}

TEST_P(Cut, TheOnlyCommitGetsThere) {
    begin({.ready_within = seconds(20)});
    ASSERT_TRUE(two_together());
    // Anna is asked first and cut off before hers is heard; so it depends on Bruno's.
    call_->server->cut_at(kCallGuild, anna_->user(), 28, false);
    cut(*bruno_, 28);
    carla_->join(kTavern);
    ASSERT_TRUE(call_->until([&] { return anna_->counts().resumes + bruno_->counts().resumes == 2; }));
    ASSERT_TRUE(call_->together({anna_, bruno_, carla_}));
    ASSERT_TRUE(call_->all_hear_each_other({anna_, bruno_, carla_}));
    anna_->talks = bruno_->talks = false;
    EXPECT_TRUE(call_->heard_all(*anna_, *bruno_));
    EXPECT_TRUE(call_->heard_all(*bruno_, *anna_));
    EXPECT_EQ(anna_->counts().recoveries + bruno_->counts().recoveries, 0U);
    EXPECT_EQ(anna_->counts().rejoins + bruno_->counts().rejoins, 0U);
}

TEST_P(Cut, ThatItIsReadyGetsThere) {
    begin({.ready_within = seconds(20)});
    ASSERT_TRUE(two_together());
    cut(*bruno_, 23);
    carla_->join(kTavern);
    expect_all_together(*bruno_);
    EXPECT_TRUE(call_->heard_all(*anna_, *bruno_));
    EXPECT_TRUE(call_->heard_all(*bruno_, *anna_));
    EXPECT_EQ(call_->delivery().counts().timeouts, 0U);
    EXPECT_EQ(bruno_->counts().recoveries, 0U);
}

TEST_P(Cut, ThatItCouldNotFollowGetsThere) {
    begin();
    ASSERT_TRUE(two_together());
    call_->delivery().misbehave(bruno_->user(), Misbehaviour::spoiled_commit);
    cut(*bruno_, 31);
    carla_->join(kTavern);
    expect_all_together(*bruno_);
    EXPECT_TRUE(call_->heard_all(*anna_, *bruno_)) << "his old key is good for 10 s";
    EXPECT_TRUE(call_->heard_all(*anna_, *carla_));
    EXPECT_GE(bruno_->counts().recoveries, 1U);
}

INSTANTIATE_TEST_SUITE_P(Encrypted, Cut, testing::Bool(),
                         [](const auto& of) { return std::string(of.param ? "heard" : "lost"); });

TEST(Encrypted, AfterARejoinItIsAMemberAgain) {
    Call call;
    Participant& anna = call.add(1);
    Participant& bruno = call.add(2);
    anna.join(kTavern);
    bruno.join(kTavern);
    ASSERT_TRUE(call.together({&anna, &bruno}));
    call.server->close(kCallGuild, bruno.user(), 4006);
    ASSERT_TRUE(call.until([&] { return bruno.connections() == 2; }));
    EXPECT_FALSE(bruno.encryption().encrypted) << "not in the group of before";
    ASSERT_TRUE(call.together({&anna, &bruno}));
    EXPECT_TRUE(call.all_hear_each_other({&anna, &bruno}));
}

TEST(Encrypted, AnotherChannelIsAnotherGroup) {
    Call call;
    Participant& anna = call.add(1);
    Participant& bruno = call.add(2);
    anna.join(kTavern);
    bruno.join(kTavern);
    ASSERT_TRUE(call.together({&anna, &bruno}));
    const std::string code = anna.encryption().privacy_code;
    anna.join(kCrypt);
    bruno.join(kCrypt);
    ASSERT_TRUE(call.until([&] { return anna.connections() == 2 && bruno.connections() == 2; }));
    ASSERT_TRUE(call.together({&anna, &bruno}, kCrypt));
    EXPECT_NE(anna.encryption().privacy_code, code);
    EXPECT_TRUE(call.all_hear_each_other({&anna, &bruno}));
}

TEST(Encrypted, WhoKnowsNothingOfItMakesTheCallClearForAsLongAsItStays) {
    Call call({.plain_clients = true});
    Participant& anna = call.add(1);
    Participant& bruno = call.add(2);
    Participant& old = call.add(3, 0);
    anna.join(kTavern);
    bruno.join(kTavern);
    ASSERT_TRUE(call.together({&anna, &bruno}));
    anna.talks = true;
    old.join(kTavern);
    ASSERT_TRUE(call.until([&] { return !anna.encryption().encrypted && !bruno.encryption().encrypted; }));
    ASSERT_TRUE(call.until([&] { return old.voice().may_speak(); }));
    ASSERT_TRUE(call.all_hear_each_other({&anna, &bruno, &old}));
    EXPECT_EQ(anna.encryption().privacy_code, "");
    old.leave();
    ASSERT_TRUE(call.together({&anna, &bruno}));
    ASSERT_TRUE(call.all_hear_each_other({&anna, &bruno}));
    anna.talks = false;
    EXPECT_TRUE(call.heard_all(bruno, anna)) << "encrypted or clear, and in between";
    EXPECT_TRUE(call.heard_all(anna, bruno));
    EXPECT_EQ(bruno.closed_packets, 0U);
}

void say_whose_ssrc(Call& call, const Participant& to, std::uint32_t ssrc, const Participant& owner) {
    const std::string op5 = R"({"op":5,"d":{"speaking":1,"ssrc":)" + std::to_string(ssrc) + R"(,"user_id":")" +
                            owner.user().text() + "\"}}";
    call.server->send_raw(kCallGuild, to.user(), op5, false);
}

TEST(Encrypted, AnSsrcThatNobodyAnnouncedIsOpenedButNobodysUntilItIs) {
    Call call;
    Participant& anna = call.add(1);
    Participant& bruno = call.add(2);
    call.server->speaking_news(anna.user(), sandbox::SpeakingNews::never);
    anna.join(kTavern);
    bruno.join(kTavern);
    ASSERT_TRUE(call.together({&anna, &bruno}));
    bruno.talks = true;
    call.pass(seconds(3));
    EXPECT_GE(anna.counts().parked, 1U);
    EXPECT_TRUE(anna.bound.empty());
    say_whose_ssrc(call, anna, bruno.ssrc(), bruno);
    ASSERT_TRUE(call.all_hear_each_other({&anna, &bruno}));
    EXPECT_EQ(anna.bound, std::set{bruno.user()});
    EXPECT_TRUE(call.heard_all(anna, bruno));
}

TEST(Encrypted, ALieAboutAnSsrcRecordsNothingUnderAnotherName) {
    Call call;
    Participant& anna = call.add(1);
    Participant& bruno = call.add(2);
    Participant& carla = call.add(3);
    for (Participant* const one : {&anna, &bruno, &carla}) one->join(kTavern);
    ASSERT_TRUE(call.together({&anna, &bruno, &carla}));
    call.server->speaking_news(anna.user(), sandbox::SpeakingNews::never);
    say_whose_ssrc(call, anna, bruno.ssrc(), carla);
    bruno.talks = true;
    call.pass(seconds(1));
    EXPECT_TRUE(anna.bound.empty()) << "his frames do not open with her key";
    say_whose_ssrc(call, anna, bruno.ssrc(), bruno);
    ASSERT_TRUE(call.all_hear_each_other({&anna, &bruno}));
    EXPECT_FALSE(anna.bound.contains(carla.user()));
    EXPECT_TRUE(call.heard_all(anna, bruno));
    EXPECT_EQ(anna.counts().recoveries, 0U) << "nothing is wrong with our keys";
}

TEST(Encrypted, WhoHasMissedACommitLearnsOfItFromTheNewcomerAlone) {
    Call call;
    Participant& anna = call.add(1);
    Participant& bruno = call.add(2);
    Participant& carla = call.add(3);
    anna.join(kTavern);
    bruno.join(kTavern);
    ASSERT_TRUE(call.together({&anna, &bruno}));
    call.delivery().misbehave(bruno.user(), Misbehaviour::withheld_commit);
    carla.join(kTavern);
    ASSERT_TRUE(call.until([&] { return carla.voice().may_speak(); }));
    carla.talks = true;
    ASSERT_TRUE(call.until([&] { return bruno.counts().recoveries == 1; }));
    ASSERT_TRUE(call.together({&anna, &bruno, &carla}));
    EXPECT_TRUE(call.all_hear_each_other({&anna, &bruno, &carla}));
}

TEST(Encrypted, PlainFramesAndCopiesAreNotHeard) {
    Call call;
    Participant& anna = call.add(1);
    Participant& bruno = call.add(2);
    anna.join(kTavern);
    bruno.join(kTavern);
    ASSERT_TRUE(call.together({&anna, &bruno}));
    ASSERT_TRUE(call.all_hear_each_other({&anna, &bruno}));
    std::vector<std::uint8_t> clear;
    rtp::write({.marker = false, .payload_type = 120, .seq = 60'000, .timestamp = 1, .ssrc = bruno.ssrc()}, {}, clear);
    for (int i = 0; i < 20; ++i) call.server->send_sealed(kCallGuild, anna.user(), clear, {0x78, 1, 2, 3});
    ASSERT_TRUE(call.until([&] { return anna.closed(Closed::plain) == 20; }));
    call.server->set_forwarding(anna.user(), {.duplicate = 1});
    ASSERT_TRUE(call.all_hear_each_other({&anna, &bruno}));
    EXPECT_TRUE(call.until([&] { return anna.counts().replayed >= 10; }));
    EXPECT_EQ(anna.closed_packets, 20U);
}

TEST(Encrypted, GarbageUnderAMembersNameIsBoundedAndHurtsNobodyElse) {
    Call call;
    Participant& anna = call.add(1);
    Participant& bruno = call.add(2);
    Participant& carla = call.add(3);
    for (Participant* const one : {&anna, &bruno, &carla}) one->join(kTavern);
    ASSERT_TRUE(call.together({&anna, &bruno, &carla}));
    ASSERT_TRUE(call.all_hear_each_other({&anna, &bruno, &carla}));
    std::vector<std::uint8_t> clear;
    rtp::write({.marker = false, .payload_type = 120, .seq = 60'000, .timestamp = 1, .ssrc = carla.ssrc()}, {}, clear);
    std::vector<std::uint8_t> garbage(20, 0x55);
    garbage.insert(garbage.end(), {1, 2, 3, 4, 5, 6, 7, 8, 1, 12, 0xFA, 0xFA});
    const auto flood = [&] {
        for (int i = 0; i < 5; ++i) call.server->send_sealed(kCallGuild, anna.user(), clear, garbage);
    };
    // She was heard since the group last changed, others heard or silent: it is her who is wrong, and that is told.
    bruno.talks = true;
    for (int i = 0; i < 60; ++i) {
        flood();
        call.pass(milliseconds(20));
    }
    bruno.talks = false;
    ASSERT_TRUE(call.until([&] {
        flood();
        return !anna.cannot_open.empty();
    }));
    EXPECT_EQ(anna.counts().recoveries, 0U);
    EXPECT_EQ(anna.cannot_open.size(), 1U);
    EXPECT_EQ(anna.cannot_open.back().user, carla.user());
    EXPECT_FALSE(anna.cannot_open.back().gave_up);
    ASSERT_TRUE(call.together({&anna, &bruno, &carla}));
    EXPECT_TRUE(call.all_hear_each_other({&anna, &bruno, &carla}));
    EXPECT_TRUE(call.heard_all(anna, bruno));
    EXPECT_TRUE(call.heard_all(bruno, carla)) << "and to others nothing has happened";
}

// ---- a delivery service at its worst

struct Trouble {
    const char* name;
    Misbehaviour how;
    bool towards_newcomer;
    bool recovery;  ///< it is out of the group until it has said so
};
class Misbehaving : public testing::TestWithParam<Trouble> {};

TEST_P(Misbehaving, InTheEndEverybodyHearsEverybody) {
    Call call;
    Participant& anna = call.add(1);
    Participant& bruno = call.add(2);
    Participant& carla = call.add(3);
    anna.join(kTavern);
    bruno.join(kTavern);
    ASSERT_TRUE(call.together({&anna, &bruno}));
    anna.talks = bruno.talks = true;
    call.delivery().misbehave((GetParam().towards_newcomer ? carla : bruno).user(), GetParam().how);
    carla.join(kTavern);
    ASSERT_TRUE(call.until([&] { return carla.connections() == 1; }));
    ASSERT_TRUE(call.together({&anna, &bruno, &carla}));
    const std::map<Participant*, std::size_t> since{{&anna, anna.sent()}, {&bruno, bruno.sent()}};
    ASSERT_TRUE(call.all_hear_each_other({&anna, &bruno, &carla}));
    anna.talks = bruno.talks = false;
    const bool was_out = GetParam().recovery && !GetParam().towards_newcomer;
    EXPECT_TRUE(call.heard_all(anna, bruno)) << "also with his old key";
    EXPECT_TRUE(call.heard_all(anna, carla));
    EXPECT_TRUE(call.heard_all(bruno, anna, was_out ? since.at(&anna) : 0));
    EXPECT_TRUE(was_out || call.heard_all(bruno, carla));
    EXPECT_TRUE(call.heard_all(carla, anna, since.at(&anna))) << "once she was in";
    EXPECT_TRUE(call.heard_all(carla, bruno, since.at(&bruno)));
    EXPECT_EQ(anna.counts().recoveries, 0U);
    EXPECT_EQ(bruno.counts().recoveries, was_out ? 1U : 0U);
    EXPECT_EQ(anna.closed_packets, 0U);
}

INSTANTIATE_TEST_SUITE_P(Encrypted, Misbehaving,
                         testing::Values(Trouble{"late_welcome", Misbehaviour::late_welcome, true, false},
                                         Trouble{"spoiled_welcome", Misbehaviour::spoiled_welcome, true, true},
                                         Trouble{"foreign_commit", Misbehaviour::foreign_commit, true, true},
                                         Trouble{"spoiled_commit", Misbehaviour::spoiled_commit, false, true},
                                         Trouble{"duplicate_messages", Misbehaviour::duplicate_messages, false, false},
                                         Trouble{"reordered", Misbehaviour::reordered, false, true},
                                         Trouble{"forged_proposal", Misbehaviour::forged_proposal, false, false},
                                         Trouble{"unknown_user", Misbehaviour::unknown_user, false, false},
                                         Trouble{"proposal_of_epoch_past", Misbehaviour::proposal_of_epoch_past, false,
                                                 false},
                                         Trouble{"withheld_commit", Misbehaviour::withheld_commit, false, true}),
                         [](const auto& of) { return std::string(of.param.name); });

}  // namespace
}  // namespace lestapenna::test
