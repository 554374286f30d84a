// What the truth of a table looks like on disk, simulated or live: a track per player, and the ledger of what became of
// its packets. Thread: an object belongs to one thread at a time.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "audio/files.h"
#include "base/result.h"
#include "base/time.h"
#include "sandbox/line.h"

namespace lestapenna::sandbox {

/// A mono float WAV of samples at positions that only go forward; what lies between is silence. Where neighbours
/// overlap by a sample the later one wins; where they leave one free, the sample before is repeated. Memory for a
/// second.
class TruthTrack {
  public:
    static Result<TruthTrack> create(const std::filesystem::path& path);

    /// `pcm` begins at sample `at`.
    Status place(std::int64_t at, std::span<const float> pcm);
    /// The file is whole, and holds all but the last sample, which may yet be overwritten.
    Status flush();
    /// Cuts or fills so that the track is `length` samples, and closes the file.
    Status finish(std::int64_t length);

  private:
    explicit TruthTrack(audio::AudioFileWriter writer) : writer_(std::move(writer)) {}
    Status silence_until(std::int64_t at);
    Status write_all_but(std::size_t kept);

    audio::AudioFileWriter writer_;
    std::vector<float> pending_;
    std::int64_t written_ = 0;
};

/// {"seed", "start_time", "length_samples", "senders": [...]}: SenderLedger and RunLedger field by field.
std::string ledger_json(std::uint64_t seed, UnixTime start_time, Samples length, std::span<const SenderLedger> senders);

}  // namespace lestapenna::sandbox
