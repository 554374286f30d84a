// A bot that records one session and does nothing else: main gateway, REST and a Recorder on a thread of their own, as
// the real one will have them.
//
// Thread: every method from one thread, not the bot's own. Ownership: the catalog outlives it and is used by nobody
// else between start() and stop(). Destroying it logs out; a session that was not stopped is left as by a kill.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/result.h"
#include "catalog/catalog.h"
#include "discord/voice.h"
#include "journal/writer.h"
#include "net/tls.h"
#include "recorder/recorder.h"

namespace lestapenna::cli {

struct RecordingBotOptions {
    std::string token;
    std::string api_base;
    net::Trust trust;
    std::filesystem::path journal_root;
    journal::WriterOptions journal{};
    discord::VoiceOptions voice{};  ///< `trust` goes in here, too
    nanoseconds log_in_within = seconds(30);
    milliseconds empty_end = std::chrono::minutes(5);
    std::function<void(const recorder::Happening&)> tell{};  ///< on the bot's thread
};

class RecordingBot {
  public:
    /// Logs in and waits until it knows `guild`. Errors: failed, with what Discord said.
    static Result<std::unique_ptr<RecordingBot>> log_in(RecordingBotOptions options, catalog::Catalog& catalog,
                                                        GuildId guild);
    ~RecordingBot();
    RecordingBot(const RecordingBot&) = delete;
    RecordingBot& operator=(const RecordingBot&) = delete;

    /// Recorder::start. Once.
    Result<Ok, recorder::StartError> start(const recorder::Where& where);
    [[nodiscard]] const SessionId& session() const;
    [[nodiscard]] UnixTime start_time() const;
    [[nodiscard]] recorder::Report report() const;
    Status stop();
    /// Why the session is over, once it is; waits for that at most so long.
    std::optional<recorder::EndCause> over_within(milliseconds time);

  private:
    struct Impl;
    explicit RecordingBot(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

}  // namespace lestapenna::cli
