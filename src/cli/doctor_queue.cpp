// What is to be transcribed, and who does it.
#include <atomic>

#include <fmt/format.h>

#include "base/text.h"
#include "cli/doctor_checks.h"
#include "jobs/bullmq.h"
#include "jobs/program.h"
#include "jobs/transcriber.h"

namespace lestapenna::cli {

namespace {

using catalog::TranscriptionStatus;

/// Who transcribes, to begin a sentence with; an error: nobody can.
Result<std::string> who(const Config& config) {
    if (auto good = jobs::check_queue(config); !good) return good.error();
    const auto& command = config.queue.command;
    if (config.queue.url.reveal() == "embedded") {
        if (command.empty()) return std::string("embedded");
        if (jobs::is_program(command.front())) return "embedded, by " + one_line(command.front());
        return Error{ErrorKind::failed, "queue.command names " + in_quotes(command.front()) +
                                            ", and there is no such program: install it, or say where it is"};
    }
    const auto place = jobs::RedisPlace::of(config);
    if (!place) return place.error();
    const std::atomic<bool> stop{false};
    auto queue = jobs::BullQueue::connect(*place, config.queue.name, stop);
    if (!queue) return queue.error();
    if (auto safe = queue->check_memory(); !safe) return safe.error();
    return place->name() + ", queue " + one_line(config.queue.name);
}

}  // namespace

Check queue_check(const Config& config, const catalog::Catalog* catalog) {
    const auto by = who(config);
    if (!by) return {"queue", false, by.error().message};
    if (catalog == nullptr) return {"queue", true, *by + "; nothing was recorded yet"};
    auto counts = catalog->transcription_counts();
    if (!counts) return {"queue", false, counts.error().message};
    auto message = fmt::format("{}; {} files wait for transcription", *by,
                               (*counts)[TranscriptionStatus::waiting] + (*counts)[TranscriptionStatus::queued]);
    const auto failed = (*counts)[TranscriptionStatus::failed];
    if (failed == 0) return {"queue", true, std::move(message)};
    const bool embedded = config.queue.url.reveal() == "embedded";
    return {"queue", false,
            fmt::format("{}, {} given up: the transcripts say why; mend that, then {}", message, failed,
                        embedded ? "`lestapenna recover ID` has them tried again"
                                 : "retry those jobs with BullMQ's own tools: it is heard of")};
}

}  // namespace lestapenna::cli
