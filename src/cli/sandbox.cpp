#include "cli/sandbox.h"

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <system_error>

#include <boost/asio/post.hpp>
#include <fcntl.h>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <unistd.h>

#include "base/files.h"
#include "base/log.h"
#include "base/text.h"
#include "cli/cli11.h"
#include "cli/line_reader.h"
#include "cli/names.h"
#include "net/blocking.h"
#include "net/loop.h"
#include "sandbox/console.h"
#include "sandbox/live_player.h"
#include "sandbox/loopback.h"
#include "sandbox/script.h"

namespace lestapenna::cli {

namespace {

constexpr std::size_t kBots = 8;  // at least four are promised

struct Options {
    int players = 3;
    bool no_dave = false;
    std::vector<std::string> modes;
    std::uint64_t seed = 1;
};

/// A folder of this process alone, gone when it ends.
class PrivateFolder {
  public:
    static Result<PrivateFolder> make() {
        auto name = (std::filesystem::temp_directory_path() / "lestapenna-sandbox-XXXXXX").string();
        if (mkdtemp(name.data()) == nullptr) return io_error("make", name, errno);
        return PrivateFolder(name);
    }
    PrivateFolder(PrivateFolder&& other) noexcept : path_(std::exchange(other.path_, {})) {}
    PrivateFolder& operator=(PrivateFolder&&) = delete;
    ~PrivateFolder() {
        std::error_code ignored;
        if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
    }
    [[nodiscard]] std::filesystem::path operator/(const char* name) const { return path_ / name; }

  private:
    explicit PrivateFolder(std::filesystem::path path) : path_(std::move(path)) {}
    std::filesystem::path path_;
};

/// The running sandbox. The loop goes last: what is under way on it refers to the rest and is not resumed any more.
struct Sandbox {
    net::Loop loop{1};
    std::unique_ptr<sandbox::Loopback> discord;
    GuildId guild;
    ChannelId text;
    ChannelId voice;
    ChannelId other_voice;
    std::vector<sandbox::Loopback::Bot> bots;
    std::vector<UserId> people;
    std::vector<std::unique_ptr<sandbox::LivePlayer>> players;  ///< of the present round
    net::Blocking preparing;

    void furnish(int talking);
    [[nodiscard]] Json description(const std::filesystem::path& ca_file) const;
    static net::Task<> perform(Sandbox* self, int talking, std::uint64_t seed);
    static net::Task<> act(Sandbox* self, std::size_t index, sandbox::Player script,
                           std::shared_ptr<const sandbox::Packed> said);
    static net::Task<> run_until_stopped(net::Loop* loop);
};

void Sandbox::furnish(int talking) {
    guild = discord->add_guild("La Stapenna");
    text = discord->add_text_channel(guild, "taverna");
    voice = discord->add_voice_channel(guild, "Tavolo");
    other_voice = discord->add_voice_channel(guild, "Cantina");
    for (std::size_t i = 0; i < kBots; ++i) bots.push_back(discord->add_bot(fmt::format("bot-{}", i + 1)));
    // One at least: somebody must be there to type.
    for (std::size_t i = 0; i < static_cast<std::size_t>(std::max(talking, 1)); ++i) {
        people.push_back(discord->add_person(player_name(i)));
    }
}

Json Sandbox::description(const std::filesystem::path& ca_file) const {
    Json tokens = Json::array();
    Json bot_ids = Json::array();
    Json player_ids = Json::array();
    for (const auto& bot : bots) {
        tokens.push_back(bot.token);
        bot_ids.push_back(bot.user.text());
    }
    for (const auto person : people) player_ids.push_back(person.text());
    const auto& at = discord->addresses();
    return {{"api_base", at.api_base},
            {"gateway_url", at.gateway_url},
            {"ca_file", ca_file.string()},
            {"bot_tokens", std::move(tokens)},
            {"bot_user_ids", std::move(bot_ids)},
            {"player_user_ids", std::move(player_ids)},
            {"guild_id", guild.text()},
            {"voice_channel_id", voice.text()},
            {"text_channel_id", text.text()},
            {"other_voice_channel_id", other_voice.text()}};
}

// ---- people who talk

constexpr seconds kRound{300};  // what they say is encoded once and said again and again

net::Task<> Sandbox::perform(Sandbox* self, int talking, std::uint64_t seed) {
    const sandbox::SpokenTable wanted{talking, kRound, seed, "espeak-ng"};
    auto speak = [wanted] { return sandbox::spoken_table(wanted); };
    const auto spoken = co_await self->preparing.run(std::move(speak));
    if (!spoken) {
        log().warn("nobody talks: {}", spoken.error().message);
        co_return;
    }
    if (!spoken->spoken) log().warn("espeak-ng is not installed: a buzz stands in for each line");
    self->players.resize(spoken->script.players.size());
    for (std::size_t i = 0; i < self->players.size(); ++i) {
        auto script = spoken->script.players[i];
        script.user = self->people[i];
        auto pack = [script] { return std::make_shared<const sandbox::Packed>(sandbox::pack(script, {})); };
        auto said = co_await self->preparing.run(std::move(pack));
        script.talks.clear();
        net::spawn(self->loop, act(self, i, std::move(script), std::move(said)));
    }
}

// Round after round; who was thrown out comes back with the next.
net::Task<> Sandbox::act(Sandbox* self, std::size_t index, sandbox::Player script,
                         std::shared_ptr<const sandbox::Packed> said) {
    for (BootTime zero = BootClock::now();; zero += kRound) {
        auto& player = self->players[index];
        player.reset();
        player = std::make_unique<sandbox::LivePlayer>(self->loop, *self->discord, self->guild, self->voice, script,
                                                       said, sandbox::LivePlayerOptions{});
        co_await player->play(zero);
        co_await net::sleep_for(zero + kRound - BootClock::now());
    }
}

// ---- the verb

net::Task<> Sandbox::run_until_stopped(net::Loop* loop) {
    constexpr nanoseconds kGlance = milliseconds(50);  // a signal handler can only set a flag
    while (!Context::stop()) co_await net::sleep_for(kGlance);
    loop->stop();
}

/// One line at once, whole: a program reads it.
void say_line(const std::string& line) {
    std::fwrite((line + "\n").data(), 1, line.size() + 1, stdout);
    std::fflush(stdout);
}

/// Where standard input was closed by whoever started us, the next descriptor opened would be taken for it.
void hold_standard_input() {
    if (fcntl(STDIN_FILENO, F_GETFD) < 0) (void)open("/dev/null", O_RDONLY);
}

Result<std::vector<discord::TransportMode>> modes_of(const std::vector<std::string>& names) {
    std::vector<discord::TransportMode> modes;
    for (const auto& name : names) {
        const auto mode = discord::parse_transport_mode(name);
        if (!mode) {
            return Error{ErrorKind::usage,
                         "unknown mode " + in_quotes(name) +
                             "; there are aead_aes256_gcm_rtpsize and aead_xchacha20_poly1305_rtpsize"};
        }
        modes.push_back(*mode);
    }
    return modes;
}

Result<Exit> run_sandbox(const Options& options) {
    hold_standard_input();
    std::signal(SIGPIPE, SIG_IGN);  // who started us may stop reading our answers
    const auto modes = modes_of(options.modes);
    if (!modes) return modes.error();
    const auto folder = PrivateFolder::make();
    if (!folder) return folder.error();

    Sandbox box;
    sandbox::LoopbackOptions wanted;
    wanted.seed = options.seed;
    if (!modes->empty()) wanted.modes = *modes;
    wanted.delivery.enabled = !options.no_dave;
    auto started = sandbox::Loopback::start(box.loop, wanted);
    if (!started) return started.error();
    box.discord = std::move(*started);
    const auto ca_file = *folder / "ca.pem";
    if (auto written = write_file(ca_file, box.discord->addresses().ca_pem); !written) return written.error();
    box.furnish(options.players);
    say_line(box.description(ca_file).dump());

    sandbox::Console console(*box.discord, {box.guild, box.voice, box.text});
    auto orders = LineReader::start(STDIN_FILENO, [&box, &console](std::string line) {
        net::asio::post(box.loop, [&console, line = std::move(line)] { say_line(console.obey(line)); });
    });
    if (!orders) return orders.error();
    if (options.players > 0) net::spawn(box.loop, Sandbox::perform(&box, options.players, options.seed));
    net::spawn(box.loop, Sandbox::run_until_stopped(&box.loop));
    box.loop.run();
    return kDone;
}

std::string footer() {
    return "The first line of output says where it is; it ends with SIGINT or SIGTERM. Each line of standard input "
           "may\n"
           "be an order, a JSON object, answered by a line; ids are texts; its end ends nothing:\n"
           "  {\"do\": \"move\", \"user\": \"123\", \"channel\": \"456\"}  ->  {\"ok\": true} or {\"error\": "
           "\"...\"}\n" +
           sandbox::Console::help() + "More: docs/sandbox.md. Also: --json, --config PATH (lestapenna --help).";
}

}  // namespace

void add_sandbox(CLI::App& app, Context& context) {
    const auto options = std::make_shared<Options>();
    auto* const verb = context.add_verb(app, "sandbox", "A Discord on this machine alone, to try any bot against",
                                        [options] { return run_sandbox(*options); });
    verb->add_option("--players", options->players, "People who talk in the voice channel")
        ->check(CLI::Range(0, 100))
        ->type_name("N")
        ->capture_default_str();
    verb->add_flag("--no-dave", options->no_dave,
                   "Voice channels without end-to-end encryption (stages have none anyway)");
    verb->add_option("--modes", options->modes, "The transport encryption modes offered (default: both)")
        ->type_name("MODE");
    verb->add_option("--seed", options->seed, "The same seed gives the same ids, tokens and voices")
        ->type_name("N")
        ->capture_default_str();
    verb->footer(footer());
}

}  // namespace lestapenna::cli
