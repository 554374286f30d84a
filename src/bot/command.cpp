#include "bot/command.h"

#include <algorithm>
#include <array>

#include "base/text.h"
#include "bot/permissions.h"

namespace lestapenna::bot {

namespace {

struct Text {
    std::string_view it;
    std::string_view en;
    [[nodiscard]] std::string_view in(Language language) const { return language == Language::it ? it : en; }
};

/// A slash command takes one value at most.
struct Option {
    Text name;
    Text description;
    bool required;
    int max_length;  ///< in characters
};
constexpr Option kSession{{"sessione", "session"},
                          {"Il codice della partita; senza: l'ultima", "The session's code; without: the last one"},
                          false,
                          64};
/// 1,000 characters fit a marker of the journal (4,000 bytes) whatever they are.
constexpr Option kNote{{"testo", "text"}, {"Che cosa è appena successo", "What has just happened"}, true, 1'000};

struct Spelling {
    Verb verb;
    Text word;
    Text description;
    const Option* option = nullptr;
    bool for_managers = false;  ///< shown only to who may manage the guild
};
constexpr std::array kSpellings{
    Spelling{Verb::listen,
             {"ascolta", "listen"},
             {"Registra il canale vocale in cui sei", "Record the voice channel you are in"}},
    Spelling{Verb::stop,
             {"termina", "stop"},
             {"Chiude la partita e prepara l'audio", "End the session and prepare its audio"}},
    Spelling{Verb::pause,
             {"pausa", "pause"},
             {"Smette di registrare finché non si riprende", "Stop recording until you resume"}},
    Spelling{Verb::resume, {"riprendi", "resume"}, {"Registra di nuovo dopo una pausa", "Record again after a pause"}},
    Spelling{Verb::status,
             {"stato", "status"},
             {"Chi si sente, che cosa manca, che cosa è al sicuro", "Who is heard, what is missing, what is safe"}},
    Spelling{Verb::sessions,
             {"sessioni", "sessions"},
             {"Le ultime partite di questo server", "The last sessions of this server"}},
    Spelling{Verb::download,
             {"scarica", "download"},
             {"Il link all'audio di una partita", "The link to the audio of a session"},
             &kSession},
    Spelling{Verb::recover,
             {"ripristina", "recover"},
             {"Rimette insieme le partite interrotte", "Put interrupted sessions back together"},
             &kSession,
             true},
    Spelling{Verb::note,
             {"nota", "note"},
             {"Lascia un segno in questo punto della registrazione", "Leave a marker at this point of the recording"},
             &kNote},
    Spelling{Verb::help, {"aiuto", "help"}, {"Che cosa posso fare", "What I can do"}},
};

/// Every locale of Discord's in which the bot speaks English (reference: Locales): all but Italian. Of these Discord
/// falls back only from en-GB to en-US and back.
constexpr std::array kEnglishLocales{"en-US", "en-GB", "id", "da",    "de", "es-ES", "es-419", "fr",
                                     "hr",    "lt",    "hu", "nl",    "no", "pl",    "pt-BR",  "ro",
                                     "fi",    "sv-SE", "vi", "tr",    "cs", "el",    "bg",     "ru",
                                     "uk",    "hi",    "th", "zh-CN", "ja", "zh-TW", "ko"};

struct Match {
    Verb verb{};
    Language language{};
};
std::optional<Match> find_word(std::string_view word) {
    for (const Spelling& one : kSpellings) {
        if (same_word(word, one.word.it)) return Match{one.verb, Language::it};
        if (same_word(word, one.word.en)) return Match{one.verb, Language::en};
    }
    return std::nullopt;
}

/// What looks like a blank, or like nothing at all, where people type or paste. The 3-byte ones share two lead bytes
/// with letters, so each is named.
constexpr std::array<std::string_view, 29> kBlanks{
    " ",      "\t",     "\n",     "\r",     "\v",     "\f",     "\u0085", "\u00A0", "\u1680", "\u2000",
    "\u2001", "\u2002", "\u2003", "\u2004", "\u2005", "\u2006", "\u2007", "\u2008", "\u2009", "\u200A",
    "\u200B", "\u2028", "\u2029", "\u202F", "\u205F", "\u2060", "\u3000", "\uFE0F", "\uFEFF",
};

bool drop_blank_before(std::string_view& text) {
    const auto* blank = std::ranges::find_if(kBlanks, [&](std::string_view one) { return text.starts_with(one); });
    if (blank == kBlanks.end()) return false;
    text.remove_prefix(blank->size());
    return true;
}

bool drop_blank_after(std::string_view& text) {
    const auto* blank = std::ranges::find_if(kBlanks, [&](std::string_view one) { return text.ends_with(one); });
    if (blank == kBlanks.end()) return false;
    text.remove_suffix(blank->size());
    return true;
}

std::string_view without_blanks(std::string_view text) {
    while (drop_blank_before(text)) {
    }
    while (drop_blank_after(text)) {
    }
    return text;
}

/// Up to the first blank.
std::string_view first_word(std::string_view text) {
    std::string_view rest = text;
    while (!rest.empty()) {
        std::string_view after = rest;
        if (drop_blank_before(after)) break;
        rest.remove_prefix(1);
    }
    return text.substr(0, text.size() - rest.size());
}

discord::Json in_english(std::string_view text) {
    discord::Json localizations = discord::Json::object();
    for (const char* locale : kEnglishLocales) localizations[locale] = text;
    return localizations;
}

discord::Json named(const Text& name, const Text& description) {
    return {{"name", name.it},
            {"name_localizations", in_english(name.en)},
            {"description", description.it},
            {"description_localizations", in_english(description.en)}};
}

discord::Json as_json(const Option& option) {
    constexpr int kString = 3;
    discord::Json json = named(option.name, option.description);
    json["type"] = kString;
    json["required"] = option.required;
    json["max_length"] = option.max_length;
    return json;
}

}  // namespace

std::optional<Command> parse_message(std::string_view prefix, std::string_view text) {
    text = without_blanks(text);
    if (prefix.empty() || !text.starts_with(prefix)) return std::nullopt;
    text = without_blanks(text.substr(prefix.size()));  // a phone's keyboard puts a blank there
    const std::string_view word = first_word(text);
    const auto match = find_word(word);
    if (!match) return std::nullopt;
    return Command{match->verb, std::string(without_blanks(text.substr(word.size()))), match->language};
}

std::optional<Command> parse_interaction(const discord::Interaction& interaction) {
    constexpr int kCommand = 2;
    if (interaction.type != kCommand) return std::nullopt;
    const auto match = find_word(interaction.command);
    if (!match) return std::nullopt;
    Command command{match->verb, {}, language_of(interaction.locale, match->language)};
    for (const Option& option : {kSession, kNote}) {
        for (const Language language : {Language::it, Language::en}) {
            const auto given = interaction.options.find(std::string(option.name.in(language)));
            if (given != interaction.options.end()) command.argument = without_blanks(given->second);
        }
    }
    return command;
}

std::string_view word(Verb verb, Language language) {
    const auto* spelling = std::ranges::find(kSpellings, verb, &Spelling::verb);
    return spelling->word.in(language);
}

discord::Json slash_commands() {
    constexpr int kChatInput = 1;
    constexpr int kInGuilds = 0;
    constexpr int kInstalledInGuild = 0;
    discord::Json commands = discord::Json::array();
    for (const Spelling& one : kSpellings) {
        discord::Json command = named(one.word, one.description);
        command["type"] = kChatInput;
        command["contexts"] = discord::Json::array({kInGuilds});
        command["integration_types"] = discord::Json::array({kInstalledInGuild});
        if (one.option != nullptr) command["options"] = discord::Json::array({as_json(*one.option)});
        if (one.for_managers) command["default_member_permissions"] = std::to_string(permission::manage_guild);
        commands.push_back(std::move(command));
    }
    return commands;
}

}  // namespace lestapenna::bot
