// A connection's PCM: any stretch, read in any order, is what one pass from the beginning gives.
#include "render/pcm.h"

#include <algorithm>
#include <array>
#include <memory>
#include <set>

#include "recorded.h"
#include "render/slices.h"
#include "rtp/packet.h"
#include "sandbox/random.h"

namespace lestapenna::render {
namespace {

using namespace testing;
using sandbox::Random;

constexpr std::array<std::int64_t, 9> kDurations{120, 240, 480, 960, 1'920, 2'880, 3'840, 4'800, 5'760};
const Bytes kSilenceFrame{0xF8, 0xFF, 0xFE};

/// A sender that changes everything that may change: packet lengths, channels, long runs and short ones.
struct Restless {
    UserId user;
    std::uint32_t ssrc = 0;
    SamplePos from;
    SamplePos to;
    double skew_ppm = 0;
    double loss = 0;
};

class Crafter {
  public:
    Crafter(sandbox::SimulatedTable& table, const Restless& what, Random random)
        : table_(table), what_(what), random_(random) {
        auto& sender = table.senders.emplace_back();
        sender.user = what.user;
        sender.ssrc = what.ssrc;
        table.length = std::max(table.length, what.to.time_since_epoch());
        for (const int channels : {1, 2}) {
            audio::OpusEncoderOptions options;
            options.channels = channels;
            options.expected_loss_percent = 10;
            encoders_.emplace_back(options);
        }
    }

    void run() {
        while (now() < what_.to) {
            // Some runs are long enough for the placement to see that the clocks differ.
            talk(Samples{seconds(random_.chance(0.3) ? 45 : 1)} +
                 Samples{static_cast<std::int64_t>(random_.below(48'000))});
            for (int i = 0; i < 5; ++i) send(kSilenceFrame, 960);
            sample_ += static_cast<std::int64_t>(random_.between(2'000, 96'000)) / 120 * 120;
        }
    }

  private:
    [[nodiscard]] SamplePos now() const {
        return what_.from + Samples{std::llround(static_cast<double>(sample_) / (1 + what_.skew_ppm * 1e-6))};
    }

    void talk(Samples length) {
        auto& encoder = encoders_[random_.below(2)];
        const std::int64_t end = sample_ + length.count();
        while (sample_ < end) {
            const std::int64_t duration = random_.chance(0.5) ? 960 : kDurations[random_.below(kDurations.size())];
            std::vector<float> pcm(static_cast<std::size_t>(duration));
            for (std::size_t i = 0; i < pcm.size(); ++i) {
                const double t = static_cast<double>(sample_ + static_cast<std::int64_t>(i)) / kSampleRate;
                pcm[i] = static_cast<float>(0.3 * std::sin(2 * M_PI * 180 * t) * std::sin(2 * M_PI * 3 * t) +
                                            0.05 * random_.unit());
            }
            send(encoder.encode(pcm), duration);
        }
    }

    void send(const Bytes& opus, std::int64_t duration) {
        const rtp::Header header{.marker = false,
                                 .payload_type = rtp::kOpusPayloadType,
                                 .seq = seq_++,
                                 .timestamp = static_cast<std::uint32_t>(sample_),
                                 .ssrc = what_.ssrc};
        const auto arrival = to_session_time(now()).time_since_epoch() + nanoseconds(random_.below(3'000'000));
        latest_ = std::max(latest_, arrival);
        sample_ += duration;
        if (random_.chance(what_.loss)) return;
        Bytes datagram;
        rtp::write(header, opus, datagram);
        table_.arrivals.push_back({sandbox::CaptureTime(table_.start_time) + latest_, what_.ssrc, std::move(datagram)});
    }

    sandbox::SimulatedTable& table_;
    Restless what_;
    Random random_;
    std::vector<audio::OpusEncoder> encoders_;  ///< mono and stereo
    std::int64_t sample_ = 0;
    std::uint16_t seq_ = 65'000;
    nanoseconds latest_{0};
};

/// One user with three sources (two reconnects), and the connection they make.
Recorded restless_table(std::uint64_t seed) {
    sandbox::SimulatedTable table;
    table.seed = seed;
    table.start_time = UnixTime{milliseconds(1'760'000'000'000)};
    const UserId user = sandbox::player_id(0);
    const auto at = [](int s) { return SamplePos{seconds(s)}; };
    Crafter(table, {user, 10, at(1), at(150), 200, 0.06}, {seed, 1}).run();
    Crafter(table, {user, 11, at(200), at(330), -200, 0.1}, {seed, 2}).run();
    Crafter(table, {user, 12, at(300), at(360), 0, 0.02}, {seed, 3}).run();  // overlaps the one before
    std::stable_sort(table.arrivals.begin(), table.arrivals.end(),
                     [](const auto& a, const auto& b) { return a.time < b.time; });
    return Recorded(table, seconds(300), {journal::Join{BootTime{milliseconds(412)}, user}});
}

/// The sequential pass, laid down.
struct Sequential {
    std::vector<float> pcm;  ///< from the connection's start
    std::unique_ptr<ConnectionPcm> connection;
};
Sequential decode_once(const Recorded& session) {
    const timeline::Connection& connection = session.timeline().connections.at(0);
    Sequential out;
    out.pcm.resize(static_cast<std::size_t>(connection.length().count()));
    const auto visit = [&](SamplePos at, std::span<const float> audio) {
        const auto first = static_cast<std::size_t>((at - connection.start).count());
        for (std::size_t i = 0; i < audio.size(); ++i) out.pcm.at(first + i) += audio[i];
    };
    out.connection = std::make_unique<ConnectionPcm>(session.timeline(), connection, visit);
    return out;
}

TEST(ConnectionPcm, AnyStretchInAnyOrder) {
    for (const std::uint64_t seed : {1ULL, 20261122ULL}) {
        const Recorded session = restless_table(seed);
        ASSERT_EQ(session.timeline().connections.size(), 1U);
        const timeline::Connection& connection = session.timeline().connections[0];
        int longer = 0;
        int shorter = 0;
        std::set<std::uint16_t> durations;
        std::size_t holes = 0;
        for (const auto& stream : connection.streams) {
            for (const auto& packet : stream.packets) {
                longer += packet.slip > 0;
                shorter += packet.slip < 0;
                holes += packet.missing > 0;
                durations.insert(packet.duration);
            }
        }
        ASSERT_EQ(connection.streams.size(), 3U);
        ASSERT_EQ(durations.size(), kDurations.size());
        ASSERT_GT(longer, 50) << "seed " << seed;
        ASSERT_GT(shorter, 50) << "seed " << seed;

        const Sequential once = decode_once(session);
        Random random(seed, 9);
        const auto pick_start = [&]() -> std::int64_t {
            const auto slice = static_cast<std::int64_t>(random.below(12));
            const auto near = random.chance(0.5) ? 0 : static_cast<std::int64_t>(random.between(-3'000, 3'000));
            switch (random.below(4)) {
                case 0:  // where the file's slices begin to read
                    return slice * kSlice.count() - kPreRoll.count() + near;
                case 1:  // where the session's do
                    return slice * kSlice.count() - kPreRoll.count() + near -
                           connection.start.time_since_epoch().count();
                default:
                    return static_cast<std::int64_t>(random.between(-96'000, static_cast<double>(once.pcm.size())));
            }
        };
        std::size_t compared = 0;
        for (int i = 0; i < 80; ++i) {
            const std::int64_t first = pick_start();
            std::vector<float> out(1 + random.below(random.chance(0.1) ? 1'500'000 : 5'000));
            once.connection->source()(Samples{first}, out);
            for (std::size_t k = 0; k < out.size(); ++k) {
                const std::int64_t at = first + static_cast<std::int64_t>(k);
                const bool inside = at >= 0 && at < std::ssize(once.pcm);
                const float wanted = inside ? once.pcm[static_cast<std::size_t>(at)] : 0.0F;
                ASSERT_EQ(bits_of(out[k]), bits_of(wanted))
                    << "seed " << seed << ", stretch " << i << " from " << first << ", sample " << at;
            }
            compared += out.size();
        }
        std::printf("  seed %llu: %zu samples as in one pass; %d packets a sample longer, %d shorter, %zu holes\n",
                    static_cast<unsigned long long>(seed), compared, longer, shorter, holes);
    }
}

TEST(ConnectionPcm, ExactZerosWhereNothingWasReceived) {
    const Recorded session = restless_table(3);
    const timeline::Connection& connection = session.timeline().connections.at(0);
    const Sequential once = decode_once(session);
    std::vector<bool> may_sound(once.pcm.size());
    const auto mark = [&](SamplePos from, SamplePos to) {
        for (; from < to; from += Samples{1})
            may_sound.at(static_cast<std::size_t>((from - connection.start).count())) = true;
    };
    for (const auto& stream : connection.streams) {
        for (std::size_t i = 0; i < stream.packets.size(); ++i) {
            const auto& packet = stream.packets[i];
            if (!packet.silence) mark(packet.at, packet.end());
            if (packet.missing == 0 || i == 0) continue;
            // PLC after the one before, at most so much; FEC right before this one.
            const auto& before = stream.packets[i - 1];
            const std::int64_t most = timeline::kMaxConcealedPackets * std::int64_t{before.duration};
            mark(before.end(), std::min(packet.at, before.end() + Samples{most}));
            mark(std::max(before.end(), packet.at - Samples{before.duration}), packet.at);
        }
    }
    std::size_t silent = 0;
    std::size_t sounding = 0;
    for (std::size_t i = 0; i < once.pcm.size(); ++i) {
        if (may_sound[i]) {
            sounding += once.pcm[i] != 0;
        } else {
            ASSERT_EQ(once.pcm[i], 0.0F) << "sample " << i;
            ++silent;
        }
    }
    EXPECT_GT(silent, once.pcm.size() / 20);
    EXPECT_GT(sounding, once.pcm.size() / 4);
}

// In a run without loss the samples are the decoder's own, but for 5 ms at its edges.
TEST(ConnectionPcm, FadesAtPausesAndNowhereElse) {
    constexpr std::size_t kFade = 240;
    sandbox::LineOptions line;
    line.jitter = milliseconds(0);
    const auto script =
        one_player({{SamplePos{}, buzz(seconds(2))}, {SamplePos{seconds(4)}, buzz(seconds(1), 170)}}, seconds(6));
    const auto table = sandbox::simulate(script, line);
    const Recorded session(table);
    const Sequential once = decode_once(session);

    audio::OpusDecoder decoder;
    std::vector<float> raw(once.pcm.size());
    std::array<float, 5'760> packet{};
    for (const auto& sent : table.sent[0]) {
        if (sent.silence) continue;
        const auto n = static_cast<std::size_t>(decoder.decode(sent.opus, packet).count());
        const auto at = sandbox::nearest_sample(sent.sent_at).time_since_epoch().count();
        std::copy_n(packet.begin(), n, raw.begin() + at);
    }
    for (const auto& run : table.senders[0].runs) {
        const auto begin = static_cast<std::size_t>(run.start.time_since_epoch().count());
        const auto end = static_cast<std::size_t>(run.end.time_since_epoch().count());
        for (std::size_t i = 0; i < kFade; ++i) {
            const float share = static_cast<float>(i) / kFade;
            ASSERT_FLOAT_EQ(once.pcm[begin + i], raw[begin + i] * share) << i;
            ASSERT_FLOAT_EQ(once.pcm[end - 1 - i], raw[end - 1 - i] * share) << i;
        }
        const auto middle = [&](const std::vector<float>& pcm) {
            return std::vector<float>(pcm.begin() + static_cast<std::ptrdiff_t>(begin + kFade),
                                      pcm.begin() + static_cast<std::ptrdiff_t>(end - kFade));
        };
        EXPECT_EQ(middle(once.pcm), middle(raw));
    }
}

}  // namespace
}  // namespace lestapenna::render
