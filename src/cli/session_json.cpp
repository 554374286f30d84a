#include "cli/session_json.h"

#include <map>
#include <utility>

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

/// Where the object lies on this machine, if it does.
Result<Json> path_json(store::ObjectStore& store, const std::string& text) {
    const auto key = store::Key::parse(text);
    const auto path = key ? store.local_path(*key) : std::nullopt;
    if (!path) return Json(nullptr);
    const auto found = store.find(*key);
    if (!found) return found.error();
    return *found ? Json(path->string()) : Json(nullptr);
}

/// {"user_id", "name", "fragments", "chunks", "packets_..."}
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
            {"packets_undecryptable", count(&catalog::Track::undecryptable)}};
}

Json fragment_json(const catalog::Recording& fragment, Json path) {
    return {{"path", std::move(path)},
            {"key", fragment.key},
            {"link", nullptr},
            {"start_time", unix_ms(fragment.start)},
            {"duration_ms", or_null(fragment.duration)},
            {"loudness_lufs", or_null(fragment.levels.loudness_lufs)},
            {"true_peak_dbtp", or_null(fragment.levels.true_peak_dbtp)},
            {"gain_db", or_null(fragment.gain_db)},
            {"speech_lufs", or_null(fragment.speech_lufs)},
            {"level_flag", or_null(fragment.level_flag)}};
}

Result<Json> master_json(const catalog::Catalog& catalog, store::ObjectStore& store, const SessionId& id) {
    const auto master = catalog.master(id);
    if (!master) return master.error();
    if (!*master) return Json(nullptr);
    auto path = path_json(store, (*master)->key);
    if (!path) return path;
    return Json{{"path", std::move(*path)},
                {"key", (*master)->key},
                {"link", nullptr},
                {"duration_ms", or_null((*master)->duration)},
                {"loudness_lufs", or_null((*master)->levels.loudness_lufs)},
                {"true_peak_dbtp", or_null((*master)->levels.true_peak_dbtp)}};
}

Result<Json> tracks_json(const catalog::Catalog& catalog, store::ObjectStore& store, const SessionId& id) {
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
        auto path = path_json(store, fragment.key);
        if (!path) return path;
        track_of(fragment.user)["fragments"].push_back(fragment_json(fragment, std::move(*path)));
    }
    for (const auto& chunk : *chunks) {
        track_of(chunk.user)["chunks"].push_back(
            {{"key", chunk.key}, {"start_time", unix_ms(chunk.start)}, {"duration_ms", or_null(chunk.duration)}});
    }
    auto array = Json::array();
    for (auto& [user, track] : tracks) array.push_back(std::move(track));
    return array;
}

}  // namespace

Result<Json> session_json(const catalog::Catalog& catalog, store::ObjectStore& store, const catalog::Session& session) {
    auto master = master_json(catalog, store, session.id);
    if (!master) return master;
    auto tracks = tracks_json(catalog, store, session.id);
    if (!tracks) return tracks;
    const auto duration = session.end ? std::optional<milliseconds>(*session.end - session.start) : std::nullopt;
    return Json{{"session", session.id.text()},
                {"guild_id", or_null(session.guild_id)},
                {"channel_id", or_null(session.channel_id)},
                {"status", to_text(session.status)},
                {"start_time", unix_ms(session.start)},
                {"duration_ms", or_null(duration)},
                {"master", std::move(*master)},
                {"tracks", std::move(*tracks)}};
}

Result<Json> session_json(const catalog::Catalog& catalog, store::ObjectStore& store, std::string_view id) {
    const auto known = catalog.resolve(id);
    if (!known) return known.error();
    const auto session = catalog.session(*known);
    if (!session) return session.error();
    return session_json(catalog, store, *session);
}

}  // namespace lestapenna::cli
