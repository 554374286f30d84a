// The words of the sign of recording.
#include "recorder/notice.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace lestapenna::recorder {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

TEST(Notice, SpeaksTheTablesLanguage) {
    const auto session = *SessionId::parse("01J9ZQ3C8V7N4KQ2M5T6R8W9XY");
    EXPECT_THAT(notice_text("it", ChannelId{42}, session), AllOf(HasSubstr("Registro <#42>"), HasSubstr("R8W9XY")));
    EXPECT_THAT(notice_text("", ChannelId{42}, session), HasSubstr("Registro"));
    EXPECT_THAT(notice_text("en", ChannelId{42}, session), AllOf(HasSubstr("Recording <#42>"), HasSubstr("R8W9XY")));
    EXPECT_THAT(notice_text("en", ChannelId{42}, *SessionId::parse("abc")), HasSubstr("`abc`"));
}

TEST(Notice, TheNicknameFitsAndIsMarkedOnce) {
    EXPECT_EQ(recording_nick("La Stapenna"), "[REC] La Stapenna");
    EXPECT_EQ(recording_nick("[REC] [REC] La Stapenna"), "[REC] La Stapenna");
    EXPECT_EQ(recording_nick("123456789012345678901234567890"), "[REC] 12345678901234567890123456");
    // Two UTF-16 units each: 13 of them are 26.
    std::string dragons;
    for (int i = 0; i < 20; ++i) dragons += "🐉";
    EXPECT_EQ(recording_nick(dragons).size(), 6U + 13U * 4U);
    EXPECT_EQ(recording_nick("a" + dragons).size(), 6U + 1U + 12U * 4U) << "no half of a dragon";
    EXPECT_EQ(recording_nick("àèìòùàèìòùàèìòùàèìòùàèìòùàèìòù").size(), 6U + 26U * 2U);
    EXPECT_EQ(recording_nick(""), "[REC] ");
}

TEST(Notice, TheNicknameToGiveBackIsTheOneWithoutTheSign) {
    discord::Member member;
    member.user.username = "Lestapenna";
    EXPECT_EQ(former_nick(member), std::nullopt);
    member.nick = "Lo scriba";
    EXPECT_EQ(former_nick(member), "Lo scriba");
    member.nick = "[REC] Lo scriba";
    EXPECT_EQ(former_nick(member), "Lo scriba");
    member.nick = "[REC] Lestapenna";
    EXPECT_EQ(former_nick(member), std::nullopt) << "made of the user name: there was no nickname";
    member.nick = "[REC] ";
    EXPECT_EQ(former_nick(member), std::nullopt);
}

TEST(Notice, WhatAKilledProcessLeftIsTakenOff) {
    EXPECT_EQ(without_sign("[REC] Aldo"), "Aldo");
    EXPECT_EQ(without_sign("Aldo"), "Aldo");
    EXPECT_EQ(without_sign("[REC] "), "");
}

}  // namespace
}  // namespace lestapenna::recorder
