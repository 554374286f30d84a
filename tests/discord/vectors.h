// The transport vectors of tests/data/transport, and keys for tests.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <fstream>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "discord/transport.h"

namespace lestapenna::test {

using Bytes = std::vector<std::uint8_t>;
using Key = std::array<std::uint8_t, discord::kTransportKeyBytes>;

inline Key key_of(std::uint8_t n) {
    Key key{};
    key.fill(n);
    return key;
}

inline Bytes from_hex(const std::string& text) {
    Bytes bytes;
    for (std::size_t i = 0; i + 1 < text.size(); i += 2) {
        bytes.push_back(static_cast<std::uint8_t>(std::stoul(text.substr(i, 2), nullptr, 16)));
    }
    return bytes;
}

struct TransportVector {
    std::string name;
    discord::TransportMode mode{};
    Key key{};
    Bytes clear;
    Bytes plaintext;
    Bytes datagram;
    Bytes payload;  ///< after padding and extension are taken off
    std::uint32_t suffix = 0;
};

inline std::vector<TransportVector> transport_vectors() {
    std::ifstream file(std::string(LESTAPENNA_TESTS_DIR) + "/data/transport/transport-vectors.json");
    std::vector<TransportVector> vectors;
    for (const auto& v : nlohmann::json::parse(file)) {
        TransportVector vector;
        vector.mode = discord::parse_transport_mode(v.at("mode").get<std::string>()).value();
        vector.name = v.at("name").get<std::string>() + ", " + v.at("mode").get<std::string>();
        const Bytes key = from_hex(v.at("key"));
        std::copy_n(key.begin(), vector.key.size(), vector.key.begin());
        vector.clear = from_hex(v.at("aad"));
        vector.plaintext = from_hex(v.at("plaintext"));
        vector.datagram = from_hex(v.at("datagram"));
        vector.payload = from_hex(v.at("payload_after_stripping"));
        vector.suffix = static_cast<std::uint32_t>(std::stoul(v.at("nonce_suffix").get<std::string>(), nullptr, 16));
        vectors.push_back(vector);
    }
    return vectors;
}

}  // namespace lestapenna::test
