// The frames of an encrypted call, sealed with keys that no group has agreed on, and who says them.
#pragma once

#include <algorithm>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <optional>
#include <utility>
#include <variant>
#include <vector>

#include <gtest/gtest.h>

#include "dave/sender.h"
#include "discord/voice_frames.h"
#include "scripted_voice.h"

namespace lestapenna::discord {

using test::Bytes;
using test::Heard;
using test::kSelf;

inline constexpr UserId kAnna{204'255'221'017'214'977};
inline constexpr UserId kBruno{104'694'319'306'248'192};
inline constexpr UserId kMallory{333'694'319'306'248'192};

inline mls::Secret secret_of(UserId user, int epoch) {
    mls::Secret secret(16);
    for (std::size_t i = 0; i < 8; ++i) secret[i] = static_cast<std::uint8_t>(user.value >> (8 * i));
    secret[15] = static_cast<std::uint8_t>(epoch);
    return secret;
}

/// One who speaks, with a key of its own in each epoch.
class Speaker {
  public:
    Speaker(std::uint32_t ssrc, UserId user) : ssrc_(ssrc), user_(user) { enter(1); }
    void enter(int epoch) { sender_.emplace(dave::BaseSecret{user_, secret_of(user_, epoch)}); }
    Bytes frame() {
        Bytes frame;
        sender_->seal(opus(), frame);
        return frame;
    }
    [[nodiscard]] Bytes opus() const { return {0x78, static_cast<std::uint8_t>(seq_), 1, 2, 3}; }
    [[nodiscard]] std::uint32_t ssrc() const { return ssrc_; }
    rtp::Header header() {
        return {.marker = false, .payload_type = 120, .seq = seq_++, .timestamp = 0, .ssrc = ssrc_};
    }

  private:
    std::uint32_t ssrc_;
    UserId user_;
    std::uint16_t seq_ = 0;
    std::optional<dave::Sender> sender_;
};

class VoiceFramesTest : public testing::Test {
  protected:
    VoiceFramesTest() { frames->expect_sealed(); }
    ~VoiceFramesTest() override { frames->close(); }

    void epoch(int number, std::initializer_list<UserId> members) {
        std::vector<dave::BaseSecret> keys;
        for (const UserId user : members) keys.push_back({user, secret_of(user, number)});
        frames->begin_epoch(std::move(keys), now);
    }
    void hear(const rtp::Header& header, const Bytes& frame) {
        const VoicePacket packet{header, now, frame};
        frames->on_packet(packet);
        now += milliseconds(20);
    }
    void say(Speaker& speaker) {
        const Bytes frame = speaker.frame();
        hear(speaker.header(), frame);
    }
    void say(Speaker& speaker, int times) {
        for (int i = 0; i < times; ++i) say(speaker);
    }
    void wait(nanoseconds time) {
        for (const BootTime end = now + time; now < end; now += milliseconds(250)) frames->tick(now);
    }
    [[nodiscard]] std::size_t opened() const {
        return static_cast<std::size_t>(std::count_if(heard.packets.begin(), heard.packets.end(),
                                                      [](const Heard::Packet& packet) { return !packet.closed; }));
    }
    [[nodiscard]] std::uint64_t closed(Closed why) const { return counts.closed[static_cast<std::size_t>(why)]; }
    [[nodiscard]] std::vector<UserId> bound(std::uint32_t ssrc) const {
        std::vector<UserId> users;
        for (const auto& event : heard.events) {
            const auto* binding = std::get_if<SsrcBound>(&event);
            if (binding != nullptr && binding->ssrc == ssrc) users.push_back(binding->user);
        }
        return users;
    }

    VoiceOptions options;
    VoiceCounts counts;
    Heard heard;
    BootTime now = BootClock::now();
    std::shared_ptr<VoiceFrames> frames = std::make_shared<VoiceFrames>(kSelf, options, heard, counts);
    Speaker anna{1, kAnna};
    Speaker bruno{2, kBruno};
};

}  // namespace lestapenna::discord
