// A member as the official passive-client vectors describe it. Thread: one.
#pragma once

#include <algorithm>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "mls/group.h"
#include "vectors.h"

namespace lestapenna::test {

inline mls::Bytes hex(const nlohmann::json& vector, const char* field) {
    return unhex(vector.at(field).get<std::string>());
}

/// An MLSMessage of a vector, that must hold a T.
template <class T>
T message(const nlohmann::json& vector, const char* field) {
    auto decoded = mls::decode<mls::Message>(hex(vector, field));
    EXPECT_TRUE(decoded.ok() && std::holds_alternative<T>(*decoded)) << field;
    return std::get<T>(std::move(decoded).value());
}

inline mls::OwnKeyPackage own_key_package(const nlohmann::json& vector) {
    return {.package = message<mls::KeyPackage>(vector, "key_package"),
            .init = mls::KeyPair::from_private(hex(vector, "init_priv")).value(),
            .leaf = mls::KeyPair::from_private(hex(vector, "encryption_priv")).value()};
}

/// External ones as the vector lists them, resumption ones of the epochs this member saw.
struct PreSharedKeys {
    explicit PreSharedKeys(const nlohmann::json& vector) {
        for (const auto& psk : vector["external_psks"]) {
            const auto bytes = hex(psk, "psk");
            external[hex(psk, "psk_id")] = {bytes.begin(), bytes.end()};
        }
    }
    [[nodiscard]] std::optional<mls::Secret> operator()(const mls::PreSharedKeyId& id) const {
        if (id.type == 1) return find(external, id.id);
        return find(resumption, std::pair(id.group_id, id.epoch));
    }
    void saw(const mls::Group& group) {
        resumption[{group.context().group_id, group.epoch()}] = group.secrets().resumption;
    }

    std::map<mls::Bytes, mls::Secret> external;
    std::map<std::pair<mls::Bytes, std::uint64_t>, mls::Secret> resumption;

  private:
    template <class Map, class Key>
    static std::optional<mls::Secret> find(const Map& map, const Key& key) {
        const auto found = map.find(key);
        if (found == map.end()) return std::nullopt;
        return found->second;
    }
};

inline mls::Checked<mls::Group> join(const nlohmann::json& vector, const mls::PskLookup& psks) {
    const auto signature = mls::KeyPair::from_private(hex(vector, "signature_priv")).value();
    std::optional<mls::Tree> tree;
    if (!vector["ratchet_tree"].is_null()) {
        tree = mls::Tree::from(mls::decode<mls::TreeNodes>(hex(vector, "ratchet_tree")).value()).value();
    }
    return mls::Group::join(encode(message<mls::Welcome>(vector, "welcome")), signature, own_key_package(vector), psks,
                            tree);
}
inline mls::Checked<mls::Group> join(const nlohmann::json& vector) {
    return join(vector, PreSharedKeys(vector));
}

}  // namespace lestapenna::test
