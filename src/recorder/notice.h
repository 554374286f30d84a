// The visible sign that a session is being recorded: a notice in a channel, and "[REC]" before our nickname.
// Thread: the loop's. Errors: only when neither could be put up.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/ids.h"
#include "base/result.h"
#include "discord/guilds.h"
#include "discord/rest.h"

namespace lestapenna::recorder {

/// What of the sign stands, and how to undo it.
struct Sign {
    ChannelId channel;
    std::optional<MessageId> notice;
    bool nickname = false;
    std::optional<std::string> former_nick;  ///< nothing: we had none
};

/// What the notice says, in the guild's language: Italian, unless its locale is another.
std::string notice_text(std::string_view locale, ChannelId voice, const SessionId& session);
/// "[REC] name", at most 32 characters (Discord's limit; UTF-16 units are counted, the strictest reading).
std::string recording_nick(std::string_view name);
/// A name without the sign: what a killed process may have left.
std::string_view without_sign(std::string_view name);

/// Posts the notice and changes the nickname. Fails when both do, naming the permissions that are missing.
net::Task<Result<Sign>> put_up_sign(discord::Rest& rest, const discord::Guilds& guilds, UserId self, GuildId guild,
                                    ChannelId voice, ChannelId channel, SessionId session);

/// Gives the nickname back; deletes the notice too when nothing was recorded. What fails is logged.
net::Task<> take_down_sign(discord::Rest& rest, GuildId guild, Sign sign, bool recorded);

}  // namespace lestapenna::recorder
