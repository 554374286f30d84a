// What the values of a configuration look like as text: per type how to read it, how to show it and what to tell a
// person who wrote it wrong. Private to config*.cpp. Pure; any thread.
#pragma once

#include <array>
#include <charconv>
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>

#include "base/config.h"

namespace lestapenna::config {

/// A value as it was written. Variables are always `text`; TOML may say more.
struct RawValue {
    enum class Shape { text, bare, list, table, other };
    Shape shape = Shape::other;
    std::string text;      ///< of text, and of bare (a TOML boolean or integer)
    WordList list;         ///< TOML array of strings
    GuildAddresses table;  ///< TOML table of strings or arrays of strings
};

template <class E>
struct Choices;
template <>
struct Choices<Locale> {
    static constexpr std::array kWords{std::pair{"it", Locale::it}, std::pair{"en", Locale::en}};
};
template <>
struct Choices<Links> {
    static constexpr std::array kWords{std::pair{"private", Links::private_message},
                                       std::pair{"channel", Links::channel}};
};
template <>
struct Choices<LoudnessPreset> {
    static constexpr std::array kWords{std::pair{"ebu-r128", LoudnessPreset::ebu_r128},
                                       std::pair{"podcast", LoudnessPreset::podcast},
                                       std::pair{"streaming", LoudnessPreset::streaming}};
};
template <>
struct Choices<BotTracks> {
    static constexpr std::array kWords{std::pair{"mix", BotTracks::mix}, std::pair{"exclude", BotTracks::exclude}};
};
template <>
struct Choices<Switch> {
    static constexpr std::array kWords{std::pair{"off", Switch::off}, std::pair{"on", Switch::on}};
};
template <class E>
concept Choice = requires {
    Choices<E>::kWords;
};

// read(raw, out): false, and `out` untouched, when it is not such a value.
bool read(const RawValue& raw, std::string& out);
bool read(const RawValue& raw, Secret& out);
bool read(const RawValue& raw, std::filesystem::path& out);
bool read(const RawValue& raw, bool& out);
bool read(const RawValue& raw, milliseconds& out);
bool read(const RawValue& raw, Age& out);
bool read(const RawValue& raw, WordList& out);
bool read(const RawValue& raw, GuildAddresses& out);
bool read(const RawValue& raw, Listen& out);
template <Choice E>
bool read(const RawValue& raw, E& out) {
    for (const auto& [word, value] : Choices<E>::kWords) {
        if (raw.shape == RawValue::Shape::text && raw.text == word) return out = value, true;
    }
    return false;
}

// show(value): what a person would write for it; empty for "not set", "(set)" for a secret.
std::string show(const std::string& value);
std::string show(const Secret& value);
std::string show(const std::filesystem::path& value);
std::string show(bool value);
std::string show(milliseconds value);
std::string show(const Age& value);
std::string show(const WordList& value);
std::string show(const GuildAddresses& value);
std::string show(const Listen& value);
template <Choice E>
std::string show(E value) {
    for (const auto& [word, known] : Choices<E>::kWords) {
        if (known == value) return word;
    }
    return {};
}

// accepts(type): the end of the sentence "it takes ...".
std::string accepts(const std::string&);
std::string accepts(const Secret&);
std::string accepts(const std::filesystem::path&);
std::string accepts(bool);
std::string accepts(milliseconds);
std::string accepts(const Age&);
std::string accepts(const WordList&);
std::string accepts(const GuildAddresses&);
std::string accepts(const Listen&);
template <Choice E>
std::string accepts(E) {
    std::string text = "one of";
    for (const auto& [word, value] : Choices<E>::kWords)
        text.append(text.back() == '"' ? ", \"" : " \"").append(word) += '"';
    return text;
}

}  // namespace lestapenna::config
