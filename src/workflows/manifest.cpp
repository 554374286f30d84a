#include "workflows/manifest.h"

#include <map>

#include <nlohmann/json.hpp>

#include "base/files.h"
#include "journal/record.h"

namespace lestapenna::workflows {

namespace {

using Json = nlohmann::ordered_json;

std::int64_t unix_ms(UnixTime time) {
    return time.time_since_epoch().count();
}

template <class T>
Json or_null(const std::optional<T>& value) {
    return value ? Json(*value) : Json(nullptr);
}
Json or_null(const std::optional<milliseconds>& length) {
    return length ? Json(length->count()) : Json(nullptr);
}
Json or_null(const std::optional<UnixTime>& time) {
    return time ? Json(unix_ms(*time)) : Json(nullptr);
}

Json text_or_null(const std::string& text) {
    return text.empty() ? Json(nullptr) : Json(text);
}

/// `row` has content.
template <class Row>
Json file(const Row& row, UnixTime start) {
    return {{"key", row.key},
            {"bytes", row.content->bytes},
            {"sha256", text_or_null(row.content->sha256)},
            {"start_time", unix_ms(start)},
            {"duration_ms", or_null(row.duration)},
            {"made_by", text_or_null(row.recipe)}};
}

Json levels(Json file, const catalog::Levels& levels) {
    file["loudness_lufs"] = or_null(levels.loudness_lufs);
    file["true_peak_dbtp"] = or_null(levels.true_peak_dbtp);
    return file;
}

Json fragment_json(const catalog::Recording& row) {
    auto json = levels(file(row, row.start), row.levels);
    json["gain_db"] = or_null(row.gain_db);
    json["speech_lufs"] = or_null(row.speech_lufs);
    json["level_flag"] = or_null(row.level_flag);
    return json;
}

Json master_json(const catalog::Master& row, UnixTime start) {
    auto json = levels(file(row, start), row.levels);
    json["source"] = row.source ? Json(to_text(*row.source)) : Json(nullptr);
    return json;
}

Json packets_json(const catalog::Track& track) {
    auto closed = Json::object();
    for (std::size_t reason = 0; reason < track.closed.size(); ++reason) {
        closed[std::string(to_text(static_cast<journal::ClosedReason>(reason)))] = track.closed[reason];
    }
    return {{"received", track.received},        {"lost", track.lost},     {"late", track.late},
            {"duplicate", track.duplicate},      {"parked", track.parked}, {"concealed", track.concealed},
            {"undecryptable", std::move(closed)}};
}

template <class Row>
bool is_there(const Row& row) {
    return row.status == catalog::FileStatus::stored && row.content;
}

/// A place to write one, or to fetch it to; removed with the object.
Result<PendingFile> temporary_manifest(const Tools& tools, const SessionId& id) {
    const auto cache = tools.config.data.dir / "cache";
    if (auto made = make_folders(cache); !made) return made.error();
    return PendingFile::create(cache / (id.text() + ".json"));
}

Json user_json(UserId user, const std::string& name, bool bot) {
    return {{"user_id", user.text()},     {"name", name},           {"bot", bot}, {"connections", Json::array()},
            {"fragments", Json::array()}, {"chunks", Json::array()}};
}

Result<Json> users_json(const catalog::Catalog& catalog, const SessionId& id) {
    const auto tracks = catalog.tracks(id);
    if (!tracks) return tracks.error();
    const auto fragments = catalog.recordings(id);
    if (!fragments) return fragments.error();
    const auto chunks = catalog.chunks(id);
    if (!chunks) return chunks.error();

    std::map<UserId, Json> users;
    for (const auto& track : *tracks) {
        auto json = user_json(track.user, track.name, track.bot);
        json["packets"] = packets_json(track);
        users.emplace(track.user, std::move(json));
    }
    const auto user = [&](UserId of) -> Json& {
        return users.try_emplace(of, user_json(of, of.text(), false)).first->second;
    };
    for (const auto& row : *fragments) {
        user(row.user)["connections"].push_back({{"start_time", unix_ms(row.start)},
                                                 {"duration_ms", or_null(row.duration)},
                                                 {"expired", row.status == catalog::FileStatus::expired}});
        if (is_there(row)) user(row.user)["fragments"].push_back(fragment_json(row));
    }
    for (const auto& row : *chunks) {
        if (is_there(row)) user(row.user)["chunks"].push_back(file(row, row.start));
    }
    auto all = Json::array();
    for (auto& [of, json] : users) all.push_back(std::move(json));
    return all;
}

}  // namespace

Result<std::string> manifest_text(const catalog::Catalog& catalog, const SessionId& id) {
    const auto session = catalog.session(id);
    if (!session) return session.error();
    auto users = users_json(catalog, id);
    if (!users) return users.error();
    const auto master = catalog.master(id);
    if (!master) return master.error();
    const bool mixed = *master && (*master)->content && !(*master)->expired;
    const Json json{{"manifest", kManifestVersion},
                    {"session", id.text()},
                    {"guild_id", or_null(session->guild_id)},
                    {"channel_id", or_null(session->channel_id)},
                    {"text_channel_id", or_null(session->text_channel_id)},
                    {"started_by", or_null(session->started_by)},
                    {"language", session->language},
                    {"encryption", session->encryption ? Json(to_text(*session->encryption)) : Json(nullptr)},
                    {"privacy_code", session->privacy_code},
                    {"status", catalog::to_text(session->status)},
                    {"start_time", unix_ms(session->start)},
                    {"end_time", or_null(session->end)},
                    {"users", std::move(*users)},
                    {"master", mixed ? master_json(**master, session->start) : Json(nullptr)}};
    return json.dump(1, '\t', false, Json::error_handler_t::replace) + "\n";
}

Result<std::string> fetch_manifest(const Tools& tools, const SessionId& id) {
    const store::Key key = store::key(store::ManifestKey{id});
    if (const auto path = tools.store.local_path(key)) return read_text_file(*path, kLargestManifest);
    const auto copy = temporary_manifest(tools, id);
    if (!copy) return copy.error();
    if (auto status = tools.store.get(key, copy->path()); !status) return status.error();
    return read_text_file(copy->path(), kLargestManifest);
}

Result<std::optional<std::string>> stored_manifest(const Tools& tools, const SessionId& id) {
    const auto found = tools.store.find(store::key(store::ManifestKey{id}));
    if (!found) return found.error();
    if (!*found || (*found)->bytes > kLargestManifest) return std::optional<std::string>{};
    auto text = fetch_manifest(tools, id);
    if (!text) return text.error();
    return std::optional(std::move(*text));
}

Status write_manifest(const Tools& tools, const SessionId& id) {
    auto text = manifest_text(tools.catalog, id);
    if (!text) return text.error();
    const auto before = stored_manifest(tools, id);
    if (!before) return before.error();
    if (*before == *text) return Ok{};
    for (;;) {
        auto file = temporary_manifest(tools, id);
        if (!file) return file.error();
        const auto* const bytes = reinterpret_cast<const std::uint8_t*>(text->data());
        if (auto status = file->write({bytes, text->size()}); !status) return status;
        if (auto put = tools.store.put(file->path(), store::key(store::ManifestKey{id})); !put) return put;
        // What another process has changed meanwhile it has written before us, and we have written over it.
        auto now = manifest_text(tools.catalog, id);
        if (!now) return now.error();
        if (*now == *text) return Ok{};
        text = std::move(now);
    }
}

}  // namespace lestapenna::workflows
