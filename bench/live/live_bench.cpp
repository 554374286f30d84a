// What recording costs while it goes on: one process is a Discord on loopback with N players who never stop talking,
// six to a table, the first of whom types $ascolta; this process is the bot, all of it (cli/service.h), rotation with
// its chunks included when it is run for longer than that. Prints CPU, memory and losses of the bot alone.
//
//     bench_live [PLAYERS] [SECONDS] [REPORT_EVERY]
//
// CPU is the process's, in percent of one core, over the time in which everybody talks. Memory is resident. The
// players' process is not counted. Figures of one run, for humans.
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
#include "cli/service.h"
#include "discord/voice.h"
#include "net/http_client.h"
#include "net/loop_thread.h"
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

/// A byte: everybody types $ascolta. The end: everybody stops.
net::Task<> do_as_told(net::Loop& loop, int from, const std::function<net::Task<>()>& begin, bool& stop,
                       std::thread& reader) {
    net::Signal begun(loop);
    net::Signal over(loop);
    reader = std::thread([&loop, &begun, &over, from] {
        for (char byte = 0; ::read(from, &byte, 1) == 1;) boost::asio::post(loop, [&begun] { begun.set(); });
        boost::asio::post(loop, [&over] { over.set(); });
    });
    co_await begun.wait();
    co_await begin();
    co_await over.wait();
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
    card["api_base"] = discord.addresses().api_base;
    card["ca"] = discord.addresses().ca_pem;

    const auto speech = frames();
    Deaf deaf;
    bool stop = false;
    std::uint64_t sent = 0;
    std::vector<UserId> people;
    std::vector<std::unique_ptr<Talker>> talkers;
    for (std::size_t i = 0; i < players; ++i) {
        const GuildId guild = guilds[i / kTable];
        const auto channel = *ChannelId::parse(card["tables"][i / kTable][2].get<std::string>());
        const UserId person = discord.add_person(fmt::format("Giocatore {}", i));
        people.push_back(person);
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
    // Discord takes 120 messages a minute from a gateway; faster than this the last tables would wait for it.
    const nanoseconds gap = tables > 50 ? milliseconds(550) : milliseconds(20);
    const std::function<net::Task<>()> begin = [&]() -> net::Task<> {
        for (std::size_t i = 0; i < tables; ++i) {
            const auto text = *ChannelId::parse(card["tables"][i][1].get<std::string>());
            discord.type(people[i * kTable], text, "$ascolta");
            co_await net::sleep_for(gap);
        }
    };
    std::thread reader;
    net::spawn(loop, do_as_told(loop, in, begin, stop, reader));
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

/// The sum of a metric's samples, of those with `label` where one is named.
double metric(const std::string& text, const std::string& name, const std::string& label = {}) {
    double sum = 0;
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) {
        if (!line.starts_with(name) || line.find(label) == std::string::npos) continue;
        sum += std::strtod(line.c_str() + line.rfind(' '), nullptr);
    }
    return sum;
}

class Bot {
  public:
    Bot(const nlohmann::json& card, const std::filesystem::path& folder) : tables_(card["tables"].size()) {
        config_.data.dir = folder;
        config_.discord.token = Secret(card["token"].get<std::string>());
        config_.discord.api_base = card["api_base"];
        config_.web.listen = config_.web.admin_listen = {"127.0.0.1", 0};
        cli::ServiceOptions options;
        options.extra_ca_pem = card["ca"];
        const double before = resident_mb();
        auto service = cli::Service::open(config_, options);
        if (!service) fail(service.error().message);
        service_ = std::move(*service);
        if (!service_->logged_in_within(seconds(30))) fail("the bot does not log in");
        before_ = before;
        asker_.call([&] { client_ = std::make_unique<net::HttpClient>(asker_.loop(), net::HttpClientOptions{}); });
    }
    ~Bot() {
        asker_.call([&] { client_.reset(); });
    }
    Bot(const Bot&) = delete;
    Bot& operator=(const Bot&) = delete;

    void wait_until_all_record() {
        for (;;) {
            const auto busy = service_->busy();
            if (!busy) fail(busy.error().message);
            if (busy->sessions == tables_) return;
            std::this_thread::sleep_for(milliseconds(50));
        }
    }
    /// Measures for `length`, reporting every `every`.
    void measure(std::size_t players, seconds length, seconds every) {
        std::this_thread::sleep_for(seconds(3));
        const double base = resident_mb();
        std::printf("%zu players at %zu tables; resident %.1f MB before, %.1f MB when all talk\n", players, tables_,
                    before_, base);
        for (seconds done{0}; done < length; done += every) {
            const BootTime from = BootClock::now();
            const double process = cpu_of(CLOCK_PROCESS_CPUTIME_ID);
            const double packets = heard();
            std::this_thread::sleep_for(every);
            const double wall = std::chrono::duration<double>(BootClock::now() - from).count();
            const double cpu = (cpu_of(CLOCK_PROCESS_CPUTIME_ID) - process) / wall * 100;
            const std::string now = metrics();
            const double per_second = (heard() - packets) / wall;
            std::printf(
                "%5lld s: %.0f packets/s, CPU %.2f %% of a core, %.4f %% a player, %.1f us a packet; resident %.1f MB, "
                "%.1f kB a player; kernel drops %.0f, refused %.0f\n",
                static_cast<long long>((done + every).count()), per_second, cpu, cpu / static_cast<double>(players),
                cpu / 100 / per_second * 1e6, resident_mb(), (base - before_) * 1e3 / static_cast<double>(players),
                metric(now, "lestapenna_packets_total", "dropped_by_kernel"),
                metric(now, "lestapenna_packets_total", "refused"));
            std::fflush(stdout);
        }
    }
    [[nodiscard]] double heard() { return metric(metrics(), "lestapenna_packets_total", "accepted"); }

  private:
    std::string metrics() {
        net::HttpRequest request;
        request.method = "GET";
        request.target = fmt::format("http://127.0.0.1:{}/metrics", service_->admin_port());
        auto answer = asker_.wait(client_->send(std::move(request), seconds(10)));
        if (!answer) fail(answer.error().message);
        return std::move(answer->body);
    }

    std::size_t tables_;
    Config config_;
    std::unique_ptr<cli::Service> service_;
    net::LoopThread asker_;
    std::unique_ptr<net::HttpClient> client_;
    double before_ = 0;
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
        if (::write(in[1], "a", 1) != 1) fail("the players are gone");
        bot.wait_until_all_record();
        bot.measure(players, length, every);
        ::close(in[1]);
        const std::string said = read_line(out[0]);
        std::printf("said %s packets, journaled %.0f\n", said.c_str(), bot.heard());
    }
    ::waitpid(child, nullptr, 0);
    std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace lestapenna

int main(int argc, char** argv) {
    using namespace lestapenna;
    set_log_level("error");  // the players leave first: what the bot says of that is right, and no news
    if (argc > 1) {
        const seconds length{argc > 2 ? std::atol(argv[2]) : 20};
        measure(static_cast<std::size_t>(std::atol(argv[1])), length, seconds{argc > 3 ? std::atol(argv[3]) : 10});
        return 0;
    }
    for (const std::size_t players : {std::size_t{6}, std::size_t{60}, std::size_t{600}})
        measure(players, seconds{10}, seconds{10});
    return 0;
}
