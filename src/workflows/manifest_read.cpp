// What a manifest says, read with distrust: anybody may have written to the bucket.
#include <cmath>
#include <limits>

#include <nlohmann/json.hpp>

#include "journal/record.h"
#include "workflows/manifest.h"

namespace lestapenna::workflows {

namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t kMostText = std::size_t{1} << 20;  ///< a recipe of a master of fifty people is 10 KB

/// The member, or null.
const Json& member(const Json& object, const char* name) {
    static const Json kNull;
    if (!object.is_object()) return kNull;
    const auto found = object.find(name);
    return found == object.end() ? kNull : *found;
}

/// The member's elements; none of what is no array.
const Json& elements(const Json& object, const char* name) {
    static const Json kNone = Json::array();
    const Json& array = member(object, name);
    return array.is_array() ? array : kNone;
}

std::optional<std::string> text_of(const Json& value) {
    if (!value.is_string() || value.get_ref<const std::string&>().size() > kMostText) return std::nullopt;
    return value.get_ref<const std::string&>();
}

/// Text that is a Discord id.
std::optional<std::string> id_of(const Json& value) {
    auto text = text_of(value);
    return text && parse_snowflake(*text) ? text : std::nullopt;
}

std::optional<std::int64_t> integer_of(const Json& value) {
    constexpr auto kMost = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
    if (!value.is_number_integer()) return std::nullopt;
    if (value.is_number_unsigned() && value.get<std::uint64_t>() > kMost) return std::nullopt;
    return value.get<std::int64_t>();
}
/// A count; 0 for what is none.
std::int64_t count_of(const Json& value) {
    return std::max<std::int64_t>(0, integer_of(value).value_or(0));
}

std::optional<double> real_of(const Json& value) {
    if (!value.is_number() || !std::isfinite(value.get<double>())) return std::nullopt;
    return value.get<double>();
}

std::optional<UnixTime> time_of(const Json& value) {
    const auto ms = integer_of(value);
    return ms ? std::optional(UnixTime{milliseconds{*ms}}) : std::nullopt;
}

std::optional<milliseconds> length_of(const Json& value) {
    const auto ms = integer_of(value);
    return ms && *ms >= 0 ? std::optional(milliseconds{*ms}) : std::nullopt;
}

std::optional<catalog::SessionStatus> status_of(const Json& value) {
    using enum catalog::SessionStatus;
    const auto text = text_of(value);
    for (const auto status : {recording, ending, complete, interrupted, failed}) {
        if (text && *text == to_text(status)) return status;
    }
    return std::nullopt;
}

std::optional<catalog::Session> session_of(const Json& json) {
    const auto id = SessionId::parse(text_of(member(json, "session")).value_or(""));
    const auto start = time_of(member(json, "start_time"));
    const auto status = status_of(member(json, "status"));
    if (!id || !start || !status) return std::nullopt;
    return catalog::Session{.id = *id,
                            .guild_id = id_of(member(json, "guild_id")),
                            .channel_id = id_of(member(json, "channel_id")),
                            .start = *start,
                            .end = time_of(member(json, "end_time")),
                            .status = *status,
                            .text_channel_id = id_of(member(json, "text_channel_id")),
                            .started_by = id_of(member(json, "started_by")),
                            .language = text_of(member(json, "language")).value_or(""),
                            .encryption = catalog::parse_encryption(text_of(member(json, "encryption")).value_or("")),
                            .privacy_code = text_of(member(json, "privacy_code")).value_or("")};
}

catalog::Track track_of(const SessionId& session, UserId user, const Json& json) {
    catalog::Track track{.session = session, .user = user};
    track.name = text_of(member(json, "name")).value_or(user.text());
    track.bot = member(json, "bot") == Json(true);
    const Json& packets = member(json, "packets");
    track.received = count_of(member(packets, "received"));
    track.lost = count_of(member(packets, "lost"));
    track.late = count_of(member(packets, "late"));
    track.duplicate = count_of(member(packets, "duplicate"));
    track.parked = count_of(member(packets, "parked"));
    track.concealed = count_of(member(packets, "concealed"));
    for (std::size_t reason = 0; reason < track.closed.size(); ++reason) {
        const std::string name(to_text(static_cast<journal::ClosedReason>(reason)));
        track.closed[reason] = count_of(member(member(packets, "undecryptable"), name.c_str()));
        track.undecryptable += std::min(track.closed[reason], std::int64_t{1} << 40);
    }
    return track;
}

/// What fragments, chunks and masters have in common.
template <class Row>
bool fill_in(Row& row, const Json& json) {
    const auto key = store::Key::parse(text_of(member(json, "key")).value_or(""));
    if (!key) return false;
    row.key = key->text();
    row.duration = length_of(member(json, "duration_ms"));
    row.recipe = text_of(member(json, "made_by")).value_or("");
    const auto bytes = integer_of(member(json, "bytes"));
    if (bytes) row.content = catalog::Content{*bytes, text_of(member(json, "sha256")).value_or("")};
    return true;
}

catalog::Levels levels_of(const Json& json) {
    return {real_of(member(json, "loudness_lufs")), real_of(member(json, "true_peak_dbtp"))};
}

std::optional<catalog::Recording> fragment_of(const SessionId& session, UserId user, const Json& json) {
    catalog::Recording row{.session = session, .user = user, .status = catalog::FileStatus::stored};
    const auto start = time_of(member(json, "start_time"));
    if (!start || !fill_in(row, json)) return std::nullopt;
    row.start = *start;
    row.levels = levels_of(json);
    row.gain_db = real_of(member(json, "gain_db"));
    row.speech_lufs = real_of(member(json, "speech_lufs"));
    row.level_flag = text_of(member(json, "level_flag"));
    return row;
}

std::optional<catalog::Chunk> chunk_of(const SessionId& session, UserId user, const Json& json) {
    catalog::Chunk row{.session = session, .user = user, .status = catalog::FileStatus::stored};
    const auto start = time_of(member(json, "start_time"));
    if (!start || !fill_in(row, json)) return std::nullopt;
    row.start = *start;
    return row;
}

/// The fragment that a connection had, or never got.
std::optional<catalog::Recording> unnamed_of(const SessionId& session, UserId user, const Json& connection) {
    const auto start = time_of(member(connection, "start_time"));
    if (!start) return std::nullopt;
    catalog::Recording row{.session = session, .user = user, .start = *start};
    row.key = store::key(store::FragmentKey{session, user, *start}).text();
    row.duration = length_of(member(connection, "duration_ms"));
    if (member(connection, "expired") == Json(true)) row.status = catalog::FileStatus::expired;
    return row;
}

void read_user(ManifestContents& contents, const Json& json) {
    const auto user = UserId::parse(text_of(member(json, "user_id")).value_or(""));
    if (!user) return;
    const SessionId& id = contents.session.id;
    contents.tracks.push_back(track_of(id, *user, json));
    std::vector<UnixTime> named;
    for (const Json& one : elements(json, "fragments")) {
        auto row = fragment_of(id, *user, one);
        if (!row) continue;
        named.push_back(row->start);
        contents.recordings.push_back(std::move(*row));
    }
    for (const Json& one : elements(json, "connections")) {
        auto row = unnamed_of(id, *user, one);
        if (!row || std::ranges::find(named, row->start) != named.end()) continue;
        named.push_back(row->start);
        contents.recordings.push_back(std::move(*row));
    }
    for (const Json& one : elements(json, "chunks")) {
        if (auto row = chunk_of(id, *user, one)) contents.chunks.push_back(std::move(*row));
    }
}

}  // namespace

std::optional<ManifestContents> read_manifest(std::string_view text) {
    const auto json = Json::parse(text, nullptr, false);
    if (!json.is_object() || member(json, "manifest") != Json(kManifestVersion)) return std::nullopt;
    auto session = session_of(json);
    if (!session) return std::nullopt;
    ManifestContents contents{std::move(*session)};
    for (const Json& one : elements(json, "users")) read_user(contents, one);
    catalog::Master master{contents.session.id};
    const Json& made = member(json, "master");
    if (fill_in(master, made)) {
        master.levels = levels_of(made);
        master.source = catalog::parse_master_source(text_of(member(made, "source")).value_or(""));
        contents.master = std::move(master);
    }
    return contents;
}

}  // namespace lestapenna::workflows
