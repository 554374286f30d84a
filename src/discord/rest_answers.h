// What Discord's answers say, total: any status, headers and body become limits and a value or an error. Pure; any
// thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "discord/json.h"
#include "discord/rest.h"
#include "discord/rest_limits.h"
#include "net/http.h"

namespace lestapenna::discord {

/// X-RateLimit-*, and of a 429 how long to wait: "retry_after" of the body, else Retry-After, else a minute. A 429
/// that is not JSON comes from a proxy before Discord and holds for everything. Waits are cut at a day.
LimitNews limits_of(const net::HttpResponse& answer);

/// An answer of 300 and above. `call` says what was refused: "POST /channels/{channel}/messages".
RestError error_of(std::string_view call, const net::HttpResponse& answer);

/// An answer of 200 that is not what it should be.
RestError malformed_answer(std::string_view call, int status);

// Bodies. Nothing when it is not that.
std::optional<GatewayInfo> parse_gateway_info(const Json& body);
std::optional<OwnApplication> parse_own_application(const Json& body);
/// What is no guild is passed over.
std::optional<std::vector<OwnGuild>> parse_own_guilds(const Json& body);
/// The "id" of a created thing.
template <class Id>
std::optional<Id> parse_created(const Json& body) {
    return json::id<Id>(body, "id");
}

}  // namespace lestapenna::discord
