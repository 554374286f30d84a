// A connection's PCM: what one decoder per source gives from its first packet on, laid on the session's clock. Mono,
// float, 48 kHz, gain 1; exact zeros wherever nothing was received.
//
// Any stretch can be asked for, by any thread, in any order: work in the middle starts from a saved copy of the
// decoder's state, never from a fresh decoder (a pre-roll of 3 s differs at 1 point in 7, a copied state nowhere;
// measured).
//
// Lost packets: PLC for all but the last of a gap (5 packets at most, then faded), in-band FEC for the last one where
// the next packet has it, then zeros. Silence frames are zeros and are not shown to the decoder, which is not reset at
// pauses. After and before a pause the edges are faded over 5 ms (../shared/reference/audio.md B4).
#pragma once

#include <functional>
#include <span>
#include <vector>

#include "audio/opus.h"
#include "journal/reader.h"
#include "timeline/timeline.h"

namespace lestapenna::render {

/// Fills a stretch of audio from `first` on, zeros where there is none. Pure, so any thread may call it at any time.
/// Positions count from the file's first sample.
using PcmSource = std::function<void(Samples first, std::span<float> out)>;

/// Decodes one source step by step; each step is one packet and what is missing before it. A copy goes on like the
/// original.
class StreamDecoder {
  public:
    explicit StreamDecoder(const timeline::Stream& stream) : stream_(&stream) {}

    /// The same decoder in a longer stream that begins with the same packets.
    [[nodiscard]] StreamDecoder in(const timeline::Stream& longer) const;

    [[nodiscard]] const timeline::Stream& stream() const { return *stream_; }
    /// Packets decoded so far: the first ones of the stream.
    [[nodiscard]] std::size_t decoded() const { return next_; }
    [[nodiscard]] bool done() const { return next_ == stream_->packets.size(); }
    /// Where the next step's audio begins; everything before is out.
    [[nodiscard]] SamplePos position() const;
    /// Where it ends. Not when done().
    [[nodiscard]] SamplePos next_end() const { return stream_->packets[next_].end(); }
    /// Decodes the next packet. `out` is overwritten with the audio from position() to the packet's end; a long silence
    /// before the packet is left out of it: `begin` is where `out` begins.
    void step(journal::PayloadReader& payloads, std::vector<float>& out, SamplePos& begin);

  private:
    void conceal(std::span<float> hole, std::span<const std::uint8_t> next, std::int64_t missing);
    void decode(const timeline::PlacedPacket& packet, std::span<const std::uint8_t> payload, std::span<float> out);
    [[nodiscard]] bool conceals_before(std::size_t index) const;
    [[nodiscard]] bool pause_follows() const;

    const timeline::Stream* stream_;
    std::size_t next_ = 0;
    audio::OpusDecoder decoder_;
    SamplePos audible_until_ = SamplePos::min();  ///< end of the last packet that was not a silence frame
    int undecodable_ = 0;                         ///< corrupt packets in a row
};

/// A connection that has been decoded once, or a stretch of it, with the decoders' states kept at some places.
class ConnectionPcm {
  public:
    /// What the one sequential pass shows: stretches of audio in order, `at` ascending per source.
    using Visitor = std::function<void(SamplePos at, std::span<const float> audio)>;

    /// Decodes all of it once. States are kept so that a stretch beginning at any multiple of kSlice minus kPreRoll,
    /// counted from the connection's start or from the session's, is reached at once. `timeline` must outlive this.
    ConnectionPcm(const timeline::Timeline& timeline, const timeline::Connection& connection, const Visitor& visit);
    /// Only what can be asked for between `from` and `to`; `decoders`: one per source, none further than `from` unless
    /// it is fresh.
    ConnectionPcm(const timeline::Timeline& timeline, const timeline::Connection& connection,
                  std::vector<StreamDecoder> decoders, SamplePos from, SamplePos to);

    /// Where each source's decoder stood at `at` or just before; fresh ones for sources that begin later.
    [[nodiscard]] std::vector<StreamDecoder> decoders(SamplePos at) const;

    /// Adds gain * audio to `out`, which begins at `from` on the session's clock.
    void add(SamplePos from, std::span<float> out, float gain) const;
    /// The connection as a file of its own.
    [[nodiscard]] PcmSource source() const;
    [[nodiscard]] const timeline::Connection& connection() const { return *connection_; }

  private:
    struct Saved {
        SamplePos at;
        StreamDecoder decoder;
    };
    void decode(StreamDecoder decoder, SamplePos from, SamplePos to, const Visitor& visit);
    [[nodiscard]] static const Saved* saved_before(const std::vector<Saved>& saved, SamplePos at);

    const timeline::Timeline* timeline_;
    const timeline::Connection* connection_;
    std::vector<std::vector<Saved>> saved_;  ///< per source, ascending
};

}  // namespace lestapenna::render
