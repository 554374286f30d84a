#include "bot/bot.h"

#include <variant>

#include "base/log.h"
#include "bot/commands.h"
#include "bot/core.h"
#include "bot/handover.h"
#include "bot/metrics.h"
#include "bot/registration.h"
#include "bot/restart.h"
#include "bot/text.h"

namespace lestapenna::bot {

namespace {

constexpr int kPlainMessage = 0;
constexpr int kReply = 19;
constexpr std::size_t kMostAtOnce = 16;  // commands of one guild under way; more is no table but a flood
constexpr std::size_t kMostInAll = 512;  // of people who are in no guild, or in one that is not there
// When the process ends; a service manager kills after 90 s, and a call to Discord may take 120 s.
constexpr seconds kTurns{8};     // for who starts or ends something
constexpr seconds kGoodbyes{5};  // for answers that are under way

/// The guild an event is of; nothing: it concerns all.
struct GuildOf {
    std::optional<GuildId> operator()(const discord::Ready& /*event*/) const { return std::nullopt; }
    std::optional<GuildId> operator()(const discord::Resumed& /*event*/) const { return std::nullopt; }
    std::optional<GuildId> operator()(const discord::GuildCreate& event) const { return event.id; }
    std::optional<GuildId> operator()(const discord::GuildUpdate& event) const { return event.id; }
    std::optional<GuildId> operator()(const discord::GuildDelete& event) const { return event.id; }
    std::optional<GuildId> operator()(const discord::ChannelCreate& event) const { return event.channel.guild; }
    std::optional<GuildId> operator()(const discord::ChannelUpdate& event) const { return event.channel.guild; }
    std::optional<GuildId> operator()(const discord::MessageCreate& event) const {
        return event.guild.value_or(GuildId{});
    }
    std::optional<GuildId> operator()(const discord::Interaction& event) const {
        return event.guild.value_or(GuildId{});
    }
    std::optional<GuildId> operator()(const auto& event) const { return event.guild; }
};

net::Task<> converse(CorePtr core, Addressee with, Command command, Asker asker) {
    const Doing doing(core);
    Table& table = core->table(with.guild);
    ++table.conversations;
    co_await obey(core, std::move(with), std::move(command), std::move(asker));
    --table.conversations;
}

net::Task<> say_once(CorePtr core, Addressee with, std::string text) {
    const Doing doing(core);
    Conversation talk(core, std::move(with));
    co_await talk.answer(Audience::asker, std::move(text));
}

// ---- events

struct Hear {
    const CorePtr& core;

    void operator()(const discord::Ready& ready) const {
        core->self = ready.self.id;
        const bool first = !core->logged_in.is_set();
        core->logged_in.set();
        if (first) net::spawn(core->tools.loop, register_commands(core, ready.application));
    }
    void operator()(const discord::GuildCreate& create) const {
        if (!create.unavailable) guild_is_there(core, create.id);
    }
    void operator()(const discord::GuildDelete& gone) const {
        if (!gone.unavailable) guild_is_gone(core, gone.id);
    }
    void operator()(const discord::MessageCreate& message) const {
        const bool typed = message.type == kPlainMessage || message.type == kReply;
        if (!typed || message.webhook || message.author.user.bot || message.author.user.id == core->self) return;
        auto command = parse_message(core->prefix(), message.content);
        if (!command) return;
        Addressee with{message.guild.value_or(GuildId{}), message.channel, message.author.user.id, command->language};
        with.message = message.id;
        take(std::move(with), std::move(*command), message.author);
    }
    void operator()(const discord::Interaction& interaction) const {
        auto command = parse_interaction(interaction);
        if (!command || interaction.author.user.bot) return;
        Addressee with{interaction.guild.value_or(GuildId{}), interaction.channel.value_or(ChannelId{}),
                       interaction.author.user.id, command->language};
        with.interaction = interaction;
        take(std::move(with), std::move(*command), interaction.author);
    }
    void operator()(const auto& /*event*/) const {}

    void take(Addressee with, Command command, const discord::Member& author) const {
        auto& loop = core->tools.loop;
        with.asked = BootClock::now();
        const auto* guild = core->guilds.guild(with.guild);
        if (guild == nullptr || !guild->available) {
            refuse(std::move(with));
            return;
        }
        if (core->table(with.guild).conversations >= kMostAtOnce) return;
        Asker asker{author.user.id, author.roles};
        asker.permissions =
            author.permissions.value_or(permissions_of(*guild, with.guild, author.user.id, author.roles, std::nullopt));
        asker.voice_channel = core->guilds.channel_of(with.guild, author.user.id);
        net::spawn(loop, converse(core, std::move(with), std::move(command), std::move(asker)));
    }
    /// A direct message, or a guild that Discord does not show us: in an outage, or just after a start.
    void refuse(Addressee with) const {
        if (core->doings >= kMostInAll) return;
        auto text = with.guild == GuildId{} ? text::only_in_a_guild(with.language) : text::not_there_yet(with.language);
        net::spawn(core->tools.loop, say_once(core, std::move(with), std::move(text)));
    }
};

// ---- the end

/// The tables at which somebody starts or ends something.
struct Busy {
    explicit Busy(net::Loop& loop) : none(loop) {}
    std::size_t tables = 0;
    net::Signal none;
};

void let_go(Table& table) {
    table.recorder.reset();
    table.state = Table::State::idle;
}

/// What begins is called off; what ends may end.
net::Task<> let_go_in_turn(CorePtr core, GuildId guild, std::shared_ptr<Busy> busy) {
    Table& table = core->table(guild);
    if (auto recorder = table.recorder; recorder && table.state == Table::State::starting)
        static_cast<void>(co_await recorder->stop());
    const auto turn = co_await table.line.enter();
    let_go(table);
    if (--busy->tables == 0) busy->none.set();
}

net::Task<> leave_all(CorePtr core) {
    core->leaving = true;
    const auto busy = std::make_shared<Busy>(core->tools.loop);
    for (auto& [guild, table] : core->tables) {
        if (table.line.is_free()) {
            let_go(table);
        } else {
            ++busy->tables;
            net::spawn(core->tools.loop, let_go_in_turn(core, guild, busy));
        }
    }
    if (busy->tables > 0) static_cast<void>(co_await busy->none.wait_for(kTurns));
    // Behind what the recorders left to do: their journals are closed then, and the nicknames known.
    co_await give_back_nicknames(core);
    if (core->doings > 0) static_cast<void>(co_await core->quiet.wait_for(kGoodbyes));
    if (busy->tables == 0) co_return;
    core->tools.rest.close();
    static_cast<void>(co_await busy->none.wait_for(kGoodbyes));
}

}  // namespace

struct Bot::Impl : Core {
    using Core::Core;
};

Bot::Bot(Tools tools) : impl_(std::make_shared<Impl>(std::move(tools))) {
    net::spawn(impl_->tools.loop, look_back(impl_));
}

Bot::~Bot() {
    impl_->leaving = true;
    impl_->gone = true;
    // The tables themselves stay, for those who stand in their lines or answer yet.
    for (auto& [guild, table] : impl_->tables) table.recorder.reset();
    impl_->logged_in.set();
}

void Bot::on_event(const discord::Event& event) {
    const CorePtr core = impl_;
    core->guilds.apply(event);
    const auto guild = std::visit(GuildOf{}, event);
    for (auto& [id, table] : core->tables) {
        const auto recorder = table.recorder;  // the event may end it
        if (recorder && (!guild || *guild == id)) recorder->on_event(event);
    }
    if (!core->leaving) std::visit(Hear{core}, event);
}

net::Task<> Bot::leave() {
    return leave_all(impl_);
}

net::Task<Status> Bot::report(SessionId session) {
    return bot::report(impl_, std::move(session));
}
net::Task<Status> Bot::deliver(SessionId session, UserId user, std::string payload) {
    return bot::deliver(impl_, std::move(session), user, std::move(payload));
}
void Bot::could_not_make(const SessionId& session, const Error& error) {
    bot::could_not_make(impl_, session, error);
}

bool Bot::ready() const {
    return impl_->logged_in.is_set();
}

std::size_t Bot::recording() const {
    std::size_t count = 0;
    for (const auto& [guild, table] : impl_->tables) count += table.state == Table::State::recording ? 1U : 0U;
    return count;
}

std::vector<Metric> Bot::metrics() const {
    return metrics_of(*impl_);
}

}  // namespace lestapenna::bot
