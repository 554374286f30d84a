// A Discord on loopback: REST, main gateway and voice servers that unmodified clients accept (discord.js,
// @discordjs/voice, dysnomia and our own), with a world in it and trouble on demand.
//
// Thread: the loop's, all of it; the program under test may run on the same loop or on another thread or in another
// process. Ownership: the Loop outlives it; destroying it closes everything. Determinism: ids, SSRCs, keys and every
// drawn trouble come from the seed. Listens on 127.0.0.1 only.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "base/ids.h"
#include "base/result.h"
#include "discord/events.h"
#include "net/http.h"
#include "net/loop.h"
#include "net/tls.h"
#include "sandbox/voice_server.h"

namespace lestapenna::sandbox {

struct LoopbackOptions {
    std::uint64_t seed = 1;
    std::vector<discord::TransportMode> modes{discord::TransportMode::aes256_gcm,
                                              discord::TransportMode::xchacha20_poly1305};  ///< what op 2 offers
    DeliveryOptions delivery{};           ///< end-to-end encryption; stage channels never have it
    bool message_content_allowed = true;  ///< false: asking for that intent is closed with 4014
    milliseconds heartbeat_interval{41'250};
    milliseconds voice_heartbeat_interval{13'750};
    milliseconds session_lifetime{60'000};       ///< how long a session whose socket was lost may be resumed
    milliseconds answer_within{3'000};           ///< the first answer to an interaction; later: 10062
    milliseconds interaction_lifetime{900'000};  ///< then its token is worth nothing: 50027
};

struct Addresses {
    std::string api_base;     ///< http://127.0.0.1:PORT/api/v10
    std::string gateway_url;  ///< ws://127.0.0.1:PORT
    std::string ca_pem;       ///< what a client must trust to reach the voice servers
};

/// What REST does instead of answering as it should, for the next `times` requests that match.
struct RestFault {
    std::string method;  ///< empty: any
    std::string path;    ///< a part of the path, like "/messages"
    int times = 1;
    int status = 0;  ///< 0: the right answer (then only `delay` and `cut` matter)
    std::string body;
    net::Headers headers;
    milliseconds delay{0};
    enum class Cut : std::uint8_t { none, half, reset } cut = Cut::none;
    /// A 429 as Discord writes it.
    static RestFault rate_limit(std::string path, seconds retry_after, bool global);
};

struct LoggedRequest {
    std::string method;
    std::string path;
    std::string body;
    int status = 0;
};

/// What a bot posted, as it stands now.
struct PostedMessage {
    MessageId id;
    ChannelId channel;
    UserId author;
    std::string content;
    bool ephemeral = false;
    std::vector<std::string> file_names{};
    std::vector<std::size_t> file_bytes{};  ///< how long each file is
    std::optional<MessageId> answers{};     ///< the message it replies to
    std::uint64_t interaction = 0;          ///< the slash command it answers or follows up on
    std::optional<UserId> direct_to{};      ///< of a direct message: whom it reaches
    bool edited = false;
    nlohmann::json embeds = nlohmann::json::array();
};

class Loopback {
  public:
    static Result<std::unique_ptr<Loopback>> start(net::Loop& loop, LoopbackOptions options);
    ~Loopback();
    Loopback(const Loopback&) = delete;
    Loopback& operator=(const Loopback&) = delete;

    [[nodiscard]] const Addresses& addresses() const;

    // ---- the world
    GuildId add_guild(std::string name);
    ChannelId add_text_channel(GuildId guild, std::string name);
    ChannelId add_voice_channel(GuildId guild, std::string name, int user_limit = 0);
    /// Whoever joins is audience: suppressed, and nobody hears them, until they are made speakers.
    ChannelId add_stage_channel(GuildId guild, std::string name);
    /// A person, member of every guild that is there; with `only` of that one alone.
    UserId add_person(std::string name, std::optional<GuildId> only = std::nullopt);
    struct Bot {
        UserId user;
        std::string token;
    };
    /// A bot, member of every guild that is there.
    Bot add_bot(std::string name);
    void remove_channel(ChannelId channel);
    /// Joins, and leaves or is thrown out; a bot is told of the guild, and that it is gone.
    void add_member(GuildId guild, UserId user);
    void remove_member(GuildId guild, UserId user);
    /// Where a user is, as GUILD_VOICE_STATES shows it.
    [[nodiscard]] std::optional<discord::VoiceState> voice_state(GuildId guild, UserId user) const;
    [[nodiscard]] std::string nickname(GuildId guild, UserId user) const;

    // ---- what people do (they have no main gateway of their own here)
    /// Their client's op 4. The answers, VoiceState and VoiceServer, come to `on_event` in later turns of the loop, and
    /// so does what happens after it (moves); the latest `on_event` of a person and guild takes the place of the one
    /// before. It is not called any more once the Loopback is gone.
    void set_voice(GuildId guild, UserId person, std::optional<ChannelId> channel,
                   std::function<void(const discord::Event&)> on_event, bool self_deaf = false);
    /// Types a message; `typed` is its id.
    MessageId type(UserId person, ChannelId channel, std::string text);
    /// Uses a slash command of `bot`; `options` as in an interaction's data, `locale` of the person's Discord. Its id.
    std::uint64_t use_command(UserId person, ChannelId channel, UserId bot, std::string name, nlohmann::json options,
                              std::string locale = "it");
    /// Takes direct messages no more, or again.
    void refuse_direct(UserId person, bool refuses);

    // ---- who may do what (sandbox/permissions.h); everybody may see, write, attach, join and speak everywhere until
    // ---- this is changed. Unknown ids change nothing.
    /// One that nobody has yet. @everyone has the guild's id.
    discord::RoleId add_role(GuildId guild, std::string name, std::uint64_t permissions);
    void set_role(GuildId guild, discord::RoleId role, std::uint64_t permissions);
    void remove_role(GuildId guild, discord::RoleId role);
    void give_role(GuildId guild, UserId user, discord::RoleId role);
    void take_role(GuildId guild, UserId user, discord::RoleId role);
    /// Of a role or a member, in the place of an earlier one; one that neither allows nor denies is taken away.
    void set_overwrite(ChannelId channel, discord::Overwrite overwrite);
    void set_user_limit(ChannelId channel, int most);
    void set_owner(GuildId guild, UserId owner);
    void set_premium_tier(GuildId guild, int tier);
    void set_locale(GuildId guild, std::string locale);

    // ---- what moderators do
    void move(GuildId guild, UserId user, ChannelId to, std::uint16_t close_code = 4014);  ///< 0: the socket stays open
    void kick_from_voice(GuildId guild, UserId user);
    void deafen(GuildId guild, UserId user, bool deaf);
    /// Audience of a stage, or a speaker.
    void suppress(GuildId guild, UserId user, bool suppress);

    // ---- trouble at the main gateway
    void close_gateway(UserId bot, std::uint16_t code);
    void drop_gateway(UserId bot);                ///< TCP cut, session kept: it may resume
    void forget_session(UserId bot);              ///< the next resume gets op 9 false
    void ask_reconnect(UserId bot);               ///< op 7
    void invalidate(UserId bot, bool resumable);  ///< op 9
    void mute_heartbeat_acks(UserId bot, bool muted);
    void send_raw(UserId bot, const std::string& text);  ///< whatever it is, as a text frame
    void hold_voice_answers(UserId bot, bool hold);      ///< op 4 gets no answer, as in a full channel

    // ---- trouble with voice
    /// VOICE_SERVER_UPDATE with another server for all in the channel; with `null_first` the null endpoint comes first.
    void change_voice_server(ChannelId channel, bool null_first);
    /// The server of this channel: its sockets, its line, its datagrams.
    VoiceServer& voice_server(ChannelId channel);

    // ---- trouble with REST, and what was asked
    void add_fault(RestFault fault);
    [[nodiscard]] const std::vector<LoggedRequest>& requests() const;
    [[nodiscard]] const std::vector<PostedMessage>& posted() const;
    /// Slash commands of a bot as registered; null before.
    [[nodiscard]] nlohmann::json commands(UserId bot) const;

    struct GatewayTraffic {
        std::uint64_t identifies = 0, resumes = 0, invalid_sessions = 0, connections = 0, heartbeats = 0;
        std::vector<std::uint16_t> client_closes;  ///< its own close codes, 0: cut
    };
    [[nodiscard]] GatewayTraffic traffic(UserId bot) const;

  private:
    struct Impl;
    explicit Loopback(std::shared_ptr<Impl> impl);
    std::shared_ptr<Impl> impl_;
};

}  // namespace lestapenna::sandbox
