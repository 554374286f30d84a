// What a session's report by mail says, in Italian and English: who was recorded for how long, what is missing, levels,
// sizes, links and until when they work. Plain text and HTML say the same; the HTML loads nothing from anywhere, and
// is one column that a phone shows well. Whatever stands in a name stays text. Pure but for the machine's time zone,
// in which times are told; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/ids.h"
#include "base/language.h"
#include "base/time.h"

namespace lestapenna::notify {

/// A file of the store.
struct AudioFile {
    UnixTime start{};
    milliseconds length{};
    std::optional<std::uint64_t> bytes{};
    std::optional<double> loudness_lufs{};
    std::string link{};  ///< empty: none is given
};

struct Person {
    std::string name;       ///< as people see it, whatever it holds
    std::string losses;     ///< what is missing of what they said, and what their microphone needs: words in a line
    milliseconds length{};  ///< recorded, all connections together
    std::vector<AudioFile> files{};
};

enum class CallKind { unknown, open, encrypted, partly_encrypted };

struct Report {
    SessionId session;
    Language language = Language::it;
    UnixTime start{};
    milliseconds length{};
    CallKind call = CallKind::unknown;
    std::optional<AudioFile> master{};  ///< nothing: there is no audio
    std::vector<Person> people{};
    std::optional<UnixTime> links_until{};  ///< nothing: it has no links
    std::string ask{};                      ///< what to type for a new link: "$scarica 7F3K2A"
};

struct Content {
    std::string subject;
    std::string text;  ///< lines end with "\n"
    std::string html;
};
Content content(const Report& report);

}  // namespace lestapenna::notify
