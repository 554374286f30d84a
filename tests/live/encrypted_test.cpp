// Encrypted calls, end to end: Voices of ours with the sandbox's delivery service. Everybody hears everybody else, and
// nothing that could have been opened is lost, whatever happens to the group.
#include <algorithm>

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
    const auto missing = [&](const Participant& listener, const Participant& speaker) {
        return call.server->forwarded(listener.user())[speaker.ssrc()].sent - listener.heard_of(speaker);
    };
    EXPECT_TRUE(call.until([&] { return missing(anna, bruno) == 0 && missing(bruno, anna) == 0; }))
        << missing(anna, bruno) << ", " << missing(bruno, anna);
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
    anna.talks = true;
    carla.join(kTavern);
    const std::uint64_t proposals = call.delivery().counts().proposals;
    ASSERT_TRUE(call.until([&] { return call.delivery().counts().proposals > proposals; }));
    call.server->drop(kCallGuild, bruno.user());
    ASSERT_TRUE(call.until([&] { return bruno.counts().resumes == 1 && bruno.voice().connected(); }));
    ASSERT_TRUE(call.together({&anna, &bruno, &carla}));
    ASSERT_TRUE(call.all_hear_each_other({&anna, &bruno, &carla}));
}

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
    EXPECT_TRUE(call.until([&] { return bruno.heard_of(anna) == anna.sent(); }))
        << bruno.heard_of(anna) << " of " << anna.sent();
    EXPECT_EQ(bruno.closed_packets, 0U);
}

TEST(Encrypted, AnSsrcThatNobodyAnnouncedIsFoundByItsKey) {
    Call call;
    Participant& anna = call.add(1);
    Participant& bruno = call.add(2);
    call.server->speaking_news(anna.user(), sandbox::SpeakingNews::never);
    anna.join(kTavern);
    bruno.join(kTavern);
    ASSERT_TRUE(call.together({&anna, &bruno}));
    ASSERT_TRUE(call.all_hear_each_other({&anna, &bruno}));
    EXPECT_GE(anna.counts().parked, 1U);
    EXPECT_EQ(anna.bound, std::set{bruno.user()});
}

TEST(Encrypted, ALieAboutAnSsrcRecordsNothingUnderAnotherName) {
    Call call;
    Participant& anna = call.add(1);
    Participant& bruno = call.add(2);
    Participant& carla = call.add(3);
    for (Participant* const one : {&anna, &bruno, &carla}) one->join(kTavern);
    ASSERT_TRUE(call.together({&anna, &bruno, &carla}));
    call.server->speaking_news(anna.user(), sandbox::SpeakingNews::never);
    const std::string lie = R"({"op":5,"d":{"speaking":1,"ssrc":)" + std::to_string(bruno.ssrc()) + R"(,"user_id":")" +
                            carla.user().text() + "\"}}";
    call.server->send_raw(kCallGuild, anna.user(), lie, false);
    ASSERT_TRUE(call.all_hear_each_other({&anna, &bruno})) << "and each frame was his own: see Participant";
    EXPECT_FALSE(anna.bound.contains(carla.user()));
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
    // While others are heard it is her who is wrong, and nothing is done about it.
    bruno.talks = true;
    for (int i = 0; i < 60; ++i) {
        flood();
        call.pass(milliseconds(20));
    }
    EXPECT_EQ(anna.counts().recoveries, 0U);
    // In silence it could be us: at most three times.
    bruno.talks = false;
    ASSERT_TRUE(call.until([&] {
        flood();
        return !anna.cannot_open.empty() && anna.cannot_open.back().gave_up;
    }));
    EXPECT_EQ(anna.counts().recoveries, 3U);
    EXPECT_EQ(anna.cannot_open.size(), 4U);
    EXPECT_EQ(anna.cannot_open.back().user, carla.user());
    ASSERT_TRUE(call.together({&anna, &bruno, &carla}));
    EXPECT_TRUE(call.all_hear_each_other({&anna, &bruno, &carla}));
    EXPECT_EQ(anna.heard_of(bruno), bruno.sent());
}

// ---- a delivery service at its worst

struct Trouble {
    const char* name;
    Misbehaviour how;
    bool towards_newcomer;
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
    ASSERT_TRUE(call.all_hear_each_other({&anna, &bruno, &carla}));
}

INSTANTIATE_TEST_SUITE_P(Encrypted, Misbehaving,
                         testing::Values(Trouble{"late_welcome", Misbehaviour::late_welcome, true},
                                         Trouble{"spoiled_welcome", Misbehaviour::spoiled_welcome, true},
                                         Trouble{"foreign_commit", Misbehaviour::foreign_commit, true},
                                         Trouble{"spoiled_commit", Misbehaviour::spoiled_commit, false},
                                         Trouble{"duplicate_messages", Misbehaviour::duplicate_messages, false},
                                         Trouble{"reordered", Misbehaviour::reordered, false},
                                         Trouble{"forged_proposal", Misbehaviour::forged_proposal, false},
                                         Trouble{"unknown_user", Misbehaviour::unknown_user, false},
                                         Trouble{"proposal_of_epoch_past", Misbehaviour::proposal_of_epoch_past, false},
                                         Trouble{"withheld_commit", Misbehaviour::withheld_commit, false}),
                         [](const auto& of) { return std::string(of.param.name); });

}  // namespace
}  // namespace lestapenna::test
