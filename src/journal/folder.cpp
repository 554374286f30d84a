#include "journal/folder.h"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <system_error>
#include <thread>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "journal/writer.h"

namespace lestapenna::journal {

namespace {

constexpr std::string_view kLockName = "lock";
// is_locked() holds a shared lock for a few microseconds; a writer that meets one tries again.
constexpr int kLockTries = 20;
constexpr milliseconds kLockPause{5};

Fd open_fd(const std::filesystem::path& path, int flags) {
    return Fd(::open(path.c_str(), flags | O_CLOEXEC, 0600));
}

/// Is `fd` what stands at `path` now? A journal that was written anew (without.h) has another lock.
bool stands(const Fd& fd, const std::filesystem::path& path) {
    struct stat ours {};
    struct stat there {};
    return ::fstat(fd.get(), &ours) == 0 && ::stat(path.c_str(), &there) == 0 && ours.st_ino == there.st_ino &&
           ours.st_dev == there.st_dev;
}

}  // namespace

std::string segment_name(std::uint32_t number) {
    std::string digits = std::to_string(number);
    if (digits.size() < 6) digits.insert(0, 6 - digits.size(), '0');
    return digits + ".log";
}

std::optional<std::uint32_t> segment_number(const std::filesystem::path& path) {
    const std::string name = path.filename().string();
    std::uint32_t number = 0;
    const auto parsed = std::from_chars(name.data(), name.data() + name.size(), number);
    if (parsed.ec != std::errc{} || number == 0 || segment_name(number) != name) return std::nullopt;
    return number;
}

Result<std::vector<SegmentFile>> list_segments(const std::filesystem::path& folder, std::uint32_t after) {
    std::vector<SegmentFile> found;
    std::error_code error;
    std::filesystem::directory_iterator entry(folder, error);
    for (; !error && entry != std::filesystem::directory_iterator{}; entry.increment(error)) {
        const auto number = segment_number(entry->path());
        if (number && *number > after) found.push_back({*number, entry->path()});
    }
    if (error) return io_error("read", folder, error.value());
    std::ranges::sort(found, {}, &SegmentFile::number);
    return found;
}

Result<std::vector<std::uint8_t>> read_start(const std::filesystem::path& path, std::size_t size) {
    const Fd fd = open_fd(path, O_RDONLY);
    if (!fd) return io_error("open", path, errno);
    std::vector<std::uint8_t> bytes(size);
    std::size_t have = 0;
    while (have < size) {
        const ssize_t got = ::read(fd.get(), bytes.data() + have, size - have);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return io_error("read", path, errno);
        if (got == 0) break;
        have += static_cast<std::size_t>(got);
    }
    bytes.resize(have);
    return bytes;
}

Result<SessionLock> SessionLock::take(const std::filesystem::path& folder) {
    const auto path = folder / kLockName;
    Fd fd = open_fd(path, O_RDWR | O_CREAT);
    if (!fd) return io_error("open", path, errno);
    for (int tries = 1; flock(fd.get(), LOCK_EX | LOCK_NB) != 0; ++tries) {
        if (errno != EWOULDBLOCK && errno != EINTR) return io_error("lock", path, errno);
        if (tries == kLockTries) {
            return Error{ErrorKind::locked, "session " + folder.filename().string() +
                                                " is being recorded by another process; end it there first"};
        }
        std::this_thread::sleep_for(kLockPause);
    }
    if (!stands(fd, path)) return take(folder);
    return SessionLock(std::move(fd));
}

bool is_locked(const std::filesystem::path& session_folder) {
    const Fd fd = open_fd(session_folder / kLockName, O_RDONLY);
    return fd && flock(fd.get(), LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;
}

}  // namespace lestapenna::journal
