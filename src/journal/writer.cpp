#include "journal/writer.h"

#include <cerrno>

#include <fcntl.h>

#include "journal/committer.h"
#include "journal/folder.h"

namespace lestapenna::journal {

struct Writer::Impl {
    Impl(CommitThreads& commit_threads, SessionLock session_lock, std::shared_ptr<Log> opened)
        : threads(commit_threads), lock(std::move(session_lock)), log(std::move(opened)) {
        threads.add(log);
    }
    Impl(const Impl&) = delete;
    Impl& operator=(const Impl&) = delete;
    ~Impl() {
        // Whether it worked or not, there is nobody left to tell: what could not be synced, the counts have said.
        static_cast<void>(flush());
        log->close();
        threads.wake();
        log->wait_closed();
    }

    Status flush() {
        for (;;) {
            log->hurry();
            threads.wake();
            Status done = log->wait([this] { return log->all_durable(); });
            if (!done || !log->owes_gap()) return done;
        }
    }

    CommitThreads& threads;
    SessionLock lock;
    std::shared_ptr<Log> log;
};

Result<Writer> Writer::open(Committer& committer, const std::filesystem::path& journal_root, const SessionHead& head,
                            const WriterOptions& options) {
    const auto folder = journal_root / head.id.text();
    if (const Status made = make_folders(folder); !made) return made.error();
    auto lock = SessionLock::take(folder);
    if (!lock) return lock.error();
    auto end = find_end(folder, head.id.text());
    if (!end) return end.error();
    Fd folder_fd(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!folder_fd) return io_error("open", folder, errno);
    auto log = std::make_shared<Log>(folder, std::move(folder_fd), head, options, *std::move(end));
    if (const Status opened = log->open_first(); !opened) return opened.error();
    return Writer(std::make_unique<Impl>(committer.impl_->threads, *std::move(lock), std::move(log)));
}

Writer::Writer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Writer::Writer(Writer&&) noexcept = default;
Writer& Writer::operator=(Writer&&) noexcept = default;
Writer::~Writer() = default;

bool Writer::append(const Record& record) noexcept {
    return impl_->log->append(record);
}

Status Writer::wait_for_room() {
    if (impl_->log->has_room()) return Ok{};
    impl_->log->hurry();
    impl_->threads.wake();
    return impl_->log->wait([this] { return impl_->log->has_room(); });
}

Status Writer::flush() {
    return impl_->flush();
}

std::uint64_t Writer::accepted() const noexcept {
    return impl_->log->accepted();
}
std::uint64_t Writer::stored() const noexcept {
    return impl_->log->stored();
}
std::uint64_t Writer::durable() const noexcept {
    return impl_->log->durable();
}
std::uint64_t Writer::refused() const noexcept {
    return impl_->log->refused();
}
nanoseconds Writer::last_sync() const noexcept {
    return impl_->log->last_sync();
}

}  // namespace lestapenna::journal
