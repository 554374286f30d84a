#include "recorder/notice.h"

#include <utility>

#include <fmt/format.h>

#include "base/log.h"

namespace lestapenna::recorder {

namespace {

constexpr std::string_view kMark = "[REC] ";
constexpr std::size_t kMaxNickUnits = 32;

/// UTF-16 units that a UTF-8 sequence beginning with `lead` takes; 0 for a continuation byte.
std::size_t utf16_units(char lead) {
    const auto byte = static_cast<unsigned char>(lead);
    if ((byte & 0xC0U) == 0x80U) return 0;
    return byte >= 0xF0U ? 2 : 1;
}

std::string_view cut_to_units(std::string_view text, std::size_t most) {
    std::size_t units = 0;
    for (std::size_t i = 0; i < text.size(); ++i) {
        units += utf16_units(text[i]);
        if (units > most) return text.substr(0, i);
    }
    return text;
}

constexpr int kMissingAccess = 50'001;
constexpr int kMissingPermissions = 50'013;

std::string why(const discord::RestError& error, std::string_view permission) {
    if (error.code == kMissingAccess || error.code == kMissingPermissions || error.status == 403)
        return fmt::format("the bot lacks the permission \"{}\"", permission);
    return error.message;
}

}  // namespace

std::string notice_text(std::string_view locale, ChannelId voice, const SessionId& session) {
    const std::string_view id = session.text();
    const auto ending = id.substr(id.size() - std::min<std::size_t>(id.size(), 6));
    const bool italian = locale.empty() || locale.starts_with("it");
    return fmt::format(fmt::runtime(italian ? "🔴 Registro <#{}>: chi parla lì viene registrato. Sessione `{}`."
                                            : "🔴 Recording <#{}>: whoever speaks there is recorded. Session `{}`."),
                       voice.text(), ending);
}

std::string recording_nick(std::string_view name) {
    return std::string(kMark).append(cut_to_units(without_sign(name), kMaxNickUnits - kMark.size()));
}

std::string_view without_sign(std::string_view name) {
    while (name.starts_with(kMark)) name.remove_prefix(kMark.size());
    return name;
}

net::Task<Result<Sign>> put_up_sign(discord::Rest& rest, const discord::Guilds& guilds, UserId self, GuildId guild,
                                    ChannelId voice, ChannelId channel, SessionId session) {
    Sign sign;
    sign.channel = channel;
    std::string locale;
    if (const auto* known = guilds.guild(guild)) {
        locale = known->preferred_locale;
        const auto member = known->members.find(self);
        if (member != known->members.end() && !member->second.nick.empty()) {
            const auto former = without_sign(member->second.nick);
            if (!former.empty()) sign.former_nick = former;
        }
    }
    const std::string nick = recording_nick(guilds.name_of(guild, self));

    discord::OutgoingMessage message;
    message.content = notice_text(locale, voice, session);
    const auto posted = co_await rest.create_message(channel, std::move(message));
    if (posted) sign.notice = *posted;
    std::optional<std::string> wanted(nick);
    const auto named = co_await rest.set_own_nickname(guild, std::move(wanted));
    sign.nickname = named.ok();
    if (!posted && !named) {
        co_return Error{
            ErrorKind::failed,
            fmt::format("nothing is recorded without a visible sign, and none could be put up: no notice "
                        "in <#{}> ({}), no [REC] nickname ({}); give one of the two and start again",
                        channel.text(), why(posted.error(), "Send Messages"), why(named.error(), "Change Nickname"))};
    }
    if (!posted) log().warn("no notice of recording, only the nickname: {}", why(posted.error(), "Send Messages"));
    if (!named) log().info("no [REC] nickname, only the notice: {}", why(named.error(), "Change Nickname"));
    co_return sign;
}

net::Task<> take_down_sign(discord::Rest& rest, GuildId guild, Sign sign, bool recorded) {
    if (sign.nickname) {
        const auto restored = co_await rest.set_own_nickname(guild, std::move(sign.former_nick));
        if (!restored) log().warn("the [REC] nickname could not be taken away: {}", restored.error().message);
    }
    if (sign.notice && !recorded) {
        const auto deleted = co_await rest.delete_message(sign.channel, *sign.notice);
        if (!deleted) log().warn("the notice of recording could not be taken away: {}", deleted.error().message);
    }
}

}  // namespace lestapenna::recorder
