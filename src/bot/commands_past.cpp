#include <set>

#include "base/log.h"
#include "bot/commands.h"
#include "bot/handover.h"
#include "bot/live.h"
#include "bot/summary.h"
#include "workflows/job_names.h"

namespace lestapenna::bot {

namespace {

constexpr std::size_t kMostListed = 10;

/// Nothing: no such session here.
Result<std::optional<Summary>> look_for(const workflows::Tools& tools, GuildId guild, const std::string& argument,
                                        const std::vector<ChannelId>& channels) {
    const auto found = find_session(tools, guild, argument, channels);
    if (!found) return found.error();
    if (!*found) return std::optional<Summary>();
    auto summary = summarise(tools, (*found)->id);
    if (!summary) return summary.error();
    return std::optional<Summary>(std::move(*summary));
}

/// All that can be made of it is in the store, and the store says so now. One that does not answer leaves the question
/// to the job, which can wait.
net::Task<bool> is_there_now(CorePtr core, Summary summary) {
    const auto look = [summary](const workflows::Tools& tools) { return is_whole(tools, summary); };
    const auto whole = co_await ask_store_briefly(core, look);
    if (whole) co_return *whole;
    log().warn("session {}: {}", summary.row.id.text(), whole.error().message);
    co_return false;
}

/// Where a link is shown to who chose a slash command.
Audience audience_of_links(const Core& core) {
    return core.config().discord.links == Links::channel ? Audience::table : Audience::asker;
}

/// A session of this guild that a person named: an error is a broken catalog, or an ending that several have.
std::string no_session(Language language, const Error& error) {
    if (error.kind == ErrorKind::usage) return text::ambiguous_session(language);
    log().warn("a session could not be looked up: {}", error.message);
    return text::something_broke(language);
}

net::Task<> make_and_send(CorePtr core, Conversation talk, SessionId session) {
    const Addressee with = talk.with();
    co_await talk.answer(Audience::asker, text::preparing(with.language, session));
    Addressee waiting = talk.with();
    core->waiting.insert_or_assign({session, with.user}, std::move(waiting));
    auto job = workflows::download_job(session, with.user, payload_of(with));
    Status added = co_await add_job(core, std::move(job));
    if (!added) co_await talk.answer(Audience::asker, text::something_broke(with.language));
}

struct ToRecover {
    std::vector<SessionId> sessions;
    std::set<SessionId> in_hand;  ///< of these: a job for it waits or runs already
};

/// The sessions of a guild that nobody finished, and are not being recorded; or the one that is named.
Result<ToRecover> find_to_recover(const workflows::Tools& tools, GuildId guild, const std::string& argument) {
    ToRecover found;
    if (!argument.empty()) {
        const auto named = find_session(tools, guild, argument, {});
        if (!named) return named.error();
        if (*named) found.sessions.push_back((*named)->id);
        return found;
    }
    const auto orphans = workflows::find_orphans(tools);
    if (!orphans) return orphans.error();
    for (const auto& orphan : *orphans) {
        const auto status = orphan.session.status;
        const bool over = status == catalog::SessionStatus::complete || status == catalog::SessionStatus::failed;
        if (orphan.session.guild_id != guild.text() || over) continue;
        found.sessions.push_back(orphan.session.id);
        if (orphan.in_hand) found.in_hand.insert(orphan.session.id);
    }
    return found;
}

}  // namespace

net::Task<> sessions(CorePtr core, Conversation talk) {
    const Language language = talk.with().language;
    co_await talk.think(Audience::asker);
    const auto look = [guild = talk.with().guild](const workflows::Tools& tools) {
        return list_sessions(tools, guild, kMostListed);
    };
    const auto listed = co_await off_loop(core, look);
    if (!listed) log().warn("the sessions could not be listed: {}", listed.error().message);
    // Named: g++ 12 destroys what ?: makes inside a co_await expression twice.
    auto said =
        listed ? text::sessions(language, *listed, core->prefix_for(talk.with())) : text::something_broke(language);
    co_await talk.answer(Audience::asker, std::move(said));
}

net::Task<> download(CorePtr core, Conversation talk, Asker asker, std::string argument) {
    const Language language = talk.with().language;
    co_await talk.think(audience_of_links(*core));
    std::vector<ChannelId> here{talk.with().channel};
    if (asker.voice_channel) here.push_back(*asker.voice_channel);
    const auto look = [guild = talk.with().guild, argument, here](const workflows::Tools& tools) {
        return look_for(tools, guild, argument, here);
    };
    const auto found = co_await off_loop(core, look);
    const Summary* const summary = found && *found ? &**found : nullptr;
    bool finished = false;
    std::optional<std::string> no;
    if (!found) {
        no = no_session(language, found.error());
    } else if (summary == nullptr) {
        no = argument.empty() ? text::nothing_recorded_here(language, core->prefix_for(talk.with()))
                              : text::unknown_session(language, core->prefix_for(talk.with()));
    } else if (const auto refused = may_download(asker, summary->row, summary->tracks)) {
        no = text::refusal(language, *refused, core->prefix_for(talk.with()));
    } else if (const Table* live = core->table_of(summary->row.id)) {
        no = text::with_break(
            language, text::already_listening(language, summary->row.id, live->where.voice_channel, summary->row.start),
            live->recorder->report().is_paused, core->prefix_for(talk.with()));
    } else if (summary->row.status == catalog::SessionStatus::failed) {  // it never began
        no = text::no_audio(language, summary->row.id);
    } else {
        finished = co_await is_there_now(core, *summary);
        if (finished && !summary->master) no = no_master(language, *summary);
    }
    if (no) {
        co_await talk.answer(Audience::asker, std::move(*no));
        co_return;
    }
    const SessionId session = summary->row.id;
    if (!finished) {
        co_await make_and_send(core, std::move(talk), session);
        co_return;
    }
    const Addressee to = talk.with();
    const std::string nonce = to.message ? "s" + to.message->text() : "";
    const Delivery delivered = co_await hand_over(core, *summary, to, nonce);
    if (delivered == Delivery::later) {
        co_await make_and_send(core, std::move(talk), session);
    } else if (delivered == Delivery::done && !to.interaction && audience_of_links(*core) == Audience::asker) {
        co_await talk.answer(Audience::table, text::see_direct_message(language));
    }
}

net::Task<> recover(CorePtr core, Conversation talk, Asker asker, std::string argument) {
    const Addressee with = talk.with();
    if (const auto refused = may_recover(asker)) {
        co_await talk.answer(Audience::asker, text::refusal(with.language, *refused, core->prefix_for(with)));
        co_return;
    }
    co_await talk.think(Audience::asker);
    const auto look = [guild = with.guild, argument](const workflows::Tools& tools) {
        return find_to_recover(tools, guild, argument);
    };
    auto found = co_await ask_store(core, look);
    if (!found) {
        co_await talk.answer(Audience::asker, no_session(with.language, found.error()));
        co_return;
    }
    auto& lost = found->sessions;
    if (!argument.empty() && lost.empty()) {
        co_await talk.answer(Audience::asker, text::unknown_session(with.language, core->prefix_for(with)));
        co_return;
    }
    std::erase_if(lost, [&](const SessionId& id) { return core->table_of(id) != nullptr; });
    if (lost.empty()) {
        co_await talk.answer(Audience::asker, text::nothing_to_recover(with.language));
        co_return;
    }
    co_await talk.answer(Audience::asker, text::recovering(with.language, lost));
    for (const SessionId& id : lost) {
        Closer closer{talk.with(), asker, true};
        core->closers.insert_or_assign(id, std::move(closer));
        core->reported.erase(id);  // somebody asks: it is told again
        core->handed_over.erase(id);
        if (found->in_hand.contains(id)) continue;
        static_cast<void>(co_await add_jobs(core, jobs_at_end(workflows::recover_job(id))));
    }
}

}  // namespace lestapenna::bot
