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
constexpr seconds kAgainFirst{1};  ///< to go on, doubled
constexpr seconds kAgainMost{15};
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

/// Its end was asked for, or is there.
bool is_ended(catalog::SessionStatus status) {
    return status != catalog::SessionStatus::recording && status != catalog::SessionStatus::interrupted;
}

bool somebody_is_there(const Core& core, GuildId guild, ChannelId channel) {
    const auto there = core.guilds.in_channel(guild, channel);
    return std::ranges::any_of(there, [&](const discord::VoiceState& state) {
        return state.user != core.self && !core.guilds.is_bot(guild, state.user);
    });
}

recorder::SignTools sign_tools(const Core& core) {
    const Tools& tools = core.tools;
    return {tools.rest, core.guilds, tools.blocking, tools.workflows.catalog, core.self};
}

/// Where it was recorded, when somebody is still there.
std::optional<recorder::Where> where_to_go_on(const Core& core, GuildId guild, const catalog::Session& row) {
    const auto voice = ChannelId::parse(row.channel_id.value_or(""));
    if (!voice || !somebody_is_there(core, guild, *voice)) return std::nullopt;
    const auto text = ChannelId::parse(row.text_channel_id.value_or(""));
    const auto starter = UserId::parse(row.started_by.value_or(""));
    const Language language = parse_language(row.language, default_language(core.config()));
    return recorder::Where{guild, *voice, text.value_or(*voice), starter.value_or(UserId{}),
                           std::string(to_text(language))};
}

/// How a session stands now. Its journal is read only here: each table waits for its own.
struct Standing {
    catalog::Session row;
    std::optional<journal::Unfinished> journal{};  ///< where it may be gone on with
};
Result<Standing> look_at(const workflows::Tools& tools, const SessionId& session) {
    auto row = tools.catalog.session(session);
    if (!row) return row.error();
    Standing standing{std::move(*row)};
    if (!is_ended(standing.row.status)) standing.journal = workflows::to_go_on(tools, session);
    return standing;
}

enum class Verdict : std::uint8_t {
    settled,  ///< it is recorded again, or somebody saw to it meanwhile
    finish,   ///< nobody is there, or it is too late: it is to be finished
    again,    ///< it should go on and can not just now; `Table::returning` says which
};

net::Task<> say_not_yet(CorePtr core, recorder::Where where, SessionId session, recorder::StartTrouble why,
                        std::shared_ptr<bool> told) {
    const Language language = parse_language(where.language, default_language(core->config()));
    discord::OutgoingMessage message;
    message.content = text::not_back_yet(language, session, why, where.voice_channel);
    const auto posted = co_await post(core, where.text_channel, std::move(message));
    *told = posted.ok();
}

net::Task<> say_back_again(CorePtr core, recorder::Where where, SessionId session, milliseconds outage, bool paused) {
    const Language language = parse_language(where.language, default_language(core->config()));
    auto back = text::back_again(language, session, outage);
    co_await tell(core, where.text_channel, text::with_break(language, std::move(back), paused, core->prefix()));
}

/// With the table's turn. `told`: that it can not record yet.
net::Task<Verdict> go_on(CorePtr core, GuildId guild, Orphan orphan, std::shared_ptr<bool> told) {
    Table& table = core->table(guild);
    const SessionId session = orphan.session.id;
    if (table.recorder) co_return table.recorder->session() == session ? Verdict::settled : Verdict::finish;
    const auto look = [session](const workflows::Tools& tools) { return look_at(tools, session); };
    auto standing = co_await off_loop(core, look);
    if (!standing) co_return Verdict::finish;
    // One whose end was asked for is finished; not by us when that was in this process.
    if (is_ended(standing->row.status)) co_return is_ended(orphan.session.status) ? Verdict::finish : Verdict::settled;
    const auto where = where_to_go_on(*core, guild, standing->row);
    if (!where || !standing->journal || core->leaving) co_return Verdict::finish;

    const milliseconds length = standing->journal->last_alive() - standing->row.start;
    const milliseconds outage =
        std::chrono::floor<milliseconds>(standing->journal->silent_for(read_clocks(), this_boot()));
    const bool paused = standing->journal->paused;
    const auto started = co_await start_recording(core, *where, std::move(standing->journal));
    if (started) {
        log().info("session {} goes on after {} ms", session.text(), outage.count());
        net::spawn(core->tools.loop, say_back_again(core, *where, session, outage, paused));
        co_return Verdict::settled;
    }
    const auto why = started.error().what;
    if (why == recorder::StartTrouble::refused || why == recorder::StartTrouble::stopped) co_return Verdict::finish;
    table.returning = Returning{session, *where, length};
    if (!std::exchange(*told, true)) net::spawn(core->tools.loop, say_not_yet(core, *where, session, why, told));
    co_return Verdict::again;
}

/// The table was told that we try: now that we do not any more.
net::Task<> give_up(CorePtr core, Returning returning, bool in_hand) {
    if (!in_hand) co_await finish_later(core, returning.session);
    const recorder::Where& where = returning.where;
    const bool alone = !somebody_is_there(*core, where.guild, where.voice_channel);
    const Language language = parse_language(where.language, default_language(core->config()));
    const auto cause = alone ? recorder::EndCause::empty : recorder::EndCause::refused;
    auto ended = text::ended(language, returning.session, cause, returning.length);
    net::spawn(core->tools.loop, tell(core, where.text_channel, std::move(ended)));
}

/// Until it goes on, or somebody ends it, or it is too late. Others may have the turn between two tries.
net::Task<> keep_trying(CorePtr core, GuildId guild, Orphan orphan, std::shared_ptr<bool> told) {
    for (seconds wait = kAgainFirst;; wait = std::min(2 * wait, kAgainMost)) {
        co_await net::sleep_for(wait);
        if (core->leaving) co_return;
        const Doing doing(core);
        Table& table = core->table(guild);
        const auto turn = co_await table.line.enter();
        if (core->leaving || !table.returning || table.returning->session != orphan.session.id) co_return;
        const Verdict verdict = co_await go_on(core, guild, orphan, told);
        if (core->leaving) co_return;  // the next start finds it again
        if (verdict == Verdict::again) continue;
        auto returning = std::exchange(table.returning, std::nullopt);
        if (verdict == Verdict::finish) co_await give_up(core, std::move(*returning), orphan.in_hand);
        co_return;
    }
}

/// The newest that can be gone on with is; the others are finished.
net::Task<> settle(CorePtr core, GuildId guild, std::vector<Orphan> orphans, bool has_nick) {
    const Doing doing(core);
    Table& table = core->table(guild);
    const auto turn = co_await table.line.enter();
    std::ranges::sort(orphans, std::ranges::greater(), [](const Orphan& orphan) { return orphan.session.start; });
    for (const Orphan& orphan : orphans) {
        if (core->leaving) co_return;
        Verdict verdict = Verdict::finish;
        const auto told = std::make_shared<bool>(false);
        if (!table.returning) verdict = co_await go_on(core, guild, orphan, told);
        if (core->leaving) co_return;  // the next start finds it again
        if (verdict == Verdict::again) net::spawn(core->tools.loop, keep_trying(core, guild, orphan, told));
        if (verdict == Verdict::finish && !orphan.in_hand) co_await finish_later(core, orphan.session.id);
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

net::Task<> finish_later(CorePtr core, SessionId session) {
    log().info("session {} was not ended: it is finished now", session.text());
    static_cast<void>(co_await add_jobs(std::move(core), jobs_at_end(workflows::recover_job(session))));
}

net::Task<> look_back(CorePtr core) {
    auto found = co_await ask_store(core, find_left);  // for what the catalog has lost
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
