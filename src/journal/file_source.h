// A segment's bytes from its file, by pread: a file that is cut while we read gives fewer bytes, where a mapping would
// give SIGBUS. Thread: one at a time.
#pragma once

#include <filesystem>

#include "base/files.h"
#include "journal/scan.h"

namespace lestapenna::journal {

class FileSource : public ByteSource {
  public:
    /// Without a file it has no bytes.
    explicit FileSource(const std::filesystem::path& path);
    std::uint64_t size() override;
    std::size_t read(std::uint64_t offset, std::span<std::uint8_t> into) override;

  private:
    Fd fd_;
};

}  // namespace lestapenna::journal
