// The languages the bot speaks (base/language.h), and which one Discord's locales mean. Pure; any thread.
#pragma once

#include <string_view>

#include "base/language.h"

namespace lestapenna::bot {

using lestapenna::Language;

/// Of a Discord locale ("it", "en-GB", "fr"): Italian for Italian, English for all others; `otherwise` for none.
Language language_of(std::string_view discord_locale, Language otherwise);

}  // namespace lestapenna::bot
