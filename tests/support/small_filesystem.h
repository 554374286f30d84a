// A filesystem too small to be written to, where the user may mount one (root). Thread: any.
#pragma once

#include <filesystem>
#include <string>

#include <sys/mount.h>

#include "support.h"

namespace lestapenna::test {

/// A tmpfs of `bytes`, gone with the object.
class SmallFilesystem {
  public:
    explicit SmallFilesystem(std::size_t bytes) {
        const auto options = "mode=0700,size=" + std::to_string(bytes);
        mounted_ = mount("tmpfs", folder_.path().c_str(), "tmpfs", 0, options.c_str()) == 0;
    }
    SmallFilesystem(const SmallFilesystem&) = delete;
    SmallFilesystem& operator=(const SmallFilesystem&) = delete;
    ~SmallFilesystem() {
        if (mounted_) umount2(folder_.path().c_str(), MNT_DETACH);
    }
    /// False: no right to mount; GTEST_SKIP() << kNeedsRoot.
    [[nodiscard]] bool mounted() const { return mounted_; }
    void make_read_only() const { mount("tmpfs", folder_.path().c_str(), "tmpfs", MS_REMOUNT | MS_RDONLY, nullptr); }
    [[nodiscard]] const std::filesystem::path& path() const { return folder_.path(); }
    [[nodiscard]] std::filesystem::path operator/(const std::filesystem::path& name) const { return folder_ / name; }

  private:
    TempDir folder_;
    bool mounted_ = false;
};
inline constexpr const char* kNeedsRoot = "needs root, to mount a small tmpfs";

}  // namespace lestapenna::test
