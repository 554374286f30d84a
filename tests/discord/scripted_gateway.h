// A gateway whose connections the test scripts, with the scripts that most of them begin and end with.
#pragma once

#include <cstdint>
#include <string>
#include <variant>

#include <gtest/gtest.h>

#include "scripted_discord.h"

namespace lestapenna::discord {

class GatewayTest : public ScriptedDiscord {
  protected:
    /// Hello, identify, READY as `session`.
    Task<> stand(Peer& peer, const char* session, std::int64_t sequence = 1) {
        peer.hello();
        const Json identify = co_await peer.expect(2);
        EXPECT_TRUE(identify.is_object()) << "no identify";
        peer.ready(session, resume_url(), sequence);
    }
    /// Ends the test once the client has read all that was sent.
    Task<> end(Peer& peer) {
        peer.send({{"op", 1}});
        co_await peer.expect(1);
        gateway->stop();
        const auto closed = co_await peer.until_closed();
        EXPECT_EQ(closed.code, 1000);
    }
    /// A script that takes a new session and ends the test.
    Script identify_and_end() {
        return [this](Peer& peer) -> Task<> {
            co_await stand(peer, "last");
            co_await end(peer);
        };
    }
    /// A script that takes a resume of `session` at `sequence` and ends the test.
    Script resume_and_end(const std::string& session, std::int64_t sequence) {
        return [this, session, sequence](Peer& peer) -> Task<> {
            peer.hello();
            const Json resume = co_await peer.expect(6);
            EXPECT_EQ(json::text(resume, "token"), kToken);
            EXPECT_EQ(json::text(resume, "session_id"), session);
            EXPECT_EQ(json::integer<std::int64_t>(resume, "seq"), sequence);
            EXPECT_EQ(peer.target(), "/again/?v=10&encoding=json");
            peer.dispatch("RESUMED", Json::object(), sequence + 1);
            co_await end(peer);
        };
    }
    template <class E>
    [[nodiscard]] std::size_t count() const {
        std::size_t n = 0;
        for (const Event& event : events) n += std::holds_alternative<E>(event) ? 1U : 0U;
        return n;
    }
};

}  // namespace lestapenna::discord
