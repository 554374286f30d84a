// Which frames of a sender have been opened, so that none is opened twice: the newest, and a bit for each of those
// before it. libdave keeps a list of up to 1,000 missing ones instead; a window costs no allocation and no search. Pure
// value; one thread at a time.
#pragma once

#include <algorithm>
#include <bitset>
#include <cstddef>
#include <cstdint>
#include <optional>

namespace lestapenna::dave {

class ReplayWindow {
  public:
    /// Ten seconds, which is how long a frame is waited for, of the shortest Opus frames (2.5 ms): 4,000, rounded up.
    static constexpr std::size_t kFrames = 4'096;

    /// Not taken yet, as far as can be told: what is older than the window is not.
    [[nodiscard]] bool fresh(std::uint64_t nonce) const {
        if (!newest_ || nonce > *newest_) return true;
        return *newest_ - nonce < kFrames && !taken_[nonce % kFrames];
    }
    void take(std::uint64_t nonce) {
        if (!newest_ || nonce > *newest_) {
            const std::uint64_t skipped = newest_ ? std::min<std::uint64_t>(nonce - *newest_, kFrames) : 0;
            for (std::uint64_t i = 0; i < skipped; ++i) taken_.reset((nonce - i) % kFrames);
            newest_ = nonce;
        }
        taken_.set(nonce % kFrames);
    }

  private:
    std::bitset<kFrames> taken_;
    std::optional<std::uint64_t> newest_;
};

}  // namespace lestapenna::dave
