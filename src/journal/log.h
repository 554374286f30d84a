// One journal's way to the disk: ring ► segment ► sync. Writer is its front, Committer calls it.
//
// A record is in the ring until a sync has covered it. `tip_` is how far it is stored, `mark_` how far durable. When a
// write or a sync fails, everything after the mark is written again, to a new segment that follows the mark; what the
// failed segments hold after it is void by that new segment's header. A sync of a file that failed once is never
// counted: the kernel may report an error once and then drop the pages.
//
// Threads: three parties, each with its own methods: the appender, the write thread (pump), and one sync thread at a
// time (run_sync), which owns `job_` while sync_ is running. What they share is atomic; `slow_` guards only the words
// for people and the waiting.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/files.h"
#include "journal/files.h"
#include "journal/format.h"
#include "journal/mark.h"
#include "journal/ring.h"
#include "journal/writer.h"

namespace lestapenna::journal {

using SteadyTime = std::chrono::steady_clock::time_point;

class Log {
  public:
    Log(std::filesystem::path folder, Fd folder_fd, SessionHead head, const WriterOptions& options, JournalEnd end);

    /// Before any thread knows the log: the first segment, its header and its name durable on return.
    Status open_first();

    // The appender.
    bool append(const Record& record) noexcept;
    /// Asks for everything appended so far to be synced at once; the Committer must be woken after it.
    void hurry();
    /// Records were refused, and the ring had no room yet for the Gap that says so.
    [[nodiscard]] bool owes_gap() const { return refused_gap_.packets > 0; }
    void close();
    /// Waits until `done`, or says why after kTries failures.
    Status wait(const std::function<bool()>& done);
    void wait_closed();
    [[nodiscard]] bool all_durable() const { return ring_.released() == ring_.head(); }
    [[nodiscard]] bool has_room() const { return ring_.head() - ring_.released() <= ring_.capacity() / 2; }

    // The write thread. `buffer` is its own, used again for each log.
    /// Writes what is due; true when run_sync() is to be called, once, by a sync thread.
    bool pump(SteadyTime now, std::vector<std::uint8_t>& buffer);
    [[nodiscard]] bool closed() const { return closed_.load(std::memory_order_acquire); }

    // A sync thread.
    void run_sync();

    [[nodiscard]] milliseconds write_interval() const { return options_.write_interval; }
    [[nodiscard]] std::uint64_t accepted() const { return accepted_.load(std::memory_order_acquire); }
    [[nodiscard]] std::uint64_t stored() const { return stored_.load(std::memory_order_acquire); }
    [[nodiscard]] std::uint64_t durable() const { return durable_.load(std::memory_order_acquire); }
    [[nodiscard]] std::uint64_t refused() const { return refused_.load(std::memory_order_acquire); }
    [[nodiscard]] nanoseconds last_sync() const { return nanoseconds{last_sync_.load(std::memory_order_acquire)}; }

  private:
    struct OpenSegment {
        std::filesystem::path path;
        Fd fd;
    };
    /// A segment after the mark: void if the mark never reaches it.
    struct Written {
        std::uint32_t number = 0;
        std::filesystem::path path;
        std::uint64_t records = 0;  ///< once void: it may go when so many are stored elsewhere
    };
    struct Batch {
        Mark end;           ///< the tip once the batch is stored; without the hash
        BootTime last;      ///< of its last record
        bool full = false;  ///< there is more in the ring
        bool roll = false;  ///< the next record belongs to a new segment
    };
    enum class Sync : int { idle, running, done };

    bool push(const Record& record, std::size_t size, bool counted) noexcept;
    void push_gap() noexcept;
    bool refuse(const Record& record) noexcept;

    void collect_sync();
    [[nodiscard]] bool may_write(SteadyTime now);
    bool reopen(SteadyTime now);
    bool open_segment(const Mark& follows, SteadyTime now);
    void store(SteadyTime now, std::vector<std::uint8_t>& buffer);
    Batch stage(std::vector<std::uint8_t>& buffer);
    bool write(std::span<const std::uint8_t> bytes, SteadyTime now);
    void store_seal(SteadyTime now, std::vector<std::uint8_t>& buffer);
    [[nodiscard]] bool rolls_at(BootTime time);
    void remove_void();
    [[nodiscard]] bool sync_due(SteadyTime now) const;
    void begin_sync(SteadyTime now);
    bool finish_closing(SteadyTime now, std::vector<std::uint8_t>& buffer);
    void give_up_segment();
    void failed(std::string_view doing, const std::filesystem::path& path, int error_number, SteadyTime now);
    void notify();

    const std::filesystem::path folder_;
    const Fd folder_fd_;
    const SessionHead head_;
    const WriterOptions options_;
    Files& files_;

    Ring ring_;

    // The appender's.
    Gap refused_gap_;  ///< packets > 0: refused since the last record that found room

    // The write thread's.
    std::shared_ptr<OpenSegment> segment_;
    std::optional<RecordCrc> crc_;
    Mark tip_;
    Mark mark_;
    std::uint32_t highest_number_ = 0;
    std::uint64_t first_record_ = 0;    ///< of the open segment
    std::optional<std::int64_t> slot_;  ///< of the open segment: session time divided by segment_span
    BootTime last_time_;                ///< of the last record stored
    std::vector<std::shared_ptr<OpenSegment>> dirty_;
    bool folder_dirty_ = false;
    std::vector<Written> since_mark_;
    std::vector<Written> void_;
    SteadyTime synced_at_{};
    SteadyTime retry_at_{};
    milliseconds backoff_{0};
    bool sealed_ = false;

    // The sync thread's while sync_ is running, else the write thread's.
    struct Job {
        Mark mark;
        std::vector<std::shared_ptr<OpenSegment>> files;
        bool folder = false;
        int error_number = 0;
        std::filesystem::path failed_path;
    } job_;
    std::atomic<Sync> sync_{Sync::idle};

    std::atomic<std::uint64_t> accepted_{0};
    std::atomic<std::uint64_t> stored_{0};
    std::atomic<std::uint64_t> durable_{0};
    std::atomic<std::uint64_t> refused_{0};
    std::atomic<nanoseconds::rep> last_sync_{0};
    std::atomic<std::uint64_t> hurry_to_{0};  ///< position in the ring that somebody waits for
    std::atomic<bool> retry_now_{false};
    std::atomic<bool> closing_{false};
    std::atomic<bool> closed_{false};

    std::mutex slow_;
    std::condition_variable changed_;
    std::uint64_t failures_ = 0;  ///< guarded by slow_
    std::string reason_;          ///< guarded by slow_
};

}  // namespace lestapenna::journal
