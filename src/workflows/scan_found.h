// One session of a store that is scanned: what the list says of it, and what rows that makes. Private to workflows/.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "workflows/manifest.h"
#include "workflows/old_bucket.h"

namespace lestapenna::workflows {

/// What the list says of one session.
struct Listed {
    struct File {
        std::string key;
        StoredName name;
        std::uint64_t bytes = 0;
    };
    std::vector<File> files;  ///< chunks and fragments, by key
    std::map<std::string, std::uint64_t> bytes;
    std::optional<std::string> guild{};
    std::optional<std::string> master{};      ///< keys
    std::optional<std::string> transcript{};  ///< so is this
    std::optional<std::uint64_t> manifest{};  ///< bytes
};

/// The rows of one session, and what is wrong with it.
struct Found {
    ManifestContents rows;
    bool by_manifest = false;  ///< or by the names alone
    std::vector<std::string> damaged{};
    std::vector<std::string> lost{};
    std::vector<std::string> foreign{};
};

/// `known`: its row in the catalog. Fetches the manifest and nothing else. Nothing when nobody says when it began: then
/// `lost` says so. Errors: the store's.
Result<std::optional<Found>> look_at(const Tools& tools, const SessionId& id, const Listed& listed,
                                     const std::optional<catalog::Session>& known, std::vector<std::string>& lost);

}  // namespace lestapenna::workflows
