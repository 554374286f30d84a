#include "bot/language.h"

namespace lestapenna::bot {

Language language_of(std::string_view discord_locale, Language otherwise) {
    if (discord_locale.empty()) return otherwise;
    return discord_locale == "it" || discord_locale.starts_with("it-") ? Language::it : Language::en;
}

}  // namespace lestapenna::bot
