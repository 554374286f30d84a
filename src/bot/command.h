// What a person asked the bot to do: the same command whether it was typed after the prefix or chosen as a slash
// command, in Italian or in English. Pure; any thread. Total: what is no command of ours is nothing.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "bot/language.h"
#include "discord/events.h"
#include "discord/json.h"

namespace lestapenna::bot {

enum class Verb : std::uint8_t { listen, stop, pause, resume, status, sessions, download, recover, note, help };

struct Command {
    Verb verb{};
    std::string argument{};  ///< an id, or a note's text; trimmed; empty: none
    Language language{};     ///< of the word that was typed; of a slash command: of the person's Discord
};

/// "$ascolta", "$Scarica 7F3K2A": the prefix, a word, the rest. A word that is no command is nothing: other bots use
/// the same prefixes.
std::optional<Command> parse_message(std::string_view prefix, std::string_view text);
/// Both languages' names are understood, whichever Discord sends.
std::optional<Command> parse_interaction(const discord::Interaction& interaction);

/// The word people type: word(Verb::listen, Language::it) is "ascolta".
std::string_view word(Verb verb, Language language);

/// All slash commands as PUT /applications/{id}/commands takes them: named in Italian, localised in English, with
/// descriptions and options, only in guilds.
discord::Json slash_commands();

}  // namespace lestapenna::bot
