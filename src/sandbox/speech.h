// One line of Italian, spoken: by the espeak-ng program (GPL: a process of its own, never linked), or as a buzz of the
// same length where there is none. Thread: any; speak() runs a program and waits for it.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace lestapenna::sandbox {

/// A voice of espeak-ng, shaped so that any number of players sound different.
struct Voice {
    std::string name;  ///< like "it+f4"
    int pitch = 50;    ///< 0 to 99
    int words_per_minute = 165;
};
Voice voice_of(std::size_t player);

/// What people say at the table.
std::span<const std::string_view> table_lines();

/// `text` in mono at 48 kHz. Nothing when `program` does not exist; an error (failed) when it exists and fails.
Result<std::optional<std::vector<float>>> speak(const std::string& program, const Voice& voice, std::string_view text);

/// A buzz with a speech-like rhythm: a syllable per vowel group of `text`, harmonics of the voice's pitch.
std::vector<float> buzz(const Voice& voice, std::string_view text);

}  // namespace lestapenna::sandbox
