// What both transcription queues work at: the rows of the catalog, and how a fragment's way ends there. Private to
// jobs/. Thread: the transcriber's.
#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "jobs/transcriber.h"

namespace lestapenna::jobs {

struct Desk {
    const TranscriberTools& tools;
    const TranscriberOptions& options;
    catalog::Catalog& catalog;
    const std::atomic<bool>& stop;

    // `note` and `why` may be another program's words: links in them lose what makes them keys.
    /// Done, with these words; what follows from it is in the same transaction. `note`: why there are none.
    Status done(catalog::Transcription row, const std::vector<catalog::Segment>& segments, std::string_view note = {});
    /// Given up, and logged.
    Status fail(catalog::Transcription row, std::string_view why);
    /// Tried again later, or given up when it was tried often enough.
    Status put_off(catalog::Transcription row, std::string_view why);

    /// An object of the store as text. Nothing: there is none. Errors: damaged when it is larger than a transcript.
    /// `user`: whose words it has. Nothing of it stays on this machine.
    Result<std::optional<std::string>> text_in_store(const store::Key& key, UserId user);
    /// {data}/cache/.transcribe/{user}, empty: where one fragment at a time is worked on, under the name of who speaks
    /// in it, so that what a kill leaves goes with them (workflows/forget.h). (No session is called .transcribe.) It is
    /// there alone: who is done removes its parent.
    Result<std::filesystem::path> scratch(UserId user);

  private:
    Status end(const catalog::Transcription& row, const std::vector<catalog::Segment>& segments);
};

class TranscriptionQueue {
  public:
    TranscriptionQueue() = default;
    TranscriptionQueue(const TranscriptionQueue&) = delete;
    TranscriptionQueue& operator=(const TranscriptionQueue&) = delete;
    virtual ~TranscriptionQueue() = default;
    /// Does what can be done now. True: there may be more at once; false: nothing for TranscriberOptions::look, or it
    /// has waited for that by itself. Errors: the queue itself is in trouble; interrupted.
    virtual Result<bool> round() = 0;
};

std::unique_ptr<TranscriptionQueue> embedded_queue(Desk desk);
Result<std::unique_ptr<TranscriptionQueue>> redis_queue(Desk desk);

}  // namespace lestapenna::jobs
