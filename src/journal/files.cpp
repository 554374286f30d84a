#include "journal/files.h"

#include <cstdio>

#include <fcntl.h>
#include <unistd.h>

namespace lestapenna::journal {

int Files::create(const char* path) {
    return ::open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
}

ssize_t Files::write_at(int fd, std::span<const std::uint8_t> bytes, std::uint64_t offset) {
    return ::pwrite(fd, bytes.data(), bytes.size(), static_cast<off_t>(offset));
}

int Files::sync_data(int fd) {
    return ::fdatasync(fd);
}

int Files::sync_folder(int fd) {
    return ::fsync(fd);
}

int Files::remove(const char* path) {
    return ::unlink(path);
}

int Files::exchange(const char* one, const char* other) {
    return ::renameat2(AT_FDCWD, one, AT_FDCWD, other, RENAME_EXCHANGE);
}

Files& Files::system() {
    static Files files;
    return files;
}

}  // namespace lestapenna::journal
