// What must not be in a log: a Voice in an encrypted call, logged as fully as it can be, with a member of the call
// whose keys the test holds, and with everything wrong that is logged.
#include <sstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <spdlog/sinks/ostream_sink.h>

#include "base/log.h"
#include "dave/rules.h"
#include "dave/sender.h"
#include "dave/session.h"
#include "mls/framing.h"
#include "scripted_voice.h"

namespace lestapenna::discord {
namespace {

using mls::Bytes;
using mls::View;
using test::Json;
using test::kChannel;
using test::kSelf;
using test::kSpeaker;
using test::VoiceTable;
using testing::HasSubstr;

constexpr std::uint16_t kTransition = 7;
constexpr std::uint32_t kSsrc = 2'002;

/// All that is logged as long as it lives, at every level.
class WholeLog {
  public:
    WholeLog() : sink_(std::make_shared<spdlog::sinks::ostream_sink_mt>(text_)), level_(log().level()) {
        log().sinks().push_back(sink_);
        log().set_level(spdlog::level::trace);
    }
    WholeLog(const WholeLog&) = delete;
    WholeLog& operator=(const WholeLog&) = delete;
    ~WholeLog() {
        log().set_level(level_);
        std::erase(log().sinks(), sink_);
    }
    [[nodiscard]] std::string text() const {
        log().flush();
        return text_.str();
    }

  private:
    std::ostringstream text_;
    spdlog::sink_ptr sink_;
    spdlog::level::level_enum level_;
};

std::string joined(View bytes, const char* format, const char* between) {
    std::string text;
    for (const std::uint8_t byte : bytes)
        text += (text.empty() ? "" : between) + fmt::format(fmt::runtime(format), byte);
    return text;
}

/// The ways in which the beginning of a secret could be written. Eight bytes are no coincidence, and enough to find
/// what is cut short.
std::vector<std::string> ways_to_write(View secret) {
    const View start = secret.first(8);
    return {{start.begin(), start.end()},   joined(start, "{:02x}", ""), joined(start, "{:02X}", ""),
            joined(start, "{:02x}", " "),   joined(start, "{}", ","),    joined(start, "{}", ", "),
            joined(start, "0x{:02x}", ", ")};
}

bool says(const std::string& text, View secret) {
    return std::ranges::any_of(ways_to_write(secret),
                               [&](const std::string& way) { return text.find(way) != std::string::npos; });
}

std::string binary(std::uint16_t seq, std::uint8_t op, View body, bool transition = false) {
    std::string bytes{static_cast<char>(seq >> 8), static_cast<char>(seq), static_cast<char>(op)};
    if (transition) bytes += std::string{'\0', static_cast<char>(kTransition)};
    return bytes.append(body.begin(), body.end());
}

template <class A>
const A& only(const dave::Actions& actions) {
    for (const auto& action : actions) {
        if (const auto* found = std::get_if<A>(&action)) return *found;
    }
    throw std::runtime_error("an action is missing");
}

/// The gateway's own key: op 25, and op 27 that adds somebody to a group of one.
struct ExternalSender {
    mls::KeyPair key = mls::KeyPair::generate();

    [[nodiscard]] Bytes op25() const {
        mls::Writer writer;
        writer.vec(key.public_key);
        writer.u16(mls::Credential::kBasic);
        writer.vec(Bytes{0, 1, 1, 0});
        return mls::to_bytes(writer.bytes());
    }
    [[nodiscard]] Bytes op27(View package) const {
        mls::PublicMessage message;
        message.content.group_id = dave::group_id_of(kChannel);
        message.content.sender = {mls::SenderType::external, 0};
        message.content.content = mls::Add{mls::decode<mls::KeyPackage>(package).value()};
        message.signature = mls::sign(message.content, {}, key);
        const Bytes proposal = mls::encode(mls::Message(message));
        mls::Writer writer;
        writer.u8(0);
        writer.vec(proposal);
        return mls::to_bytes(writer.bytes());
    }
};

struct Secrets : ::testing::Test {
    static VoiceOptions options() {
        auto options = VoiceTable::options();
        options.identity = std::make_shared<const mls::KeyPair>(mls::KeyPair::generate());
        return options;
    }
    [[nodiscard]] std::optional<Bytes> sent(int op) const {
        for (const std::string& message : table.server.binaries()) {
            if (message.front() == static_cast<char>(op)) return Bytes(message.begin() + 1, message.end());
        }
        return std::nullopt;
    }
    /// The Voice and the other member make a group of two, in which the other speaks.
    void enter_the_call() {
        table.server.manners().dave_version = 1;
        ASSERT_TRUE(table.join());
        table.server.say({{"op", 11}, {"seq", 6}, {"d", {{"user_ids", {kSpeaker.text()}}}}});
        table.server.binary(binary(7, 25, gateway.op25()));
        ASSERT_TRUE(table.until([&] { return sent(26).has_value(); }));

        const std::vector<UserId> users{kSelf};
        static_cast<void>(other.on_session_description(1));
        static_cast<void>(other.on_external_sender(gateway.op25()));
        static_cast<void>(other.on_users(users));
        const auto offer = only<dave::SendCommit>(other.on_proposals(gateway.op27(*sent(26)))).commit_welcome;
        View welcome = offer;
        ASSERT_TRUE(mls::decode_front<mls::Message>(welcome));
        const View commit = View(offer).first(offer.size() - welcome.size());
        keys = only<dave::ReceiveEpoch>(other.on_commit(kTransition, commit)).keys;
        own = only<dave::SendWith>(other.on_execute_transition(kTransition)).own;
        ASSERT_TRUE(own.has_value());

        table.server.binary(binary(8, 30, welcome, true));
        ASSERT_TRUE(table.until([&] { return table.server.count(23) == 1; }));
        table.server.say({{"op", 22}, {"seq", 9}, {"d", {{"transition_id", kTransition}}}});
        ASSERT_TRUE(table.until([&] {
            const auto* now = table.heard.last<Encryption>();
            return now != nullptr && now->encrypted;
        }));
        EXPECT_EQ(table.heard.last<Encryption>()->privacy_code, other.call().privacy_code);
    }

    ExternalSender gateway;
    dave::Session other{kSpeaker, kChannel, mls::KeyPair::generate()};
    std::vector<dave::BaseSecret> keys;
    std::optional<dave::BaseSecret> own;
    VoiceOptions with = options();
    VoiceTable table{with};
};

TEST_F(Secrets, AreInNoLogWhateverHappensInTheCall) {
    const WholeLog whole;
    ASSERT_NO_FATAL_FAILURE(enter_the_call());
    table.server.say(test::speaking(kSsrc, kSpeaker, 10));
    dave::Sender sender(*own);
    const Bytes opus{0x78, 1, 2, 3, 4, 5, 6, 7, 8};
    std::uint16_t seq = 0;
    const auto speak = [&](bool spoiled) {
        Bytes frame;
        sender.seal(opus, frame);
        if (spoiled) frame.front() = static_cast<std::uint8_t>(frame.front() ^ 1U);
        table.server.voice(kSsrc, ++seq, frame);
    };
    speak(false);
    ASSERT_TRUE(table.until([&] { return table.heard.packet_count > 0; }));
    EXPECT_EQ(table.heard.packets.front().payload, opus);

    // All that is refused, and what makes it ask to be let in anew.
    const Bytes rubbish(40, 0x41);
    for (const std::uint8_t op : std::vector<std::uint8_t>{25, 27, 29, 30})
        table.server.binary(binary(11, op, rubbish, op >= 29));
    for (int i = 0; i < 100; ++i) speak(true);
    table.server.say({{"op", 22}, {"seq", 12}, {"d", {{"transition_id", 999}}}});
    table.server.say({{"op", 24}, {"seq", 13}, {"d", {{"protocol_version", 77}, {"epoch", 1}}}});
    ASSERT_TRUE(table.until([&] { return table.voice->counts().refused_messages >= 3; }, seconds(60)));
    table.server.drop();
    ASSERT_TRUE(table.connected(2));
    const std::string text = whole.text();
    EXPECT_FALSE(text.empty()) << "it was logged that much was wrong";

    std::vector<Bytes> secrets{mls::to_bytes(with.identity->private_key), mls::to_bytes(test::key_of(1))};
    ASSERT_EQ(keys.size(), 1U);
    EXPECT_EQ(keys.front().user, kSelf) << "what the Voice would speak with";
    keys.push_back(*own);
    for (const auto& key : keys) {
        secrets.push_back(mls::to_bytes(key.secret));
        mls::Secret base = key.secret;
        secrets.push_back(mls::to_bytes(dave::Ratchet(std::move(base)).key(0).value()));
    }
    for (const Bytes& secret : secrets) {
        EXPECT_FALSE(says(text, secret));
        EXPECT_TRUE(says("key " + joined(secret, "{:02x}", "") + " of epoch 1", secret)) << "it would have been found";
    }
    for (const char* token : {"token-1", "token-2"}) EXPECT_THAT(text, testing::Not(HasSubstr(token)));
}

}  // namespace
}  // namespace lestapenna::discord
