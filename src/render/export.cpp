#include "render/export.h"

#include <algorithm>
#include <array>
#include <optional>

#include <fmt/format.h>

#include "render/slices.h"

namespace lestapenna::render {

namespace {

using timeline::PlacedPacket;

constexpr Samples kPreSkip{3'840};   ///< 80 ms, as RFC 7845 section 4.2 asks
constexpr std::int64_t kGrid = 120;  ///< the shortest Opus packet, 2.5 ms
constexpr std::int64_t kMostDrift =
    960;  ///< how far a run that never pauses may drift before a packet is added or left out

/// Opus packets of one user in order; where two sources overlap (a reconnect) the earlier one goes first.
std::vector<const PlacedPacket*> packets_of(const timeline::Timeline& timeline, UserId user) {
    std::vector<const PlacedPacket*> packets;
    for (const timeline::Connection& connection : timeline.connections) {
        if (connection.user != user) continue;
        for (const timeline::Stream& stream : connection.streams) {
            for (const PlacedPacket& packet : stream.packets) packets.push_back(&packet);
        }
    }
    std::sort(packets.begin(), packets.end(), [](const auto* a, const auto* b) { return a->at < b->at; });
    return packets;
}

/// Lays packets end to end so that they play at their places; what would begin at the end or later is not written.
class OpusTrack {
  public:
    OpusTrack(audio::OggOpusWriter writer, SamplePos origin, SamplePos end)
        : writer_(std::move(writer)), at_(origin), end_(end), last_end_(origin - timeline::kPause) {}

    Status add(const PlacedPacket& packet, std::span<const std::uint8_t> payload) {
        const std::int64_t off = (packet.at - at_).count();
        const int missing = packet.missing + unreadable_;
        const bool in_run = missing == 0 && packet.at - last_end_ < timeline::kPause;
        if (in_run ? off <= -kMostDrift : off < -kGrid / 2 - 1) return Ok{};  // its place is taken
        if (!in_run || off >= kMostDrift) {
            // A run that has drifted so far gets a packet more, one that holds nothing: smoother than silence.
            if (auto status = conceal(in_run ? 1 : missing, off); !status) return status;
            if (auto status = silence_until(packet.at); !status) return status;
        }
        const auto duration = audio::opus_duration(payload);
        last_end_ = packet.end();
        const bool readable = duration && duration->count() == packet.duration;
        unreadable_ = readable ? 0 : unreadable_ + 1;
        if (!readable) return Ok{};  // corrupt: the next one finds a hole
        toc_ = payload[0];
        return put(payload, *duration);
    }

    Status silence_until(SamplePos to) {
        // CELT, full band, mono, of 20, 10, 5 and 2.5 ms, with nothing in it (audio.md B3).
        struct Silence {
            std::int64_t samples;
            std::array<std::uint8_t, 3> bytes;
        };
        static constexpr std::array<Silence, 4> kSilences{{{960, {0xF8, 0xFF, 0xFE}},
                                                           {480, {0xF0, 0xFF, 0xFE}},
                                                           {240, {0xE8, 0xFF, 0xFE}},
                                                           {120, {0xE0, 0xFF, 0xFE}}}};
        for (const Silence& silence : kSilences) {
            while ((to - at_).count() >= silence.samples - (silence.samples == kGrid ? kGrid / 2 : 0)) {
                if (auto status = put(silence.bytes, Samples{silence.samples}); !status) return status;
            }
        }
        return Ok{};
    }

    Status close(Samples played) { return writer_.close(played); }

  private:
    /// An Opus packet of one byte holds nothing: the decoder fills in (RFC 7845 section 4.1).
    Status conceal(int packets, std::int64_t hole) {
        const std::array<std::uint8_t, 1> empty{static_cast<std::uint8_t>(toc_.value_or(0) & 0xFC)};
        const auto duration = audio::opus_duration(empty);
        if (!toc_ || !duration) return Ok{};
        const int most = std::min(packets, timeline::kMaxConcealedPackets);
        for (int i = 0; i < most && hole >= duration->count(); ++i, hole -= duration->count()) {
            if (auto status = put(empty, *duration); !status) return status;
        }
        return Ok{};
    }

    Status put(std::span<const std::uint8_t> packet, Samples duration) {
        const bool heard = at_ < end_;
        at_ += duration;
        return heard ? writer_.write(packet) : Status{Ok{}};
    }

    audio::OggOpusWriter writer_;
    SamplePos at_;  ///< where the next packet written will play
    SamplePos end_;
    SamplePos last_end_;               ///< of the last packet given; the first one begins a run
    std::optional<std::uint8_t> toc_;  ///< of the last packet written
    int unreadable_ = 0;               ///< corrupt packets since then
};

}  // namespace

Status export_opus(const timeline::Timeline& timeline, UserId user, Range range, const std::filesystem::path& path) {
    const auto packets = packets_of(timeline, user);
    auto writer =
        audio::OggOpusWriter::create(path, 2, kPreSkip, {"TITLE=" + user.text(), "ALBUM=" + timeline.session_id});
    if (!writer) return writer.error();
    journal::PayloadReader payloads(timeline.segments);
    const SamplePos origin = range.from - kPreSkip;
    OpusTrack track(std::move(*writer), origin, range.to);
    for (const PlacedPacket* packet : packets) {
        if (packet->at < origin) continue;
        if (packet->at >= range.to) break;
        if (auto status = track.add(*packet, payloads.fetch(packet->payload)); !status) return status;
    }
    if (auto status = track.silence_until(range.to + Samples{kGrid / 2}); !status) return status;
    return track.close(range.length());
}

Status export_pcm(const std::vector<const ConnectionPcm*>& connections, Range range, audio::SampleFormat format,
                  const std::filesystem::path& path, const Work& work) {
    auto writer = audio::AudioFileWriter::create(path, format);
    if (!writer) return writer.error();
    for (SamplePos at = range.from; at < range.to; at += kSlice) {
        if (work.stopped()) return stopped_error();
        std::vector<float> pcm(static_cast<std::size_t>(std::min<Samples>(kSlice, range.to - at).count()));
        for (const ConnectionPcm* connection : connections) connection->add(at, pcm, 1.0F);
        if (auto status = writer->write(pcm); !status) return status;
    }
    return writer->close();
}

std::string audacity_labels(const timeline::Timeline& timeline, Range range) {
    std::string labels;
    for (const timeline::Note& note : timeline.notes) {
        const SamplePos at = floor_samples(note.at);
        if (at < range.from || at >= range.to) continue;
        std::string text = note.text;
        std::replace_if(
            text.begin(), text.end(), [](char c) { return c == '\t' || c == '\n' || c == '\r'; }, ' ');
        const double second = static_cast<double>((at - range.from).count()) / static_cast<double>(kSampleRate);
        labels += fmt::format("{:.3f}\t{:.3f}\t{}\n", second, second, text);
    }
    return labels;
}

}  // namespace lestapenna::render
