// A bot that records one session at a time and does nothing else: main gateway, REST and a Recorder on a thread of
// their own, as the real one has them.
//
// Thread: every method from one thread, not the bot's own. Ownership: the catalog outlives it and is used by nobody
// else between start() and stop(). Destroying it logs out; a session that was not stopped is left as by a kill.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "catalog/catalog.h"
#include "discord/voice.h"
#include "journal/writer.h"
#include "net/tls.h"
#include "recorder/notice.h"
#include "recorder/recorder.h"

namespace lestapenna::recorder {

struct RecordingBotOptions {
    std::string token;
    std::string api_base;
    net::Trust trust;
    std::filesystem::path journal_root;
    journal::WriterOptions journal{};
    discord::VoiceOptions voice{};  ///< `trust` goes in here, too
    nanoseconds log_in_within = seconds(30);
    milliseconds empty_end = std::chrono::minutes(5);
};

class RecordingBot {
  public:
    /// Logs in and waits until it knows `guild`. Errors: failed, with what Discord said.
    static Result<std::unique_ptr<RecordingBot>> log_in(RecordingBotOptions options, catalog::Catalog& catalog,
                                                        GuildId guild);
    ~RecordingBot();  // NOLINT(bugprone-exception-escape): what runs on the loop does not throw
    RecordingBot(const RecordingBot&) = delete;
    RecordingBot& operator=(const RecordingBot&) = delete;

    /// Recorder::start, of a new session, or of one that goes on; once what was recorded before is over or cut off.
    Result<Ok, StartError> start(const Where& where, const std::optional<journal::Unfinished>& unfinished = {});
    /// Destroys the Recorder where it stands, as a kill would.
    void cut_off();
    Status stop();
    /// Why the session is over, once it is; waits for that at most so long.
    std::optional<EndCause> over_within(milliseconds time);

    [[nodiscard]] const SessionId& session() const;
    [[nodiscard]] UnixTime start_time() const;
    [[nodiscard]] Report report() const;
    bool pause();
    bool resume();
    bool note(UserId user, const std::string& text);
    /// What the Recorders told so far.
    [[nodiscard]] std::vector<Happening> told() const;
    GivenBack give_back_nick();

  private:
    struct Impl;
    explicit RecordingBot(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

}  // namespace lestapenna::recorder
