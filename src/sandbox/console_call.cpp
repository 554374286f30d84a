// The console's orders about end-to-end encryption.
#include <algorithm>
#include <array>
#include <utility>

#include "discord/json.h"
#include "sandbox/console.h"
#include "sandbox/console_words.h"

namespace lestapenna::sandbox {

namespace json = discord::json;

namespace {

using Json = nlohmann::json;

constexpr std::array kMisbehaviours{
    std::pair{"late_welcome", Misbehaviour::late_welcome},
    std::pair{"spoiled_commit", Misbehaviour::spoiled_commit},
    std::pair{"spoiled_welcome", Misbehaviour::spoiled_welcome},
    std::pair{"foreign_commit", Misbehaviour::foreign_commit},
    std::pair{"duplicate_messages", Misbehaviour::duplicate_messages},
    std::pair{"reordered", Misbehaviour::reordered},
    std::pair{"forged_proposal", Misbehaviour::forged_proposal},
    std::pair{"unknown_user", Misbehaviour::unknown_user},
    std::pair{"proposal_of_epoch_past", Misbehaviour::proposal_of_epoch_past},
    std::pair{"withheld_commit", Misbehaviour::withheld_commit},
};

const std::string kNoCall = "nobody is in that voice channel";

milliseconds span(const Json& order, const char* key, milliseconds otherwise) {
    constexpr std::int64_t kMost = 60'000;
    const auto given = json::integer<std::int64_t>(order, key);
    return given ? milliseconds(std::clamp<std::int64_t>(*given, 0, kMost)) : otherwise;
}

Json counts_of(const DeliveryCounts& counts) {
    return {{"epochs", counts.epochs},   {"transitions", counts.transitions},   {"commits_won", counts.commits_won},
            {"invalid", counts.invalid}, {"commits_lost", counts.commits_lost}, {"key_packages", counts.key_packages},
            {"refused", counts.refused}, {"proposals", counts.proposals},       {"timeouts", counts.timeouts}};
}

}  // namespace

Console::Reply Console::set_encryption(const Json& order) {
    DeliveryOptions options;
    options.enabled = on(order, "enabled");
    options.plain_clients = json::flag(order, "plain_clients");
    options.first_transition_zero = json::flag(order, "first_transition_zero");
    options.sole_member_drops_to_zero = json::flag(order, "sole_member_drops_to_zero");
    options.welcome_whole = json::flag(order, "welcome_whole");
    options.ready_within = span(order, "ready_within_ms", options.ready_within);
    options.batch = span(order, "batch_ms", options.batch);
    options.winner = json::id<UserId>(order, "winner");
    auto& server = discord_.voice_server(voice_channel(order));
    server.set_delivery(options);
    if (auto* const call = server.delivery(place_.guild, voice_channel(order))) call->set_options(options);
    return Json();
}

Console::Reply Console::misbehave(const Json& order) {
    const auto user = who(order);
    if (!user) return std::string(kNoUser);
    const auto how = std::ranges::find(kMisbehaviours, json::text(order, "how"),
                                       [](const auto& known) { return std::string(known.first); });
    if (how == kMisbehaviours.end()) return std::string(R"("how" is none of those that docs/sandbox.md lists)");
    auto* const call = discord_.voice_server(voice_channel(order)).delivery(place_.guild, voice_channel(order));
    if (call == nullptr) return kNoCall;
    call->misbehave(*user, how->second);
    return Json();
}

Console::Reply Console::change_group(const Json& order) {
    auto* const call = discord_.voice_server(voice_channel(order)).delivery(place_.guild, voice_channel(order));
    if (call == nullptr) return kNoCall;
    if (name_of(order) == "reset_group") call->reset();
    if (name_of(order) == "revoke_and_repeat") call->revoke_and_repeat();
    return Json();
}

Console::Reply Console::call(const Json& order) {
    const auto* const call = discord_.voice_server(voice_channel(order)).delivery(place_.guild, voice_channel(order));
    if (call == nullptr) return kNoCall;
    const auto committer = call->committer();
    return Json{{"version", call->version()},
                {"epoch", call->epoch()},
                {"settled", call->settled()},
                {"committer", committer ? Json(committer->text()) : Json(nullptr)},
                {"counts", counts_of(call->counts())}};
}

}  // namespace lestapenna::sandbox
