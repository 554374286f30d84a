// What is heard of packets that were lost, or arrived as nonsense.
#include <algorithm>
#include <array>
#include <functional>

#include "recorded.h"
#include "rtp/packet.h"
#include "sandbox/random.h"

namespace lestapenna::render {
namespace {

using namespace testing;
using sandbox::Random;

constexpr std::int64_t kFrame = 960;
constexpr std::size_t kRtpHeader = 12;

std::vector<float> whole(const DecodedConnection& decoded) {
    std::vector<float> pcm(static_cast<std::size_t>(decoded.connection().length().count()));
    decoded.pcm.source()(Samples{0}, pcm);
    return pcm;
}

/// The same speech twice: as everything arrived, and without the packets whose number in the stream `lost` names.
struct Pair {
    std::vector<float> clean;
    std::vector<float> lossy;
};
Pair lose(const sandbox::SimulatedTable& table, const std::function<bool(std::size_t)>& lost) {
    sandbox::SimulatedTable less = table;
    std::size_t number = 0;
    std::erase_if(less.arrivals, [&](const auto&) { return lost(number++); });
    const Recorded with(table);
    const Recorded without(less);
    Pair out{whole(with.decoded().at(0)), whole(without.decoded().at(0))};
    EXPECT_EQ(out.clean.size(), out.lossy.size());
    return out;
}

/// SNR of the 20 ms that begin with packet `number`, over many of them.
class Snr {
  public:
    void add(const Pair& pair, std::size_t packet) {
        const auto of = [&](const std::vector<float>& pcm) { return std::span(pcm).subspan(packet * kFrame, kFrame); };
        truth_ += energy(of(pair.clean));
        error_ += error_energy(of(pair.clean), of(pair.lossy));
    }
    [[nodiscard]] double db() const { return testing::db(truth_ / error_); }

  private:
    double truth_ = 0;
    double error_ = 0;
};

/// A minute without a pause; packet n sounds from n * 20 ms on.
sandbox::SimulatedTable endless_table(int expected_loss_percent) {
    sandbox::LineOptions line;
    line.jitter = milliseconds(0);
    line.sender.encoder.expected_loss_percent = expected_loss_percent;
    constexpr seconds kLength{60};
    const std::vector<std::string> voices{"en-libri1998-f.opus", "en-libri2033-m.opus"};
    return sandbox::simulate(one_player({{SamplePos{}, endless_speech(voices, kLength)}}, kLength), line);
}

TEST(Loss, FecIsClearlyBetterThanZeros) {
    if (!test::test_data()) GTEST_SKIP() << test::kNoTestData;
    // One packet in 22 (4.6 %), and bursts of so many.
    const auto first_of = [](std::size_t n) { return n > 50 && n < 2'950 && n % 22 == 0; };
    struct Case {
        int fec_percent;
        std::size_t burst;
    };
    for (const Case& one : {Case{10, 1}, Case{10, 2}, Case{10, 5}, Case{0, 1}}) {
        const int fec = one.fec_percent;
        const std::size_t burst = one.burst;
        const auto table = endless_table(fec);
        const Pair pair = lose(table, [&](std::size_t n) {
            for (std::size_t i = 0; i < burst; ++i) {
                if (n >= i && first_of(n - i)) return true;
            }
            return false;
        });
        Snr all;
        Snr last;
        Snr next;
        for (std::size_t n = 0; n < 2'990; ++n) {
            if (!first_of(n)) continue;
            for (std::size_t i = 0; i < burst; ++i) all.add(pair, n + i);
            last.add(pair, n + burst - 1);
            next.add(pair, n + burst);
        }
        std::printf(
            "  FEC %s, bursts of %zu: lost frames %.1f dB, the last of each %.1f dB, the one after %.1f dB "
            "(zeros: 0 dB)\n",
            fec > 0 ? "on" : "off", burst, all.db(), last.db(), next.db());
        if (fec > 0) {
            EXPECT_GT(last.db(), burst == 1 ? 14 : 2);
            EXPECT_GT(next.db(), burst == 1 ? 18 : 6);
            EXPECT_GT(all.db(), burst == 1 ? 14 : burst == 2 ? 2 : 0.4);
        } else {
            EXPECT_GT(all.db(), 1);  // PLC
        }
    }
}

// Two runs; what was lost of the first one's end is hummed on for 100 ms at most and then silent.
TEST(Loss, LostEndOfSpeechDiesAway) {
    constexpr std::size_t kLastHeard = 99;  // two seconds
    sandbox::LineOptions line;
    line.jitter = milliseconds(0);
    line.sender.encoder.expected_loss_percent = 10;
    const auto script =
        one_player({{SamplePos{}, buzz(seconds(3))}, {SamplePos{seconds(6)}, buzz(seconds(1))}}, seconds(8));
    const auto table = sandbox::simulate(script, line);
    const std::size_t next_run = table.senders[0].runs[0].packets;
    const Pair pair = lose(table, [&](std::size_t n) { return n > kLastHeard && n < next_run; });

    const auto heard_until = (kLastHeard + 1) * kFrame;
    const auto resumed = static_cast<std::size_t>(table.senders[0].runs[1].start.time_since_epoch().count());
    const auto hummed = std::span(pair.lossy).subspan(heard_until, 5 * kFrame);
    EXPECT_GT(energy(hummed.first(kFrame)), 0.1 * energy(std::span(pair.clean).subspan(heard_until, kFrame)));
    EXPECT_EQ(hummed.back(), 0.0F);
    // The last of the five is faded over its whole length: in its last quarter it is at a quarter at most.
    EXPECT_LT(energy(hummed.last(kFrame / 4)), energy(hummed.subspan(3 * kFrame, kFrame / 4)));
    EXPECT_EQ(energy(std::span(pair.lossy).subspan(heard_until + 5 * kFrame, resumed - heard_until - 5 * kFrame)), 0.0);
    EXPECT_GT(energy(std::span(pair.lossy).subspan(resumed)), 1.0);
}

// ---- corrupt Opus in good packets

using Corruption = std::function<void(std::vector<std::uint8_t>& datagram, Random& random)>;

struct Kind {
    const char* name;
    Corruption corrupt;
    bool decodable;  ///< may still be an Opus packet of the same length, that decodes to something else
};

void randomise(std::vector<std::uint8_t>& datagram, std::size_t from, Random& random) {
    for (std::size_t i = from; i < datagram.size(); ++i) datagram[i] = static_cast<std::uint8_t>(random.bits());
}

const std::vector<Kind> kKinds{
    {"empty payload", [](auto& d, Random&) { d.resize(kRtpHeader); }, false},
    {"a lone byte",
     [](auto& d, Random& random) {
         d.resize(kRtpHeader + 1);
         randomise(d, kRtpHeader, random);
     },
     true},
    {"an absurd frame count",
     [](auto& d, Random&) {
         d[kRtpHeader] |= 0x03;
         d[kRtpHeader + 1] = 0x3F;
     },
     false},
    {"a false length",  // six frames of 20 ms
     [](auto& d, Random& random) {
         d.resize(kRtpHeader + 2 + 6 * 10);
         randomise(d, kRtpHeader + 2, random);
         d[kRtpHeader] |= 0x03;
         d[kRtpHeader + 1] = 6;
     },
     false},
    {"cut in the middle", [](auto& d, Random&) { d.resize(kRtpHeader + (d.size() - kRtpHeader) / 2); }, true},
    {"random after the first byte", [](auto& d, Random& random) { randomise(d, kRtpHeader + 1, random); }, true},
    {"random throughout", [](auto& d, Random& random) { randomise(d, kRtpHeader, random); }, true}};

sandbox::SimulatedTable two_talkers() {
    sandbox::Script script;
    script.length = seconds(30);
    for (std::size_t i = 0; i < 2; ++i) {
        sandbox::Player player;
        player.user = sandbox::player_id(i);
        player.leave = SamplePos{script.length};
        player.talks = {{SamplePos{}, buzz(seconds(20), i == 0 ? 120 : 190)},
                        {SamplePos{seconds(22)}, buzz(seconds(4), i == 0 ? 120 : 190)}};
        script.players.push_back(player);
    }
    sandbox::LineOptions line;
    line.jitter = milliseconds(0);
    return sandbox::simulate(script, line);
}

/// Every so many packets of the first player are harmed, up to second 19.
constexpr std::size_t kEvery = 40;

struct Harmed {
    sandbox::SimulatedTable table;
    std::vector<std::size_t> places;  ///< packet numbers of the first player
};
Harmed harm(const sandbox::SimulatedTable& table, const Kind& kind, std::uint64_t seed) {
    Harmed out{table, {}};
    Random random(seed, 0);
    std::size_t number = 0;
    for (auto& arrival : out.table.arrivals) {
        if (arrival.ssrc != table.senders[0].ssrc) continue;
        if (number % kEvery == 30 && number < 970) {
            kind.corrupt(arrival.datagram, random);
            out.places.push_back(number);
        }
        ++number;
    }
    return out;
}

struct Hurt {
    double soon_db = 1e9;       ///< the five frames after a harmed packet, the worst of all
    double recovered_db = 1e9;  ///< the worst from the sixth frame after a harmed packet on
    float loudest = 0;          ///< sample around one
};

/// Nothing but the harmed packets and 100 ms after each may have changed.
Hurt compare(const std::vector<float>& want, const std::vector<float>& got, const std::vector<std::size_t>& places,
             bool concealed) {
    const auto frames = [](const std::vector<float>& pcm, std::size_t from, std::size_t count) {
        return std::span(pcm).subspan(from * kFrame, count * kFrame);
    };
    EXPECT_EQ(error_energy(frames(want, 0, places[0]), frames(got, 0, places[0])), 0.0);
    Hurt out;
    for (const std::size_t place : places) {
        for (const float x : frames(got, place, 6)) {
            EXPECT_TRUE(std::isfinite(x));
            out.loudest = std::max(out.loudest, std::fabs(x));
        }
        if (concealed) {
            EXPECT_GT(energy(frames(got, place, 1)), 0.05 * energy(frames(want, place, 1))) << "not concealed";
        }
        const auto snr = [&](std::size_t from, std::size_t count) {
            const double error = error_energy(frames(want, from, count), frames(got, from, count));
            return db(energy(frames(want, from, count)) / std::max(1e-20, error));
        };
        out.soon_db = std::min(out.soon_db, snr(place + 1, 5));
        out.recovered_db = std::min(out.recovered_db, snr(place + 6, 20));
    }
    return out;
}

class Corrupt : public ::testing::TestWithParam<Kind> {};

TEST_P(Corrupt, HarmsNothingElse) {
    const auto table = two_talkers();
    const Recorded good(table);
    const auto clean = good.decoded();
    ASSERT_EQ(clean.size(), 2U);
    const std::size_t first = clean[0].connection().user == table.senders[0].user ? 0 : 1;
    const auto want = whole(clean[first]);
    const auto want_other = whole(clean[1 - first]);
    Hurt worst;
    const std::uint64_t seeds = GetParam().decodable ? 8 : 1;
    for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
        SCOPED_TRACE("seed " + std::to_string(seed));
        const Harmed harmed = harm(table, GetParam(), seed);
        ASSERT_EQ(harmed.places.size(), 24U);
        const Recorded bad(harmed.table);
        const auto dirty = bad.decoded();
        ASSERT_EQ(dirty.size(), 2U);
        EXPECT_TRUE(whole(dirty[1 - first]) == want_other);
        const auto got = whole(dirty[first]);
        ASSERT_EQ(got.size(), want.size());
        // No packet moved, not even the harmed ones.
        const auto& before = clean[first].connection().streams.at(0).packets;
        const auto& after = dirty[first].connection().streams.at(0).packets;
        ASSERT_EQ(before.size(), after.size());
        for (std::size_t i = 0; i < before.size(); ++i) ASSERT_EQ(before[i].at, after[i].at) << "packet " << i;
        const Hurt hurt = compare(want, got, harmed.places, !GetParam().decodable);
        worst.soon_db = std::min(worst.soon_db, hurt.soon_db);
        worst.recovered_db = std::min(worst.recovered_db, hurt.recovered_db);
        worst.loudest = std::max(worst.loudest, hurt.loudest);
    }
    std::printf("  %s: the five frames after it %.1f dB, then %.1f dB or better; loudest sample %.2f\n",
                GetParam().name, worst.soon_db, worst.recovered_db, static_cast<double>(worst.loudest));
    // The decoder finds back by itself (audio.md B4: more than 14 dB after four or five frames).
    EXPECT_GT(worst.recovered_db, 14);
    if (!GetParam().decodable) {
        EXPECT_GT(worst.soon_db, 6) << "it left something behind in the decoder";
    }
    EXPECT_LT(worst.loudest, 4);
}
INSTANTIATE_TEST_SUITE_P(Opus, Corrupt, ::testing::ValuesIn(kKinds), [](const auto& one) {
    std::string name = one.param.name;
    std::replace(name.begin(), name.end(), ' ', '_');
    return name;
});

}  // namespace
}  // namespace lestapenna::render
