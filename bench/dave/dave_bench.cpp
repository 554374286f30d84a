// What end-to-end encryption costs: a media frame each way (160 bytes, a 20 ms Opus packet of 64 kbit/s), what of that
// is AES-GCM alone, and what a Session takes for a change of members in a call of 5, 25 and 100.
#include <array>
#include <vector>

#include <benchmark/benchmark.h>

#include "dave/gcm.h"
#include "dave/receiver.h"
#include "dave/sender.h"
#include "dave/session.h"
#include "service.h"

namespace lestapenna::dave {
namespace {

constexpr std::size_t kOpusBytes = 160;
constexpr UserId kAnna{1001};
constexpr BootTime kNow{seconds(1'000)};

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
        const Opened opened = receiver.open(kAnna, 1, frames[at++], kNow);
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
    for (auto _ : state) benchmark::DoNotOptimize(receiver.open(kAnna, 1, frame, kNow).what);  // a replay, mostly
}
BENCHMARK(open_frame_of_the_epoch_before);

// ---- a call of `range` members, one of whom is replaced by another

class Call {
  public:
    explicit Call(std::int64_t members) {
        std::vector<mls::Bytes> adds;
        for (std::int64_t i = 0; i <= members; ++i) users_.push_back(UserId{1'000 + static_cast<std::uint64_t>(i)});
        for (const UserId user : users_) sessions_.push_back(member(user));
        for (std::size_t i = 1; i + 1 < users_.size(); ++i) adds.push_back(add(0, i));
        const auto first = test::offer_in(sessions_[0].on_proposals(test::append(adds))).value();
        sessions_[0].on_commit(0, first.commit);
        sessions_[1].on_welcome(0, first.welcome);
        // The last one comes, and number 2 leaves: what every other member has to do then.
        proposals_ = test::append({gateway_.remove(1, 2), add(1, users_.size() - 1)});
        Session other = sessions_[1];
        offer_ = test::offer_in(other.on_proposals(proposals_)).value();
    }

    [[nodiscard]] const Session& us() const { return sessions_[0]; }
    [[nodiscard]] const Session& newcomer() const { return sessions_.back(); }
    [[nodiscard]] const mls::Bytes& proposals() const { return proposals_; }
    [[nodiscard]] const test::Offer& offer() const { return offer_; }

  private:
    Session member(UserId user) {
        Session session(user, test::kChannel, mls::KeyPair::generate());
        session.on_users(users_);
        const Actions actions = session.on_session_description(1);
        packages_.push_back(test::find<SendKeyPackage>(actions)->package);
        session.on_external_sender(gateway_.op25());
        return session;
    }
    [[nodiscard]] mls::Bytes add(std::uint64_t epoch, std::size_t i) const {
        return gateway_.add(epoch, packages_.at(i));
    }

    test::ExternalSender gateway_;
    std::vector<UserId> users_;
    std::vector<mls::Bytes> packages_;
    std::vector<Session> sessions_;
    mls::Bytes proposals_;
    test::Offer offer_;
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
