// What a recogniser of speech says, in the forms that recognisers have. Pure functions; total: any bytes give segments
// or one sentence. Any thread. Text becomes UTF-8 (other bytes: U+FFFD) on one line; what holds no text is left out.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "catalog/catalog.h"

namespace lestapenna::jobs {

/// More than a day of talk, as any of the forms. What is larger is an error and no transcript.
inline constexpr std::size_t kMostTranscriptBytes = std::size_t{16} << 20;
inline constexpr std::size_t kMostSegments = 200'000;

/// One of
///   {"transcription": [{"offsets": {"from": ms, "to": ms}, "text"}]}   whisper.cpp, -oj
///   [{"start": s, "end": s, "text"}], or that as "segments" of an object     whisper, faster-whisper and many
///   SRT or WebVTT; [h:mm:ss.mmm --> h:mm:ss.mmm] text                    whisper.cpp's lines
///   plain text: a segment for each line, all at the beginning
/// Errors: damaged, for what begins as JSON and is none of the above, and for too many segments.
Result<std::vector<catalog::Segment>> read_transcript(std::string_view text);

/// What a BullMQ worker returned for a fragment.
struct Returned {
    /// Nothing: it says only that it is done, and keeps the text.
    std::optional<std::vector<catalog::Segment>> segments{};
    std::string note{};  ///< why there is no text
};
/// Segments as above, or an object with one of "segments", "transcription", "srt" or "text", or a text; also today's
/// worker's {"status", "reason", ...}. Errors: failed where the status is "failed"; damaged.
Result<Returned> read_returned(std::string_view json);

}  // namespace lestapenna::jobs
