#include "sandbox/packer.h"

#include <algorithm>
#include <cmath>

#include "sandbox/parallel.h"

namespace lestapenna::sandbox {
namespace {

constexpr std::int64_t kSilenceSamples = 960;

/// A sender's sample clock: its sample 0 is spoken when it joins.
class SenderClock {
  public:
    SenderClock(SamplePos join, double skew_ppm)
        : join_(to_session_time(join)), rate_(48'000 * (1 + skew_ppm * 1e-6)) {}

    [[nodiscard]] nanoseconds true_time(std::int64_t sample) const {
        return join_.time_since_epoch() + nanoseconds(std::llround(static_cast<double>(sample) * 1e9 / rate_));
    }
    /// The first sample spoken at or after `pos`.
    [[nodiscard]] std::int64_t sample_at(SamplePos pos) const {
        const auto elapsed = static_cast<double>((to_session_time(pos) - join_).count());
        return static_cast<std::int64_t>(std::ceil(elapsed * rate_ / 1e9 - 1e-3));  // 1e-3: a whole sample is itself
    }

  private:
    SessionTime join_;
    double rate_;
};

/// Packs one player's runs. `said` counts samples sent: what a frozen RTP clock shows.
class Packer {
  public:
    Packer(const Player& player, const Sender& sender)
        : sender_(sender), clock_(player.join, sender.skew_ppm), encoder_(sender.encoder) {}

    void pack(const Talk& talk) {
        const std::int64_t frame = sender_.frame.count();
        const std::int64_t wanted = std::max(clock_.sample_at(talk.start), sample_);
        sample_ = (wanted + frame - 1) / frame * frame;

        RunLedger run;
        run.start = nearest_sample(clock_.true_time(sample_));
        std::vector<float> pcm(static_cast<std::size_t>(frame));
        for (std::size_t at = 0; at < talk.pcm.size(); at += pcm.size()) {
            const std::size_t count = std::min(pcm.size(), talk.pcm.size() - at);
            std::copy_n(talk.pcm.begin() + static_cast<std::ptrdiff_t>(at), count, pcm.begin());
            std::fill(pcm.begin() + static_cast<std::ptrdiff_t>(count), pcm.end(), 0.0F);
            send(encoder_.encode(pcm), frame, false);
        }
        run.end = nearest_sample(clock_.true_time(sample_));
        for (int i = 0; i < kSilenceFrames; ++i) {
            send({kSilenceFrame.begin(), kSilenceFrame.end()}, kSilenceSamples, true);
        }
        packed.runs.push_back(run);
    }

    Packed packed;

  private:
    void send(std::vector<std::uint8_t> opus, std::int64_t samples, bool silence) {
        SentPacket packet;
        packet.seq = static_cast<std::int64_t>(packed.packets.size());
        packet.timestamp = sender_.frozen_rtp_clock ? said_ : sample_;
        packet.sent_at = clock_.true_time(sample_);
        packet.run = packed.runs.size();
        packet.silence = silence;
        packet.opus = std::move(opus);
        packed.packets.push_back(std::move(packet));
        sample_ += samples;
        said_ += samples;
    }

    const Sender& sender_;
    SenderClock clock_;
    audio::OpusEncoder encoder_;
    std::int64_t sample_ = 0;  ///< the next one to be spoken
    std::int64_t said_ = 0;
};

}  // namespace

SamplePos nearest_sample(nanoseconds time) {
    return SamplePos(Samples(std::llround(static_cast<double>(time.count()) * (kSampleRate / 1e9))));
}

Packed pack(const Player& player, const Sender& sender) {
    Packer packer(player, sender);
    for (const Talk& talk : player.talks) packer.pack(talk);
    return std::move(packer.packed);
}

std::vector<Packed> pack_all(const Script& script, std::span<const Sender> senders, const Sender& others) {
    std::vector<Packed> all(script.players.size());
    for_each_index(all.size(),
                   [&](std::size_t i) { all[i] = pack(script.players[i], i < senders.size() ? senders[i] : others); });
    return all;
}

}  // namespace lestapenna::sandbox
