#include "bot/command.h"

#include <algorithm>
#include <random>
#include <set>

#include <gtest/gtest.h>

namespace lestapenna::bot {
namespace {

struct Named {
    Verb verb;
    const char* it;
    const char* en;
};
/// The names people were promised.
constexpr Named kNames[] = {
    {Verb::listen, "ascolta", "listen"},
    {Verb::stop, "termina", "stop"},
    {Verb::pause, "pausa", "pause"},
    {Verb::resume, "riprendi", "resume"},
    {Verb::status, "stato", "status"},
    {Verb::sessions, "sessioni", "sessions"},
    {Verb::download, "scarica", "download"},
    {Verb::recover, "ripristina", "recover"},
    {Verb::note, "nota", "note"},
    {Verb::help, "aiuto", "help"},
};

discord::Interaction slash(const std::string& command, const std::string& locale) {
    discord::Interaction interaction;
    interaction.type = 2;
    interaction.command = command;
    interaction.locale = locale;
    return interaction;
}

TEST(Command, EveryWordOfBothLanguages) {
    for (const Named& one : kNames) {
        for (const auto& [text, language] : {std::pair(one.it, Language::it), std::pair(one.en, Language::en)}) {
            const auto typed = parse_message("$", "$" + std::string(text));
            ASSERT_TRUE(typed) << text;
            EXPECT_EQ(typed->verb, one.verb) << text;
            EXPECT_EQ(typed->language, language) << text;
            EXPECT_EQ(typed->argument, "");
            EXPECT_EQ(word(one.verb, language), text);
            const auto chosen = parse_interaction(slash(text, "it"));
            ASSERT_TRUE(chosen) << text;
            EXPECT_EQ(chosen->verb, one.verb) << text;
        }
    }
}

TEST(Command, HoweverItIsTyped) {
    for (const char* text :
         {"$ASCOLTA", "  $Ascolta", "$ascolta\n", "$ ascolta", "\u00A0$\u2003ascolta\u3000", "$ascolta\u200B"}) {
        const auto command = parse_message("$", text);
        ASSERT_TRUE(command) << text;
        EXPECT_EQ(command->verb, Verb::listen) << text;
        EXPECT_EQ(command->argument, "") << text;
    }
    const auto command = parse_message("$", "$Scarica\t \n 7f3k2a \u00A0");
    ASSERT_TRUE(command);
    EXPECT_EQ(command->verb, Verb::download);
    EXPECT_EQ(command->argument, "7f3k2a");
}

TEST(Command, PrefixesOfAnyLengthAndScript) {
    for (const std::string prefix : {"!", "dm!", "🎲", "¡", "<@42>", "$$"}) {
        const auto command = parse_message(prefix, prefix + "nota il drago è  qui");
        ASSERT_TRUE(command) << prefix;
        EXPECT_EQ(command->verb, Verb::note);
        EXPECT_EQ(command->argument, "il drago è  qui");
        EXPECT_FALSE(parse_message(prefix, "nota il drago"));
    }
    EXPECT_TRUE(parse_message("<@42>", "<@42> stato"));
    EXPECT_FALSE(parse_message("", "ascolta")) << "without a prefix all talk would be commands";
    EXPECT_FALSE(parse_message("🎲", "\xf0\x9f\x8e")) << "half a prefix";
}

TEST(Command, WhatIsNone) {
    for (const char* text : {"", "$", "$ ", "ascolta", "$ascoltami", "$ascolta,", "€ascolta", "$play song",
                             "a $ascolta", "$$ascolta", "\\$ascolta", "$ascolt\xc3", "\xff\xfe"}) {
        EXPECT_FALSE(parse_message("$", text)) << text;
    }
    EXPECT_FALSE(parse_message("$", std::string_view("$asc\0olta", 9)));
    EXPECT_FALSE(parse_interaction(slash("play", "it")));
    EXPECT_FALSE(parse_interaction(slash("", "it")));
    auto button = slash("ascolta", "it");
    button.type = 3;
    EXPECT_FALSE(parse_interaction(button));
}

TEST(Command, ArgumentsAreKeptAsTheyAre) {
    const std::string long_one(10'000, 'x');
    const auto scarica = parse_message("$", "$scarica " + long_one);
    ASSERT_TRUE(scarica);
    EXPECT_EQ(scarica->argument, long_one);
    const auto nota = parse_message("$", "$nota <@123> e <#4>: @everyone\nentra, **forte**");
    ASSERT_TRUE(nota);
    EXPECT_EQ(nota->argument, "<@123> e <#4>: @everyone\nentra, **forte**");
    const auto path = parse_message("$", "$download ../../etc/passwd");
    ASSERT_TRUE(path);
    EXPECT_EQ(path->argument, "../../etc/passwd") << "whether it is an id is the catalog's question";
}

TEST(Command, SlashValuesInEitherLanguage) {
    for (const auto& [option, command] : {std::pair("sessione", "scarica"), std::pair("session", "download"),
                                          std::pair("testo", "nota"), std::pair("text", "note")}) {
        auto interaction = slash(command, "it");
        interaction.options[option] = "  7F3K2A\n";
        const auto parsed = parse_interaction(interaction);
        ASSERT_TRUE(parsed) << option;
        EXPECT_EQ(parsed->argument, "7F3K2A") << option;
    }
    auto foreign = slash("scarica", "it");
    foreign.options["path"] = "x";
    EXPECT_EQ(parse_interaction(foreign)->argument, "");
}

TEST(Command, SlashSpeaksThePersonsLanguage) {
    EXPECT_EQ(parse_interaction(slash("ascolta", "it"))->language, Language::it);
    EXPECT_EQ(parse_interaction(slash("ascolta", "en-GB"))->language, Language::en);
    EXPECT_EQ(parse_interaction(slash("ascolta", "fr"))->language, Language::en);
    EXPECT_EQ(parse_interaction(slash("ascolta", ""))->language, Language::it);
    EXPECT_EQ(parse_interaction(slash("listen", ""))->language, Language::en);
}

TEST(Command, AnyBytesAreHarmless) {
    const auto seed = std::random_device{}();
    SCOPED_TRACE(seed);
    std::mt19937 random(seed);
    std::uniform_int_distribution<int> byte(0, 255);
    int commands = 0;
    for (int turn = 0; turn < 20'000; ++turn) {
        std::string text = turn % 2 == 0 ? "$nota" : "$";
        for (int i = turn % 12; i > 0; --i) text += static_cast<char>(byte(random));
        if (parse_message("$", text)) ++commands;
    }
    EXPECT_GT(commands, 0);
}

// ---- what is registered with Discord (reference: Application Commands)

bool is_valid_name(const std::string& name) {
    return !name.empty() && name.size() <= 32 && std::ranges::all_of(name, [](char c) { return c >= 'a' && c <= 'z'; });
}

/// In characters.
std::size_t characters(const std::string& text) {
    return static_cast<std::size_t>(
        std::ranges::count_if(text, [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U; }));
}

void expect_described(const discord::Json& described) {
    EXPECT_TRUE(is_valid_name(described["name"]));
    for (const auto& description : {described["description"], described["description_localizations"]["en-US"]}) {
        EXPECT_GE(characters(description), 1U);
        EXPECT_LE(characters(description), 100U);
    }
    for (const char* localized : {"name_localizations", "description_localizations"}) {
        EXPECT_TRUE(described[localized].contains("en-US"));
        EXPECT_TRUE(described[localized].contains("en-GB"));
        EXPECT_FALSE(described[localized].contains("it")) << "the default already";
    }
    EXPECT_TRUE(is_valid_name(described["name_localizations"]["en-US"]));
}

TEST(Command, SlashCommandsAreWhatDiscordTakes) {
    const auto commands = slash_commands();
    ASSERT_EQ(commands.size(), std::size(kNames));
    const std::set<std::string> locales{"id", "da", "de",    "en-GB", "en-US", "es-ES", "es-419", "fr",
                                        "hr", "it", "lt",    "hu",    "nl",    "no",    "pl",     "pt-BR",
                                        "ro", "fi", "sv-SE", "vi",    "tr",    "cs",    "el",     "bg",
                                        "ru", "uk", "hi",    "th",    "zh-CN", "ja",    "zh-TW",  "ko"};
    std::set<std::string> names;
    for (const auto& command : commands) {
        expect_described(command);
        EXPECT_EQ(command["type"], 1);
        EXPECT_EQ(command["contexts"], discord::Json::array({0}));
        EXPECT_EQ(command["integration_types"], discord::Json::array({0}));
        EXPECT_TRUE(names.insert(command["name"]).second) << command["name"];
        EXPECT_TRUE(names.insert(command["name_localizations"]["en-US"]).second) << command["name"];
        for (const auto& [locale, name] : command["name_localizations"].items()) {
            EXPECT_TRUE(locales.contains(locale)) << locale;
            EXPECT_EQ(name, command["name_localizations"]["en-US"]);
        }
        EXPECT_EQ(command["name_localizations"].size(), locales.size() - 1) << "English wherever it is not Italian";
        std::size_t total = 0;  // Discord: at most 8,000 characters of one command, of the longest localisation
        for (const auto& option : command.value("options", discord::Json::array())) {
            expect_described(option);
            EXPECT_EQ(option["type"], 3);
            EXPECT_NE(option["name"], option["name_localizations"]["en-US"]);
            EXPECT_GE(option["max_length"], 1);
            EXPECT_LE(option["max_length"], 6'000);
            total += option.dump().size();
        }
        EXPECT_LE(total + command["description"].dump().size(), 8'000U);
    }
    for (const Named& one : kNames) {
        const auto command = std::ranges::find_if(commands, [&](const auto& json) { return json["name"] == one.it; });
        ASSERT_NE(command, commands.end()) << one.it;
        EXPECT_EQ((*command)["name_localizations"]["en-GB"], one.en);
        const bool for_managers = one.verb == Verb::recover;
        EXPECT_EQ(command->value("default_member_permissions", ""), for_managers ? "32" : "");
        const bool takes_text = one.verb == Verb::note;
        const bool takes_session = one.verb == Verb::download || one.verb == Verb::recover;
        ASSERT_EQ(command->contains("options"), takes_text || takes_session) << one.it;
        for (const auto& option : command->value("options", discord::Json::array())) {
            EXPECT_EQ(option["required"], takes_text) << one.it;
        }
    }
}

TEST(Language, OfLocalesAndTexts) {
    EXPECT_EQ(language_of("it", Language::en), Language::it);
    EXPECT_EQ(language_of("it-CH", Language::en), Language::it);
    EXPECT_EQ(language_of("ita", Language::it), Language::en);
    EXPECT_EQ(language_of("en-US", Language::it), Language::en);
    EXPECT_EQ(language_of("", Language::it), Language::it);
    EXPECT_EQ(language_of("", Language::en), Language::en);
    for (const Language language : {Language::it, Language::en}) {
        EXPECT_EQ(parse_language(to_text(language), language == Language::it ? Language::en : Language::it), language);
        EXPECT_EQ(parse_language("", language), language);
        EXPECT_EQ(parse_language("IT", language), language);
    }
    Config config;
    EXPECT_EQ(default_language(config), Language::it);
    config.discord.locale = Locale::en;
    EXPECT_EQ(default_language(config), Language::en);
}

}  // namespace
}  // namespace lestapenna::bot
