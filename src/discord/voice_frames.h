// The frames of one voice session on their way from the socket to the listener, and whose they are. In a clear call
// they pass through untouched, by SSRC; in an encrypted one each is opened with the keys of its sender, waits in the
// Parking for as long as that may still succeed, or is handed on closed.
//
// Whose an SSRC is: in a clear call the server's word (op 5) is enough, and is passed on at once. In an encrypted one
// it takes both, the word and the key: what the server has announced is opened with that user's key and with no other,
// and SsrcBound is said once a frame has opened with it (or when something of it stays closed: then nothing of it is
// audio). So the server, which has no key, can not put words of one member into another's mouth, nor can a member
// alone: it can derive everybody's keys (dave/receiver.h), but the SSRC it sends by is announced as its own. Both
// together can. The newest word counts: when it names another user, the source begins anew.
//
// An SSRC that nobody announced for a second is tried with all keys, so that no audio is lost. What opens is handed on
// without a binding, nobody's: whose key it was proves nothing. SsrcBound follows when the server has named the user.
//
// Thread: the loop's. Ownership: held by a shared_ptr; listener and counts outlive it, or it is close()d before; the
// listener may close it from within a call. Hot path: no allocation, no lock, no log.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "dave/receiver.h"
#include "discord/parking.h"
#include "discord/voice.h"

namespace lestapenna::discord {

inline constexpr seconds kParkedFor{10};   ///< from a frame's arrival
inline constexpr seconds kUnannounced{1};  ///< op 5 may be that late; then all keys are tried
/// For as long frames of a source of which none has opened yet mean nothing: a newcomer's key comes with a transition,
/// which takes up to 2 s.
inline constexpr seconds kUnproven{2};
inline constexpr unsigned kMostClosed = 36;  ///< in a row are usual while members change (dave.md section 4.7)

class VoiceFrames final : public Listener, public std::enable_shared_from_this<VoiceFrames> {
  public:
    VoiceFrames(UserId self, const VoiceOptions& options, Listener& to, VoiceCounts& counts);

    // ---- what the voice server says
    void announce(std::uint32_t ssrc, UserId user);  ///< op 5
    /// Op 13. Of an encrypted call what is still on its way is the user's: UDP may be slower than the websocket.
    void forget(UserId user);

    // ---- what the group says
    /// The call is encrypted from now on, or about to be.
    void expect_sealed();
    /// It is not any more: what was on its way may still be.
    void expect_clear(BootTime now);
    /// Clear frames are taken until then, besides.
    void pass_clear_until(BootTime until);
    void begin_epoch(std::vector<dave::BaseSecret> keys, BootTime now);

    // ---- from the socket
    void on_packet(const VoicePacket& packet) noexcept override;
    void on_event(const VoiceEvent& event) noexcept override;

    /// About four times a second in an encrypted call: lets go of what has waited long enough, and finds out whose the
    /// unannounced sources are.
    void tick(BootTime now);
    /// Hands on all that is parked: the session ends.
    void drain();
    void close() { closed_ = true; }

    /// Senders of whom more than kMostClosed frames in a row did not open, by SSRCs that the server has announced.
    struct Failing {
        UserId user;     ///< one of them
        BootTime since;  ///< the first of its frames that did not open
        std::size_t users = 0;
        BootTime opened = BootTime::min();         ///< the last frame of any of them that did
        BootTime others_opened = BootTime::min();  ///< the last one of anybody else
    };
    [[nodiscard]] std::optional<Failing> failing(BootTime now) const;
    /// One of whom nothing has opened for that long, though more than kMostClosed frames came: transitions or not.
    struct Unheard {
        UserId user;
        BootTime opened;  ///< the last one that did
    };
    [[nodiscard]] std::vector<Unheard> unheard(BootTime now, nanoseconds lasting) const;
    /// A transition is under way: what did not open so far means nothing.
    void forgive();

  private:
    struct Source {
        UserId user;             ///< whose key opens it
        bool announced = false;  ///< by the server; else found by trying, and nobody's
        unsigned failed = 0;     ///< in a row, since it was announced
        BootTime failing_since{};
        unsigned unheard = 0;  ///< in a row, and never forgiven
        BootTime unheard_since{};
        BootTime opened = BootTime::min();  ///< the last one that has opened with that key
        std::optional<UserId> said{};       ///< to the listener
        BootTime said_at = BootTime::min();
        std::optional<BootTime> left{};  ///< when the user did: forgotten kParkedFor later
        /// The listener does not know yet whose it is, but may.
        [[nodiscard]] bool unsaid() const { return announced && said != user; }
        void begin_anew(UserId whose) { *this = {.user = whose, .said = said, .said_at = said_at}; }
    };
    Source* find(std::uint32_t ssrc);
    /// False: the listener has closed us.
    bool say(std::uint32_t ssrc, Source& source);
    void say_all();
    static bool is_announced(const Source* source) { return source != nullptr && source->announced; }
    dave::Opened open(const Source* source, std::uint32_t ssrc, std::span<const std::uint8_t> frame, BootTime arrival);
    void take(const VoicePacket& packet);
    void hand_on_opened(Source* source, const VoicePacket& packet);
    void hand_on_clear(Source* source, const VoicePacket& packet);
    void hand_on_closed(const rtp::Header& header, BootTime arrival, std::size_t bytes, Closed why, bool parked);
    void wait_for_key(Source* source, const VoicePacket& packet, Closed why);
    void retry(std::uint32_t ssrc);
    void try_again(Parking::Place place);
    void expire(std::uint32_t ssrc, BootTime before);
    void find_key(std::uint32_t ssrc);
    void make_room_for_found();

    const UserId self_;
    Listener* const listener_;
    VoiceCounts* const counts_;
    bool closed_ = false;
    BootTime sealed_until_ = BootTime::min();  // what arrives later is in the clear
    BootTime clear_until_ = BootTime::min();   // until then clear frames are taken, too
    dave::Receiver receiver_;
    Parking parking_;
    std::map<std::uint32_t, Source> sources_;
};

}  // namespace lestapenna::discord
