#include "dave/receiver.h"

#include <random>
#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "../discord/allocations.h"
#include "../mls/vectors.h"
#include "dave/replay.h"
#include "dave/sender.h"
#include "frames.h"

namespace lestapenna::dave {
namespace {

using test::sealed;
using test::secret_of;
using test::unhex;
using testing::ElementsAreArray;

constexpr UserId kAnna{1090123456789012345};
constexpr UserId kBea{204255221017214977};
constexpr std::uint32_t kSsrc{1};
constexpr BootTime kStart{seconds(1'000)};
const mls::Bytes kOpus{0x78, 1, 2, 3, 4, 5};

std::vector<BaseSecret> keys(std::initializer_list<std::pair<UserId, std::uint8_t>> of) {
    std::vector<BaseSecret> keys;
    keys.reserve(of.size());
    for (const auto& [user, n] : of) keys.push_back({user, secret_of(n)});
    return keys;
}

Receiver hearing(std::initializer_list<std::pair<UserId, std::uint8_t>> of, BootTime now = kStart) {
    Receiver receiver;
    receiver.begin_epoch(keys(of), now);
    return receiver;
}

mls::Bytes frame(std::uint8_t secret, std::uint64_t count) {
    return sealed(secret_of(secret), count, kOpus);
}

TEST(Receiver, OpensTheFramesOfTheVectors) {
    int opened = 0;
    const auto vectors = test::dave_vectors();
    Receiver receiver;
    BootTime now = kStart;
    for (const auto& step : vectors.at("steps")) {
        std::vector<BaseSecret> epoch;
        for (const auto& [user, sender] : step.at("after").at("senders").items()) {
            const mls::Bytes base = unhex(sender.at("base_secret"));
            epoch.push_back({UserId::parse(user).value(), {base.begin(), base.end()}});
        }
        receiver.begin_epoch(std::move(epoch), now += seconds(1));
        for (const auto& [user, sender] : step.at("after").at("senders").items()) {
            for (const auto& f : sender.at("frames")) {
                const UserId from = UserId::parse(user).value();
                const mls::Bytes bytes = unhex(f.at("frame"));
                EXPECT_EQ(receiver.whose_key_opens(bytes, now), from);
                const Opened result = receiver.open(from, kSsrc, bytes, now);
                EXPECT_EQ(result.what, Opening::opened);
                EXPECT_THAT(result.payload, ElementsAreArray(unhex(f.at("plaintext"))));
                ++opened;
            }
        }
    }
    EXPECT_EQ(opened, 18);
}

TEST(Receiver, OpensWhatASenderSeals) {
    Receiver receiver = hearing({{kAnna, 1}});
    Sender sender({kAnna, secret_of(1)});
    for (std::uint32_t n = 1; n <= 200; ++n) {
        std::vector<std::uint8_t> datagram{9, 9};
        sender.seal(kOpus, datagram);
        const auto bytes = std::span(datagram).subspan(2);
        EXPECT_EQ(parse_frame(bytes).value().nonce, n);
        const Opened opened = receiver.open(kAnna, kSsrc, bytes, kStart);
        EXPECT_EQ(opened.what, Opening::opened);
        EXPECT_THAT(opened.payload, ElementsAreArray(kOpus));
    }
}

TEST(Receiver, SilenceIsSealedByNobodyAndTakenFromAnybody) {
    const mls::Bytes silence{0xF8, 0xFF, 0xFE};
    Sender sender({kAnna, secret_of(1)});
    std::vector<std::uint8_t> out;
    sender.seal(silence, out);
    EXPECT_EQ(out, silence);
    out.clear();
    sender.seal(kOpus, out);
    EXPECT_EQ(parse_frame(out).value().nonce, 1U) << "silence counts for nothing";

    Receiver receiver = hearing({{kAnna, 1}});
    for (const UserId user : {kAnna, kBea}) {
        const Opened opened = receiver.open(user, kSsrc, silence, kStart);
        EXPECT_EQ(opened.what, Opening::clear);
        EXPECT_THAT(opened.payload, ElementsAreArray(silence));
    }
}

TEST(Receiver, NobodyIsHeardUnderAnothersName) {
    Receiver receiver = hearing({{kAnna, 1}, {kBea, 2}});
    const mls::Bytes of_anna = frame(1, 1);
    EXPECT_EQ(receiver.open(kBea, kSsrc, of_anna, kStart + kOverlap).what, Opening::forged);
    EXPECT_EQ(receiver.whose_key_opens(of_anna, kStart), kAnna);
    EXPECT_EQ(receiver.open(UserId{7}, kSsrc, of_anna, kStart).what, Opening::no_key);
    EXPECT_EQ(receiver.open(kAnna, kSsrc, of_anna, kStart).what, Opening::opened);
    EXPECT_EQ(receiver.whose_key_opens(frame(3, 1), kStart), std::nullopt);
    EXPECT_EQ(receiver.whose_key_opens(kOpus, kStart), std::nullopt);
    EXPECT_TRUE(receiver.knows(kAnna));
    EXPECT_FALSE(receiver.knows(UserId{7}));
}

TEST(Receiver, EveryBitCounts) {
    Receiver receiver = hearing({{kAnna, 1}});
    const mls::Bytes good = frame(1, 5);
    for (std::size_t bit = 0; bit < good.size() * 8; ++bit) {
        mls::Bytes bad = good;
        bad[bit / 8] = static_cast<std::uint8_t>(bad[bit / 8] ^ (1U << (bit % 8)));
        const Opening what = receiver.open(kAnna, kSsrc, bad, kStart + kOverlap).what;
        EXPECT_TRUE(what == Opening::forged || what == Opening::plain) << bit;
    }
    EXPECT_EQ(receiver.open(kAnna, kSsrc, good, kStart).what, Opening::opened) << "none of those has changed anything";
}

TEST(Receiver, OpensEachFrameOnceInAnyOrder) {
    Receiver receiver = hearing({{kAnna, 1}});
    for (const std::uint64_t n : {7U, 3U, 9U, 1U, 8U, 2U}) {
        EXPECT_EQ(receiver.open(kAnna, kSsrc, frame(1, n), kStart).what, Opening::opened) << n;
    }
    for (const std::uint64_t n : {7U, 3U, 9U, 1U, 8U, 2U}) {
        EXPECT_EQ(receiver.open(kAnna, kSsrc, frame(1, n), kStart).what, Opening::replayed) << n;
    }
    EXPECT_EQ(receiver.open(kAnna, kSsrc, frame(1, 4), kStart).what, Opening::opened);
}

// Each member can derive the keys of all others, and send what it sealed with them by an SSRC of its own.
TEST(Receiver, WhatCameByOneSsrcIsNoReplayByAnother) {
    constexpr std::uint32_t kOther{2};
    Receiver receiver = hearing({{kAnna, 1}});
    ASSERT_EQ(receiver.open(kAnna, kSsrc, frame(1, 1), kStart).what, Opening::opened);
    ASSERT_EQ(receiver.open(kAnna, kOther, frame(1, 60'000), kStart).what, Opening::opened);
    EXPECT_EQ(receiver.open(kAnna, kSsrc, frame(1, 2), kStart).what, Opening::opened);
    EXPECT_EQ(receiver.open(kAnna, kOther, frame(1, 2), kStart).what, Opening::replayed);
    EXPECT_EQ(receiver.open(kAnna, kSsrc, frame(1, 1), kStart).what, Opening::replayed);
}

TEST(Receiver, SsrcsThatAreRememberedAreBounded) {
    Receiver receiver = hearing({{kAnna, 1}});
    const mls::Bytes bytes = frame(1, 1);
    for (std::uint32_t ssrc = 1; ssrc <= kMostSsrcs; ++ssrc) {
        EXPECT_EQ(receiver.open(kAnna, ssrc, bytes, kStart).what, Opening::opened) << ssrc;
    }
    for (std::uint32_t ssrc = 1; ssrc <= kMostSsrcs; ++ssrc) {
        EXPECT_EQ(receiver.open(kAnna, ssrc, bytes, kStart).what, Opening::replayed) << ssrc;
    }
    const auto before = test::allocations();
    for (std::uint32_t ssrc = 100; ssrc < 1'100; ++ssrc) {
        EXPECT_EQ(receiver.open(kAnna, ssrc, bytes, kStart).what, Opening::opened) << ssrc;
    }
    EXPECT_EQ(test::allocations(), before);
    EXPECT_EQ(receiver.open(kAnna, 1'099, bytes, kStart).what, Opening::replayed);
    EXPECT_EQ(receiver.open(kAnna, 1, bytes, kStart).what, Opening::opened) << "forgotten, and never refused";
}

TEST(Receiver, WhatIsTooOldToTellIsAReplay) {
    Receiver receiver = hearing({{kAnna, 1}});
    constexpr std::uint64_t kNewest = 10'000;
    ASSERT_EQ(receiver.open(kAnna, kSsrc, frame(1, kNewest), kStart).what, Opening::opened);
    constexpr std::uint64_t kOldest = kNewest - ReplayWindow::kFrames + 1;
    EXPECT_EQ(receiver.open(kAnna, kSsrc, frame(1, kOldest), kStart).what, Opening::opened);
    EXPECT_EQ(receiver.open(kAnna, kSsrc, frame(1, kOldest - 1), kStart).what, Opening::replayed);
    EXPECT_GE(ReplayWindow::kFrames, 1'000U) << "libdave accepts the last thousand that are missing";
}

TEST(ReplayWindow, AgreesWithASet) {
    const std::uint32_t seed = std::random_device{}();
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937_64 random(seed);
    ReplayWindow window;
    std::set<std::uint64_t> taken;
    std::uint64_t newest = 0;
    for (int i = 0; i < 20'000; ++i) {
        const bool jump = random() % 500 == 0;
        const std::uint64_t ahead = jump ? random() % 10'000 : random() % 4;
        const std::uint64_t back = random() % 3 == 0 ? random() % 5'000 : 0;
        const std::uint64_t n = newest + ahead < back ? 0 : newest + ahead - back;
        const bool fresh = !taken.contains(n) && n + ReplayWindow::kFrames > newest;
        ASSERT_EQ(window.fresh(n), fresh) << n << " after " << newest;
        if (!fresh) continue;
        window.take(n);
        taken.insert(n);
        newest = std::max(newest, n);
    }
}

TEST(Receiver, NoncesStartAnewInEachEpoch) {
    Receiver receiver = hearing({{kAnna, 1}});
    ASSERT_EQ(receiver.open(kAnna, kSsrc, frame(1, 9'000), kStart).what, Opening::opened);
    EXPECT_EQ(receiver.open(kAnna, kSsrc, frame(2, 1), kStart + kOverlap).what, Opening::forged)
        << "of an epoch that is not here yet: no replay, although its nonce is old";
    receiver.begin_epoch(keys({{kAnna, 2}}), kStart);
    EXPECT_EQ(receiver.open(kAnna, kSsrc, frame(2, 1), kStart).what, Opening::opened);
    EXPECT_EQ(receiver.open(kAnna, kSsrc, frame(2, 1), kStart).what, Opening::replayed);
    EXPECT_EQ(receiver.open(kAnna, kSsrc, frame(1, 9'000), kStart).what, Opening::replayed);
}

TEST(Receiver, WhatWasSealedBeforeWeWereInTheGroupIsNobodysForgery) {
    Receiver receiver = hearing({{kAnna, 2}});
    const nanoseconds instant{1};
    EXPECT_EQ(receiver.open(kAnna, kSsrc, frame(2, 1), kStart - instant).what, Opening::opened) << "its key came late";
    EXPECT_EQ(receiver.open(kAnna, kSsrc, frame(1, 9'000), kStart - instant).what, Opening::no_key);
    receiver.begin_epoch(keys({{kAnna, 3}}), kStart + seconds(1));
    EXPECT_EQ(receiver.open(kAnna, kSsrc, frame(1, 9'001), kStart + kOverlap - instant).what, Opening::no_key)
        << "senders change when they are told to, not when we are";
    EXPECT_EQ(receiver.open(kAnna, kSsrc, frame(1, 9'002), kStart + kOverlap).what, Opening::forged);

    const BootTime back = kStart + seconds(60);
    receiver.begin_epoch({}, back - seconds(1));
    receiver.begin_epoch(keys({{kAnna, 5}}), back);
    EXPECT_EQ(receiver.open(kAnna, kSsrc, frame(4, 1), back).what, Opening::no_key) << "of while we were out of it";
}

TEST(Receiver, KeysOfTheEpochBeforeStayTenSeconds) {
    Receiver receiver = hearing({{kAnna, 1}, {kBea, 3}});
    const BootTime change = kStart + seconds(60);
    receiver.begin_epoch(keys({{kAnna, 2}}), change);  // and Bea has left
    const nanoseconds instant{1};
    EXPECT_EQ(receiver.open(kAnna, kSsrc, frame(1, 1), change + kOverlap - instant).what, Opening::opened);
    EXPECT_EQ(receiver.open(kBea, kSsrc, frame(3, 1), change + kOverlap - instant).what, Opening::opened);
    EXPECT_EQ(receiver.open(kAnna, kSsrc, frame(1, 2), change + kOverlap).what, Opening::forged);
    EXPECT_EQ(receiver.open(kBea, kSsrc, frame(3, 2), change + kOverlap).what, Opening::no_key);
    EXPECT_EQ(receiver.whose_key_opens(frame(3, 2), change + kOverlap), std::nullopt);
    EXPECT_EQ(receiver.whose_key_opens(frame(3, 2), change), kBea);

    receiver.expire(change + kOverlap - instant);
    EXPECT_TRUE(receiver.knows(kBea));
    receiver.expire(change + kOverlap);
    EXPECT_FALSE(receiver.knows(kBea));
    EXPECT_TRUE(receiver.knows(kAnna));
    EXPECT_EQ(receiver.open(kAnna, kSsrc, frame(2, 1), change + seconds(100'000)).what, Opening::opened);
}

TEST(Receiver, AGroupThatHasEndedIsForgotten) {
    Receiver receiver = hearing({{kAnna, 1}});
    receiver.begin_epoch({}, kStart);
    EXPECT_EQ(receiver.open(kAnna, kSsrc, frame(1, 1), kStart).what, Opening::opened);
    receiver.expire(kStart + kOverlap);
    EXPECT_FALSE(receiver.knows(kAnna));
}

TEST(Receiver, EpochsAreBounded) {
    Receiver receiver;
    for (std::uint8_t n = 0; n < kMostEpochs + 10; ++n) receiver.begin_epoch(keys({{kAnna, n}}), kStart);
    EXPECT_EQ(receiver.open(kAnna, kSsrc, frame(9, 1), kStart).what, Opening::no_key);
    EXPECT_EQ(receiver.open(kAnna, kSsrc, frame(10, 1), kStart).what, Opening::opened);
    EXPECT_EQ(receiver.open(kAnna, kSsrc, frame(kMostEpochs + 9, 1), kStart).what, Opening::opened);
}

// A key serves 2^24 frames: 93 hours, or 27 at the most frames a second that are believed.
TEST(Receiver, ANewGenerationIsNotBelievedBeforeItsTime) {
    constexpr std::uint64_t kFirst = 1ULL << kGenerationShift;
    constexpr seconds kAge{(kFirst + kMostFramesPerSecond - 1) / kMostFramesPerSecond};
    Receiver receiver = hearing({{kAnna, 1}});
    EXPECT_EQ(receiver.open(kAnna, kSsrc, frame(1, kFirst), kStart + kAge - seconds(1)).what, Opening::forged);
    EXPECT_EQ(receiver.open(kAnna, kSsrc, frame(1, kFirst), kStart + kAge).what, Opening::opened);
    EXPECT_EQ(receiver.open(kAnna, kSsrc, frame(1, kFirst), kStart + kAge).what, Opening::replayed);
}

TEST(Receiver, KeysOfTheGenerationBeforeStayTenSeconds) {
    constexpr std::uint64_t kFirst = 1ULL << kGenerationShift;
    Receiver receiver = hearing({{kAnna, 1}});
    const BootTime later = kStart + seconds(200'000);
    ASSERT_EQ(receiver.open(kAnna, kSsrc, frame(1, kFirst + 2), later).what, Opening::opened);
    EXPECT_EQ(receiver.open(kAnna, kSsrc, frame(1, kFirst - 1), later + kOverlap - nanoseconds(1)).what,
              Opening::opened);
    EXPECT_EQ(receiver.open(kAnna, kSsrc, frame(1, kFirst - 2), later + kOverlap).what, Opening::forged);
    receiver.expire(later + kOverlap);
    EXPECT_EQ(receiver.open(kAnna, kSsrc, frame(1, kFirst - 3), later).what, Opening::forged) << "the key is gone";
    EXPECT_EQ(receiver.open(kAnna, kSsrc, frame(1, kFirst + 1), later + kOverlap).what, Opening::opened);
}

TEST(Receiver, GenerationsGoOnBeyondTheirByte) {
    constexpr std::uint64_t kFirst = 1ULL << kGenerationShift;
    Receiver receiver = hearing({{kAnna, 1}});
    BootTime now = kStart + seconds(100'000'000);
    EXPECT_EQ(receiver.open(kAnna, kSsrc, frame(1, 251 * kFirst), now).what, Opening::forged) << "251 ahead";
    for (const std::uint64_t generation : {250U, 255U, 256U, 257U}) {
        EXPECT_EQ(receiver.open(kAnna, kSsrc, frame(1, generation * kFirst + 1), now).what, Opening::opened)
            << generation;
        now += kOverlap;
        receiver.expire(now);
    }
}

TEST(Receiver, ClearFramesPassOnlyWhileTheyMay) {
    Receiver receiver = hearing({{kAnna, 1}});
    EXPECT_EQ(receiver.open(kAnna, kSsrc, kOpus, kStart).what, Opening::plain);
    EXPECT_EQ(receiver.open(kAnna, kSsrc, {}, kStart).what, Opening::plain);

    receiver.pass_clear_until(BootTime::max());
    const Opened clear = receiver.open(kAnna, kSsrc, kOpus, kStart);
    EXPECT_EQ(clear.what, Opening::clear);
    EXPECT_THAT(clear.payload, ElementsAreArray(kOpus));
    EXPECT_EQ(receiver.open(kAnna, kSsrc, frame(1, 1), kStart).what, Opening::opened)
        << "encrypted ones are opened still";

    receiver.pass_clear_until(kStart + kOverlap);
    EXPECT_EQ(receiver.open(kAnna, kSsrc, kOpus, kStart + kOverlap - nanoseconds(1)).what, Opening::clear);
    EXPECT_EQ(receiver.open(kAnna, kSsrc, kOpus, kStart + kOverlap).what, Opening::plain);
}

TEST(Receiver, OpusThatLooksLikeAFrameByChance) {
    const mls::Bytes opus = unhex("7801020300112233445566770a0cfafa");
    ASSERT_TRUE(parse_frame(opus));
    Receiver in_the_clear;
    in_the_clear.pass_clear_until(BootTime::max());
    EXPECT_EQ(in_the_clear.open(kAnna, kSsrc, opus, kStart).what, Opening::clear)
        << "where nothing is encrypted it is Opus";
    in_the_clear.begin_epoch(keys({{kAnna, 1}}), kStart);
    EXPECT_EQ(in_the_clear.open(kAnna, kSsrc, opus, kStart + kOverlap).what, Opening::forged)
        << "where something is, it is not";
    EXPECT_EQ(in_the_clear.open(kBea, kSsrc, opus, kStart).what, Opening::no_key);
}

TEST(Receiver, NoDatagramIsSoLarge) {
    Receiver receiver = hearing({{kAnna, 1}});
    const mls::Bytes largest(kMostMediaBytes, 1);
    EXPECT_EQ(receiver.open(kAnna, kSsrc, sealed(secret_of(1), 1, largest), kStart).what, Opening::opened);
    const mls::Bytes larger(kMostMediaBytes + 1, 1);
    EXPECT_EQ(receiver.open(kAnna, kSsrc, sealed(secret_of(1), 2, larger), kStart).what, Opening::too_large);
    EXPECT_EQ(receiver.whose_key_opens(sealed(secret_of(1), 2, larger), kStart), std::nullopt);
}

TEST(Receiver, AllocatesNothingPerFrame) {
    Receiver receiver = hearing({{kAnna, 1}, {kBea, 2}});
    receiver.begin_epoch(keys({{kAnna, 3}, {kBea, 4}}), kStart);
    const mls::Bytes old = frame(1, 1);
    const mls::Bytes good = frame(3, 900);
    const mls::Bytes bad = frame(9, 1);
    const auto before = test::allocations();
    const Opening results[] = {
        receiver.open(kAnna, kSsrc, old, kStart).what,   receiver.open(kAnna, kSsrc, good, kStart).what,
        receiver.open(kAnna, kSsrc, good, kStart).what,  receiver.open(kBea, kSsrc, bad, kStart).what,
        receiver.open(kAnna, kSsrc, kOpus, kStart).what, receiver.open(UserId{7}, kSsrc, good, kStart).what,
    };
    const auto sender = receiver.whose_key_opens(bad, kStart);
    EXPECT_EQ(test::allocations(), before);
    EXPECT_THAT(results, ElementsAreArray({Opening::opened, Opening::opened, Opening::replayed, Opening::no_key,
                                           Opening::plain, Opening::no_key}));
    EXPECT_FALSE(sender);
}

TEST(Sender, AllocatesNothingPerFrame) {
    Sender sender({kAnna, secret_of(1)});
    std::vector<std::uint8_t> datagram;
    datagram.reserve(1'000);
    const auto before = test::allocations();
    sender.seal(kOpus, datagram);
    EXPECT_EQ(test::allocations(), before);
    EXPECT_GT(datagram.size(), kOpus.size());
}

}  // namespace
}  // namespace lestapenna::dave
