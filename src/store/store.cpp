#include "store/store.h"

#include "store/directory.h"
#include "store/s3.h"

namespace lestapenna::store {

Result<std::unique_ptr<ObjectStore>> open_store(const Config& config) {
    if (const auto folder = config.store_folder()) {
        auto store = DirectoryStore::open(*folder);
        if (!store) return store.error();
        return std::unique_ptr<ObjectStore>(std::move(*store));
    }
    auto place = S3Place::of(config);
    if (!place) return place.error();
    return std::unique_ptr<ObjectStore>(std::make_unique<S3Store>(std::move(*place)));
}

}  // namespace lestapenna::store
