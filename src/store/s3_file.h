// A local file on its way to the store: its hashes, and whether it stayed what it was.
// Thread: any, what is const from several at once. Errors: failed, with errno's words.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include <sys/stat.h>

#include "base/files.h"
#include "base/result.h"
#include "store/s3_transfer.h"

namespace lestapenna::store {

struct PartHashes {
    std::string sha256;      ///< lower-case hex
    std::string md5;         ///< lower-case hex, as an ETag has it
    std::string md5_base64;  ///< as Content-MD5 has it
};

class SourceFile {
  public:
    static Result<SourceFile> open(const std::filesystem::path& path);
    [[nodiscard]] std::uint64_t size() const { return static_cast<std::uint64_t>(before_.st_size); }
    [[nodiscard]] FilePart part(std::uint64_t offset, std::uint64_t length) const;
    /// Reads the part, 1 MiB at a time.
    [[nodiscard]] Result<PartHashes> hashes(const FilePart& part) const;
    /// An error when somebody wrote to it since open().
    [[nodiscard]] Status unchanged() const;

  private:
    SourceFile(std::filesystem::path path, Fd fd, const struct stat& info)
        : path_(std::move(path)), fd_(std::move(fd)), before_(info) {}
    std::filesystem::path path_;
    Fd fd_;
    struct stat before_;
};

}  // namespace lestapenna::store
