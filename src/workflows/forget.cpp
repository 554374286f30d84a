#include "workflows/forget.h"

#include <algorithm>
#include <functional>
#include <map>
#include <optional>
#include <system_error>
#include <thread>
#include <utility>

#include "base/files.h"
#include "base/log.h"
#include "journal/files.h"
#include "journal/without.h"
#include "journal/writer.h"
#include "workflows/forget_files.h"
#include "workflows/manifest.h"
#include "workflows/master.h"
#include "workflows/rebuild.h"
#include "workflows/transcript.h"

namespace lestapenna::workflows {

namespace {

constexpr milliseconds kLook{200};
/// Who reads the catalog does so for milliseconds; all of it again would cost a look at each journal.
constexpr milliseconds kScrubPatience{30'000};

/// One person's way out of one session after the other.
class Forgetting {
  public:
    Forgetting(Tools tools, Wishes& wishes, UserId user, const ForgetOptions& options)
        : tools_(std::move(tools)), wishes_(wishes), user_(user), options_(options) {}

    Result<Forgotten> all();

  private:
    Status in_session(const SessionId& id);
    Status erase(const SessionId& id, const std::optional<catalog::Session>& row, ForgottenSession& gone);
    Status remove_mixes(const SessionId& id, const std::optional<catalog::Session>& row);
    Status remove_rows(const SessionId& id);
    Status remix(const SessionId& id);
    Result<bool> traced(const SessionId& id, bool known);
    Status when_free(const std::function<Status()>& work, milliseconds patience) const;
    ForgottenSession& row_of(const SessionId& id);

    Tools tools_;
    Wishes& wishes_;
    UserId user_;
    ForgetOptions options_;
    Belongings belongings_;
    Forgotten report_;
};

std::string_view name_of(MasterWithout master) {
    switch (master) {
        case MasterWithout::untouched:
            return "untouched";
        case MasterWithout::remade:
            return "remade";
        case MasterWithout::removed:
            return "removed";
    }
    return "untouched";
}

/// As its end does, or from what is in the store; what is right already is left alone.
Status mix_again(const Tools& tools, const SessionId& id) {
    auto session = Session::open(tools, id);
    if (session) return finish_session(*session);
    const auto kind = session.error().kind;
    if (kind != ErrorKind::not_found && kind != ErrorKind::damaged) return session.error();
    const auto restored = restore(tools, id);
    if (restored) return Ok{};
    // Then there is none: better than one with their voice in it.
    return restored.error().kind == ErrorKind::not_found ? write_manifest(tools, id) : restored.error();
}

bool no_journal(const Error& error) {
    return error.kind == ErrorKind::not_found;
}

}  // namespace

std::string_view to_text(MasterWithout master) {
    return name_of(master);
}

namespace {

/// Tries again what is locked, as long as we have patience.
Status Forgetting::when_free(const std::function<Status()>& work, milliseconds patience) const {
    const auto until = std::chrono::steady_clock::now() + patience;
    for (;;) {
        Status done = work();
        if (done || done.error().kind != ErrorKind::locked) return done;
        if (tools_.work.stopped()) return render::stopped_error();
        if (std::chrono::steady_clock::now() >= until) return done;
        std::this_thread::sleep_for(kLook);
    }
}

ForgottenSession& Forgetting::row_of(const SessionId& id) {
    const auto found = std::ranges::find(report_.sessions, id, &ForgottenSession::session);
    if (found != report_.sessions.end()) return *found;
    return report_.sessions.emplace_back(ForgottenSession{id});
}

/// Is there anything of theirs in this session?
Result<bool> Forgetting::traced(const SessionId& id, bool known) {
    if (known) {
        auto rows = tools_.catalog.knows(id, user_);
        if (!rows || *rows) return rows;
    }
    if (belongings_.holds(id)) return true;
    auto journal = journal::names(journal_folder(tools_.config, id), user_);
    if (!journal && !no_journal(journal.error())) return journal;
    if (journal && *journal) return true;
    return manifest_names(tools_, id, user_);
}

/// What everybody is heard in. Noted first, so that a kill does not lose that it is to be made again.
Status Forgetting::remove_mixes(const SessionId& id, const std::optional<catalog::Session>& row) {
    const auto master = row ? tools_.catalog.master(id) : std::optional<catalog::Master>{};
    if (!master) return master.error();
    const auto key = store::key(store::MasterKey{id});
    const auto there = tools_.store.find(key);
    if (!there) return there.error();
    const auto transcript = row ? tools_.catalog.transcript(id) : std::optional<catalog::Transcript>{};
    if (!transcript) return transcript.error();
    const bool expired = *master && (*master)->expired;
    if ((!expired && (*master || *there)) || *transcript) {
        Wish wish = wishes_.all().at(user_);
        wish.masters.insert(id);
        if (auto noted = wishes_.note(user_, std::move(wish)); !noted) return noted;
    }
    if (auto gone = tools_.store.remove(key); !gone) return gone;
    if (*master && (*master)->key != key.text()) {
        const auto other = store::Key::parse((*master)->key);
        if (auto gone = other ? tools_.store.remove(*other) : Status(Ok{}); !gone) return gone;
    }
    if (auto gone = tools_.store.remove(store::key(store::TranscriptKey{id})); !gone) return gone;
    if (!row) return Ok{};
    return tools_.catalog.together([&]() -> Status {
        // Of one that has expired it stays known that it has.
        auto gone = expired ? tools_.catalog.set_master({.session = id, .key = key.text(), .expired = true})
                            : tools_.catalog.remove_master(id);
        if (gone && *transcript && (*transcript)->content.sha256.empty()) gone = transcribe_again(tools_, id, user_);
        return gone ? tools_.catalog.remove_transcript(id) : gone;
    });
}

Status Forgetting::remove_rows(const SessionId& id) {
    const auto waiting = tools_.catalog.transcriptions(id);
    if (!waiting) return waiting.error();
    for (const auto& one : *waiting) {
        if (one.user == user_ && !one.job.empty()) report_.queued.push_back(one.job);
    }
    return tools_.catalog.together([&]() -> Status {
        if (auto gone = tools_.catalog.forget_user(id, user_); !gone) return gone;
        const auto jobs = tools_.catalog.forget_jobs(id, user_);
        if (!jobs) return jobs.error();
        report_.jobs += *jobs;
        return Ok{};
    });
}

/// Its files and its journal are ours from here on.
Status Forgetting::erase(const SessionId& id, const std::optional<catalog::Session>& row, ForgottenSession& gone) {
    const auto scratch = Scratch::take(tools_.config.data.dir / "cache", id);
    if (!scratch) return scratch.error();
    if (auto there = belongings_.borne_out(tools_, id); !there) return there;
    remove_unfinished(tools_, id);
    auto without = journal::Without::make(journal_folder(tools_.config, id), user_, journal::Files::system());
    if (!without && !no_journal(without.error()) && without.error().kind != ErrorKind::damaged) return without.error();
    if (without && *without) {
        gone.packets += (*without)->taken().packets;
        gone.events += (*without)->taken().events;
    }
    const auto heard = row ? was_heard(tools_.catalog, id, user_) : Result<bool>(true);
    if (!heard) return heard.error();
    if (*heard || gone.packets > 0 || belongings_.holds(id)) {
        if (auto removed = remove_mixes(id, row); !removed) return removed;
    }
    if (without && *without) {
        if (auto put = (*without)->commit(); !put) return put;
    }
    if (auto removed = belongings_.remove(tools_, id, user_, gone); !removed) return removed;
    if (row) {
        if (auto removed = remove_rows(id); !removed) return removed;
        if (auto written = write_manifest(tools_, id); !written) return written;
    } else if (auto written = write_manifest_without(tools_, id, user_); !written) {
        return written;
    }
    if (!without && !no_journal(without.error())) return without.error();
    return Ok{};
}

Status Forgetting::in_session(const SessionId& id) {
    auto found = tools_.catalog.session(id);
    if (!found && found.error().kind != ErrorKind::not_found) return found.error();
    const auto row = found ? std::optional(std::move(*found)) : std::nullopt;
    if (row && row->start > options_.until) return Ok{};
    const auto theirs = traced(id, row.has_value());
    if (!theirs || !*theirs) return theirs ? Status(Ok{}) : theirs.error();
    if (journal::is_locked(journal_folder(tools_.config, id))) {
        report_.recorded.push_back(id);
        return Ok{};
    }
    return erase(id, row, row_of(id));
}

/// All of it from the journal, if there is one; a session that has not ended gets its master at its end.
Status Forgetting::remix(const SessionId& id) {
    ForgottenSession& gone = row_of(id);
    gone.master = MasterWithout::removed;
    const auto row = tools_.catalog.session(id);
    if (!row) return row.error().kind == ErrorKind::not_found ? Status(Ok{}) : row.error();
    auto master = tools_.catalog.master(id);
    if (!master) return master.error();
    const bool expired = *master && (*master)->expired;
    if (expired) gone.master = MasterWithout::untouched;
    if (row->status != catalog::SessionStatus::complete) return Ok{};
    if (!expired) {
        if (auto made = mix_again(tools_, id); !made) return made;
        master = tools_.catalog.master(id);
        if (!master) return master.error();
        if (*master && (*master)->content) gone.master = MasterWithout::remade;
    }
    return make_transcript(tools_, id);
}

Result<Forgotten> Forgetting::all() {
    Wish wish;
    if (const auto before = wishes_.all().find(user_); before != wishes_.all().end()) wish = before->second;
    if (wish.asked == UnixTime{} || options_.until == UnixTime::max()) wish.asked = unix_now();
    if (auto noted = wishes_.note(user_, std::move(wish)); !noted) return noted.error();
    if (auto gone = journal::remove_replaced(journal_root(tools_.config)); !gone) return gone.error();
    auto belongings = Belongings::find(tools_, user_);
    if (!belongings) return belongings.error();
    belongings_ = std::move(*belongings);
    const auto sessions = all_sessions(tools_, belongings_);
    if (!sessions) return sessions.error();

    const auto each = [&](const SessionId& id, const std::function<Status()>& work) -> Status {
        if (tools_.work.stopped()) return render::stopped_error();  // a look at each journal takes minutes
        Status done = when_free(work, options_.patience);
        if (done || done.error().kind == ErrorKind::interrupted) return done;
        report_.undone.push_back({id, done.error().message, done.error().kind});
        return Ok{};
    };
    for (const SessionId& id : *sessions) {
        if (auto done = each(id, [&] { return in_session(id); }); !done) return done.error();
    }
    for (const SessionId& id : std::set(wishes_.all().at(user_).masters)) {
        const auto again = [&]() -> Status {
            if (auto made = remix(id); !made) return made;
            Wish left = wishes_.all().at(user_);
            left.masters.erase(id);
            return wishes_.note(user_, std::move(left));
        };
        if (auto done = each(id, again); !done) return done.error();
    }
    const auto jobs = [&]() -> Status {
        const auto removed = tools_.catalog.forget_jobs(std::nullopt, user_);
        if (!removed) return removed.error();
        report_.jobs += *removed;
        return Ok{};
    };
    if (auto gone = tools_.catalog.together(jobs); !gone) return gone.error();
    remove_drafts(tools_, user_);
    const auto patience = std::max(options_.patience, kScrubPatience);
    if (auto scrubbed = when_free([&] { return tools_.catalog.scrub(); }, patience); !scrubbed) return scrubbed.error();
    // What is recorded now is refused, not put off: who wants it asks again.
    if (report_.undone.empty()) {
        if (auto done = wishes_.remove(user_); !done) return done.error();
    }
    return std::move(report_);
}

}  // namespace

Result<Forgotten> forget(const Tools& tools, Wishes& wishes, UserId user, const ForgetOptions& options) {
    return Forgetting(tools, wishes, user, options).all();
}

Status forget_the_rest(const Tools& tools) {
    auto wishes = Wishes::open(tools.config.data.dir);
    if (!wishes) return wishes.error();
    Status rest = Ok{};
    for (const auto& [user, wish] : std::map(wishes->all())) {
        const auto done = forget(tools, *wishes, user, {.until = wish.asked});
        if (!done) return done.error();
        log().info("a person is forgotten, as was asked before this start: {} sessions", done->sessions.size());
        for (const SessionId& id : done->recorded) log().warn("{}", recorded_error(id).message);
        for (const Undone& one : done->undone) log().warn("session {}: {}", one.session.text(), one.why);
        if (!done->queued.empty())
            log().warn("the queue on Redis may still know {} jobs named after them: remove them there",
                       done->queued.size());
        if (done->undone.empty()) continue;
        // Who makes files is done some time; what fails is tried as often as any job. The catalog keeps this sentence,
        // so it names nobody.
        const bool locked =
            std::ranges::all_of(done->undone, [](const Undone& one) { return one.kind == ErrorKind::locked; });
        if (rest || !locked)
            rest = Error{locked ? ErrorKind::locked : ErrorKind::failed,
                         "somebody is not forgotten everywhere: see the log"};
    }
    return rest;
}

}  // namespace lestapenna::workflows
