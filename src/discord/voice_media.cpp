#include "discord/voice_media.h"

#include <algorithm>
#include <random>
#include <utility>

#include <openssl/crypto.h>

#include "base/log.h"
#include "discord/voice_messages.h"

namespace lestapenna::discord {
namespace {

constexpr int kDiscoveryTries = 5;
constexpr std::size_t kMostEarly = 256;  ///< a second of five people; a key later than that is a lost cause

}  // namespace

Result<std::shared_ptr<VoiceMedia>> VoiceMedia::open(net::Loop& loop, const UdpAddress& server, std::uint32_t ssrc,
                                                     const VoiceOptions& options, Listener& listener,
                                                     VoiceCounts& counts) {
    auto socket = UdpSocket::connect(loop, server, options.receive_buffer_bytes);
    if (!socket) return socket.error();
    // The constructor is private, which make_shared does not see through.
    std::shared_ptr<VoiceMedia> media(new VoiceMedia(loop, std::move(*socket), ssrc, options.timing, listener, counts));
    // The socket is the media's own and calls nobody once it is gone: no need to keep the media alive from here.
    media->socket_->read_loop([self = media.get()](const Received& received) { self->take(received); },
                              [self = media.get()](std::uint32_t dropped) {
                                  self->counts_->kernel_drops += dropped;
                                  self->listener_->on_event(KernelDropped{dropped, BootClock::now()});
                              });
    return media;
}

VoiceMedia::VoiceMedia(net::Loop& loop, UdpSocket socket, std::uint32_t ssrc, const VoiceTiming& timing,
                       Listener& listener, VoiceCounts& counts)
    : loop_(loop),
      socket_(std::move(socket)),
      ssrc_(ssrc),
      discovery_(timing.discovery),
      keep_alive_(timing.keep_alive),
      listener_(&listener),
      counts_(&counts),
      discovered_(loop),
      closed_(loop),
      next_seq_(static_cast<std::uint16_t>(std::random_device{}())) {  // RFC 3550 section 5.1: random
    outgoing_.reserve(kMaxDatagramBytes);
}

VoiceMedia::~VoiceMedia() {
    OPENSSL_cleanse(key_.data(), key_.size());
}

void VoiceMedia::drain() {
    const auto held = shared_from_this();
    if (socket_) socket_->drain();
}

void VoiceMedia::close() {
    counts_->datagrams.by_kind[static_cast<std::size_t>(Datagram::forged)] += std::exchange(early_, {}).size();
    socket_.reset();
    discovered_.set();
    closed_.set();
}

net::Task<UdpAddress> VoiceMedia::discover(std::shared_ptr<VoiceMedia> self) {
    const auto request = voice::discovery_request(self->ssrc_);
    for (int tries = 0; tries < kDiscoveryTries && self->socket_ && !self->ours_; ++tries) {
        static_cast<void>(self->socket_->send(request));  // lost here or on the way: the next try is the answer
        co_await self->discovered_.wait_for(self->discovery_);
    }
    if (!self->socket_) co_return UdpAddress{};
    net::spawn(self->loop_, keep_open(self));
    if (self->ours_) co_return *self->ours_;
    log().warn("voice: no answer to IP discovery; the socket's own address is used");
    co_return self->socket_->local();
}

/// 8 bytes at once and every 5 s, so that the mapping of a NAT on the way survives (discord-voice.md section 5).
net::Task<> VoiceMedia::keep_open(std::shared_ptr<VoiceMedia> self) {
    for (std::uint32_t count = 0; self->socket_; ++count) {
        const std::array<std::uint8_t, 8> ping{static_cast<std::uint8_t>(count), static_cast<std::uint8_t>(count >> 8),
                                               static_cast<std::uint8_t>(count >> 16),
                                               static_cast<std::uint8_t>(count >> 24)};
        static_cast<void>(self->socket_->send(ping));
        co_await self->closed_.wait_for(self->keep_alive_);
    }
}

void VoiceMedia::use_key(TransportMode mode, std::span<const std::uint8_t, kTransportKeyBytes> key) {
    if (transport_ && transport_->mode() == mode && std::equal(key.begin(), key.end(), key_.begin())) return;
    std::copy(key.begin(), key.end(), key_.begin());
    transport_.emplace(mode, key);
}

void VoiceMedia::take_early() {
    if (!transport_) return;
    const auto held = shared_from_this();  // the listener may let go of us
    for (Early& early : std::exchange(early_, {})) {
        if (!socket_) return;
        hear(open_datagram(early.bytes, &*transport_), early.arrival);
    }
}

void VoiceMedia::take(const Received& received) {
    if (!received.stamp_trusted) ++counts_->untrusted_stamps;
    const OpenedDatagram opened = open_datagram(received.bytes, transport_ ? &*transport_ : nullptr);
    if (!transport_ && opened.kind == Datagram::forged && early_.size() < kMostEarly) {
        early_.push_back({{received.bytes.begin(), received.bytes.end()}, received.arrival});
        return;
    }
    if (opened.kind == Datagram::discovery && !ours_) {
        ours_ = voice::parse_discovery(received.bytes);
        if (ours_) discovered_.set();
    }
    hear(opened, received.arrival);  // last: the listener may close us
}

void VoiceMedia::hear(const OpenedDatagram& opened, BootTime arrival) {
    ++counts_->datagrams.by_kind[static_cast<std::size_t>(opened.kind)];
    if (opened.kind != Datagram::voice) return;
    last_voice_ = arrival;
    listener_->on_packet({opened.header, arrival, opened.payload});
}

bool VoiceMedia::send(std::uint32_t timestamp, std::span<const std::uint8_t> opus) {
    if (!socket_ || !transport_) return false;
    const rtp::Header header{.marker = false,
                             .payload_type = rtp::kOpusPayloadType,
                             .seq = next_seq_,
                             .timestamp = timestamp,
                             .ssrc = ssrc_};
    outgoing_.clear();
    rtp::write(header, {}, outgoing_);
    if (!transport_->seal(opus, outgoing_) || !socket_->send(outgoing_)) {
        ++counts_->send_failed;
        return false;
    }
    ++next_seq_;
    ++counts_->sent;
    return true;
}

}  // namespace lestapenna::discord
