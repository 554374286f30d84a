// Every close code and every trouble the sandbox can make, against our client over real sockets: what it did, how long
// nothing was heard, what was lost. Each prints its row of the table (grep TROUBLE).
#include <algorithm>
#include <cstdio>
#include <map>
#include <ostream>
#include <set>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "voice_table.h"

namespace lestapenna::test {
namespace {

enum class Expect : std::uint8_t {
    no_gap,   ///< audio never stops for longer than 200 ms
    resumes,  ///< the voice session is resumed: audio never stops
    rejoins,  ///< a new voice session within 5 s
    lossy,    ///< what the line drops is lost, and nothing else
    waits,    ///< going on at once is not allowed: a long pause
    ends,     ///< going on is not allowed
    bot_off,  ///< the main gateway is refused for good
};

struct Trouble {
    std::string name;
    Expect expect = Expect::no_gap;
    std::function<void(VoiceTable&)> happens;
    seconds watched{4};  ///< from the trouble on
    std::function<void(VoiceTable&)> check{};
    sandbox::LoopbackOptions loopback{};
    std::function<void(VoiceTable&)> before{};  ///< anybody joins
};
void PrintTo(const Trouble& trouble, std::ostream* out) {
    *out << trouble.name;
}

/// What was heard from `from` on, against what was sent.
struct Outcome {
    nanoseconds longest_silence{0};
    std::size_t lost = 0;
    bool flows = false;  ///< heard in the last half second
};

Outcome measure(const VoiceTable& table, BootTime from, std::int64_t from_us, BootTime until) {
    Outcome outcome;
    std::map<std::uint32_t, std::set<std::uint16_t>> heard;
    BootTime last = from;
    for (const Heard& packet : table.heard) {
        heard[packet.ssrc].insert(packet.seq);
        if (packet.arrival < from) continue;
        outcome.longest_silence = std::max(outcome.longest_silence, packet.arrival - last);
        last = packet.arrival;
    }
    outcome.longest_silence = std::max(outcome.longest_silence, until - last);
    outcome.flows = until - last < milliseconds(500);
    const auto until_us = from_us + std::chrono::floor<std::chrono::microseconds>(until - from).count();
    for (const auto& frame : table.sent) {
        if (frame.sent_us < from_us || frame.sent_us > until_us - 300'000) continue;
        outcome.lost += heard[frame.ssrc].contains(frame.seq) ? 0U : 1U;
    }
    return outcome;
}

std::int64_t unix_us() {
    return std::chrono::floor<std::chrono::microseconds>(std::chrono::system_clock::now()).time_since_epoch().count();
}

class Troubles : public ::testing::TestWithParam<Trouble> {};

TEST_P(Troubles, AudioComesBack) {
    const Trouble& trouble = GetParam();
    TableOptions options;
    options.loopback = trouble.loopback;
    options.length = trouble.watched + seconds(20);
    VoiceTable table(options);
    if (trouble.before) trouble.before(table);
    Outcome outcome;
    std::string did;
    const bool ran = table.run([&](VoiceTable& at) -> net::Task<> {
        const std::size_t first_event = at.events.size();
        const BootTime from = BootClock::now();
        const std::int64_t from_us = unix_us();
        trouble.happens(at);
        co_await net::sleep_for(trouble.watched);
        outcome = measure(at, from, from_us, BootClock::now());
        did = describe(at.events, first_event);
    });
    ASSERT_TRUE(ran) << "the bot never heard the player";
    std::printf("TROUBLE | %s | %s | %lld ms | %zu\n", trouble.name.c_str(), did.c_str(),
                static_cast<long long>(std::chrono::floor<milliseconds>(outcome.longest_silence).count()),
                outcome.lost);
    switch (trouble.expect) {
        case Expect::no_gap:
            EXPECT_TRUE(outcome.flows);
            EXPECT_EQ(outcome.lost, 0U) << did;
            EXPECT_LE(outcome.longest_silence, milliseconds(1'500)) << did;  // a loaded machine's, not ours
            break;
        case Expect::resumes:
            EXPECT_TRUE(outcome.flows);
            EXPECT_EQ(outcome.lost, 0U) << did;
            EXPECT_NE(did.find("resumed"), std::string::npos) << did;
            break;
        case Expect::rejoins:
            EXPECT_TRUE(outcome.flows) << did;
            EXPECT_NE(did.find("rejoined"), std::string::npos) << did;
            EXPECT_LE(outcome.longest_silence, seconds(5)) << did;
            break;
        case Expect::lossy:
            EXPECT_TRUE(outcome.flows);
            EXPECT_EQ(outcome.lost, table.dropped_on_purpose());
            EXPECT_GT(outcome.lost, 0U);
            break;
        case Expect::waits:
            EXPECT_EQ(did.find("ended"), std::string::npos) << did;
            EXPECT_EQ(did.find("rejoined"), std::string::npos) << did;
            break;
        case Expect::ends:
            EXPECT_NE(did.find("ended"), std::string::npos) << did;
            EXPECT_FALSE(outcome.flows);
            break;
        case Expect::bot_off:
            ASSERT_TRUE(table.gateway_over.has_value());
            EXPECT_FALSE(table.gateway_over->ok());
            break;
    }
    if (trouble.check) trouble.check(table);
}

// ---- voice gateway close codes (discord-voice.md section 4)

Trouble voice_close(std::uint16_t code, Expect expect) {
    return {fmt::format("voice close {}", code), expect,
            [code](VoiceTable& at) { at.voice_server().close(at.guild, at.bot.user, code); }, seconds(3)};
}

INSTANTIATE_TEST_SUITE_P(VoiceClose, Troubles,
                         ::testing::Values(voice_close(1000, Expect::resumes), voice_close(1001, Expect::resumes),
                                           voice_close(4001, Expect::rejoins), voice_close(4002, Expect::rejoins),
                                           voice_close(4003, Expect::rejoins), voice_close(4004, Expect::rejoins),
                                           voice_close(4005, Expect::rejoins), voice_close(4006, Expect::rejoins),
                                           voice_close(4009, Expect::rejoins), voice_close(4011, Expect::rejoins),
                                           voice_close(4012, Expect::rejoins), voice_close(4013, Expect::resumes),
                                           voice_close(4015, Expect::resumes), voice_close(4016, Expect::rejoins),
                                           voice_close(4017, Expect::ends), voice_close(4020, Expect::rejoins),
                                           voice_close(4021, Expect::waits)),
                         case_name<Trouble>);

// ---- the voice connection's other troubles

std::size_t times_bound(const VoiceTable& at) {
    return static_cast<std::size_t>(std::ranges::count_if(
        at.events, [](const auto& event) { return std::holds_alternative<discord::SsrcBound>(event); }));
}

sandbox::LoopbackOptions quick_voice_heartbeat() {
    sandbox::LoopbackOptions options;
    options.voice_heartbeat_interval = milliseconds(400);
    return options;
}

INSTANTIATE_TEST_SUITE_P(
    Voice, Troubles,
    ::testing::Values(
        Trouble{"voice socket cut", Expect::resumes,
                [](VoiceTable& at) { at.voice_server().drop(at.guild, at.bot.user); }},
        Trouble{"voice socket cut and resume refused", Expect::rejoins,
                [](VoiceTable& at) {
                    at.voice_server().refuse_resumes(true);
                    at.voice_server().drop(at.guild, at.bot.user);
                },
                seconds(6)},
        Trouble{"voice heartbeats unanswered",
                Expect::resumes,
                [](VoiceTable& at) { at.voice_server().mute_heartbeat_acks(true); },
                seconds(4),
                {},
                quick_voice_heartbeat()},
        Trouble{"moved by a moderator 4014", Expect::rejoins,
                [](VoiceTable& at) {
                    at.discord().move(at.guild, at.bot.user, at.other_channel, 4014);
                    at.discord().move(at.guild, at.player, at.other_channel, 4014);
                },
                seconds(6)},
        Trouble{"moved by a moderator 4022", Expect::rejoins,
                [](VoiceTable& at) {
                    at.discord().move(at.guild, at.bot.user, at.other_channel, 4022);
                    at.discord().move(at.guild, at.player, at.other_channel, 4022);
                },
                seconds(6)},
        Trouble{"moved and the old socket left open", Expect::rejoins,
                [](VoiceTable& at) {
                    at.discord().move(at.guild, at.bot.user, at.other_channel, 0);
                    at.discord().move(at.guild, at.player, at.other_channel, 0);
                },
                seconds(6)},
        Trouble{"kicked", Expect::ends, [](VoiceTable& at) { at.discord().kick_from_voice(at.guild, at.bot.user); }},
        Trouble{"channel deleted", Expect::ends, [](VoiceTable& at) { at.discord().remove_channel(at.channel); }},
        Trouble{"voice server changed, null endpoint first", Expect::rejoins,
                [](VoiceTable& at) { at.discord().change_voice_server(at.channel, true); }, seconds(6)},
        Trouble{"voice server changed at once", Expect::rejoins,
                [](VoiceTable& at) { at.discord().change_voice_server(at.channel, false); }, seconds(6)},
        Trouble{"speaking news never",
                Expect::no_gap,
                [](VoiceTable&) {},
                seconds(2),
                [](VoiceTable& at) { EXPECT_EQ(times_bound(at), 0U); },
                {},
                [](VoiceTable& at) { at.voice_server().speaking_news(at.bot.user, sandbox::SpeakingNews::never); }},
        Trouble{"speaking news 2 s late",
                Expect::no_gap,
                [](VoiceTable&) {},
                seconds(3),
                [](VoiceTable& at) { EXPECT_GE(times_bound(at), 1U); },
                {},
                [](VoiceTable& at) {
                    at.voice_server().speaking_news(at.bot.user, sandbox::SpeakingNews::late, milliseconds(2'000));
                }},
        Trouble{"main gateway does not answer op 4 for 2 s", Expect::rejoins,
                [](VoiceTable& at) {
                    at.discord().hold_voice_answers(at.bot.user, true);
                    at.voice_server().close(at.guild, at.bot.user, 4006);
                    at.later(seconds(2), [&at] { at.discord().hold_voice_answers(at.bot.user, false); });
                },
                seconds(8)},
        Trouble{"line loses 5 % and delays by 200 to 260 ms", Expect::lossy,
                [](VoiceTable& at) {
                    sandbox::Forwarding line;
                    line.loss = 0.05;
                    line.duplicate = 0.02;
                    line.reorder = 0.02;
                    line.delay = milliseconds(200);
                    line.jitter = milliseconds(60);
                    at.voice_server().set_forwarding(at.bot.user, line);
                    // What is on its way when the watch ends would be in one account and not in the other.
                    at.later(seconds(5), [&at] { at.voice_server().set_forwarding(at.bot.user, {}); });
                },
                seconds(6)}),
    case_name<Trouble>);

// ---- datagrams that are not what they should be

void send(VoiceTable& at, std::vector<std::uint8_t> bytes) {
    at.voice_server().send_datagram(at.guild, at.bot.user, std::move(bytes));
}

/// A voice packet's clear part of `ssrc`.
std::vector<std::uint8_t> clear_part(std::uint8_t first, std::uint8_t second, std::uint32_t ssrc) {
    std::vector<std::uint8_t> bytes{first, second, 0x12, 0x34, 0, 0, 0x10, 0};
    for (int shift = 24; shift >= 0; shift -= 8) bytes.push_back(static_cast<std::uint8_t>(ssrc >> shift));
    return bytes;
}

std::uint32_t players_ssrc(VoiceTable& at) {
    return at.voice_server().ssrc(at.guild, at.player).value_or(0);
}

void send_garbage(VoiceTable& at) {
    std::uint32_t state = 12'345;
    for (std::size_t size = 0; size < 1'500; size += 7) {
        std::vector<std::uint8_t> bytes(size);
        for (auto& byte : bytes) byte = static_cast<std::uint8_t>((state = state * 1'664'525 + 1'013'904'223) >> 24);
        send(at, std::move(bytes));
    }
}

void send_forged(VoiceTable& at) {
    for (std::size_t size = 20; size < 300; ++size) {
        auto bytes = clear_part(0x80, 0x78, players_ssrc(at));
        bytes.resize(bytes.size() + size, 0xAA);
        send(at, std::move(bytes));
    }
}

void send_odd_layouts(VoiceTable& at) {
    const std::uint32_t ssrc = players_ssrc(at);
    at.voice_server().send_sealed(at.guild, at.bot.user, clear_part(0xA0, 0x78, ssrc), {1, 2, 3, 0});    // padding 0
    at.voice_server().send_sealed(at.guild, at.bot.user, clear_part(0xA0, 0x78, ssrc), {1, 2, 3, 255});  // padding 255
    auto extended = clear_part(0x90, 0x78, ssrc);
    extended.insert(extended.end(), {0xBE, 0xDE, 0xFF, 0xFF});  // 65,535 words of extension
    at.voice_server().send_sealed(at.guild, at.bot.user, extended, {1, 2, 3, 4});
    at.voice_server().send_sealed(at.guild, at.bot.user, clear_part(0x80, 0x78, ssrc), {});                  // empty
    at.voice_server().send_sealed(at.guild, at.bot.user, clear_part(0x80, 0xC8, ssrc), {1, 2, 3, 4});        // RTCP
    at.voice_server().send_sealed(at.guild, at.bot.user, clear_part(0x80, 0x65, ssrc), {1, 2, 3, 4});        // video
    at.voice_server().send_sealed(at.guild, at.bot.user, clear_part(0x80, 0x78, ssrc), {0, 0, 0, 0, 7, 0});  // blank
}

std::uint64_t rejected(VoiceTable& at) {
    const auto& datagrams = at.voice().counts().datagrams;
    return datagrams.total() - datagrams.of(discord::Datagram::voice);
}

INSTANTIATE_TEST_SUITE_P(
    Datagrams, Troubles,
    ::testing::Values(Trouble{"garbage datagrams", Expect::no_gap, send_garbage, seconds(2),
                              [](VoiceTable& at) { EXPECT_GE(rejected(at), 200U); }},
                      Trouble{"forged datagrams", Expect::no_gap, send_forged, seconds(2),
                              [](VoiceTable& at) {
                                  EXPECT_EQ(at.voice().counts().datagrams.of(discord::Datagram::forged), 280U);
                              }},
                      Trouble{"odd padding, extension, payload types", Expect::no_gap, send_odd_layouts, seconds(2),
                              [](VoiceTable& at) {
                                  const auto& counts = at.voice().counts().datagrams;
                                  EXPECT_EQ(counts.of(discord::Datagram::bad_padding), 2U);
                                  EXPECT_EQ(counts.of(discord::Datagram::bad_extension), 1U);
                                  EXPECT_EQ(counts.of(discord::Datagram::empty), 1U);
                                  EXPECT_EQ(counts.of(discord::Datagram::rtcp), 1U);
                                  EXPECT_EQ(counts.of(discord::Datagram::other_payload_type), 1U);
                                  EXPECT_EQ(counts.of(discord::Datagram::blank), 1U);
                              }},
                      Trouble{"8-byte and oversized datagrams", Expect::no_gap,
                              [](VoiceTable& at) {
                                  send(at, std::vector<std::uint8_t>(8, 0x13));
                                  send(at, std::vector<std::uint8_t>(9'000, 0x80));
                              },
                              seconds(2),
                              [](VoiceTable& at) {
                                  const auto& counts = at.voice().counts().datagrams;
                                  EXPECT_EQ(counts.of(discord::Datagram::keep_alive), 1U);
                                  EXPECT_EQ(counts.of(discord::Datagram::too_long), 1U);
                              }}),
    case_name<Trouble>);

// ---- messages of the voice gateway that are not what they should be

void send_odd_voice_messages(VoiceTable& at) {
    for (const char* text : {"",
                             "{",
                             "[]",
                             "null",
                             "\"text\"",
                             "{}",
                             R"({"op":"5"})",
                             R"({"op":5})",
                             R"({"op":5,"d":null})",
                             R"({"op":5,"d":{"ssrc":"x","user_id":7}})",
                             R"({"op":5,"d":{"ssrc":99999999999999999999,"user_id":"1"}})",
                             R"({"op":11,"d":{"user_ids":"x"}})",
                             R"({"op":13,"d":{"user_id":null}})",
                             R"({"op":4,"d":{}})",
                             R"({"op":2,"d":[]})",
                             R"({"op":6,"d":1e400})",
                             R"({"op":8,"d":{"heartbeat_interval":-5}})",
                             R"({"op":1e300,"seq":1e300,"d":{}})",
                             R"({"op":9999,"seq":-1,"d":{}})",
                             R"({"op":12,"d":{"audio_ssrc":-1}})"}) {
        at.voice_server().send_raw(at.guild, at.bot.user, text, false);
    }
    at.voice_server().send_raw(at.guild, at.bot.user, std::string("\0\1\x19garbage", 10), true);
    at.voice_server().send_raw(at.guild, at.bot.user, std::string(1, '\0'), true);
    at.voice_server().send_raw(at.guild, at.bot.user, R"({"op":5,"d":{}})", true);
    at.voice_server().send_raw(at.guild, at.bot.user, std::string(100'000, '['), false);
}

void send_odd_gateway_messages(VoiceTable& at) {
    for (const char* text :
         {"", "{", "[]", "null", "7", "{}", R"({"op":"0"})", R"({"op":0})", R"({"op":0,"t":7,"d":7,"s":"x"})",
          R"({"op":0,"t":"VOICE_STATE_UPDATE","s":99999999999999999999,"d":{}})",
          R"({"op":0,"t":"VOICE_STATE_UPDATE","s":null,"d":{"guild_id":5,"user_id":[],"channel_id":{}}})",
          R"({"op":0,"t":"GUILD_CREATE","d":{"id":"1","voice_states":{"a":1},"members":7,"channels":[null,1,{}]}})",
          R"({"op":0,"t":"VOICE_SERVER_UPDATE","d":{"guild_id":"1","endpoint":7}})",
          R"({"op":0,"t":"MESSAGE_CREATE","d":{"content":{}}})", R"({"op":0,"t":"NEW_THING","d":{}})",
          R"({"op":1e300})", R"({"op":11,"d":[]})", R"({"op":99,"d":{}})"}) {
        at.discord().send_raw(at.bot.user, text);
    }
    at.discord().send_raw(at.bot.user, std::string(100'000, '['));
}

// ---- the main gateway (discord-gateway.md section 2): audio goes on whatever happens to it

Trouble gateway_close(std::uint16_t code, Expect expect) {
    return {fmt::format("gateway close {}", code), expect,
            [code](VoiceTable& at) { at.discord().close_gateway(at.bot.user, code); },
            expect == Expect::rejoins ? seconds(9) : seconds(3)};
}

INSTANTIATE_TEST_SUITE_P(GatewayClose, Troubles,
                         ::testing::Values(gateway_close(1001, Expect::no_gap), gateway_close(4000, Expect::no_gap),
                                           gateway_close(4001, Expect::no_gap), gateway_close(4002, Expect::no_gap),
                                           gateway_close(4004, Expect::bot_off), gateway_close(4010, Expect::bot_off),
                                           gateway_close(4011, Expect::bot_off), gateway_close(4012, Expect::bot_off),
                                           gateway_close(4013, Expect::bot_off)),
                         case_name<Trouble>);

/// A new session of the main gateway ends the old one's voice: what was heard has to come back by itself.
INSTANTIATE_TEST_SUITE_P(GatewayCloseNewSession, Troubles,
                         ::testing::Values(gateway_close(1000, Expect::rejoins), gateway_close(4003, Expect::rejoins),
                                           gateway_close(4005, Expect::rejoins), gateway_close(4007, Expect::rejoins),
                                           gateway_close(4009, Expect::rejoins)),
                         case_name<Trouble>);

sandbox::LoopbackOptions quick_heartbeat() {
    sandbox::LoopbackOptions options;
    options.heartbeat_interval = milliseconds(500);
    return options;
}

INSTANTIATE_TEST_SUITE_P(
    Gateway, Troubles,
    ::testing::Values(Trouble{"gateway socket cut", Expect::no_gap,
                              [](VoiceTable& at) { at.discord().drop_gateway(at.bot.user); }},
                      Trouble{"gateway socket cut and session forgotten", Expect::rejoins,
                              [](VoiceTable& at) {
                                  // A bot may identify every 5 s: what is measured is no table that has just logged in.
                                  at.later(seconds(4), [&at] {
                                      at.discord().forget_session(at.bot.user);
                                      at.discord().drop_gateway(at.bot.user);
                                  });
                              },
                              seconds(12)},
                      Trouble{"gateway asks to reconnect", Expect::no_gap,
                              [](VoiceTable& at) { at.discord().ask_reconnect(at.bot.user); }},
                      Trouble{"gateway session invalid, resumable", Expect::no_gap,
                              [](VoiceTable& at) { at.discord().invalidate(at.bot.user, true); }, seconds(8)},
                      Trouble{"gateway heartbeats unanswered", Expect::no_gap,
                              [](VoiceTable& at) { at.discord().mute_heartbeat_acks(at.bot.user, true); }, seconds(4),
                              [](VoiceTable& at) { EXPECT_GE(at.gateway().counts().zombies, 1U); }, quick_heartbeat()},
                      Trouble{"odd voice gateway messages", Expect::no_gap, send_odd_voice_messages, seconds(3),
                              [](VoiceTable& at) { EXPECT_GE(at.voice().counts().malformed_messages, 5U); }},
                      Trouble{"odd gateway messages", Expect::no_gap, send_odd_gateway_messages, seconds(3),
                              [](VoiceTable& at) { EXPECT_GE(at.gateway().counts().malformed, 5U); }}),
    case_name<Trouble>);

}  // namespace
}  // namespace lestapenna::test
