// The object store that is a folder: `recordings/x/y.mp3` is a file of that name below the root. See store.h for
// promises. Unfinished files have temporary names beside their targets; they are never listed, and a later put() into
// the same folder takes stale ones away.
#pragma once

#include <memory>

#include "store/store.h"

namespace lestapenna::store {

class DirectoryStore final : public ObjectStore {
  public:
    /// Makes the folder, mode 0700, when it is missing.
    static Result<std::unique_ptr<DirectoryStore>> open(const std::filesystem::path& root);

    Status put(const std::filesystem::path& file, const Key& key) override;
    Status get(const Key& key, const std::filesystem::path& file) override;
    Result<std::optional<ObjectInfo>> find(const Key& key) override;
    Status remove(const Key& key) override;
    Result<std::vector<ObjectInfo>> list(std::string_view prefix) override;
    [[nodiscard]] std::optional<std::filesystem::path> local_path(const Key& key) const override;
    [[nodiscard]] bool same_device(const std::filesystem::path& path) const override;

  private:
    explicit DirectoryStore(std::filesystem::path root) : root_(std::move(root)) {}
    [[nodiscard]] std::filesystem::path path_of(const Key& key) const { return root_ / key.text(); }

    std::filesystem::path root_;  ///< absolute
};

}  // namespace lestapenna::store
