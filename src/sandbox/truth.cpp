#include "sandbox/truth.h"

#include <array>
#include <condition_variable>
#include <fstream>
#include <iterator>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "audio/opus.h"
#include "base/files.h"
#include "sandbox/live_ledger.h"
#include "sandbox/truth_files.h"

namespace lestapenna::sandbox {
namespace {

using std::chrono::microseconds;
constexpr seconds kFlushEvery{1};

/// Frames on their way to the writer's thread; their payloads lie one after the other, so that a frame costs no
/// allocation once the vectors have grown.
struct Batch {
    struct Entry {
        UserId player;
        TrueFrame frame;
        std::size_t offset = 0;
        std::size_t bytes = 0;
    };
    std::vector<Entry> entries;
    std::vector<std::uint8_t> opus;

    void add(UserId player, const TrueFrame& frame) {
        entries.push_back({player, frame, opus.size(), frame.opus.size()});
        opus.insert(opus.end(), frame.opus.begin(), frame.opus.end());
    }
    void clear() {
        entries.clear();
        opus.clear();
    }
};

/// One player's files.
class PlayerFiles {
  public:
    static Result<PlayerFiles> create(const std::filesystem::path& folder, UserId player) {
        const auto track_path = folder / (player.text() + ".wav");
        auto track = TruthTrack::create(track_path);
        if (!track) return track.error();
        if (Status status = track->flush(); !status) return status.error();  // a header from the start
        PlayerFiles files(player, std::move(*track), folder / (player.text() + ".frames.jsonl"));
        if (!files.lines_) return files.line_error();
        return files;
    }

    Status add(const TrueFrame& frame, std::span<const std::uint8_t> opus, UnixTime start) {
        fmt::format_to(std::back_inserter(text_),
                       R"({{"ssrc":{},"seq":{},"timestamp":{},"due_us":{},"sent_us":{},"bytes":{}}})"
                       "\n",
                       frame.ssrc, frame.seq, frame.timestamp, frame.due_us, frame.sent_us, opus.size());
        const nanoseconds due = microseconds(frame.due_us) - start.time_since_epoch();
        const SamplePos at = nearest_sample(due);
        if (ledgers_.empty() || ledger_ssrc_ != frame.ssrc) {
            ledger_ssrc_ = frame.ssrc;
            ledgers_.try_emplace(frame.ssrc, player_, frame.ssrc);
        }
        const bool sent = frame.sent_us != 0;
        const nanoseconds lateness = sent ? microseconds(frame.sent_us - frame.due_us) : nanoseconds(0);
        ledgers_.at(frame.ssrc)
            .add({frame.seq, at, audio::opus_duration(opus).value_or(Samples(0)), lateness, frame.silence});
        if (!sent || frame.silence) return Ok{};

        if (decoder_ssrc_ != frame.ssrc) {
            decoder_ssrc_ = frame.ssrc;
            decoder_ = {};
        }
        const auto count = static_cast<std::size_t>(decoder_.decode(opus, pcm_).count());
        const std::int64_t position = at.time_since_epoch().count();
        if (position < 0) return Ok{};  // before the session; the track begins with it
        return track_.place(position, std::span(pcm_).first(count));
    }

    Status flush() {
        lines_ << text_ << std::flush;
        text_.clear();
        if (!lines_) return line_error();
        return track_.flush();
    }

    Status finish(Samples length) {
        if (Status status = flush(); !status) return status;
        return track_.finish(length.count());
    }

    void add_ledgers(const std::map<std::uint32_t, Forwarded>& forwarded, std::vector<SenderLedger>& to) const {
        for (const auto& [ssrc, ledger] : ledgers_) {
            const auto found = forwarded.find(ssrc);
            to.push_back(ledger.result(found == forwarded.end() ? nullptr : &found->second));
            if (ssrc != 0) continue;  // what found no connection was never sent
            to.back().sent = to.back().dropped = 0;
        }
    }

  private:
    PlayerFiles(UserId player, TruthTrack track, std::filesystem::path lines)
        : player_(player), track_(std::move(track)), lines_path_(std::move(lines)), lines_(lines_path_) {}

    [[nodiscard]] Error line_error() const { return io_error("write", lines_path_, errno); }

    UserId player_;
    TruthTrack track_;
    std::filesystem::path lines_path_;
    std::ofstream lines_;
    std::string text_;
    std::map<std::uint32_t, LiveLedger> ledgers_;  ///< by SSRC
    std::uint32_t ledger_ssrc_ = 0;
    audio::OpusDecoder decoder_;
    std::uint32_t decoder_ssrc_ = 0;
    std::vector<float> pcm_ = std::vector<float>(static_cast<std::size_t>(audio::kMaxOpusPacket.count()));
};

}  // namespace

struct Truth::Impl {
    Impl(std::filesystem::path where, UnixTime start) : folder(std::move(where)), start_time(start) {}

    std::filesystem::path folder;
    UnixTime start_time;

    std::mutex mutex;  ///< held for a push or a swap, never over a write
    std::condition_variable wake;
    Batch incoming;
    bool stopping = false;

    // The writer's alone, until it has ended.
    Batch working;
    std::map<UserId, std::optional<PlayerFiles>> players;  ///< nothing: its files can not be made
    Status status = Ok{};
    std::thread thread;

    void note(const Status& result) {
        if (!result && status) status = result;
    }

    void run() {
        for (bool last = false; !last;) {
            {
                std::unique_lock lock(mutex);
                wake.wait_for(lock, kFlushEvery, [&] { return stopping; });
                last = stopping;
                working.clear();
                std::swap(working, incoming);
            }
            for (const Batch::Entry& entry : working.entries) write(entry);
            for (auto& [user, files] : players) {
                if (files) note(files->flush());
            }
        }
    }

    std::optional<PlayerFiles>& files_of(UserId player) {
        const auto [found, is_new] = players.try_emplace(player);
        if (is_new) {
            auto files = PlayerFiles::create(folder, player);
            note(files ? Status(Ok{}) : files.error());
            if (files) found->second.emplace(std::move(*files));
        }
        return found->second;
    }

    void write(const Batch::Entry& entry) {
        auto& files = files_of(entry.player);
        if (!files) return;
        note(files->add(entry.frame, std::span(working.opus).subspan(entry.offset, entry.bytes), start_time));
    }

    void stop() {
        if (!thread.joinable()) return;
        {
            const std::lock_guard lock(mutex);
            stopping = true;
        }
        wake.notify_all();
        thread.join();
    }
};

Result<std::unique_ptr<Truth>> Truth::start(const std::filesystem::path& folder, UnixTime start_time,
                                            std::span<const UserId> players) {
    std::error_code error;
    std::filesystem::create_directories(folder, error);
    if (error) return io_error("make", folder, error.value());
    auto impl = std::make_unique<Impl>(folder, start_time);
    for (const UserId player : players) impl->files_of(player);
    if (!impl->status) return impl->status.error();
    impl->thread = std::thread([self = impl.get()] { self->run(); });
    return std::unique_ptr<Truth>(new Truth(std::move(impl)));
}

Truth::Truth(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Truth::~Truth() {
    impl_->stop();
}

void Truth::frame(UserId player, const TrueFrame& frame) {
    const std::lock_guard lock(impl_->mutex);
    impl_->incoming.add(player, frame);
}

Status Truth::finish(Samples length, std::uint64_t seed, const std::map<std::uint32_t, Forwarded>& forwarded) {
    impl_->stop();
    std::vector<SenderLedger> ledgers;
    for (auto& [user, files] : impl_->players) {
        if (!files) continue;
        impl_->note(files->finish(length));
        files->add_ledgers(forwarded, ledgers);
    }
    impl_->note(write_file(impl_->folder / "ledger.json", ledger_json(seed, impl_->start_time, length, ledgers)));
    return impl_->status;
}

}  // namespace lestapenna::sandbox
