#include "recorder/notice.h"

#include <algorithm>
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

std::string notice_text(std::string_view language, ChannelId voice, const SessionId& session) {
    const std::string_view id = session.text();
    const auto ending = id.substr(id.size() - std::min<std::size_t>(id.size(), 6));
    return fmt::format(
        fmt::runtime(language == "en" ? "🔴 Recording <#{}>: whoever speaks there is recorded. Session `{}`."
                                      : "🔴 Registro <#{}>: chi parla lì viene registrato. Sessione `{}`."),
        voice.text(), ending);
}

std::string recording_nick(std::string_view name) {
    return std::string(kMark).append(cut_to_units(without_sign(name), kMaxNickUnits - kMark.size()));
}

std::string_view without_sign(std::string_view name) {
    while (name.starts_with(kMark)) name.remove_prefix(kMark.size());
    return name;
}

std::optional<std::string> former_nick(const discord::Member& member) {
    const std::string_view own = without_sign(member.nick);
    // The gateway may still show what we made of a name that was no nickname.
    if (own.empty() || member.nick == recording_nick(member.user.display())) return std::nullopt;
    return std::string(own);
}

namespace {

const discord::Member* ourselves(const SignTools& tools, GuildId guild) {
    const auto* const known = tools.guilds.guild(guild);
    if (known == nullptr) return nullptr;
    const auto member = known->members.find(tools.self);
    return member == known->members.end() ? nullptr : &member->second;
}

/// Refused for what it is, and not for when it was asked.
bool is_final(const discord::RestError& error) {
    return error.status >= 400 && error.status < 500 && error.status != 401 && error.status != 429;
}

net::Task<> forget(SignTools tools, GuildId guild) {
    auto work = [&catalog = tools.catalog, guild] { return catalog.forget_nick(guild.text()); };
    const Status forgotten = co_await tools.blocking.run(std::move(work));
    if (!forgotten) log().warn("a nickname that was given back stays noted: {}", forgotten.error().message);
}

/// Errors: one clause that says why.
net::Task<Status> mark_nick(SignTools tools, GuildId guild) {
    const auto* const member = ourselves(tools, guild);
    catalog::FormerNick former{guild.text(), member == nullptr ? std::nullopt : former_nick(*member)};
    // What an earlier session has not given back yet is what we had before; true: it is from now.
    auto work = [&catalog = tools.catalog, former = std::move(former)]() -> Result<bool> {
        const auto noted = catalog.remembered_nicks();
        if (!noted) return noted.error();
        const auto same = [&](const catalog::FormerNick& one) { return one.guild_id == former.guild_id; };
        if (std::ranges::any_of(*noted, same)) return false;
        if (auto remembered = catalog.remember_nick(former); !remembered) return remembered.error();
        return true;
    };
    const auto fresh = co_await tools.blocking.run(std::move(work));
    if (!fresh) co_return fresh.error();
    std::optional<std::string> wanted(recording_nick(tools.guilds.name_of(guild, tools.self)));
    const auto named = co_await tools.rest.set_own_nickname(guild, std::move(wanted));
    if (named) co_return Ok{};
    // An answer that was lost may have been a yes: then it is given back like one.
    if (*fresh && is_final(named.error())) co_await forget(tools, guild);
    co_return Error{ErrorKind::failed, why(named.error(), "Change Nickname")};
}

}  // namespace

net::Task<Result<Sign>> put_up_sign(SignTools tools, Announcement what) {
    Sign sign;
    sign.channel = what.text;
    const Status named = co_await mark_nick(tools, what.guild);
    sign.nickname = named.ok();
    if (!named) log().info("no [REC] nickname: {}", named.error().message);
    if (what.again && sign.nickname) co_return sign;

    discord::OutgoingMessage message;
    message.content = notice_text(what.language, what.voice, what.session);
    const auto posted = co_await tools.rest.create_message(what.text, std::move(message));
    if (posted) {
        sign.notice = *posted;
        co_return sign;
    }
    const std::string unposted = why(posted.error(), "Send Messages");
    log().warn("no notice of recording: {}", unposted);
    if (sign.nickname) co_return sign;
    co_return Error{ErrorKind::failed,
                    fmt::format("nothing is recorded without a visible sign, and none could be put up: no notice "
                                "in <#{}> ({}), no [REC] nickname ({}); give one of the two and start again",
                                what.text.text(), unposted, named.error().message)};
}

net::Task<GivenBack> give_back_nick(SignTools tools, GuildId guild) {
    auto work = [&catalog = tools.catalog] { return catalog.remembered_nicks(); };
    const auto noted = co_await tools.blocking.run(std::move(work));
    if (!noted) {
        log().warn("the nickname to give back in guild {} is not known: {}", guild.text(), noted.error().message);
        co_return GivenBack::later;
    }
    const auto former = std::ranges::find(*noted, guild.text(), &catalog::FormerNick::guild_id);
    if (former == noted->end()) co_return GivenBack::yes;
    std::optional<std::string> nick(former->nick);
    const auto restored = co_await tools.rest.set_own_nickname(guild, std::move(nick));
    if (restored || restored.error().status == 404) {
        co_await forget(tools, guild);
        co_return GivenBack::yes;
    }
    log().warn("the [REC] nickname could not be taken away in guild {}: {}", guild.text(),
               why(restored.error(), "Change Nickname"));
    co_return is_final(restored.error()) ? GivenBack::never : GivenBack::later;
}

net::Task<> take_down_sign(SignTools tools, GuildId guild, Sign sign, bool recorded) {
    static_cast<void>(co_await give_back_nick(tools, guild));
    if (sign.notice && !recorded) {
        const auto deleted = co_await tools.rest.delete_message(sign.channel, *sign.notice);
        if (!deleted) log().warn("the notice of recording could not be taken away: {}", deleted.error().message);
    }
}

}  // namespace lestapenna::recorder
