// Calls of a Rest whose answers the test scripts.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <utility>

#include "scripted_discord.h"

namespace lestapenna::discord {

inline constexpr ChannelId kChannel{127121515262115840};
inline constexpr ChannelId kOther{127121515262115841};
inline constexpr GuildId kGuild{41771983423143937};
inline constexpr MessageId kMessage{1090123456789012345};

inline OutgoingMessage text(std::string content) {
    OutgoingMessage message;
    message.content = std::move(content);
    return message;
}

class RestTest : public ScriptedDiscord {
  protected:
    void SetUp() override {
        ScriptedDiscord::SetUp();
        make_rest();
    }
    /// Rest with other options.
    void remake() {
        rest.reset();
        make_rest();
    }
    void answer(int code, std::string body, net::Headers headers = {}) {
        answers.push_back([code, body = std::move(body), headers = std::move(headers)](const net::HttpRequest&) {
            return reply(code, body, headers);
        });
    }
    void answer(int code, std::string body, net::Delivery delivery) {
        answers.push_back([code, delivery, body = std::move(body)](const net::HttpRequest&) {
            net::Reply cut = reply(code, body);
            cut.delivery = delivery;
            return cut;
        });
    }
    /// Runs one call to its end.
    template <class T>
    RestResult<T> result_of(std::function<Task<RestResult<T>>()> call) {
        std::optional<RestResult<T>> result;
        run([&]() -> Task<> {
            auto got = co_await call();
            result.emplace(std::move(got));
        });
        return result ? std::move(*result) : RestResult<T>(RestError{-1, 0, "the call did not end"});
    }
    RestResult<MessageId> post(std::string content, ChannelId channel = kChannel) {
        return result_of<MessageId>([&] { return rest->create_message(channel, text(content)); });
    }
    [[nodiscard]] Json body(std::size_t request) const {
        return parse_json(requests.at(request).body).value_or(Json());
    }

    static Interaction command() {
        Interaction interaction;
        interaction.id = 5;
        interaction.application = ApplicationId{6};
        interaction.token = "interaction/secret";
        interaction.type = 2;
        return interaction;
    }
};

}  // namespace lestapenna::discord
