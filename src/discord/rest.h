// Discord's REST API v10: the calls a recorder makes, under its rate limits.
//
// Each call waits in line for its bucket (learnt from X-RateLimit-*), for the global limit (50 a second, and 429s with
// "global"), and is tried again: 429 after retry_after, 5xx and no answer three times with back-off where repeating is
// safe (a message carries a nonce for that). Interaction callbacks never wait in line. After a 401 nothing is sent any
// more (10,000 invalid requests in 10 minutes ban the address). Each call ends within `timing.give_up`.
//
// Thread: the loop's. Errors are values: Discord's status and code, or status 0 and one sentence. Answers that are no
// JSON (an HTML page of a proxy) are errors with their status. No secret is logged or part of an error.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "discord/events.h"
#include "discord/json.h"
#include "net/loop.h"
#include "net/tls.h"

namespace lestapenna::discord {

struct RestError {
    int status = 0;       ///< HTTP; 0: there was no answer
    int code = 0;         ///< Discord's, like 50013; 0: none
    std::string message;  ///< one sentence
};
template <class T = Ok>
using RestResult = Result<T, RestError>;

struct RestTiming {
    nanoseconds request = seconds(15);       ///< one try, on top of what its body takes at `least_rate`
    nanoseconds give_up = seconds(120);      ///< a call with all its waiting; a longer retry_after is an error at once
    nanoseconds backoff_first = seconds(1);  ///< after 5xx and lost answers; doubled, with jitter
    nanoseconds margin = milliseconds(50);   ///< on top of each retry_after
    int global_per_second = 50;
    std::uint64_t least_rate = 128U << 10;  ///< bytes a second of an upload that is still worth waiting for
};

struct RestOptions {
    std::string token;                                     ///< without "Bot "
    std::string api_base = "https://discord.com/api/v10";  ///< must be safe_for_secrets()
    std::string user_agent = "DiscordBot (https://github.com/lestapenna, 0.1)";
    net::Trust trust;
    RestTiming timing{};
};

struct RestCounts {
    std::uint64_t requests = 0;      ///< sent, repeats included
    std::uint64_t rate_limited = 0;  ///< 429
    std::uint64_t server_errors = 0;
    std::uint64_t no_answer = 0;
    std::uint64_t malformed = 0;  ///< answers that are not what they should be
};

struct GatewayInfo {
    std::string url;
    int remaining_identifies = 1;
    nanoseconds reset_after{0};
};

/// The application that the token belongs to.
struct OwnApplication {
    ApplicationId id;
    std::string name;
    std::uint64_t flags = 0;
    /// The privileged intent is switched on, whichever way Discord says so (GATEWAY_MESSAGE_CONTENT, ..._LIMITED).
    [[nodiscard]] bool reads_messages() const { return (flags & (1ULL << 18 | 1ULL << 19)) != 0; }
};
/// A guild that the bot is in, and what it may do there where no channel says otherwise.
struct OwnGuild {
    GuildId id;
    std::string name;
    std::uint64_t permissions = 0;
};

struct File {
    std::string name;
    std::string content_type;
    std::string bytes;
};
struct OutgoingMessage {
    std::string content;  ///< at most 2,000 characters; pings nobody
    bool ephemeral = false;
    std::vector<File> files{};
    std::optional<MessageId> reply_to{};
    /// At most 25 characters; a second message of ours with the same one, within some minutes, gives the first (Discord
    /// and create_message() only). Empty: drawn for each call, so that its own repeats are safe.
    std::string nonce{};
};

class Rest {
  public:
    /// Errors: usage when the token would leave in the clear, or api_base is no URL.
    static Result<Rest> make(net::Loop& loop, RestOptions options);
    Rest(Rest&&) noexcept;
    Rest& operator=(Rest&&) noexcept;
    ~Rest();

    /// Every call that is under way ends with an error at a next turn of the loop, and each later one at once: for the
    /// end of the process, when Discord keeps somebody waiting.
    void close();

    net::Task<RestResult<GatewayInfo>> gateway_bot();
    net::Task<RestResult<User>> current_user();
    net::Task<RestResult<OwnApplication>> own_application();
    /// All of them, by id; 200 a call.
    net::Task<RestResult<std::vector<OwnGuild>>> own_guilds();

    net::Task<RestResult<MessageId>> create_message(ChannelId channel, OutgoingMessage message);
    net::Task<RestResult<>> edit_message(ChannelId channel, MessageId message, OutgoingMessage to);
    net::Task<RestResult<>> delete_message(ChannelId channel, MessageId message);
    net::Task<RestResult<ChannelId>> open_direct_channel(UserId user);

    /// Nothing resets it. Not tried again: it has a hidden limit of its own.
    net::Task<RestResult<>> set_own_nickname(GuildId guild, std::optional<std::string> nick);

    /// All commands of the application, as an array, with all their languages.
    net::Task<RestResult<Json>> commands(ApplicationId application);
    /// Replaces all commands of the application (`guild`: of that guild).
    net::Task<RestResult<>> put_commands(ApplicationId application, const Json& commands, std::optional<GuildId> guild);
    /// The first answer, within 3 s of the interaction.
    net::Task<RestResult<>> reply(const Interaction& to, OutgoingMessage message);
    /// "is thinking": edit_reply() fills it within 15 minutes.
    net::Task<RestResult<>> defer(const Interaction& to, bool ephemeral);
    net::Task<RestResult<>> edit_reply(const Interaction& to, OutgoingMessage message);
    net::Task<RestResult<>> follow_up(const Interaction& to, OutgoingMessage message);

    [[nodiscard]] const RestCounts& counts() const;

  private:
    struct Impl;
    explicit Rest(std::shared_ptr<Impl> impl);
    std::shared_ptr<Impl> impl_;
};

}  // namespace lestapenna::discord
