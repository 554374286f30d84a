// The embedded queue: queue.command for one fragment after the other. Of its words are replaced, wherever they stand in
// one:
//   {file}      a copy of the fragment (MP3) that the command may change or remove
//   {output}    a name without ending for what it writes
//   {language}  of the session: it, en
// What it said is read from {output}.json, .srt, .vtt or .txt, or {file} with one of these after it, else from its
// standard output (recognised.h says in which forms).
#include <array>
#include <system_error>
#include <utility>

#include "base/files.h"
#include "base/log.h"
#include "base/text.h"
#include "jobs/desk.h"
#include "jobs/program.h"
#include "jobs/recognised.h"

namespace lestapenna::jobs {

namespace {

namespace fs = std::filesystem;
using catalog::Transcription;
using Segments = std::vector<catalog::Segment>;

constexpr std::array kEndings{".json", ".srt", ".vtt", ".txt"};

std::string replaced(std::string text, std::string_view what, std::string_view by) {
    for (auto at = text.find(what); at != std::string::npos; at = text.find(what, at + by.size())) {
        text.replace(at, what.size(), by);
    }
    return text;
}

/// A round in which a fragment was worked on.
Result<bool> over(const Status& ended) {
    if (!ended) return ended.error();
    return true;
}

/// The last line that is not empty.
std::string last_line(std::string_view text) {
    text = trimmed(text);
    return one_line(text.substr(text.rfind('\n') + 1), 200);
}

/// Nothing: there is no such file.
Result<std::optional<std::string>> written(const fs::path& file, const fs::path& output) {
    for (const auto& base : {output, file}) {
        for (const char* ending : kEndings) {
            auto text = read_text_file(base.native() + ending, kMostTranscriptBytes);
            if (text) return std::optional(std::move(*text));
            if (text.error().kind != ErrorKind::not_found) return text.error();
        }
    }
    return std::optional<std::string>{};
}

class EmbeddedQueue final : public TranscriptionQueue {
  public:
    explicit EmbeddedQueue(Desk desk) : desk_(desk) {}

    Result<bool> round() override;

  private:
    Error without_file(Transcription row, const Error& error);
    Result<Segments> transcribe(const Transcription& row, const fs::path& file);
    Result<std::vector<std::string>> words_for(const Transcription& row, const fs::path& file, const fs::path& output);
    Result<milliseconds> time_for(const Transcription& row);

    Desk desk_;
};

Result<bool> EmbeddedQueue::round() {
    const auto& command = desk_.tools.config.queue.command;
    if (!is_program(command.front())) {
        return Error{ErrorKind::failed, "queue.command names " + in_quotes(command.front()) +
                                            ", and there is no such program: install it, or say where it is"};
    }
    auto rows = desk_.catalog.transcriptions(catalog::TranscriptionStatus::waiting, unix_now(), 1);
    if (!rows) return rows.error();
    if (rows->empty()) return false;
    Transcription& row = rows->front();
    const auto key = store::Key::parse(row.file);
    if (!key) return over(desk_.fail(row, "its name is no key of a store"));
    const auto folder = desk_.scratch(row.user);
    if (!folder) return folder.error();
    const auto file = *folder / key->filename();
    const auto got = desk_.tools.store.get(*key, file);
    if (!got && got.error().kind != ErrorKind::not_found) return without_file(std::move(row), got.error());

    // Counted before: should this machine die of it, that was an attempt too.
    ++row.attempts;
    // Not given up at once: all of a folder whose disk is not mounted is gone, and comes back.
    if (!got) return over(desk_.put_off(row, got.error().message));
    if (auto begun = desk_.catalog.set_transcription(row); !begun) return begun.error();
    const auto segments = transcribe(row, file);
    std::error_code ignored;
    fs::remove_all(folder->parent_path(), ignored);
    const auto ended = [&]() -> Status {
        if (segments) return desk_.done(row, *segments);
        switch (segments.error().kind) {
            case ErrorKind::interrupted:
                --row.attempts;
                return desk_.catalog.set_transcription(row);
            case ErrorKind::failed:
                return desk_.put_off(row, segments.error().message);
            default:
                return desk_.fail(row, segments.error().message);  // it would not be otherwise the next time
        }
    }();
    return over(ended);
}

/// The store is away, or has trouble with this one alone (a lifecycle rule archived it): the next round is another's.
Error EmbeddedQueue::without_file(Transcription row, const Error& error) {
    if (error.kind == ErrorKind::interrupted) return error;
    log().warn("{} is not transcribed yet: {}", row.file, error.message);
    row.due = unix_now() + std::chrono::ceil<milliseconds>(desk_.options.backoff_most);
    row.error = error.message;
    if (auto set = desk_.catalog.set_transcription(row); !set) return set.error();
    return error;
}

Result<Segments> EmbeddedQueue::transcribe(const Transcription& row, const fs::path& file) {
    const auto output = file.parent_path() / "transcript";
    const auto words = words_for(row, file, output);
    if (!words) return words.error();
    const auto time = time_for(row);
    if (!time) return time.error();

    const auto end = run_program(*words, {*time, kMostTranscriptBytes}, desk_.stop);
    if (!end) {
        auto error = end.error();
        if (error.kind == ErrorKind::not_found) error.kind = ErrorKind::failed;  // mended when it is installed
        error.message = "queue.command: " + error.message;
        return error;
    }
    if (end->exit_code != 0) {
        return Error{ErrorKind::failed,
                     "queue.command ended with code " + std::to_string(end->exit_code) + ": " + last_line(end->last)};
    }
    const auto text = written(file, output);
    if (!text) return text.error();
    return read_transcript(*text ? **text : end->out);
}

Result<std::vector<std::string>> EmbeddedQueue::words_for(const Transcription& row, const fs::path& file,
                                                          const fs::path& output) {
    const auto session = desk_.catalog.session(row.session);
    if (!session) return session.error();
    const std::string language =
        session->language.empty() ? (desk_.tools.config.discord.locale == Locale::it ? "it" : "en") : session->language;
    std::vector<std::string> words;
    words.reserve(desk_.tools.config.queue.command.size());
    for (const std::string& word : desk_.tools.config.queue.command) {
        words.push_back(replaced(replaced(replaced(word, "{language}", language), "{output}", output.native()),
                                 "{file}", file.native()));
    }
    return words;
}

Result<milliseconds> EmbeddedQueue::time_for(const Transcription& row) {
    constexpr int kTimesItsLength = 10;
    const auto recordings = desk_.catalog.recordings(row.session);
    if (!recordings) return recordings.error();
    for (const auto& recording : *recordings) {
        if (recording.key != row.file) continue;
        return desk_.options.command_time + kTimesItsLength * recording.duration.value_or(milliseconds(0));
    }
    return desk_.options.command_time;
}

}  // namespace

std::unique_ptr<TranscriptionQueue> embedded_queue(Desk desk) {
    return std::make_unique<EmbeddedQueue>(desk);
}

}  // namespace lestapenna::jobs
