// A table that plays live: a Discord on loopback with one guild, one bot and the people of a script, on a thread of its
// own, so that whoever records it shares nothing with it but sockets. Or several such tables, each in a guild of its
// own and with people of its own, who say the same; the bot is in all of them.
//
// Thread: every method from one thread, not the show's own. Ownership: destroying it closes everything. Determinism:
// who says what, ids, SSRCs and what the line loses come from script and seed; when it arrives is up to the machine.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "base/time.h"
#include "sandbox/forwarding.h"
#include "sandbox/loopback.h"
#include "sandbox/packer.h"
#include "sandbox/script.h"

namespace lestapenna::sandbox {

struct ShowOptions {
    /// Its users are replaced by the loopback's; players of one user are one person who comes back.
    Script script;
    std::vector<std::string> names;  ///< player i is names[i]; in the second guild "names[i] 2", and so on
    std::vector<Sender> senders{};   ///< player i is senders[i] where there is one
    Forwarding line{};               ///< from the voice server to the bot
    LoopbackOptions discord{};
    std::size_t guilds = 1;  ///< each a table with all players of the script
};

/// Players join this much before their script says so, so that their first word finds a connection: about ten times
/// what that takes on a busy machine.
inline constexpr milliseconds kEarly{1'000};

/// Where it plays.
struct Stage {
    Addresses addresses;
    Loopback::Bot bot;
    GuildId guild;
    ChannelId voice;
    ChannelId text;
    std::vector<UserId> players;  ///< people, in the script's order
};

class Show {
  public:
    /// Encodes everything that will be said, and opens. Errors: failed (no port).
    static Result<std::unique_ptr<Show>> open(ShowOptions options);
    ~Show();
    Show(const Show&) = delete;
    Show& operator=(const Show&) = delete;

    [[nodiscard]] const Stage& stage(std::size_t guild = 0) const;

    // ---- the play, of one guild
    /// The script's time zero is `zero`, kEarly from now at least; the truth goes to `truth`, for a session that began
    /// at `start`. Once. Errors: failed, the folder can not be made.
    Status begin(BootTime zero, UnixTime start, const std::filesystem::path& truth, std::size_t guild = 0);
    /// True when all have left; waits for that at most so long.
    bool over_within(milliseconds time, std::size_t guild = 0);
    /// Everybody leaves now, in all guilds.
    void stop();
    /// Trouble and questions: `work` is called on the show's thread, and waited for.
    void direct(const std::function<void(Loopback&)>& work);

    // ---- what it was, in one guild
    /// How many packets, copies included, the voice server has sent to the bot; nothing as long as some are delayed.
    [[nodiscard]] std::optional<std::uint64_t> sent_to_bot(std::size_t guild = 0) const;
    /// Completes the truth (truth.h) of a session that is `length` long. Errors: the disk's.
    Status finish(Samples length, std::size_t guild = 0);

  private:
    struct Impl;
    explicit Show(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

}  // namespace lestapenna::sandbox
