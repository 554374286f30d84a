// The system calls a journal is written with: the seam where tests make a disk fail. Each returns what the call
// returns, with errno. Thread: any.
#pragma once

#include <cstdint>
#include <span>

#include <sys/types.h>

namespace lestapenna::journal {

class Files {
  public:
    Files() = default;
    Files(const Files&) = delete;
    Files& operator=(const Files&) = delete;
    virtual ~Files() = default;
    /// A new file, mode 0600; fails with EEXIST when the name is taken.
    virtual int create(const char* path);
    virtual ssize_t write_at(int fd, std::span<const std::uint8_t> bytes, std::uint64_t offset);
    /// fdatasync(2)
    virtual int sync_data(int fd);
    /// fsync(2) of a folder
    virtual int sync_folder(int fd);
    virtual int remove(const char* path);
    /// Two names change places, at once. EINVAL where the file system can not.
    virtual int exchange(const char* one, const char* other);

    static Files& system();
};

}  // namespace lestapenna::journal
