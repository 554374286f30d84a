#include "call.h"

#include <algorithm>

#include <boost/asio/post.hpp>

namespace lestapenna::test {

namespace {

constexpr std::uint8_t kToc = 0x78;

/// Whose it is and which one, in what looks like Opus.
std::vector<std::uint8_t> frame_of(UserId user, std::size_t number) {
    std::vector<std::uint8_t> frame{kToc};
    for (int i = 0; i < 8; ++i) frame.push_back(static_cast<std::uint8_t>(user.value >> (8 * i)));
    for (int i = 0; i < 8; ++i) frame.push_back(static_cast<std::uint8_t>(number >> (8 * i)));
    return frame;
}
std::optional<std::pair<UserId, std::size_t>> read_frame(std::span<const std::uint8_t> frame) {
    if (frame.size() != 17 || frame[0] != kToc) return std::nullopt;
    std::pair<UserId, std::size_t> read;
    for (std::size_t i = 0; i < 8; ++i) read.first.value |= std::uint64_t{frame[1 + i]} << (8 * i);
    for (std::size_t i = 0; i < 8; ++i) read.second |= std::size_t{frame[9 + i]} << (8 * i);
    return read;
}

}  // namespace

Participant::Participant(Call& call, UserId user, discord::VoiceOptions options) : call_(call), user_(user) {
    voice_ = std::make_unique<discord::Voice>(call.loop, kCallGuild, user, std::move(options), *this,
                                              [this](std::optional<ChannelId> to) { ask(to); });
}

/// The main gateway, as far as it matters.
void Participant::ask(std::optional<ChannelId> to) {
    boost::asio::post(call_.loop, [this, to] {
        if (!to) {
            if (call_.server) call_.server->dismiss(kCallGuild, user_, 0);
            return;
        }
        // A resume names no user: who it is, the server knows by these.
        const std::string session = "session-" + user_.text();
        const std::string token = "token-" + user_.text() + "-" + std::to_string(++tickets_);
        call_.server->admit(
            {.guild = kCallGuild, .channel = *to, .user = user_, .session_id = session, .token = token});
        discord::VoiceState state;
        state.guild = kCallGuild;
        state.user = user_;
        state.channel = to;
        state.session_id = session;
        voice_->on_voice_state(state);
        voice_->on_voice_server({kCallGuild, token, call_.server->endpoint()});
    });
}

bool Participant::say() {
    if (!voice_->may_speak()) return false;
    voice_->set_speaking(true);
    if (!voice_->send(timestamp_ += 960, frame_of(user_, sent_))) return false;
    ++sent_;
    return true;
}

void Participant::on_packet(const discord::VoicePacket& packet) noexcept {
    if (packet.closed) {
        ++closed_packets;
        return;
    }
    const auto frame = read_frame(packet.payload);
    if (!frame) return;
    const auto owner = bound_.find(packet.header.ssrc);
    if (owner == bound_.end()) {
        early_[packet.header.ssrc].emplace_back(packet.payload.begin(), packet.payload.end());
        return;
    }
    EXPECT_EQ(owner->second, frame->first) << "recorded under somebody else's name";
    EXPECT_TRUE(heard_[frame->first].insert(frame->second).second) << "heard twice";
}

void Participant::on_event(const discord::VoiceEvent& event) noexcept {
    if (const auto* connected = std::get_if<discord::Connected>(&event)) {
        ++connections_;
        ssrc_ = connected->own_ssrc;
    }
    if (const auto* now = std::get_if<discord::Encryption>(&event)) encryption_ = *now;
    if (const auto* failed = std::get_if<discord::CannotOpen>(&event)) cannot_open.push_back(*failed);
    if (const auto* binding = std::get_if<discord::SsrcBound>(&event)) {
        bound_[binding->ssrc] = binding->user;
        bound.insert(binding->user);
        for (const auto& payload : early_[binding->ssrc]) {
            const auto frame = read_frame(payload);
            EXPECT_EQ(frame->first, binding->user);
            heard_[frame->first].insert(frame->second);
        }
        early_.erase(binding->ssrc);
    }
}

std::size_t Participant::heard_of(const Participant& other, std::size_t from) const {
    const auto found = heard_.find(other.user_);
    if (found == heard_.end()) return 0;
    return static_cast<std::size_t>(std::distance(found->second.lower_bound(from), found->second.end()));
}

// ---- the call

Call::Call() : certificate_(net::make_self_signed({"127.0.0.1"}).value()) {
    sandbox::VoiceServerOptions options;
    options.modes = {discord::TransportMode::aes256_gcm};
    server = sandbox::VoiceServer::start(loop, certificate_, options).value();
    net::spawn(loop, talk(this, alive_));
}

Call::~Call() {
    *alive_ = false;
    people_.clear();
    server.reset();
    loop.restart();
    loop.poll();
}

Participant& Call::add(int number, int dave_version) {
    discord::VoiceOptions options;
    options.trust.extra_ca_pem = certificate_.certificate_pem;
    options.greet = false;
    options.dave_version = dave_version;
    const UserId user{100'000'000'000'000'000U + static_cast<std::uint64_t>(number)};
    people_.push_back(std::make_unique<Participant>(*this, user, std::move(options)));
    return *people_.back();
}

sandbox::Delivery& Call::delivery(ChannelId channel) {
    return *server->delivery(kCallGuild, channel);
}

net::Task<> Call::talk(Call* call, std::shared_ptr<bool> alive) {
    while (*alive) {
        for (const auto& person : call->people_) {
            if (person->talks) person->say();
        }
        co_await net::sleep_for(milliseconds(20));
    }
}

testing::AssertionResult Call::until(const std::function<bool()>& done, seconds patience) {
    const BootTime deadline = BootClock::now() + patience;
    while (!done()) {
        if (BootClock::now() > deadline)
            return testing::AssertionFailure() << "not within " << patience.count() << " s";
        loop.restart();
        loop.run_one_for(milliseconds(20));
    }
    return testing::AssertionSuccess();
}

void Call::pass(nanoseconds time) {
    const BootTime deadline = BootClock::now() + time;
    while (BootClock::now() < deadline) {
        loop.restart();
        loop.run_one_for(milliseconds(5));
    }
}

bool Call::in_one_group(const std::vector<Participant*>& all, ChannelId channel) {
    sandbox::Delivery* const group = server->delivery(kCallGuild, channel);
    if (group == nullptr || !group->settled()) return false;
    return std::ranges::all_of(all, [&](Participant* one) {
        const discord::Encryption& theirs = one->encryption();
        return one->voice().may_speak() && server->hears(kCallGuild, one->user()) && group->in_group(one->user()) &&
               theirs.encrypted && theirs.epoch == all[0]->encryption().epoch &&
               theirs.privacy_code == all[0]->encryption().privacy_code;
    });
}

/// What it counts as unknown comes behind all else.
testing::AssertionResult Call::read_all(const std::vector<Participant*>& all) {
    for (Participant* const one : all) {
        const std::uint64_t before = one->counts().unknown_messages;
        server->send_raw(kCallGuild, one->user(), R"({"op":99,"d":null})", false);
        if (const auto read = until([&] { return one->counts().unknown_messages > before; }); !read) return read;
    }
    return testing::AssertionSuccess();
}

testing::AssertionResult Call::together(const std::vector<Participant*>& all, ChannelId channel) {
    do {
        if (const auto met = until([&] { return in_one_group(all, channel); }); !met) return met;
        if (const auto read = read_all(all); !read) return read;
    } while (!in_one_group(all, channel));
    return testing::AssertionSuccess();
}

testing::AssertionResult Call::meet(const std::vector<Participant*>& all) {
    for (Participant* const one : all) one->join(kTavern);
    return together(all);
}

testing::AssertionResult Call::heard_all(const Participant& listener, const Participant& speaker, std::size_t from) {
    const auto heard = until([&] { return listener.heard_of(speaker, from) == speaker.sent() - from; });
    if (heard) return heard;
    return testing::AssertionFailure() << listener.heard_of(speaker, from) << " of " << speaker.sent() - from
                                       << " heard, " << server->forwarded(listener.user())[speaker.ssrc()].sent
                                       << " of all " << speaker.sent() << " forwarded";
}

testing::AssertionResult Call::all_hear_each_other(const std::vector<Participant*>& all) {
    constexpr std::size_t kFrames = 10;
    std::map<std::pair<Participant*, Participant*>, std::size_t> goals;
    for (Participant* const listener : all) {
        for (Participant* const speaker : all) {
            if (listener != speaker) goals[{listener, speaker}] = listener->heard_of(*speaker) + kFrames;
        }
    }
    const auto reached = [](const auto& goal) {
        const auto [listener, speaker] = goal.first;
        return listener->heard_of(*speaker) >= goal.second;
    };
    return until([&] {
        for (Participant* const one : all) one->say();
        pass(milliseconds(5));
        return std::ranges::all_of(goals, reached);
    });
}

}  // namespace lestapenna::test
