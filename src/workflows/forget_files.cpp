#include "workflows/forget_files.h"

#include <algorithm>
#include <filesystem>
#include <functional>
#include <optional>
#include <string_view>
#include <system_error>
#include <variant>

#include <nlohmann/json.hpp>

#include "base/files.h"
#include "workflows/manifest.h"

namespace lestapenna::workflows {

namespace {

namespace fs = std::filesystem;

/// What a live process has in the making is younger: manifests and transcripts, a second's work.
constexpr seconds kStillWritten{600};
constexpr std::size_t kLargestDraft = std::size_t{64} << 20;

/// Of a file of ours, or of the words that a transcription worker has put beside a fragment.
std::optional<store::TierKey> parts_of(std::string_view key) {
    auto parts = store::parse_tier_key(key);
    return parts ? parts : store::parse_tier_key(std::string(key.substr(0, key.rfind('.'))) + ".mp3");
}

const UserId* user_of(const store::TierKey& parts) {
    if (const auto* const chunk = std::get_if<store::ChunkKey>(&parts)) return &chunk->user;
    if (const auto* const fragment = std::get_if<store::FragmentKey>(&parts)) return &fragment->user;
    return nullptr;
}

template <class Rows>
void add_keys(const Rows& rows, UserId user, std::set<std::string>& keys) {
    for (const auto& row : rows) {
        if (row.user == user) keys.insert(row.key);
    }
}

/// What the catalog calls theirs, whatever layout it has.
Result<std::set<std::string>> catalogued(const catalog::Catalog& catalog, const SessionId& id, UserId user) {
    std::set<std::string> keys;
    const auto fragments = catalog.recordings(id);
    if (!fragments) return fragments.error();
    add_keys(*fragments, user, keys);
    for (const auto& fragment : *fragments) {
        if (fragment.user != user) continue;
        for (const store::Key& words : store::words_beside(fragment.key)) keys.insert(words.text());
    }
    const auto chunks = catalog.chunks(id);
    if (!chunks) return chunks.error();
    add_keys(*chunks, user, keys);
    return keys;
}

bool names(std::string_view text, const std::string& id) {
    return find_number(text, id) != std::string_view::npos;
}

/// Those of a folder that are `wanted`; what can not be removed, because it has gone meanwhile, is passed over.
void remove_files(const fs::path& folder, const std::function<bool(const fs::path&)>& wanted) {
    std::error_code ignored;
    for (fs::directory_iterator entry(folder, ignored), end; !ignored && entry != end; entry.increment(ignored)) {
        std::error_code gone;
        if (entry->is_regular_file(gone) && wanted(entry->path())) fs::remove(entry->path(), gone);
    }
}

bool is_unfinished(const fs::path& path) {
    return path.filename().native().starts_with(kTemporaryPrefix);
}

}  // namespace

Result<Belongings> Belongings::find(const Tools& tools, UserId user) {
    const auto objects = tools.store.list("recordings/");
    if (!objects) return objects.error();
    Belongings found;
    for (const store::ObjectInfo& object : *objects) {
        const auto parts = parts_of(object.key.text());
        if (!parts) continue;
        const auto& id = std::visit([](const auto& key) -> const SessionId& { return key.session; }, *parts);
        found.sessions_.insert(id);
        const UserId* const owner = user_of(*parts);
        if (owner != nullptr && *owner == user) found.theirs_[id].push_back(object);
    }
    return found;
}

Status Belongings::borne_out(const Tools& tools, const SessionId& id) const {
    if (sessions_.contains(id)) return Ok{};
    const auto fragments = tools.catalog.recordings(id);
    if (!fragments) return fragments.error();
    const auto chunks = tools.catalog.chunks(id);
    if (!chunks) return chunks.error();
    std::vector<std::string> keys;
    const auto expect = [&keys](const auto& row) {
        if (row.status == catalog::FileStatus::stored) keys.push_back(row.key);
    };
    std::ranges::for_each(*fragments, expect);
    std::ranges::for_each(*chunks, expect);
    for (const std::string& key : keys) {
        const auto there = in_store(tools, key);
        if (!there) return there.error();
        if (*there) return Ok{};
    }
    if (keys.empty()) return Ok{};
    return Error{ErrorKind::failed, "the store has nothing of what the catalog says it holds: is it mounted?"};
}

Status Belongings::remove(const Tools& tools, const SessionId& id, UserId user, ForgottenSession& gone) const {
    auto rest = catalogued(tools.catalog, id, user);
    if (!rest) return rest.error();
    if (const auto theirs = theirs_.find(id); theirs != theirs_.end()) {
        for (const store::ObjectInfo& object : theirs->second) {
            if (auto removed = tools.store.remove(object.key); !removed) return removed;
            ++gone.files;
            gone.bytes += object.bytes;
            rest->erase(object.key.text());
        }
    }
    for (const std::string& text : *rest) {
        const auto key = store::Key::parse(text);
        if (!key) continue;
        if (auto removed = tools.store.remove(*key); !removed) return removed;
    }
    return Ok{};
}

Result<std::set<SessionId>> all_sessions(const Tools& tools, const Belongings& belongings) {
    std::set<SessionId> all = belongings.sessions();
    const auto rows = tools.catalog.sessions();
    if (!rows) return rows.error();
    for (const auto& row : *rows) all.insert(row.id);
    std::error_code error;
    fs::directory_iterator entry(journal_root(tools.config), error);
    for (const fs::directory_iterator end; !error && entry != end; entry.increment(error)) {
        if (const auto id = SessionId::parse(entry->path().filename().native())) all.insert(*id);
    }
    if (error && error != std::errc::no_such_file_or_directory)
        return io_error("read", journal_root(tools.config), error.value());
    return all;
}

Result<bool> was_heard(const catalog::Catalog& catalog, const SessionId& id, UserId user) {
    const auto keys = catalogued(catalog, id, user);
    if (!keys) return keys.error();
    if (!keys->empty()) return true;
    const auto tracks = catalog.tracks(id);
    if (!tracks) return tracks.error();
    const auto spoke = [&](const catalog::Track& track) { return track.user == user && track.received > 0; };
    if (std::ranges::any_of(*tracks, spoke)) return true;
    const auto master = catalog.master(id);
    if (!master) return master.error();
    return *master && names((*master)->recipe, user.text());
}

Result<bool> manifest_names(const Tools& tools, const SessionId& id, UserId user) {
    const auto text = stored_manifest(tools, id);
    if (!text) return text.error();
    return *text && names(**text, user.text());
}

Status write_manifest_without(const Tools& tools, const SessionId& id, UserId user) {
    const auto text = stored_manifest(tools, id);
    if (!text) return text.error();
    auto json = nlohmann::ordered_json::parse(text->value_or(""), nullptr, false);
    if (!json.is_object()) return Ok{};
    const auto is_theirs = [id = nlohmann::ordered_json(user.text())](const auto& object, const char* member) {
        const auto found = object.find(member);
        return found != object.end() && *found == id;
    };
    if (const auto users = json.find("users"); users != json.end() && users->is_array()) {
        std::erase_if(users->get_ref<nlohmann::ordered_json::array_t&>(),
                      [&](const auto& one) { return one.is_object() && is_theirs(one, "user_id"); });
    }
    if (is_theirs(json, "started_by")) json["started_by"] = nullptr;
    json["master"] = nullptr;
    auto file = PendingFile::create(tools.config.data.dir / "cache" / (id.text() + ".json"));
    if (!file) return file.error();
    const auto left = json.dump(1, '\t', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
    const auto* const bytes = reinterpret_cast<const std::uint8_t*>(left.data());
    if (auto written = file->write({bytes, left.size()}); !written) return written;
    return tools.store.put(file->path(), store::key(store::ManifestKey{id}));
}

Status transcribe_again(const Tools& tools, const SessionId& id, UserId user) {
    auto rows = tools.catalog.transcriptions(id);
    if (!rows) return rows.error();
    const auto fragments = tools.catalog.recordings(id);
    if (!fragments) return fragments.error();
    for (auto& row : *rows) {
        if (row.user == user || row.status != catalog::TranscriptionStatus::done || !row.error.empty()) continue;
        const auto words = tools.catalog.segments(row.file);
        if (!words) return words.error();
        if (!words->empty()) continue;
        const auto fragment = std::ranges::find(*fragments, row.file, &catalog::Recording::key);
        if (fragment != fragments->end() && fragment->status == catalog::FileStatus::stored) {
            row = {.session = row.session, .file = row.file, .user = row.user, .timestamp = row.timestamp};
        } else {
            row.error = "the words were in a transcript that is gone";
        }
        if (auto set = tools.catalog.set_transcription(row); !set) return set;
    }
    return Ok{};
}

void remove_unfinished(const Tools& tools, const SessionId& id) {
    const auto manifest = tools.store.local_path(store::key(store::ManifestKey{id}));
    if (!manifest) return;
    std::error_code ignored;  // it has gone meanwhile
    for (fs::recursive_directory_iterator entry(manifest->parent_path(), ignored), end; !ignored && entry != end;
         entry.increment(ignored)) {
        std::error_code gone;
        if (is_unfinished(entry->path())) fs::remove(entry->path(), gone);
    }
}

void remove_drafts(const Tools& tools, UserId user) {
    const auto cache = tools.config.data.dir / "cache";
    const auto id = user.text();
    remove_stale_temporaries(cache, kStillWritten);
    remove_files(cache, [&](const fs::path& file) {
        if (!is_unfinished(file)) return false;
        const auto text = read_text_file(file, kLargestDraft);
        return text && names(*text, id);
    });
    std::error_code ignored;
    fs::remove_all(cache / ".transcribe" / id, ignored);  // jobs/desk.h
}

}  // namespace lestapenna::workflows
