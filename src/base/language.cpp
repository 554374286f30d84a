#include "base/language.h"

namespace lestapenna {

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

}  // namespace lestapenna
