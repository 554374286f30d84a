#include "workflows/scan_store.h"

#include <algorithm>
#include <iterator>
#include <set>

#include "base/log.h"
#include "journal/writer.h"
#include "workflows/scan_found.h"

namespace lestapenna::workflows {

namespace {

using catalog::FileStatus;

SessionId flat_session(UnixTime start) {
    auto id = SessionId::parse("flat-" + std::to_string(start.time_since_epoch().count()));
    return std::move(*id);
}

void note(Listed& session, const std::string& key, const StoredName& name, std::uint64_t bytes) {
    session.bytes.emplace(key, bytes);
    if (name.guild) session.guild = name.guild;
    switch (name.tier) {
        case NamedTier::chunk:
        case NamedTier::fragment:
            session.files.push_back({key, name, bytes});
            break;
        case NamedTier::master:
            session.master = key;
            break;
        case NamedTier::transcript:
            session.transcript = key;
            break;
        case NamedTier::manifest:
            session.manifest = bytes;
            break;
        case NamedTier::journal:
            break;
    }
}

using Sessions = std::map<SessionId, Listed>;

Result<Sessions> list_sessions(const Tools& tools, std::vector<std::string>& foreign) {
    const auto objects = tools.store.list("recordings/");  // beside it a shared bucket may hold millions
    if (!objects) return objects.error();
    Sessions sessions;
    std::vector<LooseFile> loose;
    for (const auto& [key, bytes] : *objects) {
        const auto name = read_key(key.text());
        if (!name) {
            foreign.push_back(key.text());
        } else if (name->session) {
            note(sessions[*name->session], key.text(), *name, bytes);
        } else {
            loose.push_back({key.text(), *name, bytes});
        }
    }
    for (const auto& evening : evenings(std::move(loose), tools.config.capture.resume_within)) {
        Listed& session = sessions[flat_session(evening.front().name.start)];
        for (const LooseFile& file : evening) note(session, file.key, file.name, file.bytes);
    }
    return sessions;
}

/// What the catalog has of a session already.
struct Known {
    std::optional<catalog::Session> session{};
    bool tracks = false;
    std::set<std::string> files{};  ///< keys of fragments and chunks
    bool master = false;
    bool transcript = false;
};

Result<Known> known_of(const Tools& tools, const SessionId& id) {
    Known known;
    auto session = tools.catalog.session(id);
    if (!session && session.error().kind == ErrorKind::not_found) return known;
    if (!session) return session.error();
    known.session = std::move(*session);
    const auto tracks = tools.catalog.tracks(id);
    if (!tracks) return tracks.error();
    known.tracks = !tracks->empty();
    const auto recordings = tools.catalog.recordings(id);
    if (!recordings) return recordings.error();
    for (const auto& row : *recordings) known.files.insert(row.key);
    const auto chunks = tools.catalog.chunks(id);
    if (!chunks) return chunks.error();
    for (const auto& row : *chunks) known.files.insert(row.key);
    const auto master = tools.catalog.master(id);
    if (!master) return master.error();
    known.master = master->has_value();
    const auto transcript = tools.catalog.transcript(id);
    if (!transcript) return transcript.error();
    known.transcript = transcript->has_value();
    return known;
}

/// A person's fragment that is back: transcribed, where there is a transcript, else to be. What the bot before us made
/// was transcribed by others, or not at all.
Status queue(const Tools& tools, const catalog::Recording& row, const Found& found, bool transcribed) {
    const auto track = std::ranges::find(found.rows.tracks, row.user, &catalog::Track::user);
    const bool person = track == found.rows.tracks.end() || !track->bot;
    if (!person || row.status != FileStatus::stored || (!transcribed && !found.by_manifest)) return Ok{};
    catalog::Transcription entry{.session = row.session, .file = row.key, .user = row.user, .timestamp = row.start};
    if (auto added = tools.catalog.add_transcription(entry); !added || !transcribed) return added;
    entry.status = catalog::TranscriptionStatus::done;
    return tools.catalog.set_transcription(entry);
}

/// What the catalog does not know yet. Inside together().
Status write(const Tools& tools, const Found& found, const Listed& listed, const Known& known) {
    catalog::Catalog& catalog = tools.catalog;
    const auto& rows = found.rows;
    if (!known.session) {
        if (auto written = catalog.insert_session(rows.session); !written) return written;
    }
    for (const auto& track : rows.tracks) {
        if (known.tracks) break;
        if (auto written = catalog.upsert_track(track); !written) return written;
    }
    for (const auto& row : rows.recordings) {
        if (known.files.contains(row.key)) continue;
        if (auto written = catalog.upsert_recording(row); !written) return written;
        if (auto queued = queue(tools, row, found, listed.transcript.has_value()); !queued) return queued;
    }
    for (const auto& row : rows.chunks) {
        if (known.files.contains(row.key)) continue;
        if (auto written = catalog.upsert_chunk(row); !written) return written;
    }
    if (rows.master && !known.master) {
        if (auto written = catalog.set_master(*rows.master); !written) return written;
    }
    if (!listed.transcript || known.transcript) return Ok{};
    const auto bytes = static_cast<std::int64_t>(listed.bytes.at(*listed.transcript));
    return catalog.set_transcript(rows.session.id, {*listed.transcript, {bytes, ""}});
}

/// What look_at() found, by the place of its session.
struct Looked {
    Known known{};
    std::optional<Found> found{};
    std::vector<std::string> lost{};
};

void append(std::vector<std::string>& to, std::vector<std::string>&& from) {
    std::ranges::move(from, std::back_inserter(to));
}

}  // namespace

Result<Scan> scan_store(const Tools& tools) {
    Scan scan;
    const auto sessions = list_sessions(tools, scan.foreign);
    if (!sessions) return sessions.error();
    std::vector<std::pair<SessionId, const Listed*>> all;
    for (const auto& [id, listed] : *sessions) {
        if (!journal::is_locked(journal_folder(tools.config, id))) all.emplace_back(id, &listed);
    }
    std::vector<Looked> looked(all.size());
    for (std::size_t i = 0; i < all.size(); ++i) {  // the catalog is one thread's
        auto known = known_of(tools, all[i].first);
        if (!known) return known.error();
        looked[i].known = std::move(*known);
    }
    const Status fetched = tools.work.each("reading manifests", all.size(), [&](std::size_t i) -> Status {
        auto found = look_at(tools, all[i].first, *all[i].second, looked[i].known.session, looked[i].lost);
        if (!found) return found.error();
        looked[i].found = std::move(*found);
        return Ok{};
    });
    if (!fetched) return fetched.error();
    std::vector<std::pair<UnixTime, SessionId>> by_start;
    for (std::size_t i = 0; i < all.size(); ++i) {
        append(scan.lost, std::move(looked[i].lost));
        auto& found = looked[i].found;
        if (!found) continue;
        const Status written =
            tools.catalog.together([&] { return write(tools, *found, *all[i].second, looked[i].known); });
        if (!written) return written.error();
        by_start.emplace_back(found->rows.session.start, all[i].first);
        append(scan.damaged, std::move(found->damaged));
        append(scan.lost, std::move(found->lost));
        append(scan.foreign, std::move(found->foreign));
    }
    std::ranges::sort(by_start);
    for (auto& [start, id] : by_start) scan.sessions.push_back(std::move(id));
    return scan;
}

namespace {

/// What the store holds of one session by its manifest. Nothing: there is none that can be read.
Result<std::optional<Found>> find_session(const Tools& tools, const SessionId& id, Listed& listed) {
    const auto manifest = tools.store.find(store::key(store::ManifestKey{id}));
    if (!manifest) return manifest.error();
    if (!*manifest) return std::optional<Found>();
    listed.manifest = (*manifest)->bytes;
    const auto objects = tools.store.list(store::session_prefix(id));
    if (!objects) return objects.error();
    for (const auto& [key, bytes] : *objects) {
        const auto name = read_key(key.text());
        if (name && name->session == id) note(listed, key.text(), *name, bytes);
    }
    std::vector<std::string> nothing_says;
    auto found = look_at(tools, id, listed, std::nullopt, nothing_says);
    if (found && *found && !(*found)->by_manifest) found->reset();
    return found;
}

}  // namespace

Result<catalog::Session> scan_session(const Tools& tools, const SessionId& id, UnixTime start) {
    Listed listed;
    auto looked = find_session(tools, id, listed);
    if (!looked) return looked.error();
    auto& found = *looked;
    if (!found) {
        found = Found{.rows = {{.id = id, .status = catalog::SessionStatus::interrupted}}};
        listed = {};
    }
    found->rows.session.start = start;
    if (const auto wrong = found->damaged.size() + found->lost.size(); wrong > 0) {
        const auto& first = found->lost.empty() ? found->damaged.front() : found->lost.front();
        log().warn("session {} is not as its manifest says in {} places: {}", id.text(), wrong, first);
    }
    const Status written = tools.catalog.together([&] { return write(tools, *found, listed, {}); });
    if (!written) return written.error();
    return std::move(found->rows.session);
}

}  // namespace lestapenna::workflows
