#include "cli/live_table.h"

#include <algorithm>
#include <thread>
#include <utility>

#include "base/log.h"
#include "cli/recording_bot.h"

namespace lestapenna::cli {

namespace {

constexpr milliseconds kLook{50};
/// After the last packet was sent, over a loopback.
constexpr seconds kStillUnderWay{2};

RecordingBotOptions bot_options(const sandbox::Stage& stage, const Config& config) {
    RecordingBotOptions options;
    options.token = stage.bot.token;
    options.api_base = stage.addresses.api_base;
    options.trust.extra_ca_pem = stage.addresses.ca_pem;
    options.journal_root = workflows::journal_root(config);
    options.journal.write_interval = config.capture.write_interval;
    options.journal.sync_interval = config.capture.sync_interval;
    return options;
}

/// Waits for the end of the play; true when it was stopped.
bool watch(sandbox::Show& show, RecordingBot& bot, seconds length, const render::Work& work) {
    const BootTime begun = BootClock::now();
    while (!show.over_within(kLook)) {
        if (work.stopped() || bot.over_within(milliseconds(0))) {
            show.stop();
            return work.stopped();
        }
        const auto played = std::chrono::floor<seconds>(BootClock::now() - begun);
        if (work.progress) {
            work.progress("playing", static_cast<std::size_t>(std::min(played, length).count()),
                          static_cast<std::size_t>(length.count()) + 1);
        }
    }
    if (work.progress) work.progress("playing", 1, 1);
    return false;
}

/// What the voice server has sent, or still holds back, arrives before the bot goes.
void wait_for_the_last(const sandbox::Show& show, const RecordingBot& bot, milliseconds longest_delay) {
    const BootTime until = BootClock::now() + longest_delay + kStillUnderWay;
    while (BootClock::now() < until) {
        const auto sent = show.sent_to_bot();
        if (sent && bot.report().packets >= *sent) return;
        std::this_thread::sleep_for(kLook);
    }
}

}  // namespace

Result<LiveTable> record_live(sandbox::ShowOptions options, const workflows::Tools& tools,
                              const std::filesystem::path& truth) {
    const auto length = std::chrono::ceil<seconds>(options.script.length);
    const auto longest_delay = options.line.delay + options.line.jitter;
    auto show = sandbox::Show::open(std::move(options));
    if (!show) return show.error();
    const sandbox::Stage& stage = (*show)->stage();
    auto bot = RecordingBot::log_in(bot_options(stage, tools.config), tools.catalog, stage.guild);
    if (!bot) return bot.error();
    if (auto started = (*bot)->start({stage.guild, stage.voice, stage.text}); !started) return started.error();
    LiveTable table{(*bot)->session()};
    const UnixTime start = (*bot)->start_time();
    if (auto begun = (*show)->begin(BootClock::now() + sandbox::kEarly, start, truth); !begun) return begun.error();

    table.stopped = watch(**show, **bot, length, tools.work);
    wait_for_the_last(**show, **bot, longest_delay);
    if (auto ended = (*bot)->stop(); !ended) return ended.error();
    const auto session_length = std::chrono::duration_cast<Samples>(unix_now() - start);
    if (auto written = (*show)->finish(session_length); !written) return written.error();
    return table;
}

}  // namespace lestapenna::cli
