#include "voice_table.h"

#include <cmath>
#include <numbers>

#include <boost/asio/co_spawn.hpp>
#include <fmt/format.h>
#include <gtest/gtest.h>

namespace lestapenna::test {

namespace {

/// Not silence, and never two frames alike: a tone that glides.
std::vector<float> glide(Samples length) {
    std::vector<float> pcm(static_cast<std::size_t>(length.count()));
    double phase = 0;
    for (std::size_t i = 0; i < pcm.size(); ++i) {
        const double time = static_cast<double>(i) / kSampleRate;
        phase += 2 * std::numbers::pi * (220 + 60 * std::sin(time)) / kSampleRate;
        pcm[i] = static_cast<float>(0.3 * std::sin(phase));
    }
    return pcm;
}

net::Task<> after(nanoseconds time, std::function<void()> what) {
    co_await net::sleep_for(time);
    what();
}

}  // namespace

VoiceTable::VoiceTable(TableOptions options) : options_(options) {
    options_.loopback.seed = options_.seed;
    auto started = sandbox::Loopback::start(loop_, options_.loopback);
    if (!started) throw std::runtime_error(started.error().message);
    discord_ = std::move(*started);
    guild = discord_->add_guild("Tavolo");
    text = discord_->add_text_channel(guild, "generale");
    channel = discord_->add_voice_channel(guild, "Taverna");
    other_channel = discord_->add_voice_channel(guild, "Cripta");
    player = discord_->add_person("Anna");
    bot = discord_->add_bot("Lestapenna");

    discord::RestOptions rest;
    rest.token = bot.token;
    rest.api_base = discord_->addresses().api_base;
    auto made = discord::Rest::make(loop_, rest);
    if (!made) throw std::runtime_error(made.error().message);
    rest_.emplace(std::move(*made));

    discord::GatewayOptions gateway;
    gateway.token = bot.token;
    gateway_ = std::make_unique<discord::Gateway>(loop_, *rest_, gateway, [this](const discord::Event& event) {
        guilds_.apply(event);
        if (const auto* state = std::get_if<discord::VoiceState>(&event)) voice_->on_voice_state(*state);
        if (const auto* server = std::get_if<discord::VoiceServer>(&event)) voice_->on_voice_server(*server);
    });

    discord::VoiceOptions voice;
    voice.trust.extra_ca_pem = discord_->addresses().ca_pem;
    voice_ = std::make_unique<discord::Voice>(
        loop_, guild, bot.user, voice, *this,
        [this](std::optional<ChannelId> to) { gateway_->update_voice_state(guild, to, true, false); });

    sandbox::Player script;
    script.user = player;
    script.leave = SamplePos{} + options_.length + seconds(10);
    script.talks.push_back({SamplePos{} + milliseconds(200), glide(options_.length)});
    sandbox::LivePlayerOptions live;
    live.voice.trust = voice.trust;
    live.on_frame = [this](const sandbox::TrueFrame& frame) {
        if (frame.sent_us != 0) sent.push_back(frame);
    };
    talker_ =
        std::make_unique<sandbox::LivePlayer>(loop_, *discord_, guild, channel, std::move(script), std::move(live));
}

VoiceTable::~VoiceTable() = default;

void VoiceTable::on_packet(const discord::VoicePacket& packet) noexcept {
    heard.push_back({packet.header.ssrc, packet.header.seq, packet.arrival});
}

void VoiceTable::on_event(const discord::VoiceEvent& event) noexcept {
    events.push_back(event);
}

net::Task<bool> VoiceTable::until(std::function<bool()> condition, nanoseconds time) {
    const BootTime deadline = BootClock::now() + time;
    while (!condition() && BootClock::now() < deadline) co_await net::sleep_for(milliseconds(5));
    co_return condition();
}

void VoiceTable::later(nanoseconds time, std::function<void()> what) {
    net::spawn(loop_, after(time, std::move(what)));
}

std::size_t VoiceTable::dropped_on_purpose() {
    std::size_t dropped = 0;
    for (const auto& [ssrc, forwarded] : voice_server().forwarded(bot.user)) dropped += forwarded.dropped;
    return dropped;
}

net::Task<> VoiceTable::log_in() {
    gateway_over = co_await gateway_->run();
}

net::Task<> VoiceTable::play() {
    co_await talker_->play(BootClock::now());
}

net::Task<> VoiceTable::drive(std::function<net::Task<>(VoiceTable&)> body) {
    std::function<bool()> logged_in = [this] { return gateway_->ready(); };
    if (co_await until(std::move(logged_in), seconds(20))) {
        voice_->join(channel);
        net::spawn(loop_, play());
        std::function<bool()> hearing = [this] { return heard.size() > 30; };
        ran_ = co_await until(std::move(hearing), seconds(20));
    }
    if (ran_) co_await body(*this);
    talker_->stop();
    voice_->leave();
    gateway_->stop();
    std::function<bool()> out = [this] { return gateway_over.has_value(); };
    co_await until(std::move(out), seconds(5));
    loop_.stop();
}

bool VoiceTable::run(std::function<net::Task<>(VoiceTable&)> body) {
    net::spawn(loop_, log_in());
    net::spawn(loop_, drive(std::move(body)));
    loop_.run();
    return ran_;
}

std::string describe(const std::vector<discord::VoiceEvent>& events, std::size_t from) {
    std::string text;
    const auto add = [&](const std::string& what) { text += (text.empty() ? "" : ", ") + what; };
    for (std::size_t i = from; i < events.size(); ++i) {
        if (const auto* lost = std::get_if<discord::Disconnected>(&events[i])) {
            add(fmt::format("closed {}{}", lost->code, lost->media_goes_on ? "" : " (session over)"));
        } else if (const auto* there = std::get_if<discord::Connected>(&events[i])) {
            add(there->resumed ? "resumed" : fmt::format("rejoined as session {}", there->generation));
        } else if (std::holds_alternative<discord::Moved>(events[i])) {
            add("followed the move");
        } else if (const auto* over = std::get_if<discord::Ended>(&events[i])) {
            add(fmt::format("ended: {}", over->message));
        }
    }
    return text.empty() ? "nothing" : text;
}

}  // namespace lestapenna::test
