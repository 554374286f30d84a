// Small files, whole: read with a limit, written so that a reader sees the old bytes or the new ones and never a
// mixture.
//
// Durable on return: PendingFile::commit() and write_file() sync the file, rename it and sync the folder; what they
// returned Ok for survives a power cut. After an error, or when the process dies, the target is what it was before; a
// leftover has a name that begins with kTemporaryPrefix, and remove_stale_temporaries() takes it away. Thread: free
// functions any; an object belongs to one thread at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "base/time.h"

namespace lestapenna {

/// Names that begin like this are unfinished files; nobody reads them.
inline constexpr std::string_view kTemporaryPrefix = ".tmp-";

/// One sentence from errno: "can not write /x/y: No space left on device; free some space or ...". `doing` is a verb,
/// like "write". ENOENT becomes not_found, all else failed.
Error io_error(std::string_view doing, const std::filesystem::path& path, int error_number);

/// A file descriptor that closes itself.
class Fd {
  public:
    explicit Fd(int fd = -1) : fd_(fd) {}
    Fd(Fd&& other) noexcept : fd_(other.release()) {}
    Fd& operator=(Fd&& other) noexcept;
    ~Fd();
    [[nodiscard]] int get() const { return fd_; }
    explicit operator bool() const { return fd_ >= 0; }
    int release() { return std::exchange(fd_, -1); }

  private:
    int fd_;
};

/// The whole of a regular file of at most `limit` bytes. A larger one is a damaged error that names the limit.
Result<std::vector<std::uint8_t>> read_file(const std::filesystem::path& path, std::size_t limit);
Result<std::string> read_text_file(const std::filesystem::path& path, std::size_t limit);

/// Replaces or makes `path`; see above. The folder must exist.
Status write_file(const std::filesystem::path& path, std::span<const std::uint8_t> bytes);
Status write_file(const std::filesystem::path& path, std::string_view text);

/// A file in the making beside its target, removed again unless committed.
class PendingFile {
  public:
    static Result<PendingFile> create(const std::filesystem::path& target);
    PendingFile(PendingFile&& other) noexcept;
    PendingFile& operator=(PendingFile&& other) = delete;
    ~PendingFile();

    /// The temporary name, for writers that open files themselves; and the open descriptor, for those that do not.
    [[nodiscard]] const std::filesystem::path& path() const { return temporary_; }
    [[nodiscard]] int fd() const { return fd_.get(); }
    Status write(std::span<const std::uint8_t> bytes);
    /// Appends all of `source`, read from its current offset.
    Status append_from(const Fd& source, const std::filesystem::path& source_name);
    /// From here on the file is durable under its target name.
    Status commit();

  private:
    PendingFile(std::filesystem::path target, std::filesystem::path temporary, Fd fd);
    std::filesystem::path target_;
    std::filesystem::path temporary_;  ///< empty once committed or moved from
    Fd fd_;
};

/// Copies a file to a name, durable like write_file.
Status copy_durably(const std::filesystem::path& from, const std::filesystem::path& to);

/// Makes a folder and what is missing above it, mode 0700, each durable. Ok when it is there already.
Status make_folders(const std::filesystem::path& folder);
/// Makes the folder's entries durable.
Status sync_folder(const std::filesystem::path& folder);
/// Removes unfinished files of `folder` that nobody wrote to for `age`; what can not be removed stays, silently.
void remove_stale_temporaries(const std::filesystem::path& folder, seconds age = std::chrono::hours(1));

}  // namespace lestapenna
