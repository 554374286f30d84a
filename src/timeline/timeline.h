// Where every packet of a session belongs on the session's clock, and what is missing. A pure function of the
// journal's records and the rotation window: the same records give the same timeline, whether it is computed while the
// session runs (for the windows that are closed by then) or years later.
//
// The rules are docs/architecture.md section 6. In short: inside a talk run the sender's RTP timestamp is the clock;
// where a run sits comes from the lower envelope of (arrival - timestamp), the packets with the least delay; a pause is
// judged by both clocks; silence is what lies between packets and is never stored.
//
// Placement is causal. Window k of a connection closes with the first record at or after `opened + (k+1) * rotation +
// 15 s`, where `opened` is the earlier of the join and the first packet's arrival. What belongs to a window but was
// journaled after it closed is late: counted, not placed. Packets are ordered by arrival as long as they were journaled
// within that delay: one that was parked, up to 10 s, is placed as if it had not been.
//
// Thread: values and pure functions; a Builder belongs to one thread.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "base/time.h"
#include "journal/reader.h"

namespace lestapenna::timeline {

inline constexpr seconds kClosingDelay{15};  ///< how long after its end a window waits for late packets
inline constexpr milliseconds kClosingGuard{
    250};  ///< the encoder of a window's last frame looks this far beyond its end
/// A hole of at least this length is a pause: the next run is anchored anew and its edges are faded.
inline constexpr Samples kPause{4'800};
inline constexpr int kMaxConcealedPackets = 5;  ///< PLC goes on humming; after 100 ms it is faded to zero (audio.md B2)

/// One packet in its place. 32 bytes: four hours of five people talking all the time are 3.6 million of them.
struct PlacedPacket {
    SamplePos at;                 ///< of the first decoded sample
    journal::PayloadRef payload;  ///< size 0: nothing to decode (undecryptable): conceal
    std::uint16_t duration = 0;   ///< samples it decodes to, 120 to 5760
    /// Packets missing in the sequence right before this one (saturates); 0 after a pause over the edge of a window.
    std::uint16_t missing = 0;
    std::int8_t slip = 0;  ///< it is played this many samples longer (-1, 0, 1): the sender's clock is off
    bool silence = false;  ///< F8 FF FE

    [[nodiscard]] SamplePos end() const { return at + Samples{duration + slip}; }
};

/// What happened to the packets of one SSRC, or of one user in one minute.
struct Counts {
    std::uint64_t received = 0;       ///< different packets that reached us, late and undecryptable ones included
    std::uint64_t lost = 0;           ///< missing in the sequence between the first and the last one received
    std::uint64_t late = 0;           ///< journaled after their window was closed
    std::uint64_t duplicate = 0;      ///< copies of a packet that was already there
    std::uint64_t parked = 0;         ///< waited for a key or a binding
    std::uint64_t undecryptable = 0;  ///< arrived, but could not be opened
    std::array<std::uint64_t, journal::kClosedReasons> closed{};  ///< these, by journal::ClosedReason
    std::uint64_t concealed = 0;         ///< of those missing before a packet: the first five, which PLC or FEC fill
    std::uint64_t runaway = 0;           ///< received, but said to belong seconds after its arrival: not placed
    std::uint64_t stray = 0;             ///< not taken in: a lone jump of the sequence that no second packet confirmed
    std::uint64_t unplaceable_runs = 0;  ///< talk runs inside a stall whose sender's RTP clock stood still (section 6)

    Counts& operator+=(const Counts& other);
};

/// The packets of one source: one SSRC as long as its counters go on, and nobody paused. It has a decoder of its own.
struct Stream {
    std::uint32_t ssrc = 0;
    std::vector<PlacedPacket> packets;  ///< by position; they never overlap
    Counts counts;
};

/// A user in the channel, from join to leave.
struct Connection {
    UserId user;
    SamplePos opened;  ///< where its windows are counted from (see the top)
    SamplePos start;   ///< whole milliseconds
    SamplePos end;
    bool left = false;            ///< it is over; otherwise `end` is only the last thing known
    std::vector<Stream> streams;  ///< usually one; each reconnect of the user's client adds one

    [[nodiscard]] Samples length() const { return end - start; }
    [[nodiscard]] bool has_audio() const;
};

/// One row of the ledger: a user, a minute of the session.
struct Minute {
    UserId user;
    std::int64_t minute = 0;
    Counts counts;
};

struct Outage {
    SessionTime from;
    SessionTime to;
    journal::GapReason reason = journal::GapReason::outage;
    std::uint32_t packets = 0;
};
struct Note {
    SessionTime at;
    UserId user;
    std::string text;
};

struct Timeline {
    std::string session_id;
    UnixTime start;                              ///< time zero
    std::vector<journal::SegmentInfo> segments;  ///< to fetch payloads
    std::vector<Connection> connections;         ///< by start, then user
    std::vector<Minute> ledger;                  ///< by user, then minute; minutes without a packet have no row
    std::vector<Outage> outages;
    std::vector<std::pair<SessionTime, SessionTime>> pauses;
    std::vector<Note> notes;
    std::vector<journal::Damage> damages;  ///< what of the journal could not be read
    SessionTime known_until;               ///< the latest record
    bool ended = false;                    ///< an End record was read: every window is closed

    /// The end of the last connection.
    [[nodiscard]] SamplePos end() const;
    [[nodiscard]] UnixTime unix_time(SamplePos at) const {
        return start + std::chrono::floor<milliseconds>(at.time_since_epoch());
    }
    [[nodiscard]] Counts counts_of(UserId user) const;
    /// Packets that are not heard, outages or damage: exit code 3, never for silence.
    [[nodiscard]] bool has_gaps() const;
};

/// Takes the records of a session in journal order.
class Builder {
  public:
    /// Nothing is placed before `earliest`; an import that is still looking for its time zero has none.
    explicit Builder(milliseconds rotation, SamplePos earliest = SamplePos{});
    Builder(Builder&&) noexcept;
    Builder& operator=(Builder&&) noexcept;
    ~Builder();
    void add(const journal::Record& record, SessionTime time, journal::PayloadRef payload);
    /// Places everything. Fields that only the journal's files know (id, start, segments, damages) are left empty.
    Timeline finish();

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

/// Reads a session's journal to its end. Errors are those of journal::Reader::open; damage inside is in the result.
Result<Timeline> read(const std::filesystem::path& session_folder, milliseconds rotation);

}  // namespace lestapenna::timeline
