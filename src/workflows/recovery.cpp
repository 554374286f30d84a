#include "workflows/recovery.h"

#include <algorithm>
#include <map>
#include <set>
#include <system_error>
#include <variant>

#include <sys/stat.h>

#include "base/log.h"
#include "journal/reader.h"
#include "journal/writer.h"
#include "workflows/job_names.h"
#include "workflows/master.h"
#include "workflows/rebuild.h"
#include "workflows/scan_store.h"

namespace lestapenna::workflows {

namespace {

using catalog::SessionStatus;

/// A wall clock that is set, and files keep the time that it was: more is not believed.
constexpr std::chrono::hours kMayBeSet{6};

/// Sessions that have a journal, whatever it is worth.
std::set<SessionId> journaled(const Config& config) {
    std::set<SessionId> found;
    std::error_code error;
    std::filesystem::directory_iterator entry(journal_root(config), error);
    for (const std::filesystem::directory_iterator end; !error && entry != end; entry.increment(error)) {
        std::error_code gone;
        const auto id = SessionId::parse(entry->path().filename().native());
        if (id && entry->is_directory(gone)) found.insert(*id);
    }
    return found;
}

bool touched_since(const std::filesystem::path& folder, UnixTime then) {
    std::error_code error;
    std::filesystem::directory_iterator entry(folder, error);
    for (const std::filesystem::directory_iterator end; !error && entry != end; entry.increment(error)) {
        struct stat info {};
        if (::stat(entry->path().c_str(), &info) != 0) continue;
        if (UnixTime{milliseconds{info.st_mtim.tv_sec * 1000 + 999}} >= then) return true;
    }
    return false;
}

/// By the head of a journal.
Result<UnixTime> time_zero(const std::filesystem::path& folder) {
    auto reader = journal::Reader::open(folder);
    if (!reader) return reader.error();
    while (std::holds_alternative<journal::Damage>(reader->next())) continue;
    if (!reader->segments().empty()) return reader->segments().front().session_start;
    return Error{ErrorKind::damaged, "nothing in " + folder.string() + " can be read as a journal"};
}

/// What the catalog has lost, by the manifest and the journal.
Result<catalog::Session> bring_back(const Tools& tools, const SessionId& id) {
    const auto start = time_zero(journal_folder(tools.config, id));
    if (!start) return start.error();
    return scan_session(tools, id, *start);
}

Result<bool> is_in_hand(const Tools& tools, const SessionId& id) {
    const auto jobs = tools.catalog.open_jobs(id);
    if (!jobs) return jobs.error();
    return std::ranges::any_of(*jobs, [](const auto& open) {
        const auto& [job, status] = open;
        return status != catalog::JobStatus::failed && (job.name == kFinishJob || job.name == kRecoverJob);
    });
}

bool over(SessionStatus status) {
    return status == SessionStatus::complete || status == SessionStatus::failed;
}

/// Nothing when it is no orphan. `row`: as the catalog has it.
Result<std::optional<Orphan>> look_at(const Tools& tools, const SessionId& id, std::optional<catalog::Session> row) {
    const auto nothing = std::optional<Orphan>{};
    if (row && over(row->status)) return nothing;
    if (journal::is_locked(journal_folder(tools.config, id))) return nothing;
    if (!row) {
        auto back = bring_back(tools, id);
        if (!back) return back.error();
        if (over(back->status)) return nothing;
        row = std::move(*back);
    }
    const auto in_hand = is_in_hand(tools, id);
    if (!in_hand) return in_hand.error();
    return std::optional(Orphan{std::move(*row), *in_hand});
}

/// There is nothing in its journal: what the store has is brought back, without that it has failed.
Status do_without_journal(const Tools& tools, const SessionId& id, const Error& why) {
    const auto restored = restore(tools, id);
    if (restored) return Ok{};
    if (restored.error().kind != ErrorKind::not_found) return restored.error();
    log().warn("session {} has failed: {}; {}", id.text(), why.message, restored.error().message);
    return tools.catalog.set_status(id, SessionStatus::failed);
}

bool nothing_readable(const Error& error) {
    return error.kind == ErrorKind::not_found || error.kind == ErrorKind::damaged;
}

}  // namespace

Result<std::vector<Orphan>> find_orphans(const Tools& tools) {
    auto rows = tools.catalog.sessions();
    if (!rows) return rows.error();
    std::map<SessionId, std::optional<catalog::Session>> known;
    for (const SessionId& id : journaled(tools.config)) known.try_emplace(id);
    for (auto& row : *rows) {
        const SessionId id = row.id;
        known.insert_or_assign(id, std::move(row));
    }
    std::vector<Orphan> orphans;
    for (auto& [id, row] : known) {
        auto orphan = look_at(tools, id, std::move(row));
        if (orphan && *orphan) orphans.push_back(std::move(**orphan));
        // One that is broken keeps nobody else's table waiting.
        if (!orphan) log().warn("session {} is not recovered: {}", id.text(), orphan.error().message);
    }
    std::ranges::sort(orphans, {}, [](const Orphan& o) { return std::pair(o.session.start, o.session.id); });
    return orphans;
}

std::optional<journal::Unfinished> to_go_on(const Tools& tools, const SessionId& id) {
    const auto folder = journal_folder(tools.config, id);
    const milliseconds within = tools.config.capture.resume_within;
    if (!touched_since(folder, unix_now() - within - kMayBeSet)) return std::nullopt;
    auto journal = journal::read_unfinished(folder);
    if (!journal) {
        log().warn("the journal of session {} can not be read: {}", id.text(), journal.error().message);
        return std::nullopt;
    }
    if (journal->ended || journal->silent_for(read_clocks(), this_boot()) > within) return std::nullopt;
    return std::move(*journal);
}

Status finish_orphan(const Tools& tools, journal::Committer& committer, const SessionId& id) {
    const auto row = tools.catalog.session(id);
    if (!row) return row.error();
    if (journal::is_locked(journal_folder(tools.config, id))) return recorded_error(id);
    const auto journal = journal::read_unfinished(journal_folder(tools.config, id));
    if (!journal)
        return nothing_readable(journal.error()) ? do_without_journal(tools, id, journal.error()) : journal.error();
    if (!journal->ended) {
        const auto root = journal_root(tools.config);
        if (auto closed = journal::close_connections(committer, root, *journal); !closed) return closed;
    }
    auto session = Session::open(tools, id);
    if (!session) return session.error();
    if (session->timeline().connections.empty() && session->timeline().damages.empty()) {
        return do_without_journal(tools, id, {ErrorKind::failed, "nobody was heard in it"});
    }
    return finish_session(*session);
}

}  // namespace lestapenna::workflows
