// Opens the media frames of everybody in an encrypted call. For each user it holds the keys of the epoch, and for 10 s
// those of the epoch before, whose frames still come; what has been opened once is not opened again.
//
// Promises: a frame is opened with a key of the user whom the caller names, or not at all; a frame that does not open
// changes nothing; what comes by one SSRC never makes a replay of what comes by another; without encryption (version 0,
// and while a change of version is under way) clear frames are passed on, otherwise only the silence frame is. Hot
// path: open() allocates nothing but for the second to fourth SSRC of a user in an epoch, takes no lock, and costs one
// AES-GCM. Thread: one at a time. Secrets are wiped when they expire.
//
// What "it opens" does not prove: each member of a group can derive the keys of all others (exporter and user id are
// all that they are made of; DAVE v1 has no signature on media). A key shows that a frame is of some member, in the
// epoch; which one, only the caller can know, from the server's word on the SSRC (discord/voice_frames.h).
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
    no_key,     ///< none for this user (yet); or none of these opens it, and it may be of an epoch before our first
    forged,     ///< does not open with any key of this user: of a newer epoch, or damaged
    replayed,   ///< it opens, but has come by this SSRC already, or is too old to tell
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
/// SSRCs of one user in one epoch whose replays are told: one is usual. With more than that the one not heard for
/// longest is forgotten: of it a copy would be taken again, which helps only a member and a server who lie together,
/// and those can seal what they like.
inline constexpr std::size_t kMostSsrcs = 4;
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
    /// With `user`'s keys; `ssrc` is what it came by. `arrival` decides what has expired.
    Opened open(UserId user, std::uint32_t ssrc, std::span<const std::uint8_t> frame, BootTime arrival);
    /// Forgets what no frame that arrived at `oldest` or later needs: to be called about once a second.
    void expire(BootTime oldest);
    [[nodiscard]] bool knows(UserId user) const;
    /// Whose key opens this frame, of all that are here: not who sent it, see above. Costs an AES-GCM a user and epoch;
    /// marks nothing as opened. For an SSRC that nobody has announced.
    [[nodiscard]] std::optional<UserId> whose_key_opens(std::span<const std::uint8_t> frame, BootTime arrival);

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace lestapenna::dave
