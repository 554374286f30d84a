// What is kept of a call's encryption, whatever the call goes through.
#include "recorder/call.h"

#include <gtest/gtest.h>

namespace lestapenna::recorder {
namespace {

using catalog::Encryption;

discord::Encryption encrypted(std::uint64_t epoch, std::string code) {
    return {true, epoch, std::move(code)};
}

void hear(CallHistory& call, int packets, bool parked = false, std::size_t bytes = 80) {
    const std::vector<std::uint8_t> opus(bytes, 0x78);
    discord::VoicePacket packet;
    packet.payload = opus;
    packet.parked = parked;
    for (int i = 0; i < packets; ++i) call.hear(packet);
}

catalog::Session row() {
    return {.id = *SessionId::parse("evening")};
}
catalog::Session noted(const CallHistory& call, catalog::Session before = row()) {
    call.note(before);
    return before;
}

TEST(CallHistory, KeepsTheLastCodeAlsoWhenTheCallIsLeft) {
    CallHistory call;
    EXPECT_EQ(noted(call), row()) << "nothing is known yet";
    EXPECT_FALSE(call.now().known);
    call.take({false, 0, ""});
    hear(call, 10);  // at the edge
    EXPECT_EQ(noted(call), row());
    call.take(encrypted(1, "111"));
    hear(call, 1'000);
    call.take(encrypted(2, "222"));
    EXPECT_EQ(call.now().privacy_code, "222");
    EXPECT_EQ(call.now().epoch, 2U);
    call.take({false, 0, ""});
    EXPECT_EQ(call.now().privacy_code, "") << "now there is none";
    EXPECT_EQ(noted(call).encryption, Encryption::end_to_end);
    EXPECT_EQ(noted(call).privacy_code, "222");
}

TEST(CallHistory, WhatWasHeardInTheClearIsNotCalledEncrypted) {
    CallHistory clear;
    clear.take({false, 0, ""});
    hear(clear, 1'000);
    EXPECT_EQ(noted(clear).encryption, Encryption::none);
    clear.take(encrypted(1, "111"));
    EXPECT_EQ(noted(clear).encryption, Encryption::partly);
    EXPECT_EQ(noted(clear).privacy_code, "111");
}

TEST(CallHistory, SilenceFramesAndWhatHadToWaitAreNotHeardInTheClear) {
    CallHistory call;
    call.take({false, 0, ""});
    hear(call, 1'000, false, 3);
    hear(call, 1'000, true);
    EXPECT_EQ(noted(call).encryption, std::nullopt);
}

TEST(CallHistory, GoesOnAfterAnEarlierProcess) {
    CallHistory call;
    auto before = row();
    before.encryption = Encryption::end_to_end;
    before.privacy_code = "999";
    EXPECT_EQ(noted(call, before), before) << "nothing new";
    call.take(encrypted(1, "111"));
    EXPECT_EQ(noted(call, before).encryption, Encryption::end_to_end);
    EXPECT_EQ(noted(call, before).privacy_code, "111");
    before.encryption = Encryption::none;
    EXPECT_EQ(noted(call, before).encryption, Encryption::partly);
    before.encryption = Encryption::partly;
    EXPECT_EQ(noted(call, before).encryption, Encryption::partly);
}

}  // namespace
}  // namespace lestapenna::recorder
