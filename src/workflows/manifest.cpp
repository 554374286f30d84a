#include "workflows/manifest.h"

#include <array>
#include <limits>
#include <map>

#include <nlohmann/json.hpp>

#include "base/files.h"

namespace lestapenna::workflows {

namespace {

using Json = nlohmann::ordered_json;

constexpr int kVersion = 1;
// Fifty people for a day are 4 MB.
constexpr std::size_t kLargest = std::size_t{64} << 20;

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

Json file(const std::string& key, const catalog::Content& content, UnixTime start,
          const std::optional<milliseconds>& duration) {
    return {{"key", key},
            {"bytes", content.bytes},
            {"sha256", content.sha256},
            {"start_time", unix_ms(start)},
            {"duration_ms", or_null(duration)}};
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
    for (const auto& track : *tracks) users.emplace(track.user, user_json(track.user, track.name, track.bot));
    const auto user = [&](UserId of) -> Json& {
        return users.try_emplace(of, user_json(of, of.text(), false)).first->second;
    };
    for (const auto& row : *fragments) {
        user(row.user)["connections"].push_back(
            {{"start_time", unix_ms(row.start)}, {"duration_ms", or_null(row.duration)}});
        if (is_there(row)) user(row.user)["fragments"].push_back(file(row.key, *row.content, row.start, row.duration));
    }
    for (const auto& row : *chunks) {
        if (is_there(row)) user(row.user)["chunks"].push_back(file(row.key, *row.content, row.start, row.duration));
    }
    auto all = Json::array();
    for (auto& [of, json] : users) all.push_back(std::move(json));
    return all;
}

// ---- reading

/// The member, or null.
const Json& member(const Json& object, const char* name) {
    static const Json kNull;
    const auto found = object.find(name);
    return found == object.end() ? kNull : *found;
}

std::optional<std::string> text_of(const Json& value) {
    return value.is_string() ? std::optional(value.get_ref<const std::string&>()) : std::nullopt;
}

/// Text that is a Discord id.
std::optional<std::string> id_of(const Json& value) {
    auto text = text_of(value);
    return text && parse_snowflake(*text) ? text : std::nullopt;
}

std::optional<UnixTime> time_of(const Json& value) {
    constexpr auto kMost = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
    if (!value.is_number_integer()) return std::nullopt;
    if (value.is_number_unsigned() && value.get<std::uint64_t>() > kMost) return std::nullopt;
    return UnixTime{milliseconds{value.get<std::int64_t>()}};
}

std::optional<catalog::SessionStatus> status_of(const Json& value) {
    using enum catalog::SessionStatus;
    const auto text = text_of(value);
    for (const auto status : {recording, ending, complete, interrupted, failed}) {
        if (text && *text == to_text(status)) return status;
    }
    return std::nullopt;
}

std::optional<Json> parse(std::string_view text) {
    auto json = Json::parse(text, nullptr, false);
    if (!json.is_object() || member(json, "manifest") != Json(kVersion)) return std::nullopt;
    return json;
}

}  // namespace

Result<std::string> manifest_text(const catalog::Catalog& catalog, const SessionId& id) {
    const auto session = catalog.session(id);
    if (!session) return session.error();
    auto users = users_json(catalog, id);
    if (!users) return users.error();
    const auto master = catalog.master(id);
    if (!master) return master.error();
    const bool mixed = *master && (*master)->content;
    const Json json{{"manifest", kVersion},
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
                    {"master", mixed ? file((*master)->key, *(*master)->content, session->start, (*master)->duration)
                                     : Json(nullptr)}};
    return json.dump(1, '\t', false, Json::error_handler_t::replace) + "\n";
}

Result<std::optional<std::string>> stored_manifest(const Tools& tools, const SessionId& id) {
    const store::Key key = store::key(store::ManifestKey{id});
    const auto found = tools.store.find(key);
    if (!found) return found.error();
    if (!*found || (*found)->bytes > kLargest) return std::optional<std::string>{};
    auto path = tools.store.local_path(key);
    std::optional<PendingFile> copy;
    if (!path) {
        auto temporary = temporary_manifest(tools, id);
        if (!temporary) return temporary.error();
        copy.emplace(std::move(*temporary));
        if (auto status = tools.store.get(key, copy->path()); !status) return status.error();
        path = copy->path();
    }
    auto text = read_text_file(*path, kLargest);
    if (!text) return text.error();
    return std::optional(std::move(*text));
}

Status write_manifest(const Tools& tools, const SessionId& id) {
    const auto text = manifest_text(tools.catalog, id);
    if (!text) return text.error();
    const auto before = stored_manifest(tools, id);
    if (!before) return before.error();
    if (*before == *text) return Ok{};
    auto file = temporary_manifest(tools, id);
    if (!file) return file.error();
    const auto* const bytes = reinterpret_cast<const std::uint8_t*>(text->data());
    if (auto status = file->write({bytes, text->size()}); !status) return status;
    return tools.store.put(file->path(), store::key(store::ManifestKey{id}));
}

std::optional<catalog::Session> session_of_manifest(std::string_view text) {
    const auto json = parse(text);
    if (!json) return std::nullopt;
    const auto id = SessionId::parse(text_of(member(*json, "session")).value_or(""));
    const auto start = time_of(member(*json, "start_time"));
    const auto status = status_of(member(*json, "status"));
    if (!id || !start || !status) return std::nullopt;
    return catalog::Session{.id = *id,
                            .guild_id = id_of(member(*json, "guild_id")),
                            .channel_id = id_of(member(*json, "channel_id")),
                            .start = *start,
                            .end = time_of(member(*json, "end_time")),
                            .status = *status,
                            .text_channel_id = id_of(member(*json, "text_channel_id")),
                            .started_by = id_of(member(*json, "started_by")),
                            .language = text_of(member(*json, "language")).value_or(""),
                            .encryption = catalog::parse_encryption(text_of(member(*json, "encryption")).value_or("")),
                            .privacy_code = text_of(member(*json, "privacy_code")).value_or("")};
}

std::vector<catalog::Track> tracks_of_manifest(std::string_view text) {
    std::vector<catalog::Track> tracks;
    const auto session = session_of_manifest(text);
    const auto json = parse(text);
    if (!session || !json) return tracks;
    const Json& users = member(*json, "users");
    if (!users.is_array()) return tracks;
    for (const Json& one : users) {
        if (!one.is_object()) continue;
        const auto user = UserId::parse(text_of(member(one, "user_id")).value_or(""));
        if (!user) continue;
        catalog::Track track{.session = session->id, .user = *user};
        track.name = text_of(member(one, "name")).value_or(user->text());
        track.bot = member(one, "bot") == Json(true);
        tracks.push_back(std::move(track));
    }
    return tracks;
}

}  // namespace lestapenna::workflows
