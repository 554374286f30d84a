// The console's orders about who may do what.
#include "discord/json.h"
#include "sandbox/console.h"
#include "sandbox/console_words.h"

namespace lestapenna::sandbox {

namespace json = discord::json;

namespace {

const std::string kNoPermissions = R"("permissions" must be a number as text, like "3072")";

}  // namespace

Console::Reply Console::add_role(const Json& order) {
    const auto permissions = json::decimal(order, "permissions");
    if (!permissions) return kNoPermissions;
    return Json{{"role_id", discord_.add_role(place_.guild, json::text(order, "name"), *permissions).text()}};
}

Console::Reply Console::set_role(const Json& order) {
    const auto permissions = json::decimal(order, "permissions");
    if (!permissions) return kNoPermissions;
    const discord::RoleId everyone{place_.guild.value};
    discord_.set_role(place_.guild, json::id<discord::RoleId>(order, "role").value_or(everyone), *permissions);
    return Json();
}

Console::Reply Console::change_roles(const Json& order) {
    const auto user = who(order);
    const auto role = json::id<discord::RoleId>(order, "role");
    if (!user || !role) return std::string(R"("user" and "role" must be ids as text)");
    if (name_of(order) == "give_role") {
        discord_.give_role(place_.guild, *user, *role);
    } else {
        discord_.take_role(place_.guild, *user, *role);
    }
    return Json();
}

Console::Reply Console::set_overwrite(const Json& order) {
    discord::Overwrite overwrite{place_.guild.value, true};
    if (const auto role = json::id<discord::RoleId>(order, "role")) overwrite.id = role->value;
    if (const auto user = who(order)) overwrite = {user->value, false};
    overwrite.allow = json::decimal(order, "allow").value_or(0);
    overwrite.deny = json::decimal(order, "deny").value_or(0);
    discord_.set_overwrite(voice_channel(order), overwrite);
    return Json();
}

Console::Reply Console::set_user_limit(const Json& order) {
    const auto limit = json::integer<int>(order, "limit");
    if (!limit || *limit < 0) return std::string(R"("limit" must be a number, 0 or more)");
    discord_.set_user_limit(voice_channel(order), *limit);
    return Json();
}

Console::Reply Console::change_guild(const Json& order) {
    if (const auto owner = json::id<UserId>(order, "owner")) discord_.set_owner(place_.guild, *owner);
    if (const auto tier = json::integer<int>(order, "premium_tier")) discord_.set_premium_tier(place_.guild, *tier);
    if (const auto& locale = json::text(order, "locale"); !locale.empty()) discord_.set_locale(place_.guild, locale);
    return Json();
}

Console::Reply Console::refuse_direct(const Json& order) {
    const auto user = who(order);
    if (!user) return std::string(kNoUser);
    discord_.refuse_direct(*user, on(order, "refuse"));
    return Json();
}

Console::Reply Console::change_members(const Json& order) {
    const auto user = who(order);
    if (!user) return std::string(kNoUser);
    if (name_of(order) == "add_member") {
        discord_.add_member(place_.guild, *user);
    } else {
        discord_.remove_member(place_.guild, *user);
    }
    return Json();
}

}  // namespace lestapenna::sandbox
