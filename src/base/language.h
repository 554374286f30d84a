// The languages people are spoken to in. Pure; any thread.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/config.h"

namespace lestapenna {

enum class Language : std::uint8_t { it, en };

/// "it", "en", as the catalog keeps it; `otherwise` for anything else.
Language parse_language(std::string_view text, Language otherwise);
std::string_view to_text(Language language);
Language default_language(const Config& config);

}  // namespace lestapenna
