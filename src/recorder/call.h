// What a session knows of its call's end-to-end encryption: what $stato shows now, and what its row keeps.
// Pure; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "catalog/catalog.h"
#include "discord/voice.h"

namespace lestapenna::recorder {

/// The call as it is now.
struct Call {
    bool known = false;  ///< we have been told
    bool encrypted = false;
    std::uint64_t epoch = 0;
    std::string privacy_code{};  ///< 30 digits; empty when not encrypted
};

/// Of all of the session.
class CallHistory {
  public:
    void take(const discord::Encryption& news);
    /// A packet that was opened, or came in the clear. Hot path.
    void hear(const discord::VoicePacket& packet) {
        // What had to wait was encrypted; clients send silence frames, of three bytes, in the clear anyway.
        if (!now_.encrypted && !packet.parked && packet.payload.size() > 3) ++clear_frames_;
    }
    [[nodiscard]] const Call& now() const { return now_; }
    /// Those columns of a session's row, after what an earlier process had written there.
    void note(catalog::Session& row) const;

  private:
    Call now_;
    std::string last_code_;
    std::uint64_t clear_frames_ = 0;
};

}  // namespace lestapenna::recorder
