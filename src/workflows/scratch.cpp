#include "workflows/scratch.h"

#include <cerrno>
#include <system_error>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

namespace lestapenna::workflows {

namespace {

/// Is `fd` what stands at `path` now? Its last holder may have removed it while we waited for the lock.
bool stands(const Fd& fd, const std::filesystem::path& path) {
    struct stat ours {};
    struct stat there {};
    return ::fstat(fd.get(), &ours) == 0 && ::stat(path.c_str(), &there) == 0 && ours.st_ino == there.st_ino &&
           ours.st_dev == there.st_dev;
}

void empty(const std::filesystem::path& folder) {
    std::error_code ignored;  // a leftover costs space, not audio
    for (std::filesystem::directory_iterator entry(folder, ignored), end; !ignored && entry != end;
         entry.increment(ignored)) {
        std::error_code kept;
        std::filesystem::remove_all(entry->path(), kept);
    }
}

}  // namespace

Result<Scratch> Scratch::take(const std::filesystem::path& cache, const SessionId& id) {
    auto folder = cache / id.text();
    for (;;) {
        if (auto made = make_folders(folder); !made) return made.error();
        Fd lock(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
        if (!lock && errno == ENOENT) continue;  // removed by the one before us
        if (!lock) return io_error("open the folder", folder, errno);
        if (::flock(lock.get(), LOCK_EX | LOCK_NB) != 0) {
            if (errno == EINTR) continue;
            if (errno != EWOULDBLOCK) return io_error("lock", folder, errno);
            return Error{ErrorKind::locked,
                         "another process is making the files of session " + id.text() + ": wait until it is done"};
        }
        if (!stands(lock, folder)) continue;
        empty(folder);
        return Scratch(std::move(folder), std::move(lock));
    }
}

Scratch::~Scratch() {
    if (!lock_) return;  // moved from
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
}

}  // namespace lestapenna::workflows
