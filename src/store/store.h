// Where finished files live: objects under keys, like S3 and unlike a filesystem (no folders, no renames, no appends).
//
// Durable on return: what put() returned Ok for is in the store as a whole and survives a power cut of the store's
// machine; after an error the key holds what it held before. get() writes its target the same way. Errors: not_found
// for a key that is not there (and only for that), interrupted after stop(), failed with the reason for all else; what
// may be retried is safe to retry. Thread: any; an ObjectStore is shared by the whole process.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "base/config.h"
#include "base/result.h"
#include "store/keys.h"

namespace lestapenna::store {

struct ObjectInfo {
    Key key;
    std::uint64_t bytes = 0;
    bool operator==(const ObjectInfo&) const = default;
};

class ObjectStore {
  public:
    ObjectStore() = default;
    ObjectStore(const ObjectStore&) = delete;
    ObjectStore& operator=(const ObjectStore&) = delete;
    virtual ~ObjectStore() = default;

    /// Stores a copy of a local file, replacing what the key held.
    virtual Status put(const std::filesystem::path& file, const Key& key) = 0;
    /// Brings an object to a local path, whose folder exists; see local_path() for a way without a copy.
    virtual Status get(const Key& key, const std::filesystem::path& file) = 0;
    /// What is known of an object without reading it; nothing when there is none.
    virtual Result<std::optional<ObjectInfo>> find(const Key& key) = 0;
    /// Ok also when there is nothing of that name.
    virtual Status remove(const Key& key) = 0;
    /// All objects whose keys begin with `prefix`, in the order of their keys. Names that are no keys are passed over.
    virtual Result<std::vector<ObjectInfo>> list(std::string_view prefix) = 0;

    /// Where this store keeps `key` as a file of this machine, absolute, whether or not it is there now. For reading
    /// only. Nothing when objects are elsewhere.
    [[nodiscard]] virtual std::optional<std::filesystem::path> local_path(const Key& key) const = 0;
    /// Would losing the disk of `path` lose the store too? Such a store is never called safe.
    [[nodiscard]] virtual bool same_device(const std::filesystem::path& path) const = 0;

    /// The program ends: what is under way, and all that comes later, fails with `interrupted` within about a second,
    /// however long it would have waited for a server. A store that waits for none goes on as it was.
    virtual void stop() {}
};

/// The store that the configuration names. Errors: usage for a kind this version does not have, else what opening says.
Result<std::unique_ptr<ObjectStore>> open_store(const Config& config);

}  // namespace lestapenna::store
