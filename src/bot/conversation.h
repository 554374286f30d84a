// The way back to whoever gave a command. A slash command is answered within 3 s or announced to be answered later
// ("is thinking"); a typed one gets a reply in its channel. Where Discord takes the answer not that way, it goes the
// next best: into the channel what is for all, by direct message what is for one.
//
// Thread: the loop's. Errors are logged here, once, without secrets; the caller goes on either way.
#pragma once

#include <cstdint>
#include <string>

#include "bot/core.h"

namespace lestapenna::bot {

enum class Audience : std::uint8_t {
    table,  ///< everybody should see it
    asker,  ///< concerns only who asked; no secret
};

class Conversation {
  public:
    Conversation(CorePtr core, Addressee with) : core_(std::move(core)), with_(std::move(with)) {}

    [[nodiscard]] const Addressee& with() const { return with_; }
    /// The answer takes longer than a slash command may wait.
    net::Task<> think(Audience audience);
    net::Task<> answer(Audience audience, std::string text);

  private:
    net::Task<bool> answer_interaction(Audience audience, discord::OutgoingMessage message);
    net::Task<> answer_message(discord::OutgoingMessage message);

    CorePtr core_;
    Addressee with_;
    bool answered_ = false;
};

enum class Delivery : std::uint8_t {
    done,
    refused,    ///< they take no direct messages, or are nowhere to be found
    too_large,  ///< the attachment
    later,      ///< Discord does not answer as it should: try again
};
/// What only they may read: hidden for slash commands, else by direct message, or in the channel where the
/// configuration wants it so.
net::Task<Delivery> confide(CorePtr core, Addressee to, discord::OutgoingMessage message);
/// How many bytes may be attached on that way (Discord: 10 MiB; by the guild's boosts 50 or 100, but not in direct
/// messages).
std::uint64_t attachment_limit(const Core& core, const Addressee& to);
/// A reply of theirs can still be made by the interaction's token (Discord: 15 minutes).
bool is_alive(const Addressee& to);

}  // namespace lestapenna::bot
