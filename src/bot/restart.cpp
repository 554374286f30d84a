#include "bot/restart.h"

#include <algorithm>

#include "base/log.h"
#include "bot/live.h"
#include "bot/text.h"
#include "recorder/notice.h"
#include "workflows/job_names.h"

namespace lestapenna::bot {

namespace {

using workflows::Orphan;

constexpr seconds kGiveBackWithin{5};
constexpr seconds kNickAgain{60};  ///< changing one has a hidden limit of its own

/// What an old process left, as found at the start.
struct Left {
    std::vector<Orphan> orphans;
    std::vector<catalog::FormerNick> nicks;
};
Result<Left> find_left(const workflows::Tools& tools) {
    auto orphans = workflows::find_orphans(tools);
    if (!orphans) return orphans.error();
    auto nicks = tools.catalog.remembered_nicks();
    if (!nicks) return nicks.error();
    return Left{std::move(*orphans), std::move(*nicks)};
}

bool somebody_is_there(const Core& core, GuildId guild, ChannelId channel) {
    const auto there = core.guilds.in_channel(guild, channel);
    return std::ranges::any_of(there, [&](const discord::VoiceState& state) {
        return state.user != core.self && !core.guilds.is_bot(guild, state.user);
    });
}

net::Task<> finish_later(CorePtr core, SessionId session) {
    log().info("session {} was not ended: it is finished now", session.text());
    static_cast<void>(co_await add_jobs(std::move(core), jobs_at_end(workflows::recover_job(session))));
}

recorder::SignTools sign_tools(const Core& core) {
    const Tools& tools = core.tools;
    return {tools.rest, core.guilds, tools.blocking, tools.workflows.catalog, core.self};
}

/// Where it was recorded, when somebody is still there who did not end it.
std::optional<recorder::Where> where_to_go_on(const Core& core, GuildId guild, const catalog::Session& row) {
    const auto voice = ChannelId::parse(row.channel_id.value_or(""));
    if (!voice || row.status == catalog::SessionStatus::ending) return std::nullopt;
    if (!somebody_is_there(core, guild, *voice)) return std::nullopt;
    const auto text = ChannelId::parse(row.text_channel_id.value_or(""));
    const auto starter = UserId::parse(row.started_by.value_or(""));
    const Language language = parse_language(row.language, default_language(core.config()));
    return recorder::Where{guild, *voice, text.value_or(*voice), starter.value_or(UserId{}),
                           std::string(to_text(language))};
}

/// The newest that can be gone on with is; true when it records again.
net::Task<bool> go_on(CorePtr core, recorder::Where where, journal::Unfinished journal) {
    const milliseconds outage = unix_now() - journal.last_alive();
    const Language language = parse_language(where.language, default_language(core->config()));
    const auto started = co_await start_recording(core, where, std::move(journal));
    const Table& table = core->table(where.guild);
    if (!started || !table.recorder) co_return started.ok();
    const SessionId session = table.recorder->session();
    log().info("session {} goes on after {} ms", session.text(), outage.count());
    net::spawn(core->tools.loop, tell(core, where.text_channel, text::back_again(language, session, outage)));
    co_return true;
}

/// Its journal is read only now: each table waits for its own.
net::Task<bool> go_on_if_young(CorePtr core, recorder::Where where, SessionId session) {
    const auto read = [session](const workflows::Tools& tools) {
        return Result<std::optional<journal::Unfinished>>(workflows::to_go_on(tools, session));
    };
    auto journal = co_await off_loop(core, read);
    if (!journal || !*journal) co_return false;
    const bool goes_on = co_await go_on(core, where, std::move(**journal));
    co_return goes_on;
}

net::Task<> settle(CorePtr core, GuildId guild, std::vector<Orphan> orphans, bool has_nick) {
    const Doing doing(core);
    Table& table = core->table(guild);
    auto turn = co_await table.line.enter();
    std::ranges::sort(orphans, std::ranges::greater(), [](const Orphan& orphan) { return orphan.session.start; });
    for (Orphan& orphan : orphans) {
        if (core->leaving) co_return;
        const SessionId session = orphan.session.id;
        if (table.recorder && table.recorder->session() == session) continue;  // somebody was quicker
        bool goes_on = false;
        const auto where = table.recorder ? std::nullopt : where_to_go_on(*core, guild, orphan.session);
        if (where) goes_on = co_await go_on_if_young(core, *where, session);
        if (core->leaving) co_return;  // the next start finds it again
        if (!goes_on && !orphan.in_hand) co_await finish_later(core, session);
    }
    if (has_nick && !table.recorder) net::spawn(core->tools.loop, give_back_nickname(core, guild));
}

/// We are not in that guild any more: what it left is finished all the same.
net::Task<> finish_all(CorePtr core, std::vector<Orphan> orphans) {
    const Doing doing(core);
    for (const Orphan& orphan : orphans) {
        if (!orphan.in_hand) co_await finish_later(core, orphan.session.id);
    }
}

template <class Map, class Value>
Value take_out(Map& from, GuildId guild, Value otherwise) {
    auto node = from.extract(guild);
    return node.empty() ? std::move(otherwise) : Value(std::move(node.mapped()));
}

}  // namespace

net::Task<> look_back(CorePtr core) {
    auto found = co_await off_loop(core, find_left);
    if (!found) {
        log().error("what the last process left is not known: {}", found.error().message);
        co_return;
    }
    co_await core->logged_in.wait();
    if (core->gone) co_return;
    for (auto& orphan : found->orphans) {
        // An import is of no guild: whoever began it ends it.
        if (const auto guild = GuildId::parse(orphan.session.guild_id.value_or("")))
            core->orphans[*guild].push_back(std::move(orphan));
    }
    for (const auto& nick : found->nicks) {
        if (const auto guild = GuildId::parse(nick.guild_id)) core->nicks.insert(*guild);
    }
    core->looked_back = true;
    for (const GuildId guild : core->guilds.ids()) {
        if (core->guilds.guild(guild)->available) guild_is_there(core, guild);
    }
    std::vector<GuildId> strange;
    for (const auto& [guild, left] : core->orphans) {
        if (core->guilds.guild(guild) == nullptr) strange.push_back(guild);
    }
    for (const GuildId guild : strange) guild_is_gone(core, guild);
}

void guild_is_there(const CorePtr& core, GuildId guild) {
    if (!core->looked_back || core->leaving) return;
    auto orphans = take_out(core->orphans, guild, std::vector<Orphan>());
    const bool has_nick = core->nicks.erase(guild) > 0;
    if (orphans.empty() && !has_nick) return;
    net::spawn(core->tools.loop, settle(core, guild, std::move(orphans), has_nick));
}

void guild_is_gone(const CorePtr& core, GuildId guild) {
    auto orphans = take_out(core->orphans, guild, std::vector<Orphan>());
    if (orphans.empty() || core->leaving) return;
    net::spawn(core->tools.loop, finish_all(core, std::move(orphans)));
}

net::Task<> give_back_nickname(CorePtr core, GuildId guild) {
    for (;;) {
        {
            const Doing doing(core);
            Table& table = core->table(guild);
            const auto turn = co_await table.line.enter();
            // A session that has begun meanwhile gives it back when it is over.
            if (core->leaving || table.recorder) co_return;
            const auto tools = sign_tools(*core);
            const auto given = co_await recorder::give_back_nick(tools, guild);
            if (given != recorder::GivenBack::later) co_return;
        }
        co_await net::sleep_for(kNickAgain);
        if (core->leaving) co_return;
    }
}

net::Task<> give_back_nicknames(CorePtr core) {
    const auto find = [](const workflows::Tools& tools) { return tools.catalog.remembered_nicks(); };
    const auto nicks = co_await off_loop(core, find);
    if (!nicks || nicks->empty()) co_return;
    // All at once, and not for longer than a service manager waits: what is left is for the next start.
    const auto left = std::make_shared<std::size_t>(nicks->size());
    const auto all_done = std::make_shared<net::Signal>(core->tools.loop);
    const auto one = [](CorePtr with, GuildId guild, std::shared_ptr<std::size_t> more,
                        std::shared_ptr<net::Signal> done) -> net::Task<> {
        const auto tools = sign_tools(*with);
        static_cast<void>(co_await recorder::give_back_nick(tools, guild));
        if (--*more == 0) done->set();
    };
    for (const auto& nick : *nicks) {
        const auto guild = GuildId::parse(nick.guild_id).value_or(GuildId{});
        net::spawn(core->tools.loop, one(core, guild, left, all_done));
    }
    static_cast<void>(co_await all_done->wait_for(kGiveBackWithin));
}

}  // namespace lestapenna::bot
