// The loopback Discord by words: one JSON object in, one JSON object out, for whoever is not C++ (`lestapenna sandbox`
// reads them from standard input). `{"do":"move","user":"123","channel":"456"}` is answered with `{"ok":true}`, with
// what was asked for beside "ok", or with `{"error":"one sentence"}` and nothing done. docs/sandbox.md lists the
// orders.
//
// Total: any text has an answer. Thread: the loop's. Ownership: the Loopback outlives it.
#pragma once

#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

#include "base/ids.h"
#include "base/result.h"
#include "sandbox/loopback.h"

namespace lestapenna::sandbox {

class Console {
  public:
    /// What an order means that names no guild or channel.
    struct Place {
        GuildId guild;
        ChannelId voice;
        ChannelId text;
    };
    Console(Loopback& discord, const Place& place) : discord_(discord), place_(place) {}

    /// On one line, without its end.
    std::string obey(std::string_view line);

    /// One line for each order: its name, what it takes, what it does.
    static std::string help();

  private:
    using Json = nlohmann::json;
    /// What goes beside "ok", or why nothing was done.
    using Reply = Result<Json, std::string>;
    struct Order;
    static const std::vector<Order>& orders();

    // what people do
    Reply type(const Json& order);
    Reply use_command(const Json& order);
    Reply add_person(const Json& order);
    Reply add_bot(const Json& order);
    Reply add_channel(const Json& order);
    Reply remove_channel(const Json& order);
    // what moderators do
    Reply move(const Json& order);
    Reply kick(const Json& order);
    Reply deafen(const Json& order);
    Reply suppress(const Json& order);
    // who may do what
    Reply add_role(const Json& order);
    Reply set_role(const Json& order);
    Reply change_roles(const Json& order);
    Reply set_overwrite(const Json& order);
    Reply set_user_limit(const Json& order);
    Reply change_guild(const Json& order);
    Reply refuse_direct(const Json& order);
    Reply change_members(const Json& order);
    // trouble at the main gateway
    Reply gateway_trouble(const Json& order);
    // trouble with voice
    Reply voice_trouble(const Json& order);
    Reply change_voice_server(const Json& order);
    Reply forwarding(const Json& order);
    Reply speaking_news(const Json& order);
    Reply server_trouble(const Json& order);
    // end-to-end encryption
    Reply set_encryption(const Json& order);
    Reply misbehave(const Json& order);
    Reply change_group(const Json& order);
    // trouble with REST
    Reply add_fault(const Json& order);
    Reply rate_limit(const Json& order);
    // questions
    Reply where(const Json& order);
    Reply posted(const Json& order);
    Reply requests(const Json& order);
    Reply traffic(const Json& order);
    Reply call(const Json& order);

    [[nodiscard]] ChannelId voice_channel(const Json& order) const;
    [[nodiscard]] ChannelId text_channel(const Json& order) const;

    Loopback& discord_;
    Place place_;
};

}  // namespace lestapenna::sandbox
