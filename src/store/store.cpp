#include "store/store.h"

#include "store/directory.h"

namespace lestapenna::store {

Result<std::unique_ptr<ObjectStore>> open_store(const Config& config) {
    const auto folder = config.store_folder();
    if (!folder) {
        if (auto supported = check_supported(config); !supported) return supported.error();
        return Error{ErrorKind::usage, "store.url names no kind of store that this version has: use \"file:\""};
    }
    auto store = DirectoryStore::open(*folder);
    if (!store) return store.error();
    return std::unique_ptr<ObjectStore>(std::move(*store));
}

}  // namespace lestapenna::store
