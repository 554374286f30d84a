// The table of all keys of the configuration: its single home for names, meaning, parsing, secrets and documentation.
// Private to config*.cpp. Constant data; any thread.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "base/config_values.h"

namespace lestapenna::config {

struct Key {
    std::string_view section;
    std::string_view name;
    std::string_view meaning;  ///< for the documentation; no full stop
    bool secret = false;
    bool has_variable = true;

    bool (*read)(const RawValue& raw, Config& out) = nullptr;  ///< false, and nothing changed: not of this type
    std::string (*show)(const Config& config) = nullptr;
    std::string (*accepts)() = nullptr;
    /// What the value must be beyond its type; empty when it is.
    std::string_view (*check)(const Config& config) = nullptr;

    [[nodiscard]] std::string path() const;      ///< capture.rotation
    [[nodiscard]] std::string variable() const;  ///< LESTAPENNA_CAPTURE_ROTATION
};

/// In the order of the documentation; keys of one section stand together.
std::span<const Key> keys();
std::span<const std::string_view> sections();

}  // namespace lestapenna::config
