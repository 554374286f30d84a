#include "bot/conversation.h"

#include "base/log.h"
#include "bot/text.h"
#include "discord/limits.h"

namespace lestapenna::bot {

namespace {

constexpr std::chrono::minutes kTokenLives{14};  // Discord: 15
constexpr int kTooLarge = 40'005;

bool in_channel(const Core& core) {
    return core.config().discord.links == Links::channel;
}

Delivery delivery_of(const discord::RestError& error) {
    if (error.status == 413 || error.code == kTooLarge) return Delivery::too_large;
    return is_passing(error) ? Delivery::later : Delivery::refused;
}

net::Task<Delivery> write_directly(CorePtr core, UserId user, discord::OutgoingMessage message) {
    if (core->gone) co_return Delivery::later;
    message.reply_to.reset();
    const auto channel = co_await core->tools.rest.open_direct_channel(user);
    if (!channel) {
        log().warn("no direct message to user {}: {}", user.text(), channel.error().message);
        co_return delivery_of(channel.error());
    }
    const auto posted = co_await post(core, *channel, std::move(message));
    co_return posted ? Delivery::done : delivery_of(posted.error());
}

/// By the interaction's token: as its announced answer, or after it.
net::Task<discord::RestResult<>> write_hidden(CorePtr core, Addressee to, discord::OutgoingMessage message) {
    message.ephemeral = true;
    auto& rest = core->tools.rest;
    discord::RestResult<> sent = Ok{};
    if (to.thinking) {
        sent = co_await rest.edit_reply(*to.interaction, std::move(message));
    } else {
        sent = co_await rest.follow_up(*to.interaction, std::move(message));
    }
    if (!sent) log().warn("a hidden answer to user {} was not delivered: {}", to.user.text(), sent.error().message);
    co_return sent;
}

}  // namespace

bool is_alive(const Addressee& to) {
    return to.interaction && BootClock::now() - to.asked < kTokenLives;
}

std::uint64_t attachment_limit(const Core& core, const Addressee& to) {
    if (!is_alive(to) && !in_channel(core)) return discord::largest_file(0);
    const auto* guild = core.guilds.guild(to.guild);
    return discord::largest_file(guild == nullptr ? 0 : guild->premium_tier);
}

net::Task<Delivery> confide(CorePtr core, Addressee to, discord::OutgoingMessage message) {
    if (core->gone) co_return Delivery::later;
    if (is_alive(to)) {
        const auto sent = co_await write_hidden(core, to, message);
        if (sent) co_return Delivery::done;
        if (delivery_of(sent.error()) == Delivery::too_large) co_return Delivery::too_large;
    }
    if (in_channel(*core)) {
        message.reply_to = to.message;
        const auto posted = co_await post(core, to.channel, std::move(message));
        co_return posted ? Delivery::done : delivery_of(posted.error());
    }
    if (to.user == UserId{}) co_return Delivery::refused;
    const Delivery written = co_await write_directly(core, to.user, std::move(message));
    co_return written;
}

// ---- answers

net::Task<> Conversation::think(Audience audience) {
    if (!with_.interaction || core_->gone) co_return;
    const auto taken = co_await core_->tools.rest.defer(*with_.interaction, audience == Audience::asker);
    with_.thinking = taken.ok();
    if (!taken) log().warn("Discord did not wait for the answer to a command: {}", taken.error().message);
}

net::Task<> Conversation::answer(Audience audience, std::string text) {
    discord::OutgoingMessage message;
    message.content = std::move(text);
    if (!with_.interaction) {
        co_await answer_message(std::move(message));
        co_return;
    }
    const bool taken = co_await answer_interaction(audience, message);
    if (taken) co_return;
    if (audience == Audience::table) {
        static_cast<void>(co_await post(core_, with_.channel, std::move(message)));
    } else {
        static_cast<void>(co_await write_directly(core_, with_.user, std::move(message)));
    }
}

net::Task<bool> Conversation::answer_interaction(Audience audience, discord::OutgoingMessage message) {
    if (core_->gone || !is_alive(with_)) co_return false;
    message.ephemeral = audience == Audience::asker;
    auto& rest = core_->tools.rest;
    const auto& to = *with_.interaction;
    discord::RestResult<> sent = Ok{};
    if (with_.thinking) {
        sent = co_await rest.edit_reply(to, std::move(message));
    } else if (answered_) {
        sent = co_await rest.follow_up(to, std::move(message));
    } else {
        sent = co_await rest.reply(to, std::move(message));
    }
    with_.thinking = false;
    answered_ = true;
    if (!sent) log().warn("an answer to user {} was not delivered: {}", with_.user.text(), sent.error().message);
    co_return sent.ok();
}

net::Task<> Conversation::answer_message(discord::OutgoingMessage message) {
    message.reply_to = with_.message;
    const auto posted = co_await post(core_, with_.channel, message);
    if (posted || is_passing(posted.error())) co_return;
    // We may not write there: who asked should know why nothing seems to happen.
    static_cast<void>(co_await write_directly(core_, with_.user, std::move(message)));
}

}  // namespace lestapenna::bot
