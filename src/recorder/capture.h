// What a session's journal says of its live life: each packet as it came, who is in the channel, whose an SSRC is, when
// we heard nothing, and when nobody wanted us to. Of a packet that stayed closed: that it was there, and why. Decides
// nothing else.
//
// Thread: the loop's. Ownership: the writer outlives it. Hot path: on_packet() allocates once per SSRC and nothing per
// packet, takes no lock, never waits. Errors: none; what the journal has no room for is counted there, and a Gap of its
// own says so.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "base/time.h"
#include "discord/voice.h"
#include "journal/unfinished.h"
#include "journal/writer.h"
#include "recorder/call.h"
#include "recorder/tally.h"

namespace lestapenna::recorder {

class Capture final : public discord::Listener {
  public:
    using Tell = std::function<void(const discord::VoiceEvent&)>;

    /// `tell` gets every event after it is journaled.
    Capture(journal::Writer& writer, UserId self, Tell tell);

    /// Goes on with what an earlier recorder left, whose last record came at `until`: from then to Connected nothing
    /// was heard. Before the first event.
    void go_on(const journal::Unfinished& journal, BootTime until);

    void on_packet(const discord::VoicePacket& packet) noexcept override;
    void on_event(const discord::VoiceEvent& event) noexcept override;

    struct Change {
        std::set<UserId> came;
        std::set<UserId> left;
    };
    /// Who is in our channel now, ourselves left out: the difference to before becomes Join and Leave records. Who
    /// stays while our own connection comes and goes has no record of it. Where an earlier recorder was cut off, who is
    /// not there any more left then, and who still is has a Join again: the same connection goes on.
    Change set_present(std::set<UserId> users, BootTime now);
    /// Whether a moderator made us deaf: nothing is then sent to us. True when that is news.
    bool set_deaf(bool deaf, BootTime now);
    /// Packets that arrive from here on are not stored, until resume(). False when it is so already. What has arrived
    /// before and is still to be read is.
    bool pause(BootTime now);
    bool resume(BootTime now);
    /// A marker. False when the journal can not take it.
    bool note(UserId user, std::string_view text, BootTime now);
    /// To be called each second: a Clock; and once a minute what a reader needs who lost the segments before.
    void tick(BootTime now, UnixTime wall);
    /// Journals what is still open. The End is left to who flushes the journal. Nothing is taken in afterwards.
    void finish(BootTime now);

    [[nodiscard]] std::uint64_t packets() const { return packets_; }
    [[nodiscard]] std::uint64_t oversized() const { return oversized_; }
    [[nodiscard]] std::uint64_t kept_out() const { return kept_out_; }  ///< arrived in a pause
    [[nodiscard]] bool is_paused() const { return !pauses_.empty() && pauses_.back().to == BootTime::max(); }
    [[nodiscard]] bool is_deaf() const { return server_deaf_.since.has_value(); }
    [[nodiscard]] const std::set<UserId>& present() const { return present_; }
    [[nodiscard]] const Tally& tally() const { return tally_; }
    [[nodiscard]] const CallHistory& call() const { return call_; }

  private:
    /// We hear nothing since then, for as long as it lasts.
    struct Deafness {
        journal::GapReason reason;
        std::optional<BootTime> since;
    };
    /// Packets that arrived in [from, to) are not stored.
    struct Pause {
        BootTime from;
        BootTime to = BootTime::max();
    };

    void take(const discord::Connected& connected, BootTime now);
    void take(const discord::Disconnected& disconnected, BootTime now);
    void take(const discord::SsrcBound& bound, BootTime now);
    void take(const discord::UserDisconnected& left, BootTime now);
    void take(const discord::KernelDropped& dropped, BootTime now);
    void take(const discord::Moved& moved, BootTime now);
    void take(const discord::Encryption& news, BootTime /*now*/) { call_.take(news); }
    template <class Other>
    void take(const Other& /*said elsewhere, or nothing a journal says*/, BootTime /*now*/) {}

    [[nodiscard]] bool in_pause(BootTime arrival) const;
    void append(const journal::Record& record) noexcept { writer_.append(record); }
    void close_gap(Deafness& deafness, BootTime now);
    void say_gaps_so_far(BootTime now);
    void repeat(BootTime now);

    journal::Writer& writer_;
    UserId self_;
    Tell tell_;
    bool finished_ = false;
    std::uint64_t packets_ = 0;
    std::uint64_t oversized_ = 0;
    std::uint64_t kept_out_ = 0;
    Tally tally_;
    CallHistory call_;
    std::vector<Pause> pauses_;  ///< the last ones: what had to wait arrived before the latest, perhaps
    BootTime last_arrival_{};
    std::map<std::uint32_t, UserId> bound_;  ///< live SSRCs
    std::set<UserId> present_;
    Deafness outage_{journal::GapReason::outage, {}};
    Deafness server_deaf_{journal::GapReason::server_deaf, {}};
    std::optional<BootTime> cut_off_;  ///< when an earlier recorder was; until we know who is still there
    BootTime repeated_{};
};

}  // namespace lestapenna::recorder
