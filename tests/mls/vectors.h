// Test vectors as JSON, and their bytes. Thread: any.
#pragma once

#include <charconv>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "base/hash.h"
#include "mls/bytes.h"
#include "support.h"

namespace lestapenna::test {

/// The bytes that hexadecimal digits stand for.
inline mls::Bytes unhex(const std::string& digits) {
    mls::Bytes bytes(digits.size() / 2);
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        const char* pair = digits.data() + 2 * i;
        const auto end = std::from_chars(pair, pair + 2, bytes[i], 16).ptr;
        EXPECT_EQ(end, pair + 2) << "not hexadecimal: " << digits;
    }
    EXPECT_EQ(digits.size() % 2, 0U);
    return bytes;
}

inline std::optional<nlohmann::json> load_json(const std::filesystem::path& path) {
    std::ifstream file(path);
    auto json = nlohmann::json::parse(file, nullptr, false);
    if (json.is_discarded()) return std::nullopt;
    return json;
}

/// An official vector file, which may not lie in this repository:
///     const auto cases = test::official("treekem.json");
///     if (!cases) GTEST_SKIP() << test::kNoVectors;
inline std::optional<nlohmann::json> official(const std::string& name) {
    const auto data = test_data();
    if (!data) return std::nullopt;
    return load_json(*data / "vectors" / "mls" / name);
}
inline constexpr const char* kNoVectors =
    "no official MLS vectors: set LESTAPENNA_TEST_DATA to the folder that holds vectors/mls/";

/// The scenario of four epochs (its README: what each field is).
inline nlohmann::json dave_vectors() {
    auto json = load_json(std::filesystem::path(LESTAPENNA_TESTS_DIR) / "data" / "dave" / "dave-vectors.json");
    EXPECT_TRUE(json.has_value());
    return json.value_or(nlohmann::json::object());
}

}  // namespace lestapenna::test
