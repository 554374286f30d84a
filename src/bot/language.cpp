#include "bot/language.h"

namespace lestapenna::bot {

Language language_of(std::string_view discord_locale, Language otherwise) {
    if (discord_locale.empty()) return otherwise;
    return discord_locale == "it" || discord_locale.starts_with("it-") ? Language::it : Language::en;
}

Language parse_language(std::string_view text, Language otherwise) {
    if (text == to_text(Language::it)) return Language::it;
    if (text == to_text(Language::en)) return Language::en;
    return otherwise;
}

std::string_view to_text(Language language) {
    return language == Language::it ? "it" : "en";
}

Language default_language(const Config& config) {
    return config.discord.locale == Locale::it ? Language::it : Language::en;
}

}  // namespace lestapenna::bot
