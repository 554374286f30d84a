#include "bot/live.h"

#include "base/log.h"
#include "bot/restart.h"
#include "bot/text.h"
#include "timeline/timeline.h"
#include "workflows/job_names.h"

namespace lestapenna::bot {

namespace {

using recorder::EndCause;
using recorder::Recorder;

/// A window is closed by a record that comes kClosingDelay after it; there is one each second.
constexpr seconds kWindowCloses = timeline::kClosingDelay + seconds(1);

constexpr seconds kAgainFirst(1);
constexpr seconds kAgainMost(60);

struct Ending {
    recorder::Where where;
    std::shared_ptr<Recorder> recorder;
    EndCause cause{};
    milliseconds length{};
};

/// Tried until it is noted: a full disk is emptied some time. A process that dies before leaves a session that is
/// ending, which the next start finishes.
net::Task<> note_end(CorePtr core, SessionId session) {
    for (seconds wait = kAgainFirst;; wait = std::min(2 * wait, kAgainMost)) {
        const Status added = co_await add_jobs(core, jobs_at_end(workflows::finish_job(session)));
        if (added || core->leaving) co_return;
        co_await net::sleep_for(wait);
    }
}

void let_go(Table& table, const std::shared_ptr<Recorder>& recorder) {
    if (table.recorder != recorder) return;
    table.recorder.reset();
    table.state = Table::State::idle;
}

net::Task<> after_end(CorePtr core, Ending ending) {
    const Doing doing(core);
    const SessionId session = ending.recorder->session();
    net::spawn(core->tools.loop, note_end(core, session));
    if (ending.cause != EndCause::stopped && !core->leaving) {  // who stopped it is answered
        const Language language = parse_language(ending.where.language, default_language(core->config()));
        auto ended = text::ended(language, session, ending.cause, ending.length);
        net::spawn(core->tools.loop, tell(core, ending.where.text_channel, std::move(ended)));
    }
    static_cast<void>(co_await ending.recorder->over());
    log().info("session {} is over", session.text());
    let_go(core->table(ending.where.guild), ending.recorder);
    ending.recorder.reset();
    // Where Discord did not let the Recorder do it.
    net::spawn(core->tools.loop, give_back_nickname(core, ending.where.guild));
}

/// What happens in a session, one overload each.
struct Hear {
    const CorePtr& core;
    Table& table;

    [[nodiscard]] Language language() const {
        return parse_language(table.where.language, default_language(core->config()));
    }
    void tell_table(std::string text) const {
        if (core->leaving) return;
        net::spawn(core->tools.loop, tell(core, table.where.text_channel, std::move(text)));
    }

    void operator()(const recorder::Joined& joined) const {
        if (!joined.bot) tell_table(text::newcomer(language(), joined.name));
    }
    void operator()(const recorder::CannotOpen& closed) const {
        tell_table(text::cannot_open(language(), closed.name, closed.gave_up, core->prefix()));
    }
    void operator()(const recorder::Deafened& deafened) const {
        tell_table(deafened.deaf ? text::deafened(language()) : text::no_longer_deaf(language()));
    }
    void operator()(const recorder::Left& /*left*/) const {
        auto job = workflows::keep_up_job(table.recorder->session(), unix_now() + kWindowCloses);
        const auto add = [](CorePtr with, catalog::NewJob what) -> net::Task<> {
            static_cast<void>(co_await add_job(std::move(with), std::move(what)));
        };
        net::spawn(core->tools.loop, add(core, std::move(job)));
    }
    void operator()(const recorder::Ending& /*ending*/) const { table.state = Table::State::ending; }
    void operator()(const recorder::Unwritten& /*unwritten*/) const { tell_table(text::unwritten(language())); }
    void operator()(const recorder::Ended& ended) const {
        core->totals.add(table.recorder->report());
        const auto length = unix_now() - table.recorder->start_time();
        Ending ending{table.where, table.recorder, ended.cause, length};
        net::spawn(core->tools.loop, after_end(core, std::move(ending)));
    }
};

recorder::Tools recorder_tools(const CorePtr& core, GuildId guild) {
    const Tools& tools = core->tools;
    recorder::Tools made{tools.loop,
                         tools.blocking,
                         tools.rest,
                         core->guilds,
                         tools.workflows.catalog,
                         tools.committer,
                         workflows::journal_root(core->config()),
                         tools.journal,
                         tools.voice,
                         core->self,
                         core->config().capture.empty_end,
                         tools.ask_gateway,
                         {}};
    made.gateway_is_up = tools.gateway_is_up;
    // Holds the Core, whose guilds the recorder reads; the table lets the recorder go, so this is no circle for long.
    made.tell = [core, guild](const recorder::Happening& happening) {
        Table& table = core->table(guild);
        if (table.recorder) std::visit(Hear{core, table}, happening);
    };
    return made;
}

}  // namespace

net::Task<Result<Ok, recorder::StartError>> start_recording(CorePtr core, recorder::Where where,
                                                            std::optional<journal::Unfinished> unfinished) {
    Table& table = core->table(where.guild);
    auto tools = recorder_tools(core, where.guild);
    table.where = where;
    const auto recorder = unfinished ? std::make_shared<Recorder>(std::move(tools), where, std::move(*unfinished))
                                     : std::make_shared<Recorder>(std::move(tools), where);
    table.recorder = recorder;
    table.state = Table::State::starting;
    auto started = co_await recorder->start();
    if (!started) {
        log().warn("session {} did not begin: {}", recorder->session().text(), started.error().message);
        let_go(table, recorder);
        co_return started;
    }
    if (table.state == Table::State::starting) table.state = Table::State::recording;
    if (table.returning && table.returning->session == recorder->session()) table.returning.reset();
    // Due now: the manifest says from the beginning whose evening this is.
    static_cast<void>(co_await add_job(core, workflows::keep_up_job(recorder->session(), unix_now())));
    co_return started;
}

std::vector<catalog::NewJob> jobs_at_end(catalog::NewJob work) {
    std::vector<catalog::NewJob> jobs;
    const SessionId session = *work.session;
    jobs.push_back(std::move(work));
    jobs.push_back(workflows::keep_up_job(session, unix_now()));  // sees that it is over, and does not come again
    return jobs;
}

net::Task<> wait_for_end(CorePtr core, GuildId guild) {
    Table& table = core->table(guild);
    const auto recorder = table.recorder;
    if (!recorder || table.state != Table::State::ending) co_return;
    static_cast<void>(co_await recorder->over());
    let_go(table, recorder);
}

}  // namespace lestapenna::bot
