#include "render/pcm.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <cmath>

#include "render/slices.h"

namespace lestapenna::render {

namespace {

using timeline::kMaxConcealedPackets;
using timeline::kPause;
using timeline::PlacedPacket;

constexpr std::size_t kFade = 240;      ///< 5 ms
constexpr std::size_t kPlcGrain = 120;  ///< libopus conceals multiples of 2.5 ms only
constexpr std::size_t kMaxPacket = static_cast<std::size_t>(audio::kMaxOpusPacket.count());
constexpr Samples kLongestHole = seconds{10};  ///< a longer one is an outage: zeros, and nothing of it is concealed

/// The least position at or after `at` where slices of either grid begin to read: the file's own and the session's.
SamplePos next_reading_place(SamplePos at, SamplePos file_start) {
    const auto on_grid = [at](SamplePos origin) {
        const Samples ahead = at - (origin - kPreRoll);
        const std::int64_t slices = (ahead.count() + kSlice.count() - 1) / kSlice.count();
        return origin - kPreRoll + slices * kSlice;
    };
    return std::min(on_grid(file_start), on_grid(SamplePos{}));
}

/// Random bytes that happen to be an Opus packet have decoded to 400 times full scale: one such packet would decide the
/// level of a whole mix. What was recorded too hot overshoots full scale by a few dB.
bool plausible(std::span<const float> audio) {
    constexpr float kAbsurd = 4;                                                                     // +12 dBFS
    return std::all_of(audio.begin(), audio.end(), [](float x) { return std::fabs(x) < kAbsurd; });  // false for NaN
}

void fade_in(std::span<float> audio) {
    const std::size_t n = std::min(kFade, audio.size());
    for (std::size_t i = 0; i < n; ++i) audio[i] *= static_cast<float>(i) / static_cast<float>(n);
}

void fade_out(std::span<float> audio, std::size_t length = kFade) {
    const std::size_t n = std::min(length, audio.size());
    for (std::size_t i = 0; i < n; ++i) audio[audio.size() - 1 - i] *= static_cast<float>(i) / static_cast<float>(n);
}

/// Plays n samples in out.size() = n + 1 or n - 1: slides from the sample itself to its neighbour over the whole
/// packet.
void slide(std::span<const float> in, std::span<float> out) {
    const auto n = static_cast<float>(out.size());
    const std::size_t last = in.size() - 1;
    const bool longer = out.size() > in.size();
    for (std::size_t i = 0; i < out.size(); ++i) {
        const float share = static_cast<float>(i) / n;
        const std::size_t near = std::min(i, last);
        const std::size_t other = longer ? (i == 0 ? 0 : i - 1) : std::min(i + 1, last);
        out[i] = (1 - share) * in[near] + share * in[other];
    }
}

}  // namespace

StreamDecoder StreamDecoder::in(const timeline::Stream& longer) const {
    assert(longer.packets.size() >= next_);
    StreamDecoder same = *this;
    same.stream_ = &longer;
    return same;
}

SamplePos StreamDecoder::position() const {
    if (next_ > 0) return stream_->packets[next_ - 1].end();
    return stream_->packets.empty() ? SamplePos::max() : stream_->packets.front().at;
}

bool StreamDecoder::conceals_before(std::size_t index) const {
    const auto& packets = stream_->packets;
    if (index == 0 || index >= packets.size() || packets[index].missing == 0) return false;
    const Samples hole = packets[index].at - packets[index - 1].end();
    return hole > Samples{0} && hole <= kLongestHole;
}

bool StreamDecoder::pause_follows() const {
    const auto& packets = stream_->packets;
    const SamplePos end = packets[next_].end();
    for (std::size_t i = next_ + 1; i < packets.size(); ++i) {
        if (packets[i].at - end >= kPause) return !conceals_before(next_ + 1);
        if (!packets[i].silence) return false;
    }
    return true;
}

void StreamDecoder::conceal(std::span<float> hole, std::span<const std::uint8_t> next, std::int64_t missing) {
    const PlacedPacket& before = stream_->packets[next_ - 1];
    const std::size_t frame = std::max<std::size_t>(kPlcGrain, before.duration / kPlcGrain * kPlcGrain);
    // A hole much longer than what is missing holds a pause too, and nobody knows on which side: only the first part is
    // concealed.
    const bool all_lost = hole.size() <= static_cast<std::size_t>(missing) * frame + frame / 2;
    const std::size_t frames = (hole.size() + frame / 2) / frame;
    const bool recovered = all_lost && frames > 0 && audio::has_fec(next);
    const std::size_t by_plc = before.silence
                                   ? 0
                                   : std::min<std::size_t>({static_cast<std::size_t>(missing) - (recovered ? 1 : 0),
                                                            frames - (recovered ? 1 : 0), kMaxConcealedPackets});
    std::vector<float> audio(std::max(frame, hole.size()) + frame);
    for (std::size_t i = 0; i < by_plc; ++i) {
        if (!decoder_.conceal(std::span(audio).subspan(i * frame, frame))) break;
    }
    const bool fades = by_plc > 0 && (!all_lost || by_plc < frames - (recovered ? 1 : 0));
    if (fades) fade_out(std::span(audio).first(by_plc * frame), frame);
    if (recovered) {
        // The copy ends where the next packet begins; its beginning may meet the concealment a few samples early or
        // late.
        std::vector<float> copy(frame);
        const audio::OpusDecoder earlier = decoder_;
        if (!decoder_.recover(next, copy) || !plausible(copy)) {
            decoder_ = earlier;
        } else {
            const std::size_t n = std::min(frame, hole.size());
            std::copy(copy.end() - static_cast<std::ptrdiff_t>(n), copy.end(),
                      audio.begin() + static_cast<std::ptrdiff_t>(hole.size() - n));
        }
    }
    std::copy_n(audio.begin(), hole.size(), hole.begin());
}

void StreamDecoder::decode(const PlacedPacket& packet, std::span<const std::uint8_t> payload, std::span<float> out) {
    std::array<float, kMaxPacket> buffer{};
    const std::span<float> audio = std::span(buffer).first(packet.duration);
    const audio::OpusDecoder before = decoder_;  // 1 % of a decode's time
    if (decoder_.decode(payload, buffer).count() == packet.duration && plausible(audio)) {
        undecodable_ = 0;
    } else {
        decoder_ = before;  // nonsense must not go on sounding in what comes next
        const std::size_t whole = audio.size() / kPlcGrain * kPlcGrain;
        std::fill(audio.begin(), audio.end(), 0.0F);
        const bool hums = undecodable_++ < kMaxConcealedPackets && decoder_.conceal(audio.first(whole));
        if (!hums || !plausible(audio)) std::fill(audio.begin(), audio.end(), 0.0F);
    }
    if (out.size() == audio.size()) {
        std::copy(audio.begin(), audio.end(), out.begin());
    } else {
        slide(audio, out);
    }
}

void StreamDecoder::step(journal::PayloadReader& payloads, std::vector<float>& out, SamplePos& begin) {
    const PlacedPacket& packet = stream_->packets[next_];
    const auto length = static_cast<std::size_t>((packet.end() - packet.at).count());
    const auto head = conceals_before(next_) ? static_cast<std::size_t>((packet.at - position()).count()) : 0;
    begin = packet.at - Samples{static_cast<std::int64_t>(head)};
    const auto payload = payloads.fetch(packet.payload);
    out.assign(head + length, 0.0F);
    if (head > 0) conceal(std::span(out).first(head), payload, packet.missing);
    if (!packet.silence) {
        const std::span<float> audio = std::span(out).subspan(head);
        decode(packet, payload, audio);
        const bool after_pause = audible_until_ == SamplePos::min() || packet.at - audible_until_ >= kPause;
        if (after_pause && head == 0) fade_in(audio);
        if (pause_follows()) fade_out(audio);
        audible_until_ = packet.end();
    }
    ++next_;
}

ConnectionPcm::ConnectionPcm(const timeline::Timeline& timeline, const timeline::Connection& connection,
                             const Visitor& visit)
    : timeline_(&timeline), connection_(&connection) {
    for (const timeline::Stream& stream : connection.streams) {
        decode(StreamDecoder(stream), SamplePos::min(), SamplePos::max(), visit);
    }
}

ConnectionPcm::ConnectionPcm(const timeline::Timeline& timeline, const timeline::Connection& connection,
                             std::vector<StreamDecoder> decoders, SamplePos from, SamplePos to)
    : timeline_(&timeline), connection_(&connection) {
    assert(decoders.size() == connection.streams.size());
    const auto unheard = [](SamplePos, std::span<const float>) {};
    for (StreamDecoder& decoder : decoders) decode(std::move(decoder), from, to, unheard);
}

void ConnectionPcm::decode(StreamDecoder decoder, SamplePos from, SamplePos to, const Visitor& visit) {
    auto& saved = saved_.emplace_back();
    journal::PayloadReader payloads(timeline_->segments);
    std::vector<float> audio;
    SamplePos wanted = SamplePos::min();
    while (!decoder.done() && decoder.position() < to) {
        if (saved.empty() || decoder.next_end() > wanted) {
            if (decoder.position() <= from) saved.clear();  // nobody asks for what is before
            saved.push_back({decoder.position(), decoder});
            wanted = next_reading_place(decoder.next_end(), connection_->start);
        }
        SamplePos begin;
        decoder.step(payloads, audio, begin);
        visit(begin, audio);
    }
    if (saved.empty()) saved.push_back({decoder.position(), std::move(decoder)});
}

const ConnectionPcm::Saved* ConnectionPcm::saved_before(const std::vector<Saved>& saved, SamplePos at) {
    const auto after =
        std::upper_bound(saved.begin(), saved.end(), at, [](SamplePos t, const Saved& s) { return t < s.at; });
    return after == saved.begin() ? nullptr : &*std::prev(after);
}

std::vector<StreamDecoder> ConnectionPcm::decoders(SamplePos at) const {
    std::vector<StreamDecoder> all;
    for (const auto& saved : saved_) {
        const Saved* const before = saved_before(saved, at);
        all.push_back(before != nullptr ? before->decoder : StreamDecoder(saved.front().decoder.stream()));
    }
    return all;
}

void ConnectionPcm::add(SamplePos from, std::span<float> out, float gain) const {
    const SamplePos to = from + Samples{static_cast<std::int64_t>(out.size())};
    journal::PayloadReader payloads(timeline_->segments);
    std::vector<float> audio;
    for (const auto& saved : saved_) {
        const Saved* const before = saved_before(saved, from);
        StreamDecoder decoder = (before != nullptr ? *before : saved.front()).decoder;
        while (!decoder.done() && decoder.position() < to) {
            SamplePos begin;
            decoder.step(payloads, audio, begin);
            const std::int64_t offset = (begin - from).count();
            const auto first = std::max<std::int64_t>(0, -offset);
            const auto last =
                std::min(static_cast<std::int64_t>(audio.size()), static_cast<std::int64_t>(out.size()) - offset);
            for (std::int64_t i = first; i < last; ++i) {
                out[static_cast<std::size_t>(i + offset)] += gain * audio[static_cast<std::size_t>(i)];
            }
        }
    }
}

PcmSource ConnectionPcm::source() const {
    return [this](Samples first, std::span<float> out) {
        std::fill(out.begin(), out.end(), 0.0F);
        add(connection_->start + first, out, 1.0F);
    };
}

}  // namespace lestapenna::render
