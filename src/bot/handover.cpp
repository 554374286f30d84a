#include "bot/handover.h"

#include <fmt/format.h>

#include "base/log.h"
#include "discord/json.h"
#include "store/links.h"

namespace lestapenna::bot {

namespace {

namespace json = discord::json;
using discord::Json;

std::string tail(const std::string& text) {
    constexpr std::size_t kTail = 8;
    return text.substr(text.size() - std::min(text.size(), kTail));
}

/// Of an order: two of one person are two.
std::string ask_of(const Addressee& to) {
    if (to.interaction) return std::to_string(to.interaction->id);
    return to.message ? to.message->text() : "";
}

/// The same for what is done again after a kill, and no other: Discord then gives the message that it has. A session
/// that went on ends anew, and who asks again is told again. At most 25 characters, as Discord wants.
std::string nonce_of(const Core& core, char what, const catalog::Session& row) {
    const auto end = row.end.value_or(row.start).time_since_epoch().count();  // the last 49 days of it are enough
    const auto closer = core.closers.find(row.id);
    const bool again = closer != core.closers.end() && closer->second.asks_again;
    return what + tail(row.id.text()) + tail(fmt::format("{:08x}", end)) +
           (again ? tail(ask_of(closer->second.addressee)) : "");
}

Error try_later(const char* what) {
    return {ErrorKind::failed, std::string("Discord takes no ") + what + " now; it is tried again"};
}

/// From what a job kept; nothing when it is none of ours.
std::optional<Addressee> parse_payload(const std::string& payload, GuildId guild, UserId user, Language otherwise) {
    const auto kept = discord::parse_json(payload);
    if (!kept) return std::nullopt;
    const auto channel = json::id<ChannelId>(*kept, "channel");
    if (!channel) return std::nullopt;
    return Addressee{guild, *channel, user, parse_language(json::text(*kept, "language"), otherwise),
                     json::id<MessageId>(*kept, "message")};
}

ChannelId text_channel_of(const catalog::Session& row) {
    const auto text = ChannelId::parse(row.text_channel_id.value_or(""));
    return text ? *text : ChannelId::parse(row.channel_id.value_or("")).value_or(ChannelId{});
}

GuildId guild_of(const catalog::Session& row) {
    return GuildId::parse(row.guild_id.value_or("")).value_or(GuildId{});
}

/// Whoever ended the session, when they may have it, else whoever started it.
Addressee addressee_of(const Core& core, const Summary& summary) {
    const auto closer = core.closers.find(summary.row.id);
    if (closer != core.closers.end() && !may_download(closer->second.asker, summary.row, summary.tracks))
        return closer->second.addressee;
    Addressee starter;
    starter.guild = guild_of(summary.row);
    starter.channel = text_channel_of(summary.row);
    starter.user = UserId::parse(summary.row.started_by.value_or("")).value_or(UserId{});
    starter.language = parse_language(summary.row.language, default_language(core.config()));
    return starter;
}

/// Without an attachment, or with one that fits the way it goes.
net::Task<discord::OutgoingMessage> compose(CorePtr core, Summary summary, Language language, std::uint64_t limit) {
    discord::OutgoingMessage message;
    const auto now = unix_now();
    const auto name = store::master_name(summary.row.id, summary.row.start);
    const auto link = core->tools.links.make(*summary.master, name, now);
    if (link) {
        const auto expires = now + core->config().store.link_ttl;
        message.content = text::link(language, summary.finished, *link, expires);
        co_return message;
    }
    message.content = text::no_link(language, summary.finished, summary.bytes);
    if (summary.bytes > limit) co_return message;
    const auto read = [summary, limit](const workflows::Tools& tools) { return master_bytes(tools, summary, limit); };
    auto bytes = co_await off_loop(core, read);
    if (!bytes) {
        log().warn("session {}: {}", summary.row.id.text(), bytes.error().message);
        co_return message;
    }
    message.content = text::attached(language, summary.finished);
    discord::File file{name, "audio/mpeg", std::move(*bytes)};
    message.files.push_back(std::move(file));
    co_return message;
}

/// To everybody at the table. Once for each end, but for a process that dies in between: then Discord's memory of the
/// nonce decides.
net::Task<Status> tell_table(CorePtr core, Summary summary) {
    const auto& row = summary.row;
    const auto known = core->reported.find(row.id);
    if (known != core->reported.end() && known->second == row.end) co_return Ok{};
    const Language language = parse_language(row.language, default_language(core->config()));
    summary.finished.stage =
        is_stage(core->guilds, guild_of(row), ChannelId::parse(row.channel_id.value_or("")).value_or(ChannelId{}));
    discord::OutgoingMessage message;
    message.content = text::report(language, summary.finished, core->prefix());
    message.nonce = nonce_of(*core, 'r', row);
    const auto posted = co_await post(core, text_channel_of(row), std::move(message));
    if (!posted && is_passing(posted.error())) co_return try_later("message");
    core->reported.insert_or_assign(row.id, row.end);
    co_return Ok{};
}

net::Task<> tell_waiting(CorePtr core, Addressee to, std::string text) {
    const Doing doing(core);
    discord::OutgoingMessage message;
    message.content = std::move(text);
    if (is_alive(to)) {
        static_cast<void>(co_await confide(core, std::move(to), std::move(message)));
    } else {
        message.reply_to = to.message;
        static_cast<void>(co_await post(core, to.channel, std::move(message)));
    }
}

}  // namespace

std::string payload_of(const Addressee& to) {
    Json kept{{"channel", to.channel.text()}, {"language", std::string(to_text(to.language))}};
    if (to.message) kept["message"] = to.message->text();
    return discord::print_json(kept);
}

net::Task<Delivery> hand_over(CorePtr core, Summary summary, Addressee to, std::string nonce) {
    if (core->gone) co_return Delivery::later;
    auto message = co_await compose(core, summary, to.language, attachment_limit(*core, to));
    message.nonce = nonce;
    Delivery delivered = co_await confide(core, to, std::move(message));
    if (delivered == Delivery::too_large) {
        discord::OutgoingMessage plain;
        plain.content = text::no_link(to.language, summary.finished, summary.bytes);
        plain.nonce = nonce;
        delivered = co_await confide(core, to, std::move(plain));
    }
    if (delivered != Delivery::refused || to.channel == ChannelId{} || to.user == UserId{}) co_return delivered;
    discord::OutgoingMessage closed;
    closed.content = text::direct_messages_closed(to.language, summary.row.id);
    closed.reply_to = to.message;
    static_cast<void>(co_await post(core, to.channel, std::move(closed)));
    co_return delivered;
}

net::Task<Status> report(CorePtr core, SessionId session) {
    const Doing doing(core);
    if (core->leaving) co_return shutting_down();
    // It goes on: its end is told when it comes. While it is ending this may be that end already.
    const Table* table = core->table_of(session);
    if (table != nullptr && table->state != Table::State::ending) co_return Ok{};
    const auto look = [session](const workflows::Tools& tools) { return summarise(tools, session); };
    const auto summary = co_await off_loop(core, look);
    if (!summary) co_return summary.error();
    // A recovery that had to wait for a session that goes on finds all done by that session's own end.
    const auto known = core->handed_over.find(session);
    if (known != core->handed_over.end() && known->second == summary->row.end) co_return Ok{};
    Status told = co_await tell_table(core, *summary);
    if (!told) co_return told;
    const Addressee to = addressee_of(*core, *summary);
    if (summary->master) {
        const Delivery delivered = co_await hand_over(core, *summary, to, nonce_of(*core, 'l', summary->row));
        if (delivered == Delivery::later) co_return core->leaving ? shutting_down() : try_later("private message");
    }
    core->handed_over.insert_or_assign(session, summary->row.end);
    core->closers.erase(session);
    co_return Ok{};
}

net::Task<Status> deliver(CorePtr core, SessionId session, UserId user, std::string payload) {
    const Doing doing(core);
    if (core->leaving) co_return shutting_down();
    const auto look = [session](const workflows::Tools& tools) { return summarise(tools, session); };
    const auto summary = co_await off_loop(core, look);
    if (!summary) co_return summary.error();

    const auto waits = core->waiting.find({session, user});
    std::optional<Addressee> to;
    if (waits != core->waiting.end()) to = waits->second;
    if (!to) to = parse_payload(payload, guild_of(summary->row), user, default_language(core->config()));
    if (!to) co_return Error{ErrorKind::usage, "the download of session " + session.text() + " names nobody"};
    if (summary->master) {
        const auto nonce = nonce_of(*core, 'd', summary->row).substr(0, 17) + tail(ask_of(*to));
        const Delivery delivered = co_await hand_over(core, *summary, *to, nonce);
        if (delivered == Delivery::later) co_return core->leaving ? shutting_down() : try_later("private message");
    } else {
        co_await tell_waiting(core, *to, no_master(to->language, *summary));
    }
    core->waiting.erase({session, user});
    co_return Ok{};
}

void could_not_make(const CorePtr& core, const SessionId& session, const Error& error) {
    if (core->leaving) return;
    log().error("session {}: {}", session.text(), error.message);
    auto& loop = core->tools.loop;
    bool told = false;
    for (auto one = core->waiting.begin(); one != core->waiting.end();) {
        if (one->first.first != session) {
            ++one;
            continue;
        }
        const Addressee to = one->second;
        net::spawn(loop, tell_waiting(core, to, text::could_not_make(to.language, session, error.kind)));
        one = core->waiting.erase(one);
        told = true;
    }
    core->closers.erase(session);
    if (told) return;
    const auto tell_them = [](CorePtr with, SessionId id, ErrorKind why) -> net::Task<> {
        const Doing doing(with);
        const auto find = [id](const workflows::Tools& tools) { return tools.catalog.session(id); };
        const auto row = co_await off_loop(with, find);
        if (!row || text_channel_of(*row) == ChannelId{}) co_return;
        const Language language = parse_language(row->language, default_language(with->config()));
        co_await tell(with, text_channel_of(*row), text::could_not_make(language, id, why));
    };
    net::spawn(loop, tell_them(core, session, error.kind));
}

}  // namespace lestapenna::bot
