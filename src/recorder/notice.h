// The visible sign that a session is being recorded: a notice in a channel, and "[REC]" before our nickname.
//
// The nickname we had is in the catalog before it is changed, and leaves it after it was given back, so that no kill
// keeps it from coming back: give_back_nick() at the next start finds what is left.
//
// Thread: the loop's; the catalog is used by the blocking thread. Ownership: what SignTools name outlives the calls.
// Errors: put_up_sign() only when neither could be put up.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/ids.h"
#include "base/result.h"
#include "catalog/catalog.h"
#include "discord/guilds.h"
#include "discord/rest.h"
#include "net/blocking.h"

namespace lestapenna::recorder {

struct SignTools {
    discord::Rest& rest;
    const discord::Guilds& guilds;
    net::Blocking& blocking;
    catalog::Catalog& catalog;
    UserId self;
};

/// Of what, and where it is said.
struct Announcement {
    GuildId guild;
    ChannelId voice;
    ChannelId text;
    SessionId session;
    std::string language;  ///< it, en
    bool again = false;    ///< its notice was posted by an earlier process: the nickname is enough now
};

/// What of the sign stands.
struct Sign {
    ChannelId channel;
    std::optional<MessageId> notice;
    bool nickname = false;
};

/// What the notice says: in English for "en", else in Italian.
std::string notice_text(std::string_view language, ChannelId voice, const SessionId& session);
/// "[REC] name", at most 32 characters (Discord's limit; UTF-16 units are counted, the strictest reading).
std::string recording_nick(std::string_view name);
/// A name without the sign: what a killed process may have left.
std::string_view without_sign(std::string_view name);
/// The nickname to give back to whom the gateway shows like this: nothing for one who has none but for the sign.
std::optional<std::string> former_nick(const discord::Member& member);

/// Changes the nickname and posts the notice. Fails when both do, naming the permissions that are missing.
net::Task<Result<Sign>> put_up_sign(SignTools tools, Announcement what);

/// Gives the nickname back; deletes the notice too when nothing was recorded. What fails is logged, and the catalog
/// keeps the nickname for give_back_nick().
net::Task<> take_down_sign(SignTools tools, GuildId guild, Sign sign, bool recorded);

enum class GivenBack : std::uint8_t {
    yes,    ///< also when there was nothing to give back
    later,  ///< Discord, or the catalog, refuses for now (429, 5xx, no answer): call it again in a minute
    never,  ///< we may not change it any more: it stays in the catalog for the next start
};
/// Gives back the nickname that the catalog remembers for this guild, if any, and forgets it there (also when we are
/// not in the guild any more). For what an earlier process left, or a Recorder could not give back; not while a
/// Recorder of this guild is at work.
net::Task<GivenBack> give_back_nick(SignTools tools, GuildId guild);

}  // namespace lestapenna::recorder
