#include "bot/registration.h"

#include <algorithm>

#include "base/log.h"
#include "bot/command.h"

namespace lestapenna::bot {

namespace {

using discord::Json;

/// What we do not say at all, Discord may leave out.
bool is_default(const Json& value) {
    return value.is_null() || (value.is_boolean() && !value.get<bool>()) || (value.is_array() && value.empty());
}

/// Every field of `ours` is in `known`, all the way down; options are in a set order.
bool says_all_of(const Json& ours, const Json& known) {
    if (ours.is_object() && known.is_object()) {
        return std::ranges::all_of(ours.items(), [&](const auto& item) {
            const auto field = known.find(item.key());
            return field == known.end() ? is_default(item.value()) : says_all_of(item.value(), *field);
        });
    }
    if (ours.is_array() && known.is_array()) {
        return std::ranges::equal(ours, known, says_all_of);
    }
    return ours == known;
}

}  // namespace

bool same_commands(const Json& ours, const Json& known) {
    if (!ours.is_array() || !known.is_array() || ours.size() != known.size()) return false;
    return std::ranges::all_of(ours, [&](const Json& one) {
        return std::ranges::any_of(known, [&](const Json& other) { return says_all_of(one, other); });
    });
}

net::Task<> register_commands(CorePtr core, discord::ApplicationId application) {
    const Doing doing(core);
    const auto known = co_await core->tools.rest.commands(application);
    const Json ours = slash_commands();
    if ((known && same_commands(ours, *known)) || core->leaving) co_return;
    const auto put = co_await core->tools.rest.put_commands(application, ours, std::nullopt);
    if (put) log().info("the slash commands are registered");
    if (!put) log().warn("the slash commands could not be registered, only typed ones work: {}", put.error().message);
}

}  // namespace lestapenna::bot
