// A session's folder below {data}/cache, where files are made before they go into the store. Whoever holds it is the
// only one who makes files of that session: the lock is an flock on the folder, so it is free when its holder dies.
// Nothing in it is durable; what a killed process left there is removed by the next one. Thread: one at a time.
#pragma once

#include <filesystem>
#include <string>

#include "base/files.h"
#include "base/ids.h"
#include "base/result.h"

namespace lestapenna::workflows {

class Scratch {
  public:
    /// Makes the folder, or empties it. Errors: locked while another process makes files of this session; failed.
    static Result<Scratch> take(const std::filesystem::path& cache, const SessionId& id);
    Scratch(Scratch&&) noexcept = default;
    Scratch& operator=(Scratch&&) noexcept = delete;
    /// Removes the folder and all in it.
    ~Scratch();

    [[nodiscard]] std::filesystem::path operator/(const std::string& name) const { return folder_ / name; }

  private:
    Scratch(std::filesystem::path folder, Fd lock) : folder_(std::move(folder)), lock_(std::move(lock)) {}
    std::filesystem::path folder_;
    Fd lock_;
};

}  // namespace lestapenna::workflows
