#include "workflows/transcript.h"

#include <algorithm>
#include <map>
#include <tuple>
#include <utility>

#include <fmt/format.h>

#include "base/files.h"
#include "base/hash.h"
#include "base/text.h"

namespace lestapenna::workflows {

namespace {

constexpr std::size_t kMostName = 200;
constexpr std::size_t kMostWhy = 300;

struct Line {
    milliseconds start{};  // on the session's clock
    std::string name{};
    std::string words{};
};

std::string clock(milliseconds time) {
    const auto total = std::max<std::int64_t>(0, std::chrono::floor<seconds>(time).count());
    return fmt::format("{}:{:02}:{:02}", total / 3600, total / 60 % 60, total % 60);
}

std::string one_text(const std::vector<Line>& lines, const std::vector<Line>& without) {
    std::string text;
    for (const Line& line : lines) text += fmt::format("[{}] {}: {}\n", clock(line.start), line.name, line.words);
    if (!without.empty() && !text.empty()) text += '\n';
    for (const Line& line : without) text += fmt::format("# [{}] {}: {}\n", clock(line.start), line.name, line.words);
    return text;
}

/// Why a fragment has no words, in the table's language.
std::string why_none(const catalog::Session& session, const catalog::Transcription& row) {
    const bool english = session.language == "en";
    if (row.status == catalog::TranscriptionStatus::done && row.error.empty()) {
        return english ? "nothing was understood" : "non si è capito niente";
    }
    return (english ? "no transcript: " : "nessuna trascrizione: ") + one_line(row.error, kMostWhy);
}

Result<std::map<UserId, std::string>> names_of(const catalog::Catalog& catalog, const SessionId& id) {
    const auto tracks = catalog.tracks(id);
    if (!tracks) return tracks.error();
    std::map<UserId, std::string> names;
    for (const auto& track : *tracks) names.emplace(track.user, one_line(track.name, kMostName));
    return names;
}

}  // namespace

Result<std::string> transcript_text(const catalog::Catalog& catalog, const SessionId& id) {
    const auto session = catalog.session(id);
    if (!session) return session.error();
    auto names = names_of(catalog, id);
    if (!names) return names.error();
    const auto rows = catalog.transcriptions(id);
    if (!rows) return rows.error();

    std::vector<Line> lines;
    std::vector<Line> without;
    for (const auto& row : *rows) {
        const auto segments = catalog.segments(row.file);
        if (!segments) return segments.error();
        const std::string& name = names->try_emplace(row.user, row.user.text()).first->second;
        const milliseconds delay = row.timestamp - session->start;
        for (const auto& segment : *segments) lines.push_back({delay + segment.start, name, segment.text});
        if (segments->empty()) without.push_back({delay, name, why_none(*session, row)});
    }
    // Fragments are in the order of their beginnings, and so are who speaks at the same moment.
    std::ranges::stable_sort(lines, {}, &Line::start);
    return one_text(lines, without);
}

Status make_transcript(const Tools& tools, const SessionId& id) {
    // From what is read to what is noted: else the words of somebody who is forgotten meanwhile come back.
    const auto alone = Scratch::take(tools.config.data.dir / "cache", id);
    if (!alone) return alone.error();
    const auto ready = tools.catalog.transcribed(id);
    if (!ready) return ready.error();
    if (!*ready) return Ok{};
    const auto text = transcript_text(tools.catalog, id);
    if (!text) return text.error();

    const auto key = store::key(store::TranscriptKey{id});
    const std::span bytes(reinterpret_cast<const std::uint8_t*>(text->data()), text->size());
    const catalog::Transcript wanted{key.text(), {static_cast<std::int64_t>(text->size()), hex(Sha256::of(bytes))}};
    const auto known = tools.catalog.transcript(id);
    if (!known) return known.error();
    // One whose sum nobody knows came back with the bucket (recover --scan-store), and its words with it only: it
    // stays.
    if (*known == wanted || (*known && (*known)->content.sha256.empty())) {
        const auto there = in_store(tools, key.text());
        if (!there) return there.error();
        if (*there) return Ok{};
    }
    const auto file = *alone / key.filename();
    if (auto written = write_file(file, *text); !written) return written;
    if (auto put = tools.store.put(file, key); !put) return put;
    return tools.catalog.set_transcript(id, wanted);
}

}  // namespace lestapenna::workflows
