// Our own client as one of the test clients of this folder; the protocol of peer.mjs.
//
//   voice_peer                      the client, see peer.mjs; CA_FILE instead of NODE_EXTRA_CA_CERTS
//   voice_peer frames SEED COUNT    prints COUNT different Opus packets of 20 ms in hex, one a line: something like
//                                   speech, mono and stereo, 16 to 384 kbit/s, so that packets are of all lengths
//   voice_peer journal FOLDER       prints what a session's journal holds as JSON lines: {"ssrc","user"} of a binding,
//                                   {"ssrc","opus"} of a packet, {"ssrc","closed"} of one that stayed closed, by reason
#include <array>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <istream>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/streambuf.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <nlohmann/json.hpp>
#include <unistd.h>

#include "audio/opus.h"
#include "base/hash.h"
#include "discord/gateway.h"
#include "discord/rest.h"
#include "discord/voice.h"
#include "journal/reader.h"
#include "sandbox/speech.h"

namespace lestapenna {
namespace {

namespace asio = net::asio;
using Json = nlohmann::json;
using Packet = std::vector<std::uint8_t>;

constexpr Samples kFrame{milliseconds(20)};
constexpr std::array<std::uint8_t, 3> kSilence{0xF8, 0xFF, 0xFE};

Packet from_hex(std::string_view text) {
    Packet bytes(text.size() / 2);
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        std::from_chars(text.data() + i * 2, text.data() + i * 2 + 2, bytes[i], 16);
    }
    return bytes;
}

/// No packet twice, so that a packet heard can only be the one that was sent.
std::vector<Packet> speak_frames(std::size_t seed, std::size_t count) {
    std::vector<Packet> frames;
    std::set<Packet> seen{Packet(kSilence.begin(), kSilence.end())};
    const auto lines = sandbox::table_lines();
    constexpr std::array kBitrates{16'000, 64'000, 128'000, 384'000};
    for (std::size_t turn = seed; frames.size() < count; ++turn) {
        audio::OpusEncoder encoder({.channels = turn % 2 == 0 ? 2 : 1, .bitrate = kBitrates[turn % kBitrates.size()]});
        const auto pcm = sandbox::buzz(sandbox::voice_of(turn), lines[turn % lines.size()]);
        const auto step = static_cast<std::size_t>(kFrame.count());
        for (std::size_t at = 0; at + step <= pcm.size() && frames.size() < count; at += step) {
            auto packet = encoder.encode(std::span(pcm).subspan(at, step));
            if (seen.insert(packet).second) frames.push_back(std::move(packet));
        }
    }
    return frames;
}

void tell(const Json& event) {
    const auto line = event.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
    std::fwrite(line.data(), 1, line.size(), stdout);
    std::fflush(stdout);
}
void note(const std::string& text) {
    tell({{"event", "note"}, {"text", text}});
}

struct Settings {
    discord::RestOptions rest;
    net::Trust trust;
    std::vector<Packet> frames;
};

class Peer final : public discord::Listener {
  public:
    Peer(net::Loop& loop, discord::Rest rest, Settings settings)
        : loop_(loop),
          settings_(std::move(settings)),
          rest_(std::move(rest)),
          gateway_(loop, rest_, gateway_options(), [this](const discord::Event& event) { on_gateway(event); }) {}

    net::Task<> run() {
        const auto end = co_await gateway_.run();
        if (!end) note(end.error().message);
        loop_.stop();
    }

    net::Task<> read_orders() {
        asio::posix::stream_descriptor input(loop_, ::dup(STDIN_FILENO));
        asio::streambuf buffer;
        while (true) {
            boost::system::error_code error;
            co_await asio::async_read_until(input, buffer, '\n', asio::redirect_error(asio::use_awaitable, error));
            if (error) break;
            std::istream lines(&buffer);
            std::string line;
            std::getline(lines, line);
            const auto order = Json::parse(line);
            if (order["do"] == "quit") break;
            obey(order);
        }
        voice_.reset();
        gateway_.stop();
    }

    // Who can not tell what it hears may as well end: NOLINTNEXTLINE(bugprone-exception-escape)
    void on_packet(const discord::VoicePacket& packet) noexcept override {
        if (packet.closed) {
            tell({{"event", "closed"}, {"ssrc", packet.header.ssrc}, {"reason", static_cast<int>(*packet.closed)}});
            return;
        }
        const auto user = users_.find(packet.header.ssrc);
        Json heard{{"event", "heard"}, {"ssrc", packet.header.ssrc}, {"opus", hex(packet.payload)}};
        if (user != users_.end()) heard["user"] = user->second.text();
        tell(heard);
    }

    // NOLINTNEXTLINE(bugprone-exception-escape)
    void on_event(const discord::VoiceEvent& event) noexcept override {
        if (const auto* connected = std::get_if<discord::Connected>(&event)) {
            tell({{"event", "joined"}, {"resumed", connected->resumed}, {"mode", to_string(connected->mode)}});
        } else if (const auto* bound = std::get_if<discord::SsrcBound>(&event)) {
            users_[bound->ssrc] = bound->user;
            tell({{"event", "bound"}, {"ssrc", bound->ssrc}, {"user", bound->user.text()}});
        } else if (const auto* lost = std::get_if<discord::Disconnected>(&event)) {
            note("disconnected: " + std::to_string(lost->code) + " " + lost->reason);
        } else if (const auto* moved = std::get_if<discord::Moved>(&event)) {
            note("moved to " + moved->to.text());
        } else if (const auto* ended = std::get_if<discord::Ended>(&event)) {
            if (ended->reason != discord::EndReason::left) note("ended: " + ended->message);
            tell({{"event", "left"}});
        } else if (const auto* dropped = std::get_if<discord::KernelDropped>(&event)) {
            note("the kernel dropped " + std::to_string(dropped->datagrams));
        } else if (const auto* call = std::get_if<discord::Encryption>(&event)) {
            tell({{"event", "encryption"},
                  {"code", call->encrypted ? call->privacy_code : ""},
                  {"epoch", call->encrypted ? call->epoch : 0}});
        } else if (const auto* deaf = std::get_if<discord::CannotOpen>(&event)) {
            note("can not open the frames of " + deaf->user.text() + (deaf->gave_up ? ", given up" : ""));
        }
    }

  private:
    [[nodiscard]] discord::GatewayOptions gateway_options() const {
        discord::GatewayOptions options;
        options.token = settings_.rest.token;
        options.trust = settings_.trust;
        return options;
    }

    void on_gateway(const discord::Event& event) {
        if (const auto* ready = std::get_if<discord::Ready>(&event)) {
            self_ = ready->self.id;
            tell({{"event", "gateway"}, {"what", "identified"}});
            tell({{"event", "ready"}, {"user", self_.text()}});
        } else if (std::holds_alternative<discord::Resumed>(event)) {
            tell({{"event", "gateway"}, {"what", "resumed"}});
        } else if (const auto* state = std::get_if<discord::VoiceState>(&event); state != nullptr && voice_) {
            voice_->on_voice_state(*state);
        } else if (const auto* server = std::get_if<discord::VoiceServer>(&event); server != nullptr && voice_) {
            voice_->on_voice_server(*server);
        }
    }

    void obey(const Json& order) {
        const auto& what = order["do"];
        if (what == "join") {
            join(*GuildId::parse(order["guild"].get<std::string>()),
                 *ChannelId::parse(order["channel"].get<std::string>()), order.value("dave", true));
        } else if (what == "leave" && voice_) {
            voice_->leave();
        } else if (what == "talk" && voice_) {
            net::spawn(loop_, talk(order["from"].get<std::size_t>(), order["count"].get<std::size_t>()));
        }
    }

    void join(GuildId guild, ChannelId channel, bool dave) {
        if (!voice_) {
            discord::VoiceOptions options;
            options.trust = settings_.trust;
            if (!dave) options.dave_version = 0;
            voice_.emplace(loop_, guild, self_, options, *this, [this, guild](std::optional<ChannelId> to) {
                gateway_.update_voice_state(guild, to, false, false);
            });
        }
        voice_->join(channel);
    }

    net::Task<> talk(std::size_t from, std::size_t count) {
        asio::steady_timer timer(loop_);
        auto due = std::chrono::steady_clock::now();
        std::size_t failed = 0;
        voice_->set_speaking(true);
        for (std::size_t i = 0; i < count + 5 && voice_; ++i) {
            const auto frame = i < count ? std::span<const std::uint8_t>(settings_.frames.at(from + i)) : kSilence;
            if (!voice_->send(timestamp_, frame) && i < count) ++failed;
            timestamp_ += static_cast<std::uint32_t>(kFrame.count());
            due += milliseconds(20);
            timer.expires_at(due);
            boost::system::error_code ignored;
            co_await timer.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
        }
        if (!voice_) co_return;
        voice_->set_speaking(false);
        Json talked{{"event", "talked"}, {"from", from}, {"count", count}};
        if (failed != 0) talked["error"] = std::to_string(failed) + " frames were not sent";
        tell(talked);
    }

    net::Loop& loop_;
    Settings settings_;
    discord::Rest rest_;
    discord::Gateway gateway_;
    std::optional<discord::Voice> voice_;
    std::map<std::uint32_t, UserId> users_;
    UserId self_{};
    std::uint32_t timestamp_ = 0xFFFFFC00U;  // wraps within the first talk
};

std::string environment(const char* name) {
    const char* const value = std::getenv(name);
    return value == nullptr ? "" : value;
}

Result<Settings> read_settings() {
    auto trust = net::Trust::from_file(environment("CA_FILE"));
    if (!trust) return trust.error();
    Settings settings;
    settings.trust = *trust;
    settings.rest.token = environment("BOT_TOKEN");
    settings.rest.api_base = environment("API_BASE");
    settings.rest.trust = *trust;
    std::ifstream file(environment("FRAMES"));
    for (std::string line; std::getline(file, line);) settings.frames.push_back(from_hex(line));
    return settings;
}

int run_peer() {
    auto settings = read_settings();
    if (!settings) return note(settings.error().message), 1;
    net::Loop loop;
    auto rest = discord::Rest::make(loop, settings->rest);
    if (!rest) return note(rest.error().message), 1;
    Peer peer(loop, std::move(*rest), std::move(*settings));
    net::spawn(loop, peer.run());
    net::spawn(loop, peer.read_orders());
    loop.run();
    return 0;
}

// ---- what was recorded

struct Printer {
    void operator()(const journal::Binding& binding) const {
        tell({{"ssrc", binding.ssrc}, {"user", binding.user.text()}});
    }
    void operator()(const journal::Packet& packet) const {
        if (packet.undecryptable) {
            tell({{"ssrc", packet.ssrc}, {"closed", static_cast<int>(packet.closed)}});
        } else {
            tell({{"ssrc", packet.ssrc}, {"parked", packet.parked}, {"opus", hex(packet.payload)}});
        }
    }
    void operator()(const auto& /*other*/) const {}
};

int print_journal(const std::string& folder) {
    auto reader = journal::Reader::open(folder);
    if (!reader) return std::fprintf(stderr, "%s\n", reader.error().message.c_str()), 1;
    for (;;) {
        const auto outcome = reader->next();
        if (std::holds_alternative<journal::CleanEnd>(outcome)) return 0;
        const auto* const item = std::get_if<journal::Item>(&outcome);
        if (item == nullptr) return std::fputs("damaged\n", stderr), 1;
        std::visit(Printer{}, item->record);
    }
}

}  // namespace
}  // namespace lestapenna

// What it throws ends it, as it should: NOLINTNEXTLINE(bugprone-exception-escape)
int main(int argc, char** argv) {
    const std::vector<std::string> words(argv + 1, argv + argc);
    if (words.empty()) return lestapenna::run_peer();
    if (words.size() == 2 && words[0] == "journal") return lestapenna::print_journal(words[1]);
    if (words.size() != 3 || words[0] != "frames") return 2;
    for (const auto& frame : lestapenna::speak_frames(std::stoul(words[1]), std::stoul(words[2]))) {
        std::puts(lestapenna::hex(frame).c_str());
    }
    return 0;
}
