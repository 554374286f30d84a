#include "jobs/transcriber.h"

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>

#include <sys/resource.h>

#include "base/files.h"
#include "base/log.h"
#include "base/text.h"
#include "jobs/backoff.h"
#include "jobs/bullmq.h"
#include "jobs/desk.h"
#include "jobs/recognised.h"
#include "jobs/redis.h"

namespace lestapenna::jobs {

namespace {

constexpr int kNice = 10;  // as the runner's workers: capture comes first

bool on_redis(const Config& config) {
    return config.queue.url.reveal() != "embedded";
}

Error usage(std::string message) {
    return {ErrorKind::usage, std::move(message)};
}

/// Words of another's program, which may hold a link to the fragment: what makes that a key ("?X-Amz-Signature=...")
/// goes, because the words are logged, kept, and written into the transcript.
std::string without_queries(std::string_view text) {
    constexpr std::string_view kAfterLink = " \t\r\n\"'`<>";
    std::string out;
    while (!text.empty()) {
        const auto word = text.substr(0, text.find_first_of(kAfterLink));
        const auto query = std::min(word.find('?'), word.size());
        const bool key = word.find('=', query) != std::string_view::npos;
        out += key ? std::string(word.substr(0, query)) + "?..." : std::string(word);
        text.remove_prefix(word.size());
        const auto between = text.substr(0, text.find_first_not_of(kAfterLink));
        out += between;
        text.remove_prefix(between.size());
    }
    return out;
}

}  // namespace

// ---- how a fragment's way ends

Status Desk::end(const catalog::Transcription& row, const std::vector<catalog::Segment>& segments) {
    bool last = false;
    auto written = catalog.together([&]() -> Status {
        if (auto set = catalog.set_transcription(row, segments); !set) return set;
        const auto transcribed = catalog.transcribed(row.session);
        if (!transcribed) return transcribed.error();
        last = *transcribed;
        return last ? catalog.add_job(tools.then(row.session)) : Ok{};
    });
    if (written && last) tools.wake();
    return written;
}

Status Desk::done(catalog::Transcription row, const std::vector<catalog::Segment>& segments, std::string_view note) {
    row.status = catalog::TranscriptionStatus::done;
    row.error = without_queries(note);
    return end(row, segments);
}

Status Desk::fail(catalog::Transcription row, std::string_view why) {
    row.status = catalog::TranscriptionStatus::failed;
    row.error = without_queries(why);
    log().error("{} is not transcribed: {}", row.file, row.error);
    return end(row, {});
}

Status Desk::put_off(catalog::Transcription row, std::string_view why) {
    if (row.attempts >= options.attempts) return fail(std::move(row), why);
    row.error = without_queries(why);
    log().warn("{} is not transcribed, attempt {}: {}", row.file, row.attempts, row.error);
    row.due = unix_now() +
              std::chrono::ceil<milliseconds>(backoff(options.backoff_first, options.backoff_most, row.attempts));
    return catalog.set_transcription(row);
}

Result<std::filesystem::path> Desk::scratch(UserId user) {
    const auto root = std::filesystem::absolute(tools.config.data.dir) / "cache" / ".transcribe";
    std::error_code ignored;  // what stays of another is not in the way
    std::filesystem::remove_all(root, ignored);
    auto folder = root / user.text();
    if (auto made = make_folders(folder); !made) return made.error();
    return folder;
}

Result<std::optional<std::string>> Desk::text_in_store(const store::Key& key, UserId user) {
    const auto found = tools.store.find(key);
    if (!found) return found.error();
    if (!*found) return std::optional<std::string>{};
    if ((*found)->bytes > kMostTranscriptBytes) {
        return Error{ErrorKind::damaged, key.text() + " is larger than the " +
                                             std::to_string(kMostTranscriptBytes >> 20) + " MiB of any transcript"};
    }
    const auto folder = scratch(user);
    if (!folder) return folder.error();
    const auto file = *folder / "transcript";
    const auto got = tools.store.get(key, file);
    auto text = got ? read_text_file(file, kMostTranscriptBytes) : Result<std::string>(got.error());
    std::error_code ignored;
    std::filesystem::remove_all(folder->parent_path(), ignored);
    if (!text) return text.error();
    return std::optional(std::move(*text));
}

// ---- the thread

struct Transcriber::Impl {
    Impl(TranscriberTools with, const TranscriberOptions& how, catalog::Catalog opened)
        : tools(std::move(with)), options(how), catalog(std::move(opened)) {}

    Status open();
    void run();
    void wait(nanoseconds time);
    void hear_trouble(const Error& error, int count, std::string& told);

    const TranscriberTools tools;
    const TranscriberOptions options;
    catalog::Catalog catalog;
    std::atomic<bool> stop{false};
    std::atomic<bool> away{false};
    std::atomic<std::uint64_t> troubles{0};
    std::mutex mutex;
    std::condition_variable changed;  // stop
    std::unique_ptr<TranscriptionQueue> queue;
    std::thread thread;
};

Status Transcriber::Impl::open() {
    // Sessions that were complete before this, or ended by a verb, without jobs.
    const auto ready = catalog.without_transcript();
    if (!ready) return ready.error();
    for (const SessionId& session : *ready) {
        if (auto added = catalog.add_job(tools.then(session)); !added) return added;
    }
    if (!ready->empty()) tools.wake();

    const Desk desk{tools, options, catalog, stop};
    if (!on_redis(tools.config)) {
        // Of what an earlier configuration handed to Redis nobody would hear any more.
        if (auto back = catalog.unqueue_transcriptions(); !back) return back;
        if (!tools.config.queue.command.empty()) queue = embedded_queue(desk);
        return Ok{};
    }
    auto opened = redis_queue(desk);
    if (!opened) return opened.error();
    queue = std::move(*opened);
    return Ok{};
}

void Transcriber::Impl::wait(nanoseconds time) {
    std::unique_lock lock(mutex);
    changed.wait_for(lock, time, [this] { return stop.load(); });
}

void Transcriber::Impl::run() {
    if (::getpriority(PRIO_PROCESS, 0) < kNice) static_cast<void>(::setpriority(PRIO_PROCESS, 0, kNice));
    int count = 0;
    std::string told;
    while (!stop) {
        const auto more = queue->round();
        if (!more && more.error().kind == ErrorKind::interrupted) {
            wait(options.look);  // the program ends, and the store knows it before us
            continue;
        }
        if (!more) {
            hear_trouble(more.error(), ++count, told);
            wait(backoff(options.backoff_first, options.backoff_most, count));
            continue;
        }
        if (!told.empty()) log().info("transcription goes on");
        told.clear();
        count = 0;
        away = false;
        if (!*more) wait(options.look);
    }
}

/// The first is not told: a Redis that is started anew is back within a second. After that, what is new is.
void Transcriber::Impl::hear_trouble(const Error& error, int count, std::string& told) {
    away = true;
    ++troubles;
    if (count == 1 || error.message == told) return;
    log().warn("transcription waits: {}", error.message);
    told = error.message;
}

bool transcribes(const Config& config) {
    return on_redis(config) || !config.queue.command.empty();
}

Status check_queue(const Config& config) {
    const auto& command = config.queue.command;
    if (on_redis(config)) {
        if (const auto place = RedisPlace::of(config); !place) return place.error();
        if (!is_queue_name(config.queue.name)) {
            return usage("queue.name is " + in_quotes(config.queue.name) +
                         ", which BullMQ takes for no queue: it may not be "
                         "empty, nor hold a colon");
        }
        if (!command.empty()) {
            return usage(
                "queue.command is for the embedded queue, and queue.url names one whose workers are elsewhere: "
                "remove one of them");
        }
        return Ok{};
    }
    const auto names_file = [](const std::string& word) { return word.find("{file}") != std::string::npos; };
    if (!command.empty() && std::ranges::none_of(command, names_file)) {
        return usage("queue.command does not say where the fragment goes: put {file} among its words");
    }
    return Ok{};
}

Result<std::unique_ptr<Transcriber>> Transcriber::start(TranscriberTools tools, const TranscriberOptions& options) {
    if (auto good = check_queue(tools.config); !good) return good.error();
    auto catalog = catalog::Catalog::open(tools.catalog_file);
    if (!catalog) return catalog.error();
    auto impl = std::make_unique<Impl>(std::move(tools), options, std::move(*catalog));
    if (auto opened = impl->open(); !opened) return opened.error();
    if (impl->queue) impl->thread = std::thread([at = impl.get()] { at->run(); });
    return std::unique_ptr<Transcriber>(new Transcriber(std::move(impl)));
}

Transcriber::Transcriber(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Transcriber::~Transcriber() {
    {
        const std::lock_guard lock(impl_->mutex);
        impl_->stop = true;
    }
    impl_->changed.notify_all();
    if (impl_->thread.joinable()) impl_->thread.join();
}

std::vector<Metric> Transcriber::metrics() const {
    return {{"lestapenna_transcription_away",
             "Whether the transcription queue itself can not be worked with (1), so that fragments wait.",
             MetricKind::gauge,
             {},
             impl_->away ? 1.0 : 0.0},
            {"lestapenna_transcription_troubles_total",
             "How often the transcription queue itself was tried in vain.",
             MetricKind::counter,
             {},
             static_cast<double>(impl_->troubles)}};
}

}  // namespace lestapenna::jobs
