// What end-to-end encryption costs: a media frame each way (160 bytes, a 20 ms Opus packet of 64 kbit/s), what of that
// is AES-GCM alone, and what a Session takes for a change of members in a call of 5, 25 and 100.
#include <array>
#include <vector>

#include <benchmark/benchmark.h>

#include "dave/gcm.h"
#include "dave/receiver.h"
#include "dave/rules.h"
#include "dave/sender.h"
#include "dave/session.h"
#include "mls/framing.h"

namespace lestapenna::dave {
namespace {

constexpr std::size_t kOpusBytes = 160;
constexpr UserId kAnna{1001};
constexpr BootTime kNow{seconds(1'000)};
constexpr ChannelId kChannel{77};

mls::Secret secret() {
    return mls::random_secret(16);
}

// ---- media

void seal_frame(benchmark::State& state) {
    Sender sender({kAnna, secret()});
    const mls::Bytes opus(kOpusBytes, 3);
    mls::Bytes out;
    out.reserve(2 * kOpusBytes);
    for (auto _ : state) {
        out.clear();
        sender.seal(opus, out);
        benchmark::DoNotOptimize(out.data());
    }
}
BENCHMARK(seal_frame);

/// Of a sender among `range` whose keys are here; frames were sealed before.
void open_frame(benchmark::State& state) {
    constexpr std::size_t kFrames = 4'096;
    std::vector<BaseSecret> keys;
    for (std::int64_t i = 0; i < state.range(0); ++i) {
        keys.push_back({UserId{kAnna.value + static_cast<std::uint64_t>(i)}, secret()});
    }
    Sender sender(keys.front());
    std::vector<mls::Bytes> frames(kFrames);
    for (mls::Bytes& frame : frames) sender.seal(mls::Bytes(kOpusBytes, 3), frame);
    Receiver receiver;
    std::size_t at = kFrames;
    for (auto _ : state) {
        if (at == kFrames) {  // all were opened: a receiver that has not seen them
            state.PauseTiming();
            receiver = Receiver();
            receiver.begin_epoch(keys, kNow);
            at = 0;
            state.ResumeTiming();
        }
        const Opened opened = receiver.open(kAnna, frames[at++], kNow);
        if (opened.what != Opening::opened) state.SkipWithError("does not open");
    }
}
BENCHMARK(open_frame)->Arg(5)->Arg(100);

void aes_gcm_alone(benchmark::State& state) {
    const mls::Secret key = secret();
    Gcm seal(key, Gcm::Use::seal);
    Gcm open(key, Gcm::Use::open);
    const mls::Bytes opus(kOpusBytes, 3);
    mls::Bytes media(kOpusBytes);
    std::array<std::uint8_t, kTagBytes> tag{};
    seal.seal(1, opus, media.data(), tag);
    mls::Bytes text(kOpusBytes);
    for (auto _ : state) benchmark::DoNotOptimize(open.open({.media = media, .tag = tag, .nonce = 1}, text.data()));
}
BENCHMARK(aes_gcm_alone);

/// A frame of the epoch before: the newer key is tried first.
void open_frame_of_the_epoch_before(benchmark::State& state) {
    const BaseSecret old{kAnna, secret()};
    mls::Bytes frame;
    Sender(old).seal(mls::Bytes(kOpusBytes, 3), frame);
    Receiver receiver;
    receiver.begin_epoch({old}, kNow);
    receiver.begin_epoch({{kAnna, secret()}}, kNow);
    for (auto _ : state) benchmark::DoNotOptimize(receiver.open(kAnna, frame, kNow).what);  // a replay, mostly
}
BENCHMARK(open_frame_of_the_epoch_before);

// ---- a call of `range` members, one of whom is replaced by another

class Gateway {
  public:
    [[nodiscard]] mls::Bytes op25() const { return mls::encode(mls::ExternalSender{key_.public_key, {}}); }
    [[nodiscard]] mls::Bytes append(std::uint64_t epoch, const std::vector<mls::Proposal>& proposals) const {
        mls::Writer writer;
        writer.u8(0);
        writer.vec_of([&](mls::Writer& inner) {
            for (const mls::Proposal& proposal : proposals) {
                mls::PublicMessage message;
                message.content = {.group_id = group_id_of(kChannel),
                                   .epoch = epoch,
                                   .sender = {mls::SenderType::external, 0},
                                   .authenticated_data = {},
                                   .content = proposal};
                message.signature = mls::sign(message.content, {}, key_);
                inner.raw(mls::encode(mls::Message(std::move(message))));
            }
        });
        return mls::to_bytes(writer.bytes());
    }

  private:
    mls::KeyPair key_ = mls::KeyPair::generate();
};

struct Offer {
    mls::Bytes commit, welcome;
};
Offer offer_in(const Actions& actions) {
    for (const auto& action : actions) {
        const auto* sent = std::get_if<SendCommit>(&action);
        if (sent == nullptr) continue;
        mls::View rest = sent->commit_welcome;
        (void)mls::decode_front<mls::Message>(rest);
        const auto commit = mls::View(sent->commit_welcome).first(sent->commit_welcome.size() - rest.size());
        return {mls::to_bytes(commit), mls::to_bytes(rest)};
    }
    std::abort();
}

class Call {
  public:
    explicit Call(std::int64_t members) {
        std::vector<mls::Proposal> adds;
        for (std::int64_t i = 0; i <= members; ++i) users_.push_back(UserId{1'000 + static_cast<std::uint64_t>(i)});
        for (const UserId user : users_) sessions_.push_back(member(user));
        for (std::size_t i = 1; i + 1 < users_.size(); ++i) adds.push_back(add(i));
        const Offer first = offer_in(sessions_[0].on_proposals(gateway_.append(0, adds)));
        sessions_[0].on_commit(0, first.commit);
        sessions_[1].on_welcome(0, first.welcome);
        // The last one comes, and number 2 leaves: what every other member has to do then.
        proposals_ = gateway_.append(1, {mls::Remove{{2}}, add(users_.size() - 1)});
        other_ = sessions_[1];
        offer_ = offer_in(other_.on_proposals(proposals_));
    }

    [[nodiscard]] const Session& us() const { return sessions_[0]; }
    [[nodiscard]] const Session& newcomer() const { return sessions_.back(); }
    [[nodiscard]] const mls::Bytes& proposals() const { return proposals_; }
    [[nodiscard]] const Offer& offer() const { return offer_; }

  private:
    Session member(UserId user) {
        Session session(user, kChannel, mls::KeyPair::generate(), [this](const mls::KeyPair& identity, UserId self) {
            auto own = Session::fresh_key_package(identity, self);
            packages_.push_back(own.package);
            return own;
        });
        session.on_users(users_);
        session.on_session_description(1);
        session.on_external_sender(gateway_.op25());
        return session;
    }
    [[nodiscard]] mls::Proposal add(std::size_t i) const { return mls::Add{packages_.at(i)}; }

    Gateway gateway_;
    std::vector<UserId> users_;
    std::vector<mls::KeyPackage> packages_;
    std::vector<Session> sessions_;
    Session other_{kAnna, kChannel, mls::KeyPair::generate()};
    mls::Bytes proposals_;
    Offer offer_;
};

/// Op 27: two proposals checked, and a commit with path and welcome made of them.
void session_commits(benchmark::State& state) {
    const Call call(state.range(0));
    for (auto _ : state) {
        state.PauseTiming();
        Session us = call.us();
        state.ResumeTiming();
        benchmark::DoNotOptimize(us.on_proposals(call.proposals()));
    }
}
/// Op 29 of somebody else's.
void session_follows(benchmark::State& state) {
    const Call call(state.range(0));
    Session ready = call.us();
    ready.on_proposals(call.proposals());
    for (auto _ : state) {
        state.PauseTiming();
        Session us = ready;
        state.ResumeTiming();
        benchmark::DoNotOptimize(us.on_commit(1, call.offer().commit));
        if (us.call().epoch != 2) state.SkipWithError("not followed");
    }
}
/// Op 30.
void session_joins(benchmark::State& state) {
    const Call call(state.range(0));
    for (auto _ : state) {
        state.PauseTiming();
        Session newcomer = call.newcomer();
        state.ResumeTiming();
        benchmark::DoNotOptimize(newcomer.on_welcome(1, call.offer().welcome));
        if (newcomer.call().epoch != 2) state.SkipWithError("not joined");
    }
}
BENCHMARK(session_commits)->Arg(5)->Arg(25)->Arg(100)->Unit(benchmark::kMillisecond);
BENCHMARK(session_follows)->Arg(5)->Arg(25)->Arg(100)->Unit(benchmark::kMillisecond);
BENCHMARK(session_joins)->Arg(5)->Arg(25)->Arg(100)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace lestapenna::dave
