// How the words of a console's order are read. Pure; any thread.
#pragma once

#include <optional>
#include <string>

#include <nlohmann/json.hpp>

#include "base/ids.h"
#include "discord/json.h"

namespace lestapenna::sandbox {

/// Whom an order is about; any of these words will do.
inline std::optional<UserId> who(const nlohmann::json& order) {
    for (const char* const word : {"user", "bot", "person"}) {
        if (const auto id = discord::json::id<UserId>(order, word)) return id;
    }
    return std::nullopt;
}

/// On, unless it says off: {"do":"mute_udp","user":..} mutes.
inline bool on(const nlohmann::json& order, const char* key) {
    return discord::json::field(order, key) == nullptr || discord::json::flag(order, key);
}

inline const std::string& name_of(const nlohmann::json& order) {
    return discord::json::text(order, "do");
}

inline constexpr const char* kNoUser = R"("user" must be an id as text)";

}  // namespace lestapenna::sandbox
