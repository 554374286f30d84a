#include "base/files.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/text.h"

namespace lestapenna {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t kCopyBytes = 1U << 20;  // where the kernel can not copy by itself

std::string_view advice(int error_number) {
    switch (error_number) {
        case ENOENT:
            return "; check the name";
        case ENOSPC:
        case EDQUOT:
            return "; free some space there or choose another place";
        case EROFS:
            return "; it is mounted read-only: remount it or choose another place";
        case EACCES:
        case EPERM:
            return "; give this user the right to it or choose another place";
        case EMFILE:
        case ENFILE:
            return "; raise the limit of open files (ulimit -n)";
        case EIO:
            return "; look at the kernel's log: the disk may be failing";
        case ENOTDIR:
            return "; a part of this path is a file, not a folder";
        default:
            return "";
    }
}

fs::path folder_of(const fs::path& file) {
    auto folder = file.parent_path();
    return folder.empty() ? fs::path(".") : folder;
}

/// write(2) until all is written.
bool write_all(int fd, std::span<const std::uint8_t> bytes) {
    while (!bytes.empty()) {
        const ssize_t written = ::write(fd, bytes.data(), bytes.size());
        if (written < 0 && errno == EINTR) continue;
        if (written < 0) return false;
        bytes = bytes.subspan(static_cast<std::size_t>(written));
    }
    return true;
}

/// Reads a regular file of at most `limit` bytes into any container of bytes.
template <class Bytes>
Result<Bytes> read_whole(const fs::path& path, std::size_t limit) {
    const Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));  // a pipe must not hang us
    if (!fd) return io_error("read", path, errno);
    struct stat info {};
    if (::fstat(fd.get(), &info) != 0) return io_error("read", path, errno);
    if (!S_ISREG(info.st_mode)) {
        return Error{ErrorKind::failed, "can not read " + one_line(path.native()) + ": it is not a regular file"};
    }
    Bytes bytes;
    // One byte more than the file said, so that one that grew meanwhile is noticed and its end is seen.
    bytes.resize(std::min(static_cast<std::size_t>(info.st_size), limit) + 1);
    std::size_t size = 0;
    for (;;) {
        const ssize_t got = ::read(fd.get(), bytes.data() + size, bytes.size() - size);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return io_error("read", path, errno);
        if (got == 0) break;
        size += static_cast<std::size_t>(got);
        if (size > limit) {
            return Error{ErrorKind::damaged, one_line(path.native()) + " is larger than " + std::to_string(limit) +
                                                 " bytes, which is too much for a file of its kind"};
        }
        if (size == bytes.size()) bytes.resize(std::min(size * 2, limit + 1));
    }
    bytes.resize(size);
    return bytes;
}

}  // namespace

Error io_error(std::string_view doing, const fs::path& path, int error_number) {
    const auto kind = error_number == ENOENT ? ErrorKind::not_found : ErrorKind::failed;
    std::string message = "can not ";
    message.append(doing).append(" ").append(one_line(path.native())).append(": ");
    message.append(std::generic_category().message(error_number)).append(advice(error_number));
    return {kind, std::move(message)};
}

Fd& Fd::operator=(Fd&& other) noexcept {
    if (this != &other) {
        if (fd_ >= 0) ::close(fd_);
        fd_ = other.release();
    }
    return *this;
}

Fd::~Fd() {
    if (fd_ >= 0) ::close(fd_);
}

Result<std::vector<std::uint8_t>> read_file(const fs::path& path, std::size_t limit) {
    return read_whole<std::vector<std::uint8_t>>(path, limit);
}

Result<std::string> read_text_file(const fs::path& path, std::size_t limit) {
    return read_whole<std::string>(path, limit);
}

Status write_file(const fs::path& path, std::span<const std::uint8_t> bytes) {
    auto file = PendingFile::create(path);
    if (!file) return file.error();
    if (auto written = file->write(bytes); !written) return written;
    return file->commit();
}

Status write_file(const fs::path& path, std::string_view text) {
    return write_file(path, std::span(reinterpret_cast<const std::uint8_t*>(text.data()), text.size()));
}

PendingFile::PendingFile(fs::path target, fs::path temporary, Fd fd)
    : target_(std::move(target)), temporary_(std::move(temporary)), fd_(std::move(fd)) {}

Result<PendingFile> PendingFile::create(const fs::path& target) {
    std::string name = (folder_of(target) / std::string(kTemporaryPrefix).append("XXXXXX")).string();
    Fd fd(::mkostemp(name.data(), O_CLOEXEC));  // mode 0600
    if (!fd) return io_error("write", target, errno);
    return PendingFile(target, std::move(name), std::move(fd));
}

PendingFile::PendingFile(PendingFile&& other) noexcept
    : target_(std::move(other.target_)),
      temporary_(std::exchange(other.temporary_, fs::path{})),
      fd_(std::move(other.fd_)) {}

PendingFile::~PendingFile() {
    if (!temporary_.empty()) ::unlink(temporary_.c_str());
}

Status PendingFile::write(std::span<const std::uint8_t> bytes) {
    if (!write_all(fd_.get(), bytes)) return io_error("write", target_, errno);
    return Ok{};
}

Status PendingFile::append_from(const Fd& source, const fs::path& source_name) {
    // In the kernel where it can: on filesystems with shared extents this copies nothing at all.
    for (bool first = true;; first = false) {
        const ssize_t copied = ::copy_file_range(source.get(), nullptr, fd_.get(), nullptr, std::size_t{1} << 30, 0);
        if (copied > 0) continue;
        if (copied == 0 && !first) return Ok{};
        if (copied < 0 && errno == EINTR) continue;
        if (copied < 0 && (errno == ENOSPC || errno == EDQUOT || errno == EIO))
            return io_error("write", target_, errno);
        break;  // not on this pair of filesystems, or an empty or virtual file: by hand, from where we stand
    }
    std::vector<std::uint8_t> buffer(kCopyBytes);
    for (;;) {
        const ssize_t got = ::read(source.get(), buffer.data(), buffer.size());
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return io_error("read", source_name, errno);
        if (got == 0) return Ok{};
        if (auto written = write(std::span(buffer).first(static_cast<std::size_t>(got))); !written) return written;
    }
}

Status PendingFile::commit() {
    if (::fsync(fd_.get()) != 0) return io_error("write", target_, errno);
    if (::rename(temporary_.c_str(), target_.c_str()) != 0) return io_error("write", target_, errno);
    temporary_.clear();
    return sync_folder(folder_of(target_));
}

Status copy_durably(const fs::path& from, const fs::path& to) {
    const Fd source(::open(from.c_str(), O_RDONLY | O_CLOEXEC));
    if (!source) return io_error("read", from, errno);
    auto file = PendingFile::create(to);
    if (!file) return file.error();
    if (auto copied = file->append_from(source, from); !copied) return copied;
    return file->commit();
}

Status make_folders(const fs::path& folder) {
    struct stat info {};
    if (::stat(folder.c_str(), &info) == 0) {
        if (S_ISDIR(info.st_mode)) return Ok{};
        return Error{ErrorKind::failed,
                     "can not make the folder " + one_line(folder.native()) + ": a file of that name is there"};
    }
    const auto parent = folder_of(folder.has_filename() ? folder : folder.parent_path());
    if (parent != folder && parent != ".") {
        if (auto above = make_folders(parent); !above) return above;
    }
    if (::mkdir(folder.c_str(), 0700) != 0 && errno != EEXIST) return io_error("make the folder", folder, errno);
    return sync_folder(parent);
}

Status sync_folder(const fs::path& folder) {
    const Fd fd(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!fd) return io_error("open the folder", folder, errno);
    // EINVAL: a filesystem without the notion (some network ones); there the rename is as durable as it gets.
    if (::fsync(fd.get()) != 0 && errno != EINVAL) return io_error("write the folder", folder, errno);
    return Ok{};
}

void remove_stale_temporaries(const fs::path& folder, seconds age) {
    std::error_code ignored;
    const auto now = fs::file_time_type::clock::now();
    for (fs::directory_iterator entry(folder, ignored), end; !ignored && entry != end; entry.increment(ignored)) {
        if (!entry->path().filename().string().starts_with(kTemporaryPrefix)) continue;
        std::error_code unknown;
        const auto written = fs::last_write_time(entry->path(), unknown);
        if (!unknown && now - written > age) fs::remove(entry->path(), unknown);
    }
}

}  // namespace lestapenna
