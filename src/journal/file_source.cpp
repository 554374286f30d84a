#include "journal/file_source.h"

#include <cerrno>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace lestapenna::journal {

FileSource::FileSource(const std::filesystem::path& path) : fd_(::open(path.c_str(), O_RDONLY | O_CLOEXEC)) {}

std::uint64_t FileSource::size() {
    struct stat status {};
    return fd_ && fstat(fd_.get(), &status) == 0 ? static_cast<std::uint64_t>(status.st_size) : 0;
}

std::size_t FileSource::read(std::uint64_t offset, std::span<std::uint8_t> into) {
    std::size_t have = 0;
    while (fd_ && have < into.size()) {
        const ssize_t got =
            ::pread(fd_.get(), into.data() + have, into.size() - have, static_cast<off_t>(offset + have));
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) break;
        have += static_cast<std::size_t>(got);
    }
    return have;
}

}  // namespace lestapenna::journal
