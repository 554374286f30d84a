#include "workflows/scan_found.h"

#include <algorithm>
#include <set>

#include <fmt/format.h>

namespace lestapenna::workflows {

namespace {

using catalog::FileStatus;
using catalog::SessionStatus;

catalog::Content content_of(std::uint64_t bytes) {
    return {static_cast<std::int64_t>(bytes), ""};
}

/// Holds a row of the manifest against the list.
template <class Row>
void check(Row& row, const Listed& listed, Found& found) {
    const auto there = listed.bytes.find(row.key);
    if (there == listed.bytes.end()) {
        found.lost.push_back(row.key + " is not in the store, although its session's manifest names it");
        row.content.reset();
        if constexpr (requires { row.status; }) row.status = FileStatus::pending;
    } else if (row.content && static_cast<std::uint64_t>(row.content->bytes) != there->second) {
        found.damaged.push_back(
            fmt::format("{} has {} bytes, its session's manifest says {}", row.key, there->second, row.content->bytes));
    }
}

/// Of a row that names its file: is it of this session, user and start?
template <class Row>
bool is_of(const Row& row, const SessionId& id, NamedTier tier) {
    const auto name = read_key(row.key);
    return name && name->tier == tier && (!name->session || name->session == id) && name->user == row.user &&
           name->start == row.start;
}

void take_manifest(Found& found, ManifestContents&& said, const Listed& listed) {
    const SessionId id = said.session.id;
    found.by_manifest = true;
    const auto refuse = [&](const std::string& key) {
        found.damaged.push_back(key + " is not where its session's manifest puts it: its name is believed");
    };
    std::erase_if(said.recordings, [&](auto& row) {
        const bool ours = is_of(row, id, NamedTier::fragment);
        if (!ours) refuse(row.key);
        if (ours && row.content) check(row, listed, found);
        // A file that came after the manifest was written.
        return !ours || (!row.content && listed.bytes.contains(row.key));
    });
    std::erase_if(said.chunks, [&](auto& row) {
        const bool ours = is_of(row, id, NamedTier::chunk);
        if (!ours) refuse(row.key);
        if (ours) check(row, listed, found);
        return !ours;
    });
    if (said.master) {
        const auto name = read_key(said.master->key);
        if (!name || name->tier != NamedTier::master || name->session != id) {
            refuse(said.master->key);
            said.master.reset();
        } else {
            check(*said.master, listed, found);
            if (!said.master->content) said.master.reset();
        }
    }
    found.rows = std::move(said);
}

/// What the manifest does not name, or all, when there is none.
void take_files(Found& found, const Listed& listed) {
    auto& rows = found.rows;
    const SessionId id = rows.session.id;
    std::set<std::string> known;
    for (const auto& row : rows.recordings) known.insert(row.key);
    for (const auto& row : rows.chunks) known.insert(row.key);
    for (const auto& file : listed.files) {
        if (known.contains(file.key)) continue;
        const auto start = file.name.start;
        if (!may_be_of(rows.session.start, start)) {
            found.foreign.push_back(file.key);
        } else if (file.name.tier == NamedTier::fragment) {
            rows.recordings.push_back({.session = id,
                                       .key = file.key,
                                       .user = file.name.user,
                                       .start = start,
                                       .status = FileStatus::stored,
                                       .content = content_of(file.bytes)});
        } else {
            rows.chunks.push_back({.session = id,
                                   .key = file.key,
                                   .user = file.name.user,
                                   .start = start,
                                   .status = FileStatus::stored,
                                   .content = content_of(file.bytes)});
        }
    }
    if (!rows.master && listed.master) {
        rows.master = catalog::Master{id, *listed.master};
        rows.master->content = content_of(listed.bytes.at(*listed.master));
    }
}

/// A session of which only the keys speak. Nothing: there is no time zero in them.
std::optional<catalog::Session> by_keys(const SessionId& id, const Listed& listed) {
    std::vector<UnixTime> starts;
    starts.reserve(listed.files.size());
    for (const auto& file : listed.files) starts.push_back(file.name.start);
    auto zero = earliest_believable(std::move(starts));
    if (!zero && listed.master) zero = time_of_ulid(id);
    if (!zero) return std::nullopt;
    catalog::Session row{.id = id, .guild_id = listed.guild, .start = *zero};
    row.status = listed.master ? SessionStatus::complete : SessionStatus::interrupted;
    return row;
}

/// Nothing but the manifest is fetched. Nothing: there is no manifest that can be read.
Result<std::optional<ManifestContents>> fetch(const Tools& tools, const SessionId& id, std::uint64_t bytes,
                                              std::vector<std::string>& damaged) {
    const auto key = store::key(store::ManifestKey{id}).text();
    if (bytes > kLargestManifest) {
        damaged.push_back(fmt::format("{} is no manifest: it has {} bytes", key, bytes));
        return std::optional<ManifestContents>();
    }
    const auto text = fetch_manifest(tools, id);
    if (!text && text.error().kind == ErrorKind::not_found) return std::optional<ManifestContents>();
    if (!text) return text.error();
    auto contents = read_manifest(*text);
    if (contents && contents->session.id != id) {
        damaged.push_back(key + " is the manifest of session " + contents->session.id.text());
        contents.reset();
    } else if (!contents) {
        damaged.push_back(key + " is no manifest that this version can read: the names of the files are used");
    }
    return contents;
}

}  // namespace

Result<std::optional<Found>> look_at(const Tools& tools, const SessionId& id, const Listed& listed,
                                     const std::optional<catalog::Session>& known, std::vector<std::string>& lost) {
    Found found{.rows = {{.id = id}}};
    std::optional<ManifestContents> said;
    if (listed.manifest) {
        auto fetched = fetch(tools, id, *listed.manifest, found.damaged);
        if (!fetched) return fetched.error();
        said = std::move(*fetched);
    }
    if (said) {
        take_manifest(found, std::move(*said), listed);
        auto& status = found.rows.session.status;
        const bool over = status == SessionStatus::complete || status == SessionStatus::failed;
        if (!over) status = SessionStatus::interrupted;
    } else if (known) {
        found.rows.session = *known;
    } else if (auto row = by_keys(id, listed)) {
        found.rows.session = std::move(*row);
    } else {
        lost.push_back("of session " + id.text() + " nothing says when it began: it is left out");
        return std::optional<Found>();
    }
    if (known) found.rows.session.start = known->start;
    take_files(found, listed);
    return std::optional<Found>(std::move(found));
}

}  // namespace lestapenna::workflows
