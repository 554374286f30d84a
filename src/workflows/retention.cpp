#include "workflows/retention.h"

#include <algorithm>
#include <iterator>
#include <map>
#include <system_error>
#include <utility>

#include "base/files.h"
#include "base/log.h"
#include "journal/folder.h"
#include "journal/writer.h"
#include "workflows/job_names.h"
#include "workflows/manifest.h"
#include "workflows/master.h"
#include "workflows/sweep_clock.h"

namespace lestapenna::workflows {

namespace {

using catalog::FileStatus;

constexpr std::size_t kMostAskedFor = 16;       ///< one by one; a listing of 1000 costs as much as ten of these
constexpr std::size_t kFailuresUntilAsked = 3;  ///< then the store is asked whether it is there
constexpr std::size_t kMostFailures = 30;
/// Journals on their way out. No session id begins like this.
constexpr std::string_view kLeavingPrefix = ".leaving-";
constexpr std::chrono::hours kOldInCache{24};

/// The store as it is now, of one session. Each object is looked at once.
class Witness {
  public:
    Witness(const Tools& tools, const SessionId& id) : tools_(tools), id_(id) {}

    /// The first of `needs` that is not there as it should be; nothing: all are.
    Result<std::optional<std::string>> missing(const std::vector<Object>& needs) {
        if (needs.size() > kMostAskedFor && !listed_) {
            if (auto list = look_at_all(); !list) return list.error();
        }
        for (const Object& object : needs) {
            auto& known = known_[object.key];
            if (!known) {
                const auto right = is_right(object);
                if (!right) return right.error();
                known = *right;
            }
            if (!*known) return std::optional(object.key);
        }
        return std::optional<std::string>{};
    }

  private:
    Status look_at_all() {
        auto objects = tools_.store.list(store::session_prefix(id_));
        if (!objects) return objects.error();
        listed_.emplace();
        for (const auto& object : *objects) listed_->emplace(object.key.text(), object.bytes);
        return Ok{};
    }
    Result<std::optional<std::uint64_t>> bytes_of(const store::Key& key) {
        if (listed_) {
            const auto found = listed_->find(key.text());
            return found == listed_->end() ? std::nullopt : std::optional(found->second);
        }
        const auto found = tools_.store.find(key);
        if (!found) return found.error();
        return *found ? std::optional((*found)->bytes) : std::nullopt;
    }
    Result<bool> is_right(const Object& object) {
        const auto key = store::Key::parse(object.key);
        if (!key) return false;
        const auto bytes = bytes_of(*key);
        if (!bytes) return bytes.error();
        if (*bytes != static_cast<std::uint64_t>(object.content.bytes)) return false;
        const auto path = tools_.store.local_path(*key);
        if (!path) return true;
        const auto content = content_of(*path);
        if (!content) return content.error();
        return *content == object.content;
    }

    const Tools& tools_;
    const SessionId& id_;
    std::optional<std::map<std::string, std::uint64_t>> listed_;
    std::map<std::string, std::optional<bool>> known_;
};

/// Those of one tier of a session that go for one reason are told of as one.
void tell(Removal removal, SweepReport& report) {
    const auto alike = std::ranges::find_if(report.removals, [&](const Removal& other) {
        return other.session == removal.session && other.tier == removal.tier && other.why == removal.why;
    });
    if (alike == report.removals.end()) {
        report.removals.push_back(std::move(removal));
        return;
    }
    std::ranges::move(removal.keys, std::back_inserter(alike->keys));
    std::ranges::move(removal.needs, std::back_inserter(alike->needs));
    alike->bytes += removal.bytes;
}

/// Of a session that somebody else works on.
void keep_all(Plan plan, std::string_view why, SweepReport& report) {
    for (const Removal& removal : plan.removals) {
        report.kept.push_back({removal.session, removal.tier, removal.keys.size(), std::string(why)});
    }
    report.kept.insert(report.kept.end(), plan.kept.begin(), plan.kept.end());
}

/// Drops what the store does not bear out.
Status verify(Plan& plan, Witness& witness) {
    std::vector<Removal> proven;
    for (Removal& removal : plan.removals) {
        const auto missing = witness.missing(removal.needs);
        if (!missing) return missing.error();
        if (*missing) {
            plan.kept.push_back({removal.session, removal.tier, removal.keys.size(),
                                 "the store does not have " + **missing + " as the catalog knows it"});
        } else {
            proven.push_back(std::move(removal));
        }
    }
    plan.removals = std::move(proven);
    return Ok{};
}

/// Changes the rows of the planned files. `forget`: that they are gone; else: that they go.
Status note(const Tools& tools, const SessionId& id, const std::vector<Removal>& removals, bool forget) {
    std::set<std::string> keys;
    for (const Removal& removal : removals) keys.insert(removal.keys.begin(), removal.keys.end());
    const auto change = [forget](auto& row) {
        row.status = FileStatus::expired;
        if (forget) row.content.reset();
    };
    return tools.catalog.together([&]() -> Status {
        auto chunks = tools.catalog.chunks(id);
        if (!chunks) return chunks.error();
        for (auto& chunk : *chunks) {
            if (!keys.contains(chunk.key)) continue;
            change(chunk);
            if (auto written = tools.catalog.upsert_chunk(chunk); !written) return written;
        }
        auto fragments = tools.catalog.recordings(id);
        if (!fragments) return fragments.error();
        for (auto& fragment : *fragments) {
            if (!keys.contains(fragment.key)) continue;
            change(fragment);
            if (auto written = tools.catalog.upsert_recording(fragment); !written) return written;
        }
        auto master = tools.catalog.master(id);
        if (!master) return master.error();
        if (!*master || !keys.contains((*master)->key)) return Ok{};
        (*master)->expired = true;
        if (forget) (*master)->content.reset();
        return tools.catalog.set_master(**master);
    });
}

Status remove_objects(const Tools& tools, const std::vector<Removal>& removals) {
    for (const Removal& removal : removals) {
        for (const std::string& name : removal.keys) {
            if (tools.work.stopped()) return render::stopped_error();
            const auto key = store::Key::parse(name);
            if (!key) continue;
            if (auto removed = tools.store.remove(*key); !removed) return removed;
            if (removal.tier != Tier::fragments) continue;
            for (const store::Key& words : store::words_beside(name)) {
                if (auto removed = tools.store.remove(words); !removed) return removed;
            }
        }
    }
    return Ok{};
}

/// Chunks, fragments and master.
Status remove_files(const Tools& tools, const SessionId& id, const std::vector<Removal>& removals) {
    if (removals.empty()) return Ok{};
    if (auto marked = note(tools, id, removals, false); !marked) return marked;
    if (auto written = write_manifest(tools, id); !written) return written;
    if (auto removed = remove_objects(tools, removals); !removed) return removed;
    return note(tools, id, removals, true);
}

/// What a kill has left of journals that were on their way out.
void finish_leaving(const Config& config) {
    std::error_code error;
    std::filesystem::directory_iterator entry(journal_root(config), error);
    for (const std::filesystem::directory_iterator end; !error && entry != end; entry.increment(error)) {
        std::error_code kept;  // costs space, not audio; the next sweep tries again
        if (entry->path().filename().native().starts_with(kLeavingPrefix)) {
            std::filesystem::remove_all(entry->path(), kept);
        }
    }
}

/// Errors: locked when somebody goes on with it at this moment.
Status remove_journal(const Tools& tools, const SessionId& id) {
    const auto folder = journal_folder(tools.config, id);
    const auto lock = journal::SessionLock::take(folder);
    if (!lock) return lock.error();
    const auto row = tools.catalog.session(id);
    if (!row) return row.error();
    if (row->status != catalog::SessionStatus::complete) return recorded_error(id);
    const auto root = journal_root(tools.config);
    std::error_code error;
    std::filesystem::rename(folder, root / (std::string(kLeavingPrefix) + id.text()), error);
    if (error) return io_error("remove", folder, error.value());
    if (auto synced = sync_folder(root); !synced) return synced;
    finish_leaving(tools.config);
    return Ok{};
}

Result<Plan> plan_for(const Tools& tools, const SessionId& id, UnixTime now) {
    const auto session = tools.catalog.session(id);
    if (!session) return session.error();
    const auto facts = facts_of(tools, *session);
    if (!facts) return facts.error();
    return plan_removals(*facts, tools.config.retention, now);
}

Status carry_out(const Tools& tools, const SessionId& id, Plan plan, SweepReport& report) {
    std::vector<Removal> files;
    for (Removal& removal : plan.removals) {
        if (removal.tier != Tier::journal) {
            files.push_back(std::move(removal));
            continue;
        }
        auto removed = remove_journal(tools, id);
        if (!removed && removed.error().kind != ErrorKind::locked) return removed;
        if (removed) {
            tell(std::move(removal), report);
        } else {
            plan.kept.push_back({id, Tier::journal, 1, "the session is being recorded"});
        }
    }
    if (auto removed = remove_files(tools, id, files); !removed) return removed;
    for (Removal& removal : files) tell(std::move(removal), report);
    std::ranges::move(plan.kept, std::back_inserter(report.kept));
    return Ok{};
}

Status sweep_session(const Tools& tools, const SessionId& id, const SweepOptions& options, SweepReport& report) {
    auto plan = plan_for(tools, id, options.now.wall);
    if (!plan) return plan.error();
    if (plan->removals.empty()) {
        keep_all(std::move(*plan), "", report);
        return Ok{};
    }
    std::optional<Scratch> alone;
    if (!options.dry_run) {
        auto taken = Scratch::take(tools.config.data.dir / "cache", id);
        if (!taken && taken.error().kind != ErrorKind::locked) return taken.error();
        if (!taken) {
            keep_all(std::move(*plan), "its files are being made", report);
            return Ok{};
        }
        alone.emplace(std::move(*taken));
        plan = plan_for(tools, id, options.now.wall);  // as nobody changes it from here on
        if (!plan) return plan.error();
    }
    Witness witness(tools, id);
    if (auto verified = verify(*plan, witness); !verified) return verified;
    if (!options.dry_run) return carry_out(tools, id, std::move(*plan), report);
    for (Removal& removal : plan->removals) tell(std::move(removal), report);
    std::ranges::move(plan->kept, std::back_inserter(report.kept));
    return Ok{};
}

/// What killed processes have left: folders that nobody holds, files that nobody has written to for a day.
void clean_cache(const Config& config) {
    const auto cache = config.data.dir / "cache";
    const auto now = std::filesystem::file_time_type::clock::now();
    std::error_code error;
    std::filesystem::directory_iterator entry(cache, error);
    for (const std::filesystem::directory_iterator end; !error && entry != end; entry.increment(error)) {
        std::error_code gone;
        const auto id = SessionId::parse(entry->path().filename().native());
        if (entry->is_directory(gone)) {
            if (id) (void)Scratch::take(cache, *id);  // empties and removes it, unless somebody works there
        } else if (now - entry->last_write_time(gone) > kOldInCache && !gone) {
            std::filesystem::remove(entry->path(), gone);
        }
    }
}

/// Of the files in a folder; nothing where there is none.
std::optional<std::int64_t> bytes_in(const std::filesystem::path& folder) {
    std::error_code error;
    std::filesystem::directory_iterator entry(folder, error);
    if (error) return std::nullopt;
    std::int64_t bytes = 0;
    for (const std::filesystem::directory_iterator end; !error && entry != end; entry.increment(error)) {
        std::error_code gone;
        const auto size = entry->file_size(gone);
        if (!gone) bytes += static_cast<std::int64_t>(size);
    }
    return bytes;
}

/// Of an import the end says nothing about our clock.
std::optional<UnixTime> newest_end(const std::vector<catalog::Session>& sessions) {
    std::optional<UnixTime> newest;
    for (const auto& session : sessions) {
        if (session.guild_id && session.end) newest = std::max(newest.value_or(*session.end), *session.end);
    }
    return newest;
}

}  // namespace

catalog::Moment this_moment() {
    const ClockReading clocks = read_clocks();
    return {std::chrono::floor<milliseconds>(clocks.wall), clocks.boot, this_boot()};
}

std::optional<std::int64_t> journal_bytes(const Config& config, const SessionId& id) {
    return bytes_in(journal_folder(config, id));
}

std::int64_t journal_bytes(const Config& config) {
    std::int64_t bytes = 0;
    std::error_code error;
    std::filesystem::directory_iterator entry(journal_root(config), error);
    for (const std::filesystem::directory_iterator end; !error && entry != end; entry.increment(error)) {
        bytes += bytes_in(entry->path()).value_or(0);
    }
    return bytes;
}

Result<Facts> facts_of(const Tools& tools, const catalog::Session& session) {
    Facts facts{session};
    auto chunks = tools.catalog.chunks(session.id);
    if (!chunks) return chunks.error();
    facts.chunks = std::move(*chunks);
    auto fragments = tools.catalog.recordings(session.id);
    if (!fragments) return fragments.error();
    facts.fragments = std::move(*fragments);
    auto master = tools.catalog.master(session.id);
    if (!master) return master.error();
    facts.master = std::move(*master);
    const auto mixed = is_mixed(tools, session.id, facts.fragments);
    if (!mixed) return mixed.error();
    facts.mixed = *mixed;
    const auto tracks = tools.catalog.tracks(session.id);
    if (!tracks) return tracks.error();
    facts.heard = std::ranges::any_of(*tracks, [](const auto& track) { return track.received > track.undecryptable; });
    const auto& queue = tools.config.queue;
    if (queue.url.reveal() != "embedded" || !queue.command.empty()) {
        const auto rows = tools.catalog.transcriptions(session.id);
        if (!rows) return rows.error();
        for (const auto& row : *rows) {
            using enum catalog::TranscriptionStatus;
            if (row.status == waiting || row.status == queued) facts.untranscribed.insert(row.file);
        }
    }
    facts.journal = journal_bytes(tools.config, session.id);
    facts.recorded = journal::is_locked(journal_folder(tools.config, session.id));
    const auto jobs = tools.catalog.open_jobs(session.id);
    if (!jobs) return jobs.error();
    facts.at_work =
        std::ranges::any_of(*jobs, [](const auto& open) { return open.second != catalog::JobStatus::failed; });
    return facts;
}

Status want_sweep(catalog::Catalog& catalog, UnixTime now) {
    const auto before = catalog.sweeps();
    if (!before) return before.error();
    if (!is_sweep_due(*before, now)) return Ok{};
    const auto sessions = catalog.sessions();
    if (!sessions) return sessions.error();
    const auto over = [](const auto& session) { return session.status == catalog::SessionStatus::complete; };
    return std::ranges::any_of(*sessions, over) ? catalog.add_job(retention_job()) : Ok{};
}

Result<SweepReport> sweep(const Tools& tools, const SweepOptions& options) {
    SweepReport report;
    const auto sessions = tools.catalog.sessions();
    if (!sessions) return sessions.error();
    const auto before = tools.catalog.sweeps();
    if (!before) return before.error();
    ClockVerdict clock = judge_clock(*before, options.now, newest_end(*sessions));
    if (!options.dry_run) {
        if (auto noted = tools.catalog.set_sweeps(clock.sweeps); !noted) return noted.error();
    }
    report.doubt = std::move(clock.doubt);
    if (report.doubt) return report;
    if (!options.dry_run) {
        clean_cache(tools.config);
        finish_leaving(tools.config);
    }
    for (const auto& session : *sessions) {
        if (tools.work.stopped()) return render::stopped_error();
        auto swept = sweep_session(tools, session.id, options, report);
        if (swept) continue;
        if (tools.work.stopped()) return swept.error();
        log().warn("retention of session {}: {}", session.id.text(), swept.error().message);
        report.failures.push_back(swept.error());
        const auto failed = report.failures.size();
        if (failed == kMostFailures) break;
        // Old sessions come first: what only they suffer from must not keep the later ones for ever.
        if (failed % kFailuresUntilAsked == 0 && !tools.store.find(store::key(store::ManifestKey{session.id}))) break;
    }
    return report;
}

}  // namespace lestapenna::workflows
