// Which REST calls may leave now: Discord's rate limits as a value.
//
// A limit is known by its bucket (X-RateLimit-Bucket, learnt with the first answer of a route; the route itself until
// then) and the channel, guild or webhook the call is about. Per limit one call is on its way at a time, in the order
// they entered; none leaves while "remaining" is 0 or after a 429 until its time. On top come 50 a second over all
// calls with the bot's token, and the pause that a 429 with "global" asks for.
//
// Pure, time is injected; one thread at a time. Memory: the calls that wait, and the limits of the last minutes.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/time.h"
#include "discord/window.h"

namespace lestapenna::discord {

/// What a call is limited by.
struct LimitedBy {
    std::string route;   ///< method and template: "POST /channels/{channel}/messages"
    std::string major;   ///< the channel, guild or webhook
    bool global = true;  ///< false: an interaction's, which no global limit holds back
};

/// What an answer says about limits; durations count from now.
struct LimitNews {
    std::string bucket;  ///< empty: not said
    std::optional<std::int64_t> remaining;
    std::optional<nanoseconds> reset_after;
    /// A 429 asks to wait that long.
    std::optional<nanoseconds> blocked_for;
    bool blocked_globally = false;
};

class RestLimits {
  public:
    explicit RestLimits(int global_per_second);

    /// In the order of entering.
    using Ticket = std::uint64_t;
    /// Joins the line of its limit. `deadline`: what can leave only later is hopeless.
    Ticket enter(LimitedBy by, BootTime now, BootTime deadline);

    struct Turn {
        std::vector<Ticket> go;        ///< leave now; counted as on their way
        std::vector<Ticket> hopeless;  ///< could only leave after their deadline, and left the line
        std::optional<BootTime> next;  ///< ask again then, if nothing happens before
    };
    Turn poll(BootTime now);

    /// The call was answered.
    void answered(Ticket ticket, const LimitNews& news, BootTime now);
    /// Back to the head of its line, to leave again from `not_before` on.
    void again(Ticket ticket, BootTime not_before);
    /// Done, or given up.
    void leave(Ticket ticket);

    [[nodiscard]] std::size_t waiting() const { return calls_.size(); }
    [[nodiscard]] std::size_t known() const { return limits_.size(); }  ///< limits remembered

  private:
    struct Call {
        LimitedBy by;
        BootTime not_before;
        BootTime deadline;
        bool on_its_way = false;
    };
    struct Limit {
        std::int64_t remaining = 1;
        BootTime reset;
    };
    [[nodiscard]] std::string key_of(const LimitedBy& by) const;
    [[nodiscard]] BootTime free_at(const Call& call, const std::string& key, BootTime now) const;

    std::map<Ticket, Call> calls_;
    std::map<std::string, std::string> buckets_;  ///< of each route
    std::map<std::string, Limit> limits_;         ///< by key_of()
    Window global_;
    BootTime global_pause_;
    Ticket next_ = 1;
};

}  // namespace lestapenna::discord
