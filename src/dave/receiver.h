// Opens the media frames of everybody in an encrypted call. For each user it holds the keys of the epoch, and for 10 s
// those of the epoch before, whose frames still come; what has been opened once is not opened again.
//
// Promises: a frame is opened with a key of the user it is said to be of, or not at all; a frame that does not open
// changes nothing; without encryption (version 0, and while a change of version is under way) clear frames are passed
// on, otherwise only the silence frame is. Hot path: open() allocates nothing, takes no lock, and costs one AES-GCM.
// Thread: one at a time. Secrets are wiped when they expire.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "base/ids.h"
#include "base/time.h"
#include "dave/keys.h"

namespace lestapenna::dave {

enum class Opening : std::uint8_t {
    opened,
    clear,      ///< it was not encrypted, and may be so: passthrough, or the silence frame
    no_key,     ///< none for this user (yet)
    forged,     ///< does not open with any key of this user: of a newer epoch, or damaged
    replayed,   ///< it is genuine, and has been opened already or is too old to tell
    plain,      ///< not encrypted where it must be
    too_large,  ///< longer than any Opus packet
};

struct Opened {
    Opening what = Opening::no_key;
    /// Of opened: valid until the next open(). Of clear: the input.
    std::span<const std::uint8_t> payload;
};

/// Limits of libdave (dave.md section 6.2).
inline constexpr seconds kOverlap{10};
inline constexpr std::uint32_t kMostGenerationsAhead = 250;
inline constexpr std::uint64_t kMostFramesPerSecond = 170;
/// Keys of so many epochs are kept for one user, whatever the ten seconds say: a call in which somebody joins or leaves
/// every 200 ms has 50 of them.
inline constexpr std::size_t kMostEpochs = 64;
inline constexpr std::size_t kMostMediaBytes = 2'048;  ///< no datagram of ours holds more

class Receiver {
  public:
    Receiver();
    ~Receiver();
    Receiver(Receiver&&) noexcept;
    Receiver& operator=(Receiver&&) noexcept;

    /// A new epoch: these keys from now on; those before expire `kOverlap` later, and who is not named with them. No
    /// keys: the group has ended.
    void begin_epoch(std::vector<BaseSecret> keys, BootTime now);
    /// Clear frames are passed on until then; BootTime::max(): until this is called again.
    void pass_clear_until(BootTime until);
    /// `arrival` decides what has expired.
    Opened open(UserId user, std::span<const std::uint8_t> frame, BootTime arrival);
    /// Forgets what has expired: to be called about once a second.
    void expire(BootTime now);
    [[nodiscard]] bool knows(UserId user) const;
    /// Whose frame this is: the one user, of all whose keys are here, whose key opens it. Costs an AES-GCM a user and
    /// epoch; marks nothing as opened. For an SSRC that nobody has announced.
    [[nodiscard]] std::optional<UserId> who_sent(std::span<const std::uint8_t> frame, BootTime arrival);

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace lestapenna::dave
