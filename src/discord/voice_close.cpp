#include "discord/voice_close.h"

#include <algorithm>
#include <array>
#include <utility>

namespace lestapenna::discord {
namespace {

// One more try with fresh data after what can only be a mistake of ours: perhaps it is one of the server's.
constexpr int kAfterOurMistake = 1;
constexpr int kAfterRefusal = 5;

constexpr auto kRules = std::to_array<std::pair<std::uint16_t, CloseRule>>({
    {4001, {CloseAction::rejoin, kAfterOurMistake, false, "unknown opcode"}},
    {4002, {CloseAction::rejoin, kAfterOurMistake, false, "a payload it could not read"}},
    {4003, {CloseAction::rejoin, kAfterOurMistake, false, "not authenticated"}},
    {4004, {CloseAction::rejoin, kAfterRefusal, false, "the voice token was refused"}},
    {4005, {CloseAction::rejoin, kAfterOurMistake, false, "already authenticated"}},
    {4006, {CloseAction::rejoin, 0, false, "the session is no longer valid"}},
    {4009, {CloseAction::rejoin, 0, false, "the session timed out"}},
    {4011, {CloseAction::rejoin, 0, false, "the server was not found"}},
    {4012, {CloseAction::rejoin, kAfterOurMistake, false, "unknown protocol"}},
    {4013, {CloseAction::resume, 0, false, "the media server crashed"}},
    {4014, {CloseAction::wait, 0, false, "disconnected: moved or removed"}},
    {4015, {CloseAction::resume, 0, false, "the voice server crashed"}},
    {4016, {CloseAction::rejoin, kAfterOurMistake, false, "unknown encryption mode"}},
    {4017,
     {CloseAction::end, 0, false,
      "this channel demands end-to-end encryption (DAVE) in a version that we do not speak, or with "
      "VoiceOptions::dave_version 0 do not offer"}},
    {4020, {CloseAction::rejoin, kAfterOurMistake, false, "bad request"}},
    {4021, {CloseAction::rejoin, 0, true, "rate limited"}},
    {4022, {CloseAction::wait, 0, false, "the call was terminated: moved or removed"}},
});

}  // namespace

CloseRule close_rule(std::uint16_t code) {
    const auto* const found =
        std::find_if(kRules.begin(), kRules.end(), [code](const auto& rule) { return rule.first == code; });
    if (found != kRules.end()) return found->second;
    if (code < 4000) return {CloseAction::resume, 0, false, code == 0 ? "the connection was lost" : "closed"};
    return {CloseAction::rejoin, 0, false, "a close code that is not known"};
}

}  // namespace lestapenna::discord
