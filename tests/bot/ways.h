// A command in each of the four ways it can be given: typed or chosen, in Italian or in English.
#pragma once

#include <ostream>
#include <string>

#include <gmock/gmock.h>

#include "bot/command.h"
#include "bot/text.h"
#include "table.h"

namespace lestapenna::bot {

/// Turns round whatever follows it.
inline const std::string kRightToLeft{'\xE2', '\x80', '\xAE'};

struct Way {
    bool slash = false;
    Language language = Language::it;
};
inline constexpr Way kWays[] = {
    {false, Language::it}, {false, Language::en}, {true, Language::it}, {true, Language::en}};

inline std::string name_of(const Way& way) {
    return std::string(way.slash ? "Slash" : "Typed") + (way.language == Language::it ? "Italian" : "English");
}
inline std::string name_of_case(const testing::TestParamInfo<Way>& test) {
    return name_of(test.param);
}
inline std::ostream& operator<<(std::ostream& out, const Way& way) {
    return out << name_of(way);
}

class CommandTest : public TableTest {
  protected:
    static constexpr std::string_view kPrefix = "$";
    /// How the answer names commands: as they were given.
    static constexpr std::string_view prefix_of(const Way& way) { return way.slash ? "/" : kPrefix; }

    /// What the bot answers. Discord sends a slash command's own name, Italian here, whatever the person sees.
    Posted use(const Way& way, UserId who, Verb verb, const std::string& argument = "",
               std::optional<ChannelId> channel = std::nullopt) {
        if (!way.slash) return ask(who, typed(way, verb, argument), channel);
        return slash(who, std::string(word(verb, Language::it)), options(verb, argument),
                     way.language == Language::it ? "it" : "en-GB", channel);
    }
    static std::string typed(const Way& way, Verb verb, const std::string& argument = "") {
        return std::string(kPrefix) + std::string(word(verb, way.language)) + (argument.empty() ? "" : " ") + argument;
    }
    static Options options(Verb verb, const std::string& argument) {
        if (argument.empty()) return {};
        return {{verb == Verb::note ? "testo" : "sessione", argument}};
    }
    /// A member who may manage the guild.
    UserId manager(const std::string& name, std::size_t guild = 0) {
        const UserId user = person(name);
        direct([&](sandbox::Loopback& discord) {
            const auto role = discord.add_role(stage(guild).guild, "Manager", permission::manage_guild);
            discord.give_role(stage(guild).guild, user, role);
        });
        return user;
    }
    /// A session that this person starts, from the voice channel.
    SessionId record(UserId who) {
        sit(who);
        EXPECT_THAT(type(who, "$ascolta"), testing::HasSubstr("<#" + voice().text() + ">"));
        const auto session = last_session();
        EXPECT_TRUE(session && is_recording_in(voice()));
        return session ? session->id : *SessionId::parse("none");
    }
    std::size_t sessions_known() {
        const auto all = catalog().sessions();
        return all ? all->size() : 0;
    }
};

}  // namespace lestapenna::bot
