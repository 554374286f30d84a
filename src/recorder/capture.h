// What a session's journal says of its live life: each packet as it came, who is in the channel, whose an SSRC is, and
// when we heard nothing. Decides nothing else.
//
// Thread: the loop's. Ownership: the writer outlives it. Hot path: on_packet() allocates nothing, takes no lock, never
// waits. Errors: none; what the journal has no room for is counted there, and a Gap of its own says so.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>

#include "base/ids.h"
#include "base/time.h"
#include "discord/voice.h"
#include "journal/writer.h"

namespace lestapenna::recorder {

class Capture final : public discord::Listener {
  public:
    using Tell = std::function<void(const discord::VoiceEvent&)>;

    /// `tell` gets every event after it is journaled.
    Capture(journal::Writer& writer, UserId self, Tell tell);

    void on_packet(const discord::VoicePacket& packet) noexcept override;
    void on_event(const discord::VoiceEvent& event) noexcept override;

    /// Who is in our channel now, ourselves left out: the difference to before becomes Join and Leave records. Who
    /// stays while our own connection comes and goes has no record of it. Returns who is new.
    std::set<UserId> set_present(std::set<UserId> users, BootTime now);
    /// Whether a moderator made us deaf: nothing is then sent to us.
    void set_deaf(bool deaf, BootTime now);
    /// To be called each second: a Clock; and once a minute what a reader needs who lost the segments before.
    void tick(BootTime now, UnixTime wall);
    /// Journals what is still open. The End is left to who flushes the journal. Nothing is taken in afterwards.
    void finish(BootTime now);

    [[nodiscard]] std::uint64_t packets() const { return packets_; }
    [[nodiscard]] std::uint64_t oversized() const { return oversized_; }

  private:
    /// We hear nothing since then, for as long as it lasts.
    struct Deafness {
        journal::GapReason reason;
        std::optional<BootTime> since;
    };

    void take(const discord::Connected& connected, BootTime now);
    void take(const discord::Disconnected& disconnected, BootTime now);
    void take(const discord::SsrcBound& bound, BootTime now);
    void take(const discord::UserDisconnected& left, BootTime now);
    void take(const discord::KernelDropped& dropped, BootTime now);
    void take(const discord::Moved& moved, BootTime now);
    template <class Other>
    void take(const Other& /*said elsewhere, or nothing a journal says*/, BootTime /*now*/) {}

    void append(const journal::Record& record) noexcept { writer_.append(record); }
    void close_gap(Deafness& deafness, BootTime now);
    void repeat(BootTime now);

    journal::Writer& writer_;
    UserId self_;
    Tell tell_;
    bool finished_ = false;
    std::uint64_t packets_ = 0;
    std::uint64_t oversized_ = 0;
    BootTime last_arrival_{};
    std::map<std::uint32_t, UserId> bound_;  ///< live SSRCs
    std::set<UserId> present_;
    Deafness outage_{journal::GapReason::outage, {}};
    Deafness server_deaf_{journal::GapReason::server_deaf, {}};
    BootTime repeated_{};
};

}  // namespace lestapenna::recorder
