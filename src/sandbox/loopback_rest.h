// REST of the loopback Discord (API v10): what a bot calls to log in, write, answer commands, name itself and move
// people (standin.md section 2), with enforced rate limits and, on demand, wrong answers.
//
// Whatever a client sends gets an answer: 400 with Discord's code for a body that is no message, 401 for a token nobody
// has, 404 and 405 for what is not there. Thread: the loop's. Ownership: the world outlives stop(), which its owner
// calls before letting go. The latest 10,000 requests and messages are remembered, of each body 64 KB.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "net/http.h"
#include "net/loop.h"
#include "net/server.h"
#include "sandbox/loopback.h"
#include "sandbox/payloads.h"
#include "sandbox/rate_limits.h"
#include "sandbox/world.h"

namespace lestapenna::sandbox {

class RestApi : public std::enable_shared_from_this<RestApi> {
  public:
    using Json = payloads::Json;
    /// What becomes of a call outside of REST.
    struct Hooks {
        std::function<void(const WorldMessage&)> message_created;
        std::function<void(const WorldMessage&)> message_changed;
        std::function<void(ChannelId, MessageId)> message_deleted;
        std::function<void(GuildId, UserId)> member_changed;
        std::function<void(GuildId, UserId, std::optional<ChannelId>)> member_moved;
        std::function<void(GuildId, UserId, bool deaf)> member_deafened;
        std::function<void(GuildId, UserId, bool suppress)> suppressed;
    };

    RestApi(net::Loop& loop, World& world, const LoopbackOptions& options, Hooks hooks);
    /// What GET /gateway names.
    void set_gateway_url(std::string url) { gateway_url_ = std::move(url); }
    void stop() { stopping_.set(); }

    net::Task<net::Reply> serve(net::HttpRequest request);

    void add_fault(RestFault fault) { faults_.push_back(std::move(fault)); }
    [[nodiscard]] const std::vector<LoggedRequest>& requests() const { return requests_; }
    [[nodiscard]] const std::vector<PostedMessage>& posted() const { return posted_; }
    /// All commands of a bot, global ones first; null before any was registered.
    [[nodiscard]] Json commands(UserId bot) const;

  private:
    /// A request, understood as far as all routes need it.
    struct Call {
        const WorldUser* bot = nullptr;  ///< null where the token in the path stands for it
        std::vector<std::string> words;  ///< what stood at the pattern's * places
        bool in_guild = false;           ///< commands of a guild, not of everywhere
        std::string_view query;
        Json body;  ///< null when there was none
        std::vector<net::FormPart> files{};
    };
    using Answer = net::HttpResponse;
    struct Route {
        const char* method;
        const char* pattern;  ///< like "/channels/*/messages"
        Answer (RestApi::*answer)(const Call&);
        const RateLimit* limit = nullptr;
        bool open = false;  ///< needs no Authorization
    };
    struct CommandList {
        std::optional<GuildId> guild;
        Json& commands;
    };
    static std::span<const Route> routes();
    template <class T>
    using Or = Result<T, Answer>;  ///< or the answer that says why not

    std::optional<RestFault> next_fault(const net::HttpRequest& request);
    Answer answer(const net::HttpRequest& request);
    Answer answer(const Route& route, std::vector<std::string> words, const net::HttpRequest& request);
    void remember(const net::HttpRequest& request, int status);

    // loopback_rest_routes.cpp, in the order of the table there
    Answer get_gateway(const Call& call);
    Answer get_gateway_bot(const Call& call);
    Answer get_self(const Call& call);
    Answer get_application(const Call& call);
    Answer list_own_guilds(const Call& call);
    Answer get_user(const Call& call);
    Answer open_direct(const Call& call);
    Answer get_channel(const Call& call);
    Answer type_in_channel(const Call& call);
    Answer list_messages(const Call& call);
    Answer create_message(const Call& call);
    Answer get_message(const Call& call);
    Answer edit_message(const Call& call);
    Answer delete_message(const Call& call);
    Answer get_guild(const Call& call);
    Answer list_channels(const Call& call);
    Answer list_roles(const Call& call);
    Answer get_member(const Call& call);
    Answer change_own_nick(const Call& call);
    Answer change_member(const Call& call);
    Answer get_voice_state(const Call& call);
    Answer change_own_voice_state(const Call& call);

    // loopback_rest_commands.cpp
    Answer get_commands(const Call& call);
    Answer put_commands(const Call& call);
    Answer post_command(const Call& call);
    Answer delete_command(const Call& call);
    Answer interaction_callback(const Call& call);
    Answer get_answer(const Call& call);
    Answer edit_answer(const Call& call);
    Answer delete_answer(const Call& call);
    Answer follow_up(const Call& call);

    Or<const WorldChannel*> channel_of(const Call& call);
    Or<WorldMessage*> message_of(const Call& call);
    Or<WorldGuild*> guild_of(const Call& call);
    Or<UserId> member_of(const Call& call, const WorldGuild& guild);
    Or<WorldInteraction*> answered_one(const Call& call);
    Or<WorldMessage*> answer_of(const Call& call);
    [[nodiscard]] bool fits(const Call& call, ChannelId channel) const;
    Or<WorldMessage> read_message(const Call& call, const Json& body, const WorldMessage& draft);
    Answer change_message(WorldMessage& message, const Call& call, const Json& body);
    WorldMessage& publish(WorldMessage message);
    void note_posted(const WorldMessage& message);
    WorldMessage& answer_interaction(WorldInteraction& interaction, WorldMessage message);
    Or<CommandList> commands_of(const Call& call);
    Json with_ids(const Json& command, UserId bot, const CommandList& list);

    World& world_;
    const LoopbackOptions options_;
    const Hooks hooks_;
    std::string gateway_url_;
    net::Signal stopping_;
    RateLimits limits_;
    std::vector<RestFault> faults_;
    std::vector<LoggedRequest> requests_;
    std::vector<PostedMessage> posted_;
    std::map<std::pair<UserId, std::optional<GuildId>>, Json> commands_;
};

namespace rest_answers {

net::HttpResponse ok(const nlohmann::json& body);
net::HttpResponse nothing();  ///< 204
/// Discord's shape of an error; `code` as in its list of JSON error codes.
net::HttpResponse error(int status, int code, std::string_view message);

}  // namespace rest_answers
}  // namespace lestapenna::sandbox
