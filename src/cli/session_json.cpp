#include "cli/session_json.h"

#include <map>
#include <optional>
#include <utility>

#include "journal/record.h"
#include "store/links.h"
#include "workflows/retention.h"

namespace lestapenna::cli {

namespace {

template <class T>
Json or_null(const std::optional<T>& value) {
    return value ? Json(*value) : Json(nullptr);
}
Json or_null(const std::optional<milliseconds>& length) {
    return length ? Json(length->count()) : Json(nullptr);
}

std::int64_t unix_ms(UnixTime time) {
    return time.time_since_epoch().count();
}

/// Where sessions are read from, and what links are made with.
struct Sources {
    const workflows::Tools& tools;
    std::optional<store::Links> links;
    UnixTime now;
};

Result<Sources> sources(const workflows::Tools& tools) {
    Sources from{tools, std::nullopt, unix_now()};
    if (!store::Links::given_out(tools.config)) return from;
    auto links = store::Links::open(tools.config);
    if (!links) return links.error();
    from.links = std::move(*links);
    return from;
}

/// Where the object is: on this machine, for everybody; null where it is not. Of a bucket the catalog's word is taken:
/// hundreds of questions to a server are no list of sessions.
struct Place {
    std::optional<std::string> path;
    std::optional<std::string> link;
};
Result<Place> place_of(const Sources& from, const std::string& text, std::string_view name, bool stored) {
    const auto key = store::Key::parse(text);
    if (!key) return Place{};
    Place place;
    if (const auto path = from.tools.store.local_path(*key)) {
        const auto found = from.tools.store.find(*key);
        if (!found) return found.error();
        stored = found->has_value();
        if (stored) place.path = path->string();
    }
    if (!stored) return place;
    if (from.links) place.link = from.links->make(*key, name, from.now);
    return place;
}

/// Packets by why they stayed closed.
Json closed_json(const catalog::Track& track) {
    auto reasons = Json::object();
    for (std::size_t reason = 0; reason < track.closed.size(); ++reason) {
        reasons[std::string(to_text(static_cast<journal::ClosedReason>(reason)))] = track.closed[reason];
    }
    return reasons;
}

/// {"user_id", "name", "fragments", "chunks", "packets_...", "undecryptable"}
Json track_json(UserId user, const catalog::Track* track) {
    const auto count = [track](std::int64_t catalog::Track::*packets) {
        return track == nullptr ? Json(nullptr) : Json(track->*packets);
    };
    return {{"user_id", user.text()},
            {"name", track == nullptr ? user.text() : track->name},
            {"fragments", Json::array()},
            {"chunks", Json::array()},
            {"packets_received", count(&catalog::Track::received)},
            {"packets_lost", count(&catalog::Track::lost)},
            {"packets_undecryptable", count(&catalog::Track::undecryptable)},
            {"undecryptable", track == nullptr ? Json(nullptr) : closed_json(*track)}};
}

Json fragment_json(const catalog::Recording& fragment, const Place& place) {
    return {{"path", or_null(place.path)},
            {"key", fragment.key},
            {"link", or_null(place.link)},
            {"start_time", unix_ms(fragment.start)},
            {"duration_ms", or_null(fragment.duration)},
            {"loudness_lufs", or_null(fragment.levels.loudness_lufs)},
            {"true_peak_dbtp", or_null(fragment.levels.true_peak_dbtp)},
            {"gain_db", or_null(fragment.gain_db)},
            {"speech_lufs", or_null(fragment.speech_lufs)},
            {"level_flag", or_null(fragment.level_flag)}};
}

Result<Json> master_json(const Sources& from, const catalog::Session& session) {
    const auto master = from.tools.catalog.master(session.id);
    if (!master) return master.error();
    if (!*master) return Json(nullptr);
    const auto place = place_of(from, (*master)->key, store::master_name(session.id, session.start),
                                (*master)->content && !(*master)->expired);
    if (!place) return place.error();
    return Json{{"path", or_null(place->path)},
                {"key", (*master)->key},
                {"link", or_null(place->link)},
                {"duration_ms", or_null((*master)->duration)},
                {"loudness_lufs", or_null((*master)->levels.loudness_lufs)},
                {"true_peak_dbtp", or_null((*master)->levels.true_peak_dbtp)},
                {"source", (*master)->source ? Json(to_text(*(*master)->source)) : Json(nullptr)}};
}

Result<Json> transcript_json(const Sources& from, const catalog::Session& session) {
    const auto transcript = from.tools.catalog.transcript(session.id);
    if (!transcript) return transcript.error();
    if (!*transcript) return Json(nullptr);
    const std::string& key = (*transcript)->key;
    const auto place = place_of(from, key, store::filename_of(key), true);
    if (!place) return place.error();
    return Json{{"path", or_null(place->path)}, {"key", key}, {"link", or_null(place->link)}};
}

Result<Json> tracks_json(const Sources& from, const SessionId& id) {
    const catalog::Catalog& catalog = from.tools.catalog;
    const auto known = catalog.tracks(id);
    if (!known) return known.error();
    const auto fragments = catalog.recordings(id);
    if (!fragments) return fragments.error();
    const auto chunks = catalog.chunks(id);
    if (!chunks) return chunks.error();

    std::map<UserId, Json> tracks;
    for (const auto& track : *known) tracks.emplace(track.user, track_json(track.user, &track));
    // A catalog rebuilt from the bucket knows files of users that no ledger counted.
    const auto track_of = [&](UserId user) -> Json& {
        return tracks.try_emplace(user, track_json(user, nullptr)).first->second;
    };
    for (const auto& fragment : *fragments) {
        const auto place = place_of(from, fragment.key, store::filename_of(fragment.key),
                                    fragment.status == catalog::FileStatus::stored);
        if (!place) return place.error();
        track_of(fragment.user)["fragments"].push_back(fragment_json(fragment, *place));
    }
    for (const auto& chunk : *chunks) {
        track_of(chunk.user)["chunks"].push_back(
            {{"key", chunk.key}, {"start_time", unix_ms(chunk.start)}, {"duration_ms", or_null(chunk.duration)}});
    }
    auto array = Json::array();
    for (auto& [user, track] : tracks) array.push_back(std::move(track));
    return array;
}

/// {"chunks": {"objects", "bytes"}, "fragments", "masters", "journal_bytes"}
Result<Json> storage_json(const workflows::Tools& tools, const SessionId& id) {
    const auto sizes = tools.catalog.sizes(id);
    if (!sizes) return sizes.error();
    const auto of = [](const catalog::Stored& tier) { return Json{{"objects", tier.objects}, {"bytes", tier.bytes}}; };
    return Json{{"chunks", of(sizes->chunks)},
                {"fragments", of(sizes->fragments)},
                {"masters", of(sizes->masters)},
                {"journal_bytes", or_null(workflows::journal_bytes(tools.config, id))}};
}

Result<Json> object_of(const Sources& from, const catalog::Session& session) {
    auto master = master_json(from, session);
    if (!master) return master;
    auto transcript = transcript_json(from, session);
    if (!transcript) return transcript;
    auto tracks = tracks_json(from, session.id);
    if (!tracks) return tracks;
    auto storage = storage_json(from.tools, session.id);
    if (!storage) return storage;
    const auto duration = session.end ? std::optional<milliseconds>(*session.end - session.start) : std::nullopt;
    return Json{{"session", session.id.text()},
                {"guild_id", or_null(session.guild_id)},
                {"channel_id", or_null(session.channel_id)},
                {"status", to_text(session.status)},
                {"start_time", unix_ms(session.start)},
                {"duration_ms", or_null(duration)},
                {"encryption", session.encryption ? Json(to_text(*session.encryption)) : Json(nullptr)},
                {"privacy_code", session.privacy_code.empty() ? Json(nullptr) : Json(session.privacy_code)},
                {"storage", std::move(*storage)},
                {"master", std::move(*master)},
                {"transcript", std::move(*transcript)},
                {"tracks", std::move(*tracks)}};
}

Result<Json> array_of(const workflows::Tools& tools, const std::vector<catalog::Session>& sessions) {
    const auto from = sources(tools);
    if (!from) return from.error();
    auto objects = Json::array();
    for (const auto& session : sessions) {
        auto object = object_of(*from, session);
        if (!object) return object;
        objects.push_back(std::move(*object));
    }
    return objects;
}

}  // namespace

Result<Json> session_json(const workflows::Tools& tools, std::string_view id) {
    const auto known = tools.catalog.resolve(id);
    if (!known) return known.error();
    const auto session = tools.catalog.session(*known);
    if (!session) return session.error();
    const auto from = sources(tools);
    if (!from) return from.error();
    return object_of(*from, *session);
}

Result<Json> sessions_json(const workflows::Tools& tools, const std::vector<SessionId>& ids) {
    std::vector<catalog::Session> sessions;
    for (const SessionId& id : ids) {
        auto session = tools.catalog.session(id);
        if (!session) return session.error();
        sessions.push_back(std::move(*session));
    }
    return array_of(tools, sessions);
}

Result<Json> sessions_json(const workflows::Tools& tools) {
    const auto sessions = tools.catalog.sessions();
    if (!sessions) return sessions.error();
    return array_of(tools, *sessions);
}

}  // namespace lestapenna::cli
