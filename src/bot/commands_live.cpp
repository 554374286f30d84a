#include "base/log.h"
#include "bot/commands.h"
#include "bot/live.h"
#include "bot/restart.h"
#include "bot/summary.h"
#include "journal/record.h"

namespace lestapenna::bot {

namespace {

using State = Table::State;

/// The channel a table is recorded in by now: we may have been moved.
ChannelId recorded_channel(const Table& table) {
    const ChannelId now = table.recorder->report().channel;
    return now == ChannelId{} ? table.where.voice_channel : now;
}

milliseconds length_of(const Table& table) {
    return unix_now() - table.recorder->start_time();
}

/// For what is done at once, unless somebody starts or ends something just now.
net::Task<> think_if_it_takes_long(Conversation& talk, const Table& table) {
    if (table.state == State::starting || table.state == State::ending) co_await talk.think(Audience::table);
}

/// Why this person may not steer what the table records; nothing: they may.
std::optional<std::string> obstacle_to_steer(const Core& core, const Table& table, const Conversation& talk,
                                             const Asker& asker) {
    const Language language = talk.with().language;
    if (!table.recorder || table.state == State::ending)
        return text::not_recording(language, core.prefix_for(talk.with()));
    const auto refused = may_steer(asker, table.where.started_by, recorded_channel(table));
    if (refused) return text::refusal(language, *refused, core.prefix_for(talk.with()));
    return std::nullopt;
}

/// Why Discord would not let us in at all, so that nobody waits for it.
std::optional<std::string> obstacle_to_join(const Core& core, const Conversation& talk, ChannelId voice) {
    const Addressee& with = talk.with();
    const Obstacles found = obstacles(core.guilds, with.guild, core.self, voice, with.channel);
    if (!found.full && (found.missing_in_voice & (permission::view_channel | permission::connect)) == 0) return {};
    const recorder::StartError error{recorder::StartTrouble::no_answer, "the bot may not connect, or there is no room"};
    return text::could_not_start(with.language, error, found, voice);
}

/// A recovery that closes the connections of a session holds its journal for moments only.
constexpr seconds kHeldAtMost{5};
constexpr milliseconds kLookAgain{200};

struct Begun {
    bool again = false;  ///< it is the channel's last session, that nobody ended
    bool paused = false;
    Result<Ok, recorder::StartError> started = Ok{};
};

/// With the turn of a table that records nothing.
net::Task<Begun> begin(CorePtr core, Addressee with, Asker asker) {
    const ChannelId voice = *asker.voice_channel;
    const BootTime patience = BootClock::now() + kHeldAtMost;
    for (;;) {
        const auto look = [guild = with.guild, voice](const workflows::Tools& tools) {
            return to_go_on_with(tools, guild, voice);
        };
        auto before = co_await off_loop(core, look);
        if (!before) log().warn("whether there is a session to go on with is not known: {}", before.error().message);
        Begun begun;
        if (core->leaving) {
            begun.started = recorder::StartError{recorder::StartTrouble::stopped, "the bot is shutting down"};
            co_return begun;
        }
        recorder::Where where{with.guild, voice, with.channel, asker.user, std::string(to_text(with.language))};
        std::optional<journal::Unfinished> unfinished;
        if (before && *before) {
            const auto first = UserId::parse((*before)->row.started_by.value_or(""));
            where.started_by = first.value_or(asker.user);
            unfinished = std::move((*before)->journal);
            begun.again = true;
            begun.paused = unfinished->paused;
        }
        begun.started = co_await start_recording(core, std::move(where), std::move(unfinished));
        const bool held = !begun.started && begun.started.error().what == recorder::StartTrouble::recorded;
        if (!held || core->leaving || BootClock::now() >= patience) co_return begun;
        co_await net::sleep_for(kLookAgain);
    }
}

/// With the table's turn. What to answer, and to whom.
net::Task<std::pair<Audience, std::string>> listen_in_turn(CorePtr core, Addressee with, Asker asker) {
    using Answer = std::pair<Audience, std::string>;
    Table& table = core->table(with.guild);
    co_await wait_for_end(core, with.guild);
    const std::string_view prefix = core->prefix_for(with);
    if (table.recorder) {
        auto already = text::already_listening(with.language, table.recorder->session(), recorded_channel(table),
                                               table.recorder->start_time());
        const bool paused = table.recorder->report().is_paused;
        co_return Answer(Audience::asker, text::with_break(with.language, std::move(already), paused, prefix));
    }
    const ChannelId voice = *asker.voice_channel;
    const Begun begun = co_await begin(core, with, asker);
    if (!begun.started) {
        const Obstacles found = obstacles(core->guilds, with.guild, core->self, voice, with.channel);
        co_return Answer(Audience::table, text::could_not_start(with.language, begun.started.error(), found, voice));
    }
    if (!table.recorder) co_return Answer(Audience::table, text::something_broke(with.language));
    const SessionId& session = table.recorder->session();
    auto said = begun.again ? text::listening_again(with.language, session, voice, table.recorder->start_time())
                            : text::listening(with.language, session, voice, prefix);
    co_return Answer(Audience::table, text::with_break(with.language, std::move(said), begun.paused, prefix));
}

/// With the table's turn: of a session that a restart tries to go on with. What to answer, and to whom.
net::Task<std::pair<Audience, std::string>> call_off(CorePtr core, Addressee with, Asker asker) {
    using Answer = std::pair<Audience, std::string>;
    Table& table = core->table(with.guild);
    const Returning& returning = *table.returning;
    const auto refused = may_steer(asker, returning.where.started_by, returning.where.voice_channel);
    if (refused) co_return Answer(Audience::asker, text::refusal(with.language, *refused, core->prefix_for(with)));
    const SessionId session = returning.session;
    const milliseconds length = returning.length;
    table.returning.reset();  // nobody tries any more
    Closer closer{with, asker, false};
    closer.addressee.thinking = false;  // by then it is answered
    core->closers.insert_or_assign(session, std::move(closer));
    co_await finish_later(core, session);
    co_return Answer(Audience::table, text::stopped(with.language, session, length));
}

}  // namespace

net::Task<> listen(CorePtr core, Conversation talk, Asker asker) {
    const Addressee with = talk.with();
    Table& table = core->table(with.guild);
    const auto* guild = core->guilds.guild(with.guild);
    const auto refused = may_start(asker, *guild, core->config().discord.start_role);
    std::optional<std::string> no;
    if (refused) {
        no = text::refusal(with.language, *refused, core->prefix_for(with));
    } else if (table.state == State::starting) {
        no = text::busy(with.language);
    } else if (!table.recorder) {
        no = obstacle_to_join(*core, talk, *asker.voice_channel);
    }
    if (no) {
        co_await talk.answer(Audience::asker, std::move(*no));
        co_return;
    }
    const bool recorded = table.state == State::recording;
    if (table.state == State::idle) table.state = State::starting;  // whoever comes next knows
    co_await talk.think(recorded ? Audience::asker : Audience::table);
    auto turn = co_await table.line.enter();
    auto [audience, text] = co_await listen_in_turn(core, with, asker);
    if (!table.recorder) table.state = State::idle;
    turn.over();
    co_await talk.answer(audience, std::move(text));
}

net::Task<> stop(CorePtr core, Conversation talk, Asker asker) {
    const Addressee with = talk.with();
    Table& table = core->table(with.guild);
    std::optional<std::string> no;
    if (table.state != State::starting && !table.returning) no = obstacle_to_steer(*core, table, talk, asker);
    if (no) {
        co_await talk.answer(Audience::asker, std::move(*no));
        co_return;
    }
    co_await talk.think(Audience::table);
    auto turn = co_await table.line.enter();
    if (!table.recorder && table.returning) {
        auto [audience, text] = co_await call_off(core, with, asker);
        turn.over();
        co_await talk.answer(audience, std::move(text));
        co_return;
    }
    no = obstacle_to_steer(*core, table, talk, asker);  // it may have ended while we waited
    if (no) {
        turn.over();
        co_await talk.answer(Audience::asker, std::move(*no));
        co_return;
    }
    auto recorder = table.recorder;
    const SessionId session = recorder->session();
    const milliseconds length = length_of(table);
    Closer closer{with, asker, false};
    closer.addressee.thinking = false;  // by then it is answered
    core->closers.insert_or_assign(session, std::move(closer));
    const Status stopped = co_await recorder->stop();
    recorder.reset();
    if (!stopped) log().error("session {} ended, but {}", session.text(), stopped.error().message);
    turn.over();
    co_await talk.answer(Audience::table, text::stopped(with.language, session, length));
}

net::Task<> pause(CorePtr core, Conversation talk, Asker asker, bool paused) {
    const Language language = talk.with().language;
    Table& table = core->table(talk.with().guild);
    co_await think_if_it_takes_long(talk, table);
    auto turn = co_await table.line.enter();
    auto text = obstacle_to_steer(*core, table, talk, asker);
    const Audience audience = text ? Audience::asker : Audience::table;
    if (!text && paused) {
        text = table.recorder->pause() ? text::paused(language, core->prefix_for(talk.with()))
                                       : text::already_paused(language, core->prefix_for(talk.with()));
    } else if (!text) {
        text = table.recorder->resume() ? text::resumed(language) : text::not_paused(language);
    }
    turn.over();
    co_await talk.answer(audience, std::move(*text));
}

net::Task<> note(CorePtr core, Conversation talk, Asker asker, std::string text) {
    const Language language = talk.with().language;
    Table& table = core->table(talk.with().guild);
    co_await think_if_it_takes_long(talk, table);
    auto turn = co_await table.line.enter();
    auto answer = obstacle_to_steer(*core, table, talk, asker);
    Audience audience = Audience::asker;
    if (answer) {
        // said below
    } else if (text.empty()) {
        answer = text::note_is_empty(language, core->prefix_for(talk.with()));
    } else if (text.size() > journal::kMaxMarkerBytes) {
        answer = text::note_is_too_long(language);
    } else if (table.recorder->note(asker.user, text)) {
        audience = Audience::table;
        answer = text::noted(language, length_of(table));
    } else {
        answer = text::something_broke(language);
    }
    turn.over();
    co_await talk.answer(audience, std::move(*answer));
}

net::Task<> status(CorePtr core, Conversation talk) {
    const Addressee with = talk.with();
    co_await talk.think(Audience::asker);
    const Table& table = core->table(with.guild);
    if (!table.recorder) {
        const auto look = [guild = with.guild](const workflows::Tools& tools) {
            return list_sessions(tools, guild, 1);
        };
        auto last = co_await off_loop(core, look);
        std::optional<catalog::Session> row;
        if (last && !last->empty()) row = std::move(last->front().session);
        // Named: g++ 12 destroys what ?: makes inside a co_await expression twice.
        auto said =
            last ? text::idle(with.language, row, core->prefix_for(with)) : text::something_broke(with.language);
        co_await talk.answer(Audience::asker, std::move(said));
        co_return;
    }
    const recorder::Recorder& recorder = *table.recorder;
    text::Live live{recorder.session(), recorder.start_time(), length_of(table),
                    BootClock::now(),   recorder.report(),     {}};
    const auto look = [id = live.session, heard = live.report.heard](const workflows::Tools& tools) {
        return safety_of(tools, id, heard);
    };
    live.stage = is_stage(core->guilds, with.guild, live.report.channel);
    auto safety = co_await off_loop(core, look);
    if (safety) live.safety = *safety;
    if (!safety) log().warn("what the store has is not known: {}", safety.error().message);
    co_await talk.answer(Audience::asker, text::status(with.language, live));
}

}  // namespace lestapenna::bot
