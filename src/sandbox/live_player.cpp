#include "sandbox/live_player.h"

#include <chrono>
#include <utility>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "sandbox/random.h"

namespace lestapenna::sandbox {
namespace {

using std::chrono::microseconds;

/// What the wall clock shows at `zero`, since 1970.
nanoseconds unix_time_of(BootTime zero) {
    const ClockReading now = read_clocks();
    return now.wall.time_since_epoch() + (zero - now.boot);
}

std::int64_t unix_now_us() {
    return std::chrono::duration_cast<microseconds>(std::chrono::system_clock::now().time_since_epoch()).count();
}

}  // namespace

struct LivePlayer::Impl final : discord::Listener, std::enable_shared_from_this<Impl> {
    Impl(net::Loop& on, Loopback& of, GuildId in, ChannelId to, const Player& player,
         std::shared_ptr<const Packed> said, LivePlayerOptions chosen)
        : loop(on),
          discord(of),
          guild(in),
          channel(to),
          user(player.user),
          join(to_session_time(player.join)),
          leave(to_session_time(player.leave)),
          packed(std::move(said)),
          options(std::move(chosen)),
          timer(on),
          first_timestamp(static_cast<std::uint32_t>(Random(player.user.value, 0).bits())) {}

    net::Loop& loop;
    Loopback& discord;
    GuildId guild;
    ChannelId channel;
    UserId user;
    SessionTime join;
    SessionTime leave;
    std::shared_ptr<const Packed> packed;
    LivePlayerOptions options;
    std::unique_ptr<discord::Voice> voice;
    net::asio::steady_timer timer;
    std::uint32_t first_timestamp;
    std::uint32_t ssrc = 0;
    bool announced = false;  ///< speaking was said in this voice session, and not taken back
    bool joined = false;
    bool stopped = false;

    void connect() {
        discord::VoiceOptions wanted = options.voice;
        if (wanted.trust.extra_ca_pem.empty()) wanted.trust.extra_ca_pem = discord.addresses().ca_pem;
        wanted.greet = false;
        wanted.self_deaf = !options.hears;
        voice = std::make_unique<discord::Voice>(loop, guild, user, std::move(wanted), *this,
                                                 [weak = weak_from_this()](std::optional<ChannelId> where) {
                                                     if (const auto self = weak.lock()) self->ask_gateway(where);
                                                 });
    }

    void ask_gateway(std::optional<ChannelId> where) {
        // What comes of it comes later: Voice is in the middle of asking.
        discord.set_voice(
            guild, user, where,
            [&on = loop, weak = weak_from_this()](const discord::Event& event) {
                net::asio::post(on, [weak, event] {
                    if (const auto self = weak.lock()) self->on_gateway(event);
                });
            },
            !options.hears);
    }

    void on_gateway(const discord::Event& event) {
        if (!voice) return;
        if (const auto* state = std::get_if<discord::VoiceState>(&event)) voice->on_voice_state(*state);
        if (const auto* server = std::get_if<discord::VoiceServer>(&event)) voice->on_voice_server(*server);
    }

    // ---- what it hears
    void on_packet(const discord::VoicePacket& packet) noexcept override {
        if (options.listener != nullptr) options.listener->on_packet(packet);
    }
    void on_event(const discord::VoiceEvent& event) noexcept override {
        if (const auto* connected = std::get_if<discord::Connected>(&event)) {
            ssrc = connected->own_ssrc;
            announced = announced && connected->resumed;  // nobody has been told of a new session's SSRC
        }
        if (std::holds_alternative<discord::Ended>(event)) {
            joined = false;
            halt();
        }
        if (options.listener != nullptr) options.listener->on_event(event);
    }

    // ---- what it does
    static net::Task<> play(std::shared_ptr<Impl> self, BootTime zero) {
        const nanoseconds unix_zero = unix_time_of(zero);
        const auto at = [zero](SessionTime time) { return zero + time.time_since_epoch(); };
        co_await wait_until(self, at(self->join) - self->options.early);
        if (self->stopped) co_return;
        self->joined = true;
        self->voice->join(self->channel);
        const auto& packets = self->packed->packets;
        for (std::size_t i = 0; i < packets.size() && !self->stopped; ++i) {
            co_await wait_until(self, zero + packets[i].sent_at);
            if (self->stopped) break;
            const bool ends_run = i + 1 == packets.size() || packets[i + 1].run != packets[i].run;
            self->say(packets[i], ends_run, unix_zero + packets[i].sent_at);
        }
        co_await wait_until(self, at(self->leave));
        self->stop();
    }

    /// Returns at once when it is late, or stopped.
    static net::Task<> wait_until(std::shared_ptr<Impl> self, BootTime time) {
        const nanoseconds left = time - BootClock::now();
        if (self->stopped || left <= nanoseconds(0)) co_return;
        self->timer.expires_after(left);
        co_await self->timer.async_wait(net::asio::as_tuple(net::asio::use_awaitable));
    }

    void say(const SentPacket& packet, bool ends_run, nanoseconds due) {
        if (!announced && voice->may_speak()) {
            voice->set_speaking(true);
            announced = true;
        }
        TrueFrame frame;
        frame.timestamp = first_timestamp + static_cast<std::uint32_t>(packet.timestamp);
        frame.due_us = std::chrono::round<microseconds>(due).count();
        frame.silence = packet.silence;
        frame.opus = packet.opus;
        if (voice->send(frame.timestamp, packet.opus)) {
            frame.sent_us = unix_now_us();
            frame.ssrc = ssrc;
            frame.seq = voice->last_seq();
        }
        if (ends_run && announced) {
            voice->set_speaking(false);
            announced = false;
        }
        if (options.on_frame) options.on_frame(frame);
    }

    void stop() {
        halt();
        if (!std::exchange(joined, false)) return;
        voice->leave();
    }

    /// Ends play().
    void halt() {
        stopped = true;
        timer.cancel();
    }
};

LivePlayer::LivePlayer(net::Loop& loop, Loopback& discord, GuildId guild, ChannelId channel, const Player& script,
                       const LivePlayerOptions& options)
    : LivePlayer(loop, discord, guild, channel, script, std::make_shared<const Packed>(pack(script, options.sender)),
                 options) {}

LivePlayer::LivePlayer(net::Loop& loop, Loopback& discord, GuildId guild, ChannelId channel, const Player& script,
                       std::shared_ptr<const Packed> packed, LivePlayerOptions options)
    : impl_(std::make_shared<Impl>(loop, discord, guild, channel, script, std::move(packed), std::move(options))) {
    impl_->connect();
}

LivePlayer::~LivePlayer() {
    impl_->stop();
    impl_->options.listener = nullptr;
    impl_->options.on_frame = nullptr;
    impl_->voice.reset();
}

net::Task<> LivePlayer::play(BootTime zero) {
    return Impl::play(impl_, zero);
}

void LivePlayer::stop() {
    impl_->stop();
}

discord::Voice& LivePlayer::voice() {
    return *impl_->voice;
}

}  // namespace lestapenna::sandbox
