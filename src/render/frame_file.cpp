#include "render/frame_file.h"

#include <cassert>
#include <cerrno>

#include <fcntl.h>
#include <unistd.h>

namespace lestapenna::render {

namespace {

Status write_at(int fd, const std::filesystem::path& path, std::int64_t offset, std::span<const std::uint8_t> bytes) {
    while (!bytes.empty()) {
        const ssize_t written = ::pwrite(fd, bytes.data(), bytes.size(), offset);
        if (written < 0 && errno == EINTR) continue;
        if (written <= 0) return io_error("write", path, written < 0 ? errno : EIO);
        offset += written;
        bytes = bytes.subspan(static_cast<std::size_t>(written));
    }
    return Ok{};
}

}  // namespace

Result<FrameFile> FrameFile::create(const std::filesystem::path& path, const audio::Mp3Format& format, Frames range,
                                    Samples length) {
    Fd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
    if (!fd) return io_error("create", path, errno);
    const Status header = write_at(fd.get(), path, 0, audio::info_frame(format, range.size(), length));
    if (!header) return header.error();
    return FrameFile(std::move(fd), path, format, range);
}

std::int64_t FrameFile::offset_of(std::int64_t frame) const {
    assert(frame >= range_.begin && frame <= range_.end);
    return (1 + frame - range_.begin) * static_cast<std::int64_t>(format_.frame_bytes());
}

Status FrameFile::put(std::int64_t frame, std::span<const std::uint8_t> bytes) {
    return write_at(fd_.get(), path_, offset_of(frame), bytes);
}

Result<std::vector<std::uint8_t>> FrameFile::get(Frames frames) const {
    std::vector<std::uint8_t> bytes(static_cast<std::size_t>(frames.size()) * format_.frame_bytes());
    std::size_t done = 0;
    while (done < bytes.size()) {
        const auto offset = offset_of(frames.begin) + static_cast<std::int64_t>(done);
        const ssize_t got = ::pread(fd_.get(), bytes.data() + done, bytes.size() - done, offset);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) return io_error("read", path_, got < 0 ? errno : EIO);
        done += static_cast<std::size_t>(got);
    }
    return bytes;
}

}  // namespace lestapenna::render
