// What recording costs while it goes on: one process is a Discord on loopback with N players who never stop talking,
// six to a table; this process is the bot that records all tables. Prints CPU, memory and losses of the bot alone.
//
//     bench_live [PLAYERS] [SECONDS] [REPORT_EVERY]
//
// CPU is the process's (all threads: loop, journal, syncs) and the loop thread's, in percent of one core, over the time
// in which everybody talks. Memory is resident. The players' process is not counted. Figures of one run, for humans.
#include <array>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <memory>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "audio/opus.h"
#include "base/log.h"
#include "catalog/catalog.h"
#include "discord/gateway.h"
#include "discord/guilds.h"
#include "journal/writer.h"
#include "net/blocking.h"
#include "recorder/recorder.h"
#include "sandbox/loopback.h"

namespace lestapenna {
namespace {

constexpr std::size_t kTable = 6;

[[noreturn]] void fail(const std::string& why) {
    std::fprintf(stderr, "bench_live: %s\n", why.c_str());
    std::_Exit(1);
}

// ---- the other side: a Discord with players

struct Deaf final : discord::Listener {
    void on_packet(const discord::VoicePacket& /*packet*/) noexcept override {}
    void on_event(const discord::VoiceEvent& /*event*/) noexcept override {}
};

/// Two seconds of a voice-like sound, said over and over.
std::vector<std::vector<std::uint8_t>> frames() {
    audio::OpusEncoder encoder{audio::OpusEncoderOptions{}};
    std::vector<std::vector<std::uint8_t>> all;
    std::uint32_t noise = 1;
    for (int frame = 0; frame < 100; ++frame) {
        std::vector<float> pcm(960);
        for (std::size_t i = 0; i < pcm.size(); ++i) {
            noise = noise * 1'664'525 + 1'013'904'223;
            const auto phase = static_cast<float>((static_cast<std::size_t>(frame) * 960 + i) % 320) / 320.0F;
            pcm[i] = 0.3F * (phase - 0.5F) + 1e-10F * static_cast<float>(noise);
        }
        all.push_back(encoder.encode(pcm));
    }
    return all;
}

struct Talker {
    std::unique_ptr<discord::Voice> voice;
    std::uint64_t said = 0;
};

net::Task<> talk(Talker& talker, const std::vector<std::vector<std::uint8_t>>& speech, const bool& stop,
                 std::uint64_t& sent) {
    while (!talker.voice->connected() && !stop) co_await net::sleep_for(milliseconds(20));
    talker.voice->set_speaking(true);
    BootTime due = BootClock::now();
    while (!stop) {
        const auto& frame = speech[talker.said % speech.size()];
        if (talker.voice->send(static_cast<std::uint32_t>(talker.said * 960), frame)) ++sent;
        ++talker.said;
        due += milliseconds(20);
        const BootTime now = BootClock::now();
        if (due > now) co_await net::sleep_for(due - now);
    }
}

net::Task<> stop_when_told(net::Loop& loop, int from, bool& stop, std::thread& reader) {
    net::Signal told(loop);
    reader = std::thread([&loop, &told, from] {
        char byte = 0;
        while (::read(from, &byte, 1) < 0 && errno == EINTR) {
        }
        boost::asio::post(loop, [&told] { told.set(); });
    });
    co_await told.wait();
    stop = true;
    co_await net::sleep_for(seconds(5));  // the bot says good-bye first
    loop.stop();
}

[[noreturn]] void play(std::size_t players, int out, int in) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    net::Loop loop;
    auto started = sandbox::Loopback::start(loop, {});
    if (!started) fail(started.error().message);
    sandbox::Loopback& discord = **started;
    nlohmann::json card;
    const std::size_t tables = (players + kTable - 1) / kTable;
    std::vector<GuildId> guilds;
    for (std::size_t i = 0; i < tables; ++i) {
        guilds.push_back(discord.add_guild(fmt::format("Tavolo {}", i)));
        const ChannelId text = discord.add_text_channel(guilds[i], "generale");
        const ChannelId voice = discord.add_voice_channel(guilds[i], "Taverna");
        card["tables"].push_back({guilds[i].text(), text.text(), voice.text()});
    }
    const auto bot = discord.add_bot("Lestapenna");
    card["token"] = bot.token;
    card["self"] = bot.user.text();
    card["api_base"] = discord.addresses().api_base;
    card["ca"] = discord.addresses().ca_pem;

    const auto speech = frames();
    Deaf deaf;
    bool stop = false;
    std::uint64_t sent = 0;
    std::vector<std::unique_ptr<Talker>> talkers;
    for (std::size_t i = 0; i < players; ++i) {
        const GuildId guild = guilds[i / kTable];
        const auto channel = *ChannelId::parse(card["tables"][i / kTable][2].get<std::string>());
        const UserId person = discord.add_person(fmt::format("Giocatore {}", i));
        talkers.push_back(std::make_unique<Talker>());
        Talker& talker = *talkers.back();
        discord::VoiceOptions options;
        options.trust.extra_ca_pem = discord.addresses().ca_pem;
        options.self_deaf = true;
        talker.voice = std::make_unique<discord::Voice>(
            loop, guild, person, options, deaf, [&discord, &talker, guild, person](std::optional<ChannelId> to) {
                discord.set_voice(
                    guild, person, to,
                    [&talker](const discord::Event& event) {
                        if (const auto* state = std::get_if<discord::VoiceState>(&event))
                            talker.voice->on_voice_state(*state);
                        if (const auto* server = std::get_if<discord::VoiceServer>(&event))
                            talker.voice->on_voice_server(*server);
                    },
                    true);
            });
        talker.voice->join(channel);
        net::spawn(loop, talk(talker, speech, stop, sent));
    }
    const std::string line = card.dump() + "\n";
    if (::write(out, line.data(), line.size()) < 0) fail("no reader");
    std::thread reader;
    net::spawn(loop, stop_when_told(loop, in, stop, reader));
    loop.run();
    reader.join();
    const std::string end = fmt::format("{}\n", sent);
    if (::write(out, end.data(), end.size()) < 0) fail("no reader");
    std::_Exit(0);
}

// ---- this side: the bot

double seconds_of(const timespec& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}
double cpu_of(clockid_t clock) {
    timespec time{};
    ::clock_gettime(clock, &time);
    return seconds_of(time);
}
double resident_mb() {
    std::ifstream file("/proc/self/statm");
    long total = 0;
    long resident = 0;
    file >> total >> resident;
    return static_cast<double>(resident) * static_cast<double>(::sysconf(_SC_PAGESIZE)) / 1e6;
}

std::string read_line(int from) {
    std::string line;
    char byte = 0;
    while (::read(from, &byte, 1) == 1 && byte != '\n') line += byte;
    return line;
}

class Bot {
  public:
    Bot(const nlohmann::json& card, std::filesystem::path folder) : card_(card), folder_(std::move(folder)) {
        std::filesystem::create_directories(folder_);
        auto catalog = catalog::Catalog::open(folder_ / "catalog.sqlite");
        if (!catalog) fail(catalog.error().message);
        catalog_.emplace(std::move(*catalog));
        discord::RestOptions rest;
        rest.token = card_["token"];
        rest.api_base = card_["api_base"];
        auto made = discord::Rest::make(loop_, rest);
        if (!made) fail(made.error().message);
        rest_.emplace(std::move(*made));
        discord::GatewayOptions gateway;
        gateway.token = card_["token"];
        gateway_.emplace(loop_, *rest_, gateway, [this](const discord::Event& event) {
            guilds_.apply(event);
            for (auto& recorder : recorders_) recorder->on_event(event);
        });
    }

    /// Records for `length`, reporting every `every`.
    void run(std::size_t players, seconds length, seconds every) {
        players_ = players;
        net::spawn(loop_, log_in());
        net::spawn(loop_, record(length, every));
        loop_.run();
    }
    [[nodiscard]] std::uint64_t packets() const { return packets_; }

  private:
    net::Task<> log_in() { (void)co_await gateway_->run(); }

    net::Task<> start_one(recorder::Recorder& recorder) {
        const auto started = co_await recorder.start();
        if (!started) fail(started.error().message);
        ++started_;
    }

    net::Task<> record(seconds length, seconds every) {
        const double before = resident_mb();
        while (!gateway_->ready() || guilds_.ids().size() < card_["tables"].size())
            co_await net::sleep_for(milliseconds(50));
        for (const auto& table : card_["tables"]) {
            const recorder::Where where{*GuildId::parse(table[0].get<std::string>()),
                                        *ChannelId::parse(table[2].get<std::string>()),
                                        *ChannelId::parse(table[1].get<std::string>()),
                                        {},
                                        "en"};
            const GuildId guild = where.guild;
            discord::VoiceOptions voice;
            voice.trust.extra_ca_pem = card_["ca"];
            recorder::Tools tools{loop_,
                                  blocking_,
                                  *rest_,
                                  guilds_,
                                  *catalog_,
                                  committer_,
                                  folder_ / "journal",
                                  {},
                                  voice,
                                  *UserId::parse(card_["self"].get<std::string>()),
                                  std::chrono::minutes(5),
                                  [this](GuildId to, std::optional<ChannelId> channel) {
                                      gateway_->update_voice_state(to, channel, true, false);
                                  },
                                  {}};
            recorders_.push_back(std::make_unique<recorder::Recorder>(std::move(tools), where));
            (void)guild;
        }
        for (auto& recorder : recorders_) {
            net::spawn(loop_, start_one(*recorder));
            // Discord takes 120 messages a minute from a gateway; faster than this the last tables would wait for it.
            if (recorders_.size() > 50) co_await net::sleep_for(milliseconds(550));
        }
        while (started_ < recorders_.size()) co_await net::sleep_for(milliseconds(50));
        co_await net::sleep_for(seconds(3));
        std::printf("%zu players at %zu tables; resident %.1f MB before, %.1f MB when all talk\n", players_,
                    recorders_.size(), before, resident_mb());
        const double base = resident_mb();
        for (seconds done{0}; done < length; done += every) {
            const BootTime from = BootClock::now();
            const double process = cpu_of(CLOCK_PROCESS_CPUTIME_ID);
            const double loop = cpu_of(CLOCK_THREAD_CPUTIME_ID);
            const std::uint64_t packets = heard();
            co_await net::sleep_for(every);
            const double wall = std::chrono::duration<double>(BootClock::now() - from).count();
            const double cpu = (cpu_of(CLOCK_PROCESS_CPUTIME_ID) - process) / wall * 100;
            const double loop_cpu = (cpu_of(CLOCK_THREAD_CPUTIME_ID) - loop) / wall * 100;
            const auto per_second = static_cast<double>(heard() - packets) / wall;
            std::printf(
                "%5lld s: %.0f packets/s, CPU %.2f %% of a core (loop %.2f %%), %.4f %% a player, %.1f us a packet; "
                "resident %.1f MB, %.1f kB a player; kernel drops %llu, refused %llu\n",
                static_cast<long long>((done + every).count()), per_second, cpu, loop_cpu,
                cpu / static_cast<double>(players_), cpu / 100 / per_second * 1e6, resident_mb(),
                (base - before) * 1e3 / static_cast<double>(players_), static_cast<unsigned long long>(drops()),
                static_cast<unsigned long long>(refused()));
            std::fflush(stdout);
        }
        tell_players_to_stop();
        co_await net::sleep_for(seconds(1));
        packets_ = heard();
        for (auto& recorder : recorders_) (void)co_await recorder->stop();
        recorders_.clear();
        gateway_->stop();
        co_await net::sleep_for(milliseconds(200));
        loop_.stop();
    }

    [[nodiscard]] std::uint64_t heard() const {
        return sum([](const auto& report) { return report.packets; });
    }
    [[nodiscard]] std::uint64_t refused() const {
        return sum([](const auto& report) { return report.refused; });
    }
    [[nodiscard]] std::uint64_t drops() const {
        return sum([](const auto& report) { return report.voice.kernel_drops; });
    }
    template <class What>
    [[nodiscard]] std::uint64_t sum(const What& what) const {
        std::uint64_t total = 0;
        for (const auto& recorder : recorders_) total += what(recorder->report());
        return total;
    }

  public:
    std::function<void()> tell_players_to_stop;

  private:
    const nlohmann::json& card_;
    std::filesystem::path folder_;
    net::Loop loop_;
    net::Blocking blocking_;
    journal::Committer committer_;
    std::optional<catalog::Catalog> catalog_;
    std::optional<discord::Rest> rest_;
    discord::Guilds guilds_;
    std::optional<discord::Gateway> gateway_;
    std::vector<std::unique_ptr<recorder::Recorder>> recorders_;
    std::size_t started_ = 0;
    std::size_t players_ = 0;
    std::uint64_t packets_ = 0;
};

void measure(std::size_t players, seconds length, seconds every) {
    std::array<int, 2> out{};
    std::array<int, 2> in{};
    if (::pipe(out.data()) != 0 || ::pipe(in.data()) != 0) fail("no pipe");
    const pid_t child = ::fork();
    if (child == 0) {
        ::close(out[0]);
        ::close(in[1]);  // else the end of it would never come
        play(players, out[1], in[0]);
    }
    ::close(out[1]);
    ::close(in[0]);
    const auto card = nlohmann::json::parse(read_line(out[0]), nullptr, false);
    if (!card.is_object()) fail("the players did not start");
    std::string folder = (std::filesystem::temp_directory_path() / "bench_live.XXXXXX").string();
    if (::mkdtemp(folder.data()) == nullptr) fail("no temporary folder");
    {
        Bot bot(card, folder);
        bot.tell_players_to_stop = [&] { ::close(in[1]); };
        bot.run(players, length, every);
        // The greeting's five silence frames of each player are packets too, and not among those said.
        std::printf("said %s packets, journaled %llu\n", read_line(out[0]).c_str(),
                    static_cast<unsigned long long>(bot.packets()));
    }
    ::waitpid(child, nullptr, 0);
    std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace lestapenna

int main(int argc, char** argv) {
    using namespace lestapenna;
    set_log_level("warn");
    if (argc > 1) {
        const seconds length{argc > 2 ? std::atol(argv[2]) : 20};
        measure(static_cast<std::size_t>(std::atol(argv[1])), length, seconds{argc > 3 ? std::atol(argv[3]) : 10});
        return 0;
    }
    for (const std::size_t players : {std::size_t{6}, std::size_t{60}, std::size_t{600}})
        measure(players, seconds{10}, seconds{10});
    return 0;
}
