// Writes one session's journal by group commit. See docs/journal-format.md for the bytes.
//
// Words, used exactly (docs/architecture.md section 5): a record is *accepted* when append() returned true, *stored*
// when the write(2) that holds it returned, *durable* when the fdatasync(2) after that returned, its folder entry
// included. accepted(), stored() and durable() count records in the order of append, so `durable() >= n` means that the
// n-th record survives a power cut. A count never goes back, and durable() never passes what a successful sync covered:
// after a failed sync the window still in memory goes to a new segment, and only a sync of that one makes it durable.
//
// Threads: append(), wait_for_room() and flush() from one thread at a time; append() takes no lock that disk or codec
// may hold, allocates nothing and never waits. All disk work is done by the Committer's threads. Counts may be read
// from any thread. Ownership: the Writer holds the session's flock from open() until its destruction; the Committer
// outlives it. Errors: a full ring, a full disk and a failed sync are counted and retried, never thrown; what was
// accepted stays in memory until it is stored and synced, as long as the ring has room; then append() returns false,
// and the number of records lost that way is journaled as a Gap{queue_full} as soon as there is room again.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>

#include "base/ids.h"
#include "base/result.h"
#include "base/time.h"
#include "journal/record.h"

namespace lestapenna::journal {

class Files;

struct WriterOptions {
    milliseconds write_interval{10};
    milliseconds sync_interval{100};
    seconds segment_span{300};  ///< of session time
    std::uint64_t segment_bytes = 256u << 20;
    std::size_t ring_bytes = 8u << 20;  ///< a power of two; 130 s of six people talking while the disk hangs
    Files* files = nullptr;             ///< the system calls (files.h), where a test wants them to fail
};

/// The threads that write and sync for all journals of the process: one writes, a few sync (200 journals take 12 ms
/// with 16 threads, 65 ms one after the other).
class Committer {
  public:
    explicit Committer(unsigned sync_threads = 4);
    ~Committer();
    Committer(const Committer&) = delete;
    Committer& operator=(const Committer&) = delete;

  private:
    friend class Writer;
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

struct SessionHead {
    SessionId id;
    UnixTime start;
    BootTime anchor;  ///< what CLOCK_BOOTTIME was, or would have been, at `start`
    BootId boot;
};

class Writer {
  public:
    /// Creates {journal_root}/{id} or continues the journal that is there with a new segment; takes the lock. On return
    /// the folder and the segment's header are durable. Errors: locked when somebody else records this session; failed
    /// with the reason when the disk refuses.
    static Result<Writer> open(Committer& committer, const std::filesystem::path& journal_root, const SessionHead& head,
                               const WriterOptions& options = {});
    Writer(Writer&&) noexcept;
    Writer& operator=(Writer&&) noexcept;
    /// Stores and syncs what was accepted, bounded by a few tries, then lets the lock go. Does not end the session.
    ~Writer();

    /// False when there is no room, or the record breaks a limit of record.h.
    bool append(const Record& record) noexcept;

    /// For a feeder that can wait, like an import: returns when the ring is at most half full, so that the other half
    /// can be appended before the next call; or says why it can not drain.
    Status wait_for_room();

    /// Waits until everything accepted is durable, or says why it is not.
    Status flush();

    [[nodiscard]] std::uint64_t accepted() const noexcept;
    [[nodiscard]] std::uint64_t stored() const noexcept;
    [[nodiscard]] std::uint64_t durable() const noexcept;
    [[nodiscard]] std::uint64_t refused() const noexcept;  ///< append() said false
    [[nodiscard]] nanoseconds last_sync() const noexcept;  ///< how long the last successful fdatasync took

  private:
    struct Impl;
    explicit Writer(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

/// True while a Writer, of any process, holds this session.
bool is_locked(const std::filesystem::path& session_folder);

}  // namespace lestapenna::journal
