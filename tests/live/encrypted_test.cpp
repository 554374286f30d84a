// Encrypted calls, end to end: Voices of ours with the sandbox's delivery service. Everybody hears everybody else, and
// nothing that could have been opened is lost, whatever happens to the group.
#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "call.h"

namespace lestapenna::test {
namespace {

using discord::Closed;
using sandbox::Misbehaviour;

/// Three whom a call is for; none of them is in it yet.
class Encrypted : public testing::Test {
  protected:
    Call call;
    Participant& anna = call.add(1);
    Participant& bruno = call.add(2);
    Participant& carla = call.add(3);
};

class FirstGroup : public Encrypted, public testing::WithParamInterface<bool> {};

TEST_P(FirstGroup, TwoHearEachOther) {
    call.server->set_delivery({.first_transition_zero = GetParam()});
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

INSTANTIATE_TEST_SUITE_P(Encrypted, FirstGroup, testing::Bool(),
                         [](const auto& of) { return std::string(of.param ? "at_once" : "announced"); });

TEST_F(Encrypted, OthersComeAndGoAndNobodyMissesAFrame) {
    ASSERT_TRUE(call.meet({&anna, &bruno}));
    anna.talks = bruno.talks = true;
    std::string code = anna.encryption().privacy_code;
    for (int round = 0; round < 4; ++round) {
        Participant& guest = call.add(10 + round);
        guest.join(kTavern);
        ASSERT_TRUE(call.together({&anna, &bruno, &guest})) << round;
        EXPECT_NE(anna.encryption().privacy_code, code) << "another epoch";
        code = anna.encryption().privacy_code;
        ASSERT_TRUE(call.all_hear_each_other({&anna, &bruno, &guest})) << round;
        guest.leave();
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

TEST_F(Encrypted, AResumeInTheMiddleOfATransition) {
    ASSERT_TRUE(call.meet({&anna, &bruno}));
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

class Cut : public Encrypted, public testing::WithParamInterface<bool> {
  protected:
    [[nodiscard]] static bool heard() { return GetParam(); }
    void cut(const Participant& whom, int op) { call.server->cut_at(kCallGuild, whom.user(), op, heard()); }
    [[nodiscard]] testing::AssertionResult two_talk() {
        const auto met = call.meet({&anna, &bruno});
        anna.talks = bruno.talks = true;
        return met;
    }
    void expect_all_together(const Participant& resumed) {
        ASSERT_TRUE(call.until([&] { return resumed.counts().resumes > 0; }));
        const std::vector all{&anna, &bruno, &carla};
        ASSERT_TRUE(call.together(all));
        ASSERT_TRUE(call.all_hear_each_other(all));
        for (Participant* const one : all) {
            one->talks = false;
            EXPECT_EQ(one->counts().resumes, one == &resumed ? 1U : 0U);
            EXPECT_EQ(one->counts().rejoins, 0U);
        }
    }
};

TEST_P(Cut, AKeyPackageGetsThere) {
    ASSERT_TRUE(two_talk());
    cut(carla, 26);
    carla.join(kTavern);
    expect_all_together(carla);
    EXPECT_TRUE(call.heard_all(anna, bruno));
    EXPECT_TRUE(call.heard_all(bruno, anna));
    EXPECT_TRUE(call.heard_all(anna, carla));
}

TEST_P(Cut, TheOnlyCommitGetsThere) {
    call.server->set_delivery({.ready_within = seconds(20)});
    ASSERT_TRUE(two_talk());
    // Anna is asked first and cut off before hers is heard; so it depends on Bruno's.
    call.server->cut_at(kCallGuild, anna.user(), 28, false);
    cut(bruno, 28);
    carla.join(kTavern);
    ASSERT_TRUE(call.until([&] { return anna.counts().resumes + bruno.counts().resumes == 2; }));
    ASSERT_TRUE(call.together({&anna, &bruno, &carla}));
    ASSERT_TRUE(call.all_hear_each_other({&anna, &bruno, &carla}));
    anna.talks = bruno.talks = false;
    EXPECT_TRUE(call.heard_all(anna, bruno));
    EXPECT_TRUE(call.heard_all(bruno, anna));
    EXPECT_EQ(anna.counts().recoveries + bruno.counts().recoveries, 0U);
    EXPECT_EQ(anna.counts().rejoins + bruno.counts().rejoins, 0U);
}

TEST_P(Cut, ThatItIsReadyGetsThere) {
    call.server->set_delivery({.ready_within = seconds(20)});
    ASSERT_TRUE(two_talk());
    cut(bruno, 23);
    carla.join(kTavern);
    expect_all_together(bruno);
    EXPECT_TRUE(call.heard_all(anna, bruno));
    EXPECT_TRUE(call.heard_all(bruno, anna));
    EXPECT_EQ(call.delivery().counts().timeouts, 0U);
    EXPECT_EQ(bruno.counts().recoveries, 0U);
}

TEST_P(Cut, ThatItCouldNotFollowGetsThere) {
    ASSERT_TRUE(two_talk());
    call.delivery().misbehave(bruno.user(), Misbehaviour::spoiled_commit);
    cut(bruno, 31);
    carla.join(kTavern);
    expect_all_together(bruno);
    EXPECT_TRUE(call.heard_all(anna, bruno)) << "his old key is good for 10 s";
    EXPECT_TRUE(call.heard_all(anna, carla));
    EXPECT_GE(bruno.counts().recoveries, 1U);
}

INSTANTIATE_TEST_SUITE_P(Encrypted, Cut, testing::Bool(),
                         [](const auto& of) { return std::string(of.param ? "heard" : "lost"); });

TEST_F(Encrypted, AfterARejoinItIsAMemberAgain) {
    ASSERT_TRUE(call.meet({&anna, &bruno}));
    call.server->close(kCallGuild, bruno.user(), 4006);
    ASSERT_TRUE(call.until([&] { return bruno.connections() == 2; }));
    EXPECT_FALSE(bruno.encryption().encrypted) << "not in the group of before";
    ASSERT_TRUE(call.together({&anna, &bruno}));
    EXPECT_TRUE(call.all_hear_each_other({&anna, &bruno}));
}

TEST_F(Encrypted, AnotherChannelIsAnotherGroup) {
    ASSERT_TRUE(call.meet({&anna, &bruno}));
    const std::string code = anna.encryption().privacy_code;
    anna.join(kCrypt);
    bruno.join(kCrypt);
    ASSERT_TRUE(call.until([&] { return anna.connections() == 2 && bruno.connections() == 2; }));
    ASSERT_TRUE(call.together({&anna, &bruno}, kCrypt));
    EXPECT_NE(anna.encryption().privacy_code, code);
    EXPECT_TRUE(call.all_hear_each_other({&anna, &bruno}));
}

TEST_F(Encrypted, WhoKnowsNothingOfItMakesTheCallClearForAsLongAsItStays) {
    call.server->set_delivery({.plain_clients = true});
    Participant& old = call.add(4, 0);
    ASSERT_TRUE(call.meet({&anna, &bruno}));
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

TEST_F(Encrypted, AnSsrcThatNobodyAnnouncedIsOpenedButNobodysUntilItIs) {
    call.server->speaking_news(anna.user(), sandbox::SpeakingNews::never);
    ASSERT_TRUE(call.meet({&anna, &bruno}));
    bruno.talks = true;
    call.pass(seconds(3));
    EXPECT_GE(anna.counts().parked, 1U);
    EXPECT_TRUE(anna.bound.empty());
    say_whose_ssrc(call, anna, bruno.ssrc(), bruno);
    ASSERT_TRUE(call.all_hear_each_other({&anna, &bruno}));
    EXPECT_EQ(anna.bound, std::set{bruno.user()});
    EXPECT_TRUE(call.heard_all(anna, bruno));
}

TEST_F(Encrypted, ALieAboutAnSsrcRecordsNothingUnderAnotherName) {
    ASSERT_TRUE(call.meet({&anna, &bruno, &carla}));
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

TEST_F(Encrypted, WhoHasMissedACommitLearnsOfItFromTheNewcomerAlone) {
    ASSERT_TRUE(call.meet({&anna, &bruno}));
    call.delivery().misbehave(bruno.user(), Misbehaviour::withheld_commit);
    carla.join(kTavern);
    ASSERT_TRUE(call.until([&] { return carla.voice().may_speak(); }));
    carla.talks = true;
    ASSERT_TRUE(call.until([&] { return bruno.counts().recoveries == 1; }));
    ASSERT_TRUE(call.together({&anna, &bruno, &carla}));
    EXPECT_TRUE(call.all_hear_each_other({&anna, &bruno, &carla}));
}

TEST_F(Encrypted, PlainFramesAndCopiesAreNotHeard) {
    ASSERT_TRUE(call.meet({&anna, &bruno}));
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

TEST_F(Encrypted, GarbageUnderAMembersNameIsBoundedAndHurtsNobodyElse) {
    ASSERT_TRUE(call.meet({&anna, &bruno, &carla}));
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
class Misbehaving : public Encrypted, public testing::WithParamInterface<Trouble> {};

TEST_P(Misbehaving, InTheEndEverybodyHearsEverybody) {
    ASSERT_TRUE(call.meet({&anna, &bruno}));
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
