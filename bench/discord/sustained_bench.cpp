// How many packets a second one core takes in, over 1, 100 and 1,000 sockets, with nothing dropped by the kernel and
// nothing left lying: the path of Voice from the socket to the listener, both decryptions in turn. The receiving thread
// has a core for itself; sealed packets come from threads on up to three others, paced by the millisecond. Where
// "above" did not reach one and a half times the rate, the senders were the limit, and 1 / cpu_us is the better figure.
//
// Each rate is tried for a second. It is sustained when the kernel dropped nothing (SO_RXQ_OVFL), every packet came and
// opened, and 20 ms after the last was sent none was left in a socket: without that a thousand buffers of 4 MB hide any
// overload for a minute. The highest such rate is searched for to within 5 %, and tried three times, because a machine
// has other things to do. Printed beside it: CPU time and calls of malloc per packet of the receiving thread, and what
// came of one and a half times the rate.
#include <algorithm>
#include <atomic>
#include <cmath>
#include <memory>
#include <thread>
#include <vector>

#include <benchmark/benchmark.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sys/socket.h>
#include <time.h>

#include "base/parallel.h"
#include "discord/voice_media.h"
#include "mallocs.h"

namespace lestapenna::discord {
namespace {

constexpr std::size_t kOpusBytes = 160;
constexpr std::size_t kVariants = 16;  // packets sealed per socket, sent in turn
constexpr std::size_t kSendBatch = 64;
constexpr nanoseconds kTrial = seconds(1);
constexpr nanoseconds kDrain = milliseconds(20);

using Bytes = std::vector<std::uint8_t>;

void pin_to(unsigned cpu) {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(cpu % usable_cpus(), &set);
    pthread_setaffinity_np(pthread_self(), sizeof set, &set);
}

nanoseconds thread_time() {
    timespec time{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return seconds{time.tv_sec} + nanoseconds{time.tv_nsec};
}

struct Counting final : Listener {
    std::uint64_t packets = 0;
    std::uint64_t dropped = 0;
    void on_packet(const VoicePacket& packet) noexcept override { packets += packet.payload.empty() ? 0U : 1U; }
    void on_event(const VoiceEvent& event) noexcept override {
        if (const auto* drop = std::get_if<KernelDropped>(&event)) dropped += drop->datagrams;
    }
};

struct Trial {
    double rate = 0;  // packets a second that were really sent
    std::uint64_t sent = 0;
    std::uint64_t received = 0;
    std::uint64_t dropped = 0;
    double cpu_us = 0;  // of the receiving thread, per packet
    double mallocs = 0;
    [[nodiscard]] bool sustained() const { return dropped == 0 && received == sent; }
};

/// The sockets of `count` voice sessions, and the server that sends to all of them.
class Table {
  public:
    explicit Table(std::size_t count) {
        VoiceOptions options;
        for (std::size_t i = 0; i < count; ++i) {
            const TransportMode mode = i % 2 == 0 ? TransportMode::aes256_gcm : TransportMode::xchacha20_poly1305;
            std::array<std::uint8_t, kTransportKeyBytes> key{};
            key.fill(static_cast<std::uint8_t>(i));
            auto media = VoiceMedia::open(loop_, server_.local(), 1, options, listener_, counts_).value();
            media->use_key(mode, key);
            // Its own address is learnt as a voice server does: from a packet of it.
            media->send(0, Bytes{1});
            media_.push_back(std::move(media));
            Transport sealer(mode, key);
            for (std::uint16_t n = 0; n < kVariants; ++n) {
                Bytes packet;
                rtp::write({.marker = false, .payload_type = 120, .seq = n, .timestamp = n * 960U, .ssrc = 5}, {},
                           packet);
                sealer.seal(Bytes(kOpusBytes, 3), packet);
                packets_.push_back(std::move(packet));
            }
        }
        std::vector<UdpAddress> from;
        server_.read_loop([&](const Received& r) { from.push_back(r.from); }, [](std::uint32_t) {});
        while (from.size() < count) loop_.run_one();
        addresses_.resize(count);
        for (std::size_t i = 0; i < count; ++i) {  // sent and queued in order
            addresses_[i].sin_family = AF_INET;
            addresses_[i].sin_port = htons(from[i].port);
            addresses_[i].sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        }
        fd_ = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        take_over_port();
    }
    Table(const Table&) = delete;
    Table& operator=(const Table&) = delete;
    ~Table() {
        for (const auto& media : media_) media->close();
        ::close(fd_);
    }

    Trial run(double rate) {
        Trial trial;
        const unsigned senders = std::clamp(usable_cpus() - 1, 1U, 3U);
        std::atomic<unsigned> sending{senders};
        std::atomic<std::uint64_t> sent{0};
        const std::uint64_t received = listener_.packets;
        const std::uint64_t dropped = listener_.dropped;
        std::vector<std::thread> threads;
        const BootTime start = BootClock::now();
        for (unsigned k = 0; k < senders; ++k) {
            threads.emplace_back([&, k] {
                pin_to(1 + k);
                sent += send(rate / senders, k, senders);
                --sending;
            });
        }
        const nanoseconds cpu = thread_time();
        const std::uint64_t mallocs = bench::mallocs();
        while (sending > 0) loop_.run_for(milliseconds(1));
        trial.sent = sent;
        trial.rate = static_cast<double>(trial.sent) / std::chrono::duration<double>(BootClock::now() - start).count();
        const BootTime until = BootClock::now() + kDrain;
        while (BootClock::now() < until && listener_.packets - received < trial.sent) loop_.poll();
        trial.received = listener_.packets - received;
        const auto packets = static_cast<double>(std::max<std::uint64_t>(trial.received, 1));
        trial.mallocs = static_cast<double>(bench::mallocs() - mallocs) / packets;
        trial.cpu_us = static_cast<double>((thread_time() - cpu).count()) / 1e3 / packets;
        for (std::thread& thread : threads) thread.join();
        for (int i = 0; i < 200; ++i) loop_.run_for(milliseconds(1));  // what overload left behind
        trial.dropped = listener_.dropped - dropped;
        return trial;
    }

  private:
    /// The clients' sockets are connected to the server's: who sends must have its address.
    void take_over_port() {
        const UdpAddress at = server_.local();
        sockaddr_in in{};
        in.sin_family = AF_INET;
        in.sin_port = htons(at.port);
        in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        { const UdpSocket gone = std::move(server_); }
        const int size = 8 << 20;
        setsockopt(fd_, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
        if (bind(fd_, reinterpret_cast<const sockaddr*>(&in), sizeof in) != 0) std::abort();
    }

    /// One of `senders` threads: each sends every so manieth packet. Returns how many.
    std::uint64_t send(double rate, std::size_t which, std::size_t senders) {
        std::array<mmsghdr, kSendBatch> messages{};
        std::array<iovec, kSendBatch> vectors{};
        const BootTime start = BootClock::now();
        std::uint64_t sent = 0;
        for (;;) {
            const nanoseconds so_far = BootClock::now() - start;
            if (so_far >= kTrial) return sent;
            const auto due = static_cast<std::uint64_t>(rate * std::chrono::duration<double>(so_far).count());
            if (due <= sent) {
                std::this_thread::sleep_for(std::chrono::microseconds(500));
                continue;
            }
            const std::size_t batch = std::min<std::size_t>(due - sent, kSendBatch);
            for (std::size_t i = 0; i < batch; ++i) {
                const std::size_t n = (sent + i) * senders + which;
                const std::size_t to = n % addresses_.size();
                Bytes& packet = packets_[to * kVariants + n / addresses_.size() % kVariants];
                vectors[i] = {packet.data(), packet.size()};
                messages[i].msg_hdr = {&addresses_[to], sizeof(sockaddr_in), &vectors[i], 1, nullptr, 0, 0};
            }
            const int took = sendmmsg(fd_, messages.data(), static_cast<unsigned>(batch), 0);
            if (took > 0) sent += static_cast<std::uint64_t>(took);
        }
    }

    net::Loop loop_;
    Counting listener_;
    VoiceCounts counts_;
    UdpSocket server_ = UdpSocket::bind(loop_, *UdpAddress::parse("127.0.0.1", 0), 8 << 20).value();
    std::vector<std::shared_ptr<VoiceMedia>> media_;
    std::vector<sockaddr_in> addresses_;
    std::vector<Bytes> packets_;
    int fd_ = -1;
};

bool sustained(Table& table, double rate, Trial& best) {
    for (int tries = 0; tries < 3; ++tries) {
        const Trial trial = table.run(rate);
        if (!trial.sustained() || trial.rate < rate * 0.95) continue;
        best = trial;
        return true;
    }
    return false;
}

void Sustained(benchmark::State& state) {
    pin_to(0);
    Table table(static_cast<std::size_t>(state.range(0)));
    table.run(10'000);  // warm: buffers, handlers, the CPU's clock
    Trial best;
    for ([[maybe_unused]] const auto step : state) {
        double low = 0;
        double high = 1'600'000;
        for (int doublings = 0; doublings < 6; ++doublings) {
            const double rate = 25'000 * std::exp2(doublings);
            if (!sustained(table, rate, best)) {
                high = rate;
                break;
            }
            low = rate;
        }
        while (high - low > low * 0.05 && high > 1'000) {
            const double rate = (low + high) / 2;
            (sustained(table, rate, best) ? low : high) = rate;
        }
    }
    const Trial above = table.run(best.rate * 1.5);
    state.counters["packets/s"] = best.rate;
    state.counters["drops"] = static_cast<double>(best.dropped);
    state.counters["cpu_us/packet"] = best.cpu_us;
    state.counters["mallocs/packet"] = best.mallocs;
    state.counters["above:packets/s"] = above.rate;
    state.counters["above:drops"] = static_cast<double>(above.dropped);
    state.counters["above:late"] = static_cast<double>(above.sent - above.received);
}
BENCHMARK(Sustained)->Arg(1)->Arg(100)->Arg(1'000)->Iterations(1)->Unit(benchmark::kSecond)->UseRealTime();

}  // namespace
}  // namespace lestapenna::discord
