#include "store/directory.h"

#include <algorithm>
#include <cerrno>
#include <system_error>

#include <sys/stat.h>
#include <unistd.h>

#include "base/files.h"

namespace lestapenna::store {

namespace fs = std::filesystem;

namespace {

/// ENOTDIR: a part of the key is itself an object, so nothing is below it.
bool means_absent(int error_number) {
    return error_number == ENOENT || error_number == ENOTDIR;
}

/// A missing folder or disk is the store's failure, not a missing object.
Error as_failed(Error error) {
    error.kind = ErrorKind::failed;
    return error;
}

}  // namespace

Result<std::unique_ptr<DirectoryStore>> DirectoryStore::open(const fs::path& root) {
    std::error_code error;
    auto absolute = fs::absolute(root, error).lexically_normal();
    if (error) return io_error("find the store", root, error.value());
    if (auto made = make_folders(absolute); !made) return as_failed(made.error());
    return std::unique_ptr<DirectoryStore>(new DirectoryStore(std::move(absolute)));
}

Status DirectoryStore::put(const fs::path& file, const Key& key) {
    const auto target = path_of(key);
    if (auto made = make_folders(target.parent_path()); !made) return as_failed(made.error());
    remove_stale_temporaries(target.parent_path());
    if (auto copied = copy_durably(file, target); !copied) return as_failed(copied.error());
    return Ok{};
}

Status DirectoryStore::get(const Key& key, const fs::path& file) {
    auto found = find(key);
    if (!found) return found.error();
    if (!*found) return Error{ErrorKind::not_found, "the store has no " + key.text()};
    if (auto copied = copy_durably(path_of(key), file); !copied) return as_failed(copied.error());
    return Ok{};
}

Result<std::optional<ObjectInfo>> DirectoryStore::find(const Key& key) {
    struct stat info {};
    if (::stat(path_of(key).c_str(), &info) != 0) {
        if (means_absent(errno)) return std::optional<ObjectInfo>{};
        return io_error("look at", path_of(key), errno);
    }
    if (!S_ISREG(info.st_mode)) return std::optional<ObjectInfo>{};
    return std::optional<ObjectInfo>{{key, static_cast<std::uint64_t>(info.st_size)}};
}

Status DirectoryStore::remove(const Key& key) {
    const auto file = path_of(key);
    if (::unlink(file.c_str()) != 0) {
        if (means_absent(errno) || errno == EISDIR) return Ok{};
        return io_error("remove", file, errno);
    }
    return sync_folder(file.parent_path());
}

Result<std::vector<ObjectInfo>> DirectoryStore::list(std::string_view prefix) {
    std::vector<ObjectInfo> found;
    // Only the folder that the prefix names is walked; a prefix that could not begin a key finds nothing.
    const auto slash = prefix.rfind('/');
    const auto folder = prefix.substr(0, slash == std::string_view::npos ? 0 : slash);
    if (!folder.empty() && !Key::parse(folder)) return found;

    std::error_code error;
    fs::recursive_directory_iterator entry(root_ / folder, error);
    if (error && means_absent(error.value())) return found;
    for (const fs::recursive_directory_iterator end; !error && entry != end; entry.increment(error)) {
        std::error_code gone;  // removed while we walk: not there, then
        const auto key = Key::parse(entry->path().lexically_relative(root_).native());
        if (!key || !key->text().starts_with(prefix) || !entry->is_regular_file(gone)) continue;
        const auto bytes = entry->file_size(gone);
        if (!gone) found.push_back({*key, bytes});
    }
    if (error) return as_failed(io_error("list", root_ / folder, error.value()));
    std::ranges::sort(found, {}, &ObjectInfo::key);
    return found;
}

std::optional<fs::path> DirectoryStore::local_path(const Key& key) const {
    return path_of(key);
}

bool DirectoryStore::same_device(const fs::path& path) const {
    struct stat ours {};
    struct stat theirs {};
    if (::stat(root_.c_str(), &ours) != 0) return true;  // when in doubt, not safe
    // What does not exist yet will be made on the disk of the folder above it.
    std::error_code error;
    for (auto there = fs::absolute(path, error).lexically_normal(); !error; there = there.parent_path()) {
        if (::stat(there.c_str(), &theirs) == 0) return ours.st_dev == theirs.st_dev;
        if (there == there.parent_path()) break;
    }
    return true;
}

}  // namespace lestapenna::store
