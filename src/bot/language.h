// The languages the bot speaks. Pure; any thread.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/config.h"

namespace lestapenna::bot {

enum class Language : std::uint8_t { it, en };

/// Of a Discord locale ("it", "en-GB", "fr"): Italian for Italian, English for all others; `otherwise` for none.
Language language_of(std::string_view discord_locale, Language otherwise);
/// "it", "en", as the catalog keeps it; `otherwise` for anything else.
Language parse_language(std::string_view text, Language otherwise);
std::string_view to_text(Language language);
Language default_language(const Config& config);

}  // namespace lestapenna::bot
