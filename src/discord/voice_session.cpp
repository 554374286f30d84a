#include "discord/voice_session.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/log.h"
#include "base/text.h"

namespace lestapenna::discord {
namespace {

constexpr std::array<std::uint8_t, 3> kSilence{0xF8, 0xFF, 0xFE};
constexpr int kGreetingFrames = 5;
constexpr std::uint32_t kFrameTicks = 960;
constexpr nanoseconds kFrame = milliseconds(20);
constexpr int kMostUnanswered = 3;
constexpr std::size_t kMostPresent = 10'000;  // a server that names more is not one
constexpr std::size_t kMaxMessageBytes = 1U << 20;

}  // namespace

VoiceSession::VoiceSession(const VoiceSetting& setting, voice::Credentials who, std::string endpoint, ChannelId channel,
                           int generation)
    : setting_(setting),
      who_(std::move(who)),
      endpoint_(std::move(endpoint)),
      channel_(channel),
      generation_(generation),
      frames_(std::make_shared<VoiceFrames>(who_.user, setting.options, setting.listener, setting.counts)),
      lost_(setting.loop),
      deadline_(setting.loop) {
    begin_encryption();
}

void VoiceSession::begin_encryption() {
    dave_ = std::make_shared<VoiceDave>(setting_, who_.user, channel_, frames_,
                                        [this] { return link_ ? link_->socket.get() : nullptr; });
}

void VoiceSession::set_channel(ChannelId channel) {
    if (std::exchange(channel_, channel) == channel) return;
    dave_->close();
    begin_encryption();  // the group is the channel's
    const std::vector<UserId> users(present_.begin(), present_.end());
    dave_->on_users(users);
}

// ---- one websocket, from its opening to its loss

void VoiceSession::identify() {
    start(false);
}

void VoiceSession::resume() {
    start(true);
}

void VoiceSession::start(bool resuming) {
    lost_.reset();
    resuming_ = resuming;
    const VoiceTiming& timing = setting_.options.timing;
    deadline(resuming ? timing.resume : timing.open, "no answer from the voice server in time");
    net::spawn(setting_.loop, talk(shared_from_this(), ++attempt_, resuming));
}

net::Task<> VoiceSession::talk(Self self, int attempt, bool resuming) {
    net::ConnectOptions options;
    options.url = "wss://" + self->endpoint_ + "/?v=8";
    options.trust = self->setting_.options.trust;
    options.timeout = self->setting_.options.timing.open;
    options.max_message_bytes = kMaxMessageBytes;
    auto connected = co_await net::connect(std::move(options));
    if (self->attempt_ != attempt) co_return;
    if (!connected) {
        self->lose({0, connected.error().message});
        co_return;
    }
    const auto link = std::make_shared<Link>(self->setting_.loop, std::move(*connected));
    self->link_ = link;
    link->socket->send(resuming ? voice::resume(self->who_, self->seq_ack_)
                                : voice::identify(self->who_, self->setting_.options.dave_version));
    while (self->attempt_ == attempt) {
        const net::Incoming incoming = co_await link->socket->read();
        if (self->attempt_ != attempt) co_return;
        if (const auto* closed = std::get_if<net::Closed>(&incoming)) {
            self->lose({closed->code, one_line(closed->reason, 200)});
            co_return;
        }
        const auto& message = std::get<net::Message>(incoming);
        self->take(message.binary ? voice::parse_binary(message.bytes) : voice::parse_text(message.bytes));
    }
}

void VoiceSession::deadline(nanoseconds after, const char* what) {
    deadline_.expires_after(after);
    deadline_.async_wait([weak = weak_from_this(), what](const boost::system::error_code& cancelled) {
        const Self self = weak.lock();
        if (cancelled || !self || self->abandoned_) return;
        // It may have been set anew after it ran out, before this was its turn.
        if (self->deadline_.expiry() <= std::chrono::steady_clock::now()) self->lose({0, what});
    });
}

/// Not only cancelled: one that has run out already and waits for its turn looks at the time.
void VoiceSession::no_deadline() {
    deadline_.expires_at(std::chrono::steady_clock::time_point::max());
}

void VoiceSession::lose(SessionLoss loss) {
    ++attempt_;
    stood_ = connected_ ? BootClock::now() - connected_at_ : nanoseconds{0};
    connected_ = false;
    no_deadline();
    if (link_) {
        link_->gone.set();
        link_->socket->drop();
        link_.reset();
    }
    loss_ = std::move(loss);
    lost_.set();
}

void VoiceSession::abandon() {
    if (abandoned_) return;
    abandoned_ = true;
    ++attempt_;
    connected_ = false;
    deadline_.cancel();
    if (link_) {
        link_->gone.set();
        link_->socket->close(1000, "");
        link_.reset();
    }
    if (media_) media_->close();
    media_.reset();
    frames_->close();
    dave_->close();
    lost_.set();
}

void VoiceSession::drain() {
    if (!was_connected_ || !media_) return;
    const Self held = shared_from_this();
    media_->drain();
    frames_->drain();
}

void VoiceSession::connect_up(bool resumed) {
    connected_ = true;
    was_connected_ = true;
    resuming_ = false;
    connected_at_ = BootClock::now();
    no_deadline();
    if (!resumed && setting_.options.greet) {
        start_greeting();
    } else if (speaking_) {
        send_speaking(true);
    }
    emit(Connected{generation_, channel_, media_->ssrc(), *mode_, resumed});
}

void VoiceSession::emit(const VoiceEvent& event) {
    if (!abandoned_) setting_.listener.on_event(event);
}

net::Task<> VoiceSession::beat(Self self, LinkPtr link, nanoseconds interval) {
    while (self->link_ == link) {
        if (link->unanswered == kMostUnanswered) {
            self->lose({0, "three heartbeats without an answer"});
            co_return;
        }
        ++link->unanswered;
        self->send_heartbeat(*link);
        co_await link->gone.wait_for(interval);
    }
}

void VoiceSession::send_heartbeat(Link& link) {
    link.socket->send(voice::heartbeat(unix_now().time_since_epoch().count(), seq_ack_));
}

// ---- what the server says

void VoiceSession::take(const voice::Message& message) {
    if (message.seq) seq_ack_ = *message.seq;  // the last one seen; the order is the server's business
    std::visit([this](const auto& body) { on(body); }, message.body);
}

void VoiceSession::on(voice::Other other) {
    if (other == voice::Other::unknown) ++setting_.counts.unknown_messages;
    if (other == voice::Other::malformed) ++setting_.counts.malformed_messages;
}

void VoiceSession::on(const voice::Hello& hello) {
    if (std::exchange(link_->beating, true)) return;
    net::spawn(setting_.loop, beat(shared_from_this(), link_, hello.heartbeat_interval));
}

void VoiceSession::on(const voice::Ready& ready) {
    if (media_) return on(voice::Other::malformed);  // a session has one
    const auto& wanted = setting_.options.modes;
    const auto mode = std::find_if(wanted.begin(), wanted.end(), [&](TransportMode m) {
        return std::find(ready.modes.begin(), ready.modes.end(), m) != ready.modes.end();
    });
    if (mode == wanted.end()) return lose({0, "the voice server offers no encryption that we speak"});
    auto media = VoiceMedia::open(setting_.loop, ready.server, ready.ssrc, setting_.options, *frames_, setting_.counts);
    if (!media) return lose({0, media.error().message});
    media_ = *media;
    mode_ = *mode;
    no_deadline();  // discovery keeps its own time
    net::spawn(setting_.loop, find_address(shared_from_this(), media_, *mode));
}

net::Task<> VoiceSession::find_address(Self self, std::shared_ptr<VoiceMedia> media, TransportMode mode) {
    const UdpAddress ours = co_await VoiceMedia::discover(media);
    if (self->media_ != media || !self->link_) co_return;
    self->link_->socket->send(voice::select_protocol(ours, mode));
    self->deadline(self->setting_.options.timing.open, "no key from the voice server in time");
}

void VoiceSession::on(const voice::SessionDescription& description) {
    if (!media_) return on(voice::Other::malformed);
    media_->use_key(description.mode, description.key);
    mode_ = description.mode;
    const bool first = !was_connected_;  // what changes later, ops 21 and 24 say
    if (first) dave_->prepare(description.dave_version);
    if (!connected_ && !resuming_) connect_up(false);
    // The listener may have ended it, each time that it is called.
    if (first && !abandoned_) dave_->on_session_description(description.dave_version);
    if (!abandoned_) media_->take_early();
}

void VoiceSession::on(const voice::Resumed&) {
    if (!resuming_) return;
    dave_->on_resumed();
    connect_up(true);
}

void VoiceSession::on(const voice::Speaking& speaking) {
    if (speaking.user == who_.user) return;
    frames_->announce(speaking.ssrc, speaking.user);
    if (abandoned_) return;
    const BootTime now = BootClock::now();
    // At first the server names everybody who ever spoke: that is no promise of packets.
    const bool means_packets = speaking.speaking && connected_ && !deafened_ && !setting_.options.self_deaf &&
                               now - connected_at_ > setting_.options.timing.deaf;
    if (means_packets && !std::exchange(watching_, true)) {
        net::spawn(setting_.loop, watch(shared_from_this(), link_, now));
    }
}

void VoiceSession::on(const voice::HeartbeatRequest&) {
    send_heartbeat(*link_);
}

void VoiceSession::on(const voice::HeartbeatAck&) {
    link_->unanswered = 0;
}

void VoiceSession::on(const voice::ClientsConnect& clients) {
    dave_->on_users(clients.users);
    for (const UserId user : clients.users) {
        if (abandoned_ || present_.size() >= kMostPresent) return;
        if (user != who_.user && present_.insert(user).second) emit(UserConnected{user});
    }
}

void VoiceSession::on(const voice::ClientDisconnect& client) {
    present_.erase(client.user);
    frames_->forget(client.user);
    dave_->on_user_left(client.user);
    emit(UserDisconnected{client.user});
}

void VoiceSession::on(const voice::Dave& message) {
    dave_->take(message);
}

// ---- speaking

void VoiceSession::set_speaking(bool speaking) {
    speaking_ = speaking;
    if (greeting_ && !speaking) return;  // the greeting's end says so
    greeting_ = false;
    if (connected_) send_speaking(speaking);
}

void VoiceSession::send_speaking(bool speaking) {
    link_->socket->send(voice::speaking(speaking, media_->ssrc()));
}

bool VoiceSession::send(std::uint32_t timestamp, std::span<const std::uint8_t> opus) {
    greeting_ = false;
    if (!was_connected_ || !media_) return false;
    const auto frame = dave_->seal(opus);
    return frame && media_->send(timestamp, *frame);
}

void VoiceSession::start_greeting() {
    if (std::exchange(greeting_, true)) return;
    send_speaking(true);
    net::spawn(setting_.loop, greet(shared_from_this(), link_));
}

/// Some servers sent nothing to who had never sent (discord-voice.md section 5). The pauses let op 5 arrive first: a
/// packet of an SSRC that did not announce itself is a reason to close.
net::Task<> VoiceSession::greet(Self self, LinkPtr link) {
    for (std::uint32_t i = 0; i < kGreetingFrames; ++i) {
        co_await link->gone.wait_for(kFrame);
        if (self->link_ != link) break;
        if (!self->greeting_) co_return;  // who speaks itself has sent
        self->media_->send(i * kFrameTicks, kSilence);
    }
    self->greeting_ = false;
    if (self->link_ == link && !self->speaking_) self->send_speaking(false);
}

/// Somebody said at `since` that it speaks.
net::Task<> VoiceSession::watch(Self self, LinkPtr link, BootTime since) {
    const nanoseconds patience = self->setting_.options.timing.deaf;
    co_await link->gone.wait_for(patience);
    self->watching_ = false;
    if (self->link_ != link || self->deafened_) co_return;
    int& steps = self->setting_.deaf_steps;
    if (self->media_->last_voice() > since - patience) {
        steps = 0;
        co_return;
    }
    constexpr int kSteps = 3;
    if (steps == kSteps) co_return;
    ++self->setting_.counts.deaf_steps;
    log().warn("voice: somebody speaks and nothing comes, step {} of {}", steps + 1, kSteps);
    switch (++steps) {
        case 1:
            if (self->setting_.options.greet) self->start_greeting();
            break;
        case 2:
            self->lose({0, "somebody speaks and nothing comes", true});
            break;
        default:
            self->lose({0, "somebody speaks and nothing comes", false});
    }
}

}  // namespace lestapenna::discord
