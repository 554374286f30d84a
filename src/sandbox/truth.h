// The truth of a live table: per player what a perfect receiver would decode, and each frame it sent.
//
// In `folder`: `{userId}.wav` (mono 48 kHz float; sample 0 is the session's start, each sent frame's samples at its due
// time, one decoder per SSRC, silence frames not decoded), `{userId}.frames.jsonl` (a line per frame: ssrc, seq,
// timestamp, due_us, sent_us, bytes) and, from finish() on, `ledger.json` (as the simulated line writes it; a player's
// SSRCs are entries of their own, SSRC 0 holds the frames that found no connection). Tracks and lines are on disk up to
// a second ago and whole at every moment, not synced; a track reaches to its last frame until finish() fills it up.
//
// Thread: frame() on one thread, the loop's; it copies and returns, a thread of its own decodes and writes. The others
// anywhere, one at a time.
// Errors: what can not be written is said by finish(); the rest goes on.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <span>

#include "base/ids.h"
#include "base/result.h"
#include "base/time.h"
#include "sandbox/forwarding.h"

namespace lestapenna::sandbox {

/// A frame of the truth. `due_us` is the player's clock, Unix microseconds, when its first sample was spoken; `sent_us`
/// when the kernel took it (0: it was not sent, for want of a connection; ssrc and seq are then 0, too).
struct TrueFrame {
    std::uint32_t ssrc = 0;
    std::uint16_t seq = 0;
    std::uint32_t timestamp = 0;
    std::int64_t due_us = 0;
    std::int64_t sent_us = 0;
    bool silence = false;
    std::span<const std::uint8_t> opus{};  ///< valid during the call
};

class Truth {
  public:
    /// Makes the folder, and files for these players even if they never say a word; others get theirs with their first
    /// frame. Errors: failed, one can not be made.
    static Result<std::unique_ptr<Truth>> start(const std::filesystem::path& folder, UnixTime start_time,
                                                std::span<const UserId> players = {});
    /// Without finish() the files stay as they are, up to the last frame.
    ~Truth();
    Truth(const Truth&) = delete;
    Truth& operator=(const Truth&) = delete;

    /// Frames of a player come in the order they were due. Never waits for a disk.
    void frame(UserId player, const TrueFrame& frame);

    /// After the last frame: fills every track to `length` and writes the ledger, of what `forwarded` says the server
    /// sent on to the recorder (by SSRC, VoiceServer::forwarded). Waits for the disk. Errors: the first of all writes.
    Status finish(Samples length, std::uint64_t seed, const std::map<std::uint32_t, Forwarded>& forwarded);

  private:
    struct Impl;
    explicit Truth(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

}  // namespace lestapenna::sandbox
