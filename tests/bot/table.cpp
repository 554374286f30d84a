#include "table.h"

#include <algorithm>
#include <thread>

#include <netinet/in.h>
#include <sys/socket.h>

#include "base/files.h"
#include "buzz.h"

namespace lestapenna::bot {

namespace {

constexpr milliseconds kLook{5};
constexpr std::size_t kLogBytes = 64U << 20;

// A port that is free now, below those the kernel gives to who asks for any, so that it stays free. Sixteen to a
// process: tests that run side by side have neighbouring ids.
std::uint16_t free_port() {
    static std::uint16_t next = static_cast<std::uint16_t>(20'000 + getpid() % 625 * 16);
    for (;; ++next) {
        const Fd probe(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
        sockaddr_in at{};
        at.sin_family = AF_INET;
        at.sin_port = htons(next);
        at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        if (::bind(probe.get(), reinterpret_cast<const sockaddr*>(&at), sizeof at) == 0) return next++;
    }
}

std::string in_ms(milliseconds span) {
    return std::to_string(span.count()) + "ms";
}

std::string address(const Listen& listen) {
    return listen.host + ":" + std::to_string(listen.port);
}

// What tests change of the configuration, as the program is told.
std::vector<std::string> environment_of(const Config& config) {
    return {"DISCORD_TOKEN=" + config.discord.token.reveal(),
            "LESTAPENNA_DISCORD_API_BASE=" + config.discord.api_base,
            "LESTAPENNA_DISCORD_CA_FILE=" + config.discord.ca_file.string(),
            "LESTAPENNA_DISCORD_PREFIX=" + config.discord.prefix,
            "LESTAPENNA_DISCORD_START_ROLE=" + config.discord.start_role,
            "LESTAPENNA_DATA_DIR=" + config.data.dir.string(),
            "LESTAPENNA_CAPTURE_ROTATION=" + in_ms(config.capture.rotation),
            "LESTAPENNA_CAPTURE_WRITE_INTERVAL=" + in_ms(config.capture.write_interval),
            "LESTAPENNA_CAPTURE_SYNC_INTERVAL=" + in_ms(config.capture.sync_interval),
            "LESTAPENNA_CAPTURE_EMPTY_END=" + in_ms(config.capture.empty_end),
            "LESTAPENNA_CAPTURE_RESUME_WITHIN=" + in_ms(config.capture.resume_within),
            "LESTAPENNA_STORE_URL=" + config.store.url,
            "LESTAPENNA_WEB_LISTEN=" + address(config.web.listen),
            "LESTAPENNA_WEB_ADMIN_LISTEN=" + address(config.web.admin_listen),
            "LESTAPENNA_WEB_PUBLIC_URL=" + config.web.public_url};
}

net::Task<> send(net::HttpClient* client, net::HttpRequest request,
                 std::shared_ptr<std::promise<net::HttpResponse>> to) {
    const nanoseconds patience = seconds(60);
    auto response = co_await client->send(std::move(request), patience);
    net::HttpResponse none;
    none.status = 0;
    to->set_value(response ? std::move(*response) : std::move(none));
}

}  // namespace

TableTest::TableTest() {
    client_ =
        thread_.call([this] { return std::make_unique<net::HttpClient>(thread_.loop(), net::HttpClientOptions{}); });
}

// The bot before its Discord. What runs on the loops does not throw.
// NOLINTNEXTLINE(bugprone-exception-escape)
TableTest::~TableTest() {
    program_.reset();
    service_.reset();
    show_.reset();
    thread_.call([this] { client_.reset(); });
}

// ---- the Discord

void TableTest::open(TableSetup setup) {
    sandbox::ShowOptions options;
    if (setup.script) {
        options.script = std::move(*setup.script);
    } else if (setup.talkers > 0) {
        sandbox::CutTable cut;
        cut.length = setup.length;
        cut.share = setup.share;
        cut.seed = kTableSeed;
        options.script = sandbox::cut_table(test::buzzing_voices(setup.talkers), cut);
        for (std::size_t i = 0; i < setup.talkers; ++i) options.names.push_back("Player " + std::to_string(i + 1));
    }
    options.guilds = setup.guilds;
    options.discord = std::move(setup.discord);
    if (options.discord.seed == sandbox::LoopbackOptions{}.seed) options.discord.seed = kTableSeed;
    auto show = sandbox::Show::open(std::move(options));
    ASSERT_TRUE(show.ok()) << show.error().message;
    show_ = std::move(*show);

    const auto ca_file = folder_ / "ca.pem";
    ASSERT_TRUE(write_file(ca_file, stage().addresses.ca_pem).ok());
    config_.discord.token = Secret(stage().bot.token);
    config_.discord.api_base = stage().addresses.api_base;
    config_.discord.ca_file = ca_file;
    config_.data.dir = folder_ / "data";
    config_.web.listen = {"127.0.0.1", free_port()};
    config_.web.admin_listen = {"127.0.0.1", free_port()};
    config_.web.public_url = "http://" + address(config_.web.listen);
}

// ---- people

UserId TableTest::person(const std::string& name, std::optional<GuildId> only) {
    return direct([&](sandbox::Loopback& discord) { return discord.add_person(name, only); });
}

discord::RoleId TableTest::role(const std::string& name, std::uint64_t permissions,
                                const std::vector<UserId>& members) {
    return direct([&](sandbox::Loopback& discord) {
        const auto id = discord.add_role(guild(), name, permissions);
        for (const auto member : members) discord.give_role(guild(), member, id);
        return id;
    });
}

void TableTest::deny(ChannelId channel, std::uint64_t permissions, std::optional<UserId> user) {
    direct([&](sandbox::Loopback& discord) {
        discord.set_overwrite(channel, {user.value_or(bot()).value, false, 0, permissions});
    });
}

void TableTest::sit(UserId person, std::optional<ChannelId> channel, std::size_t guild) {
    direct([&](sandbox::Loopback& discord) {
        discord.set_voice(
            stage(guild).guild, person, channel, [](const discord::Event&) {}, true);
    });
}

void TableTest::play(UnixTime session_start, std::size_t guild) {
    const auto begun = show_->begin(BootClock::now() + sandbox::kEarly, session_start,
                                    folder_ / ("truth-" + std::to_string(guild)), guild);
    ASSERT_TRUE(begun.ok()) << begun.error().message;
}

// ---- the bot

void TableTest::start(const cli::ServiceOptions& options) {
    auto service = cli::Service::open(config_, options);
    ASSERT_TRUE(service.ok()) << service.error().message;
    service_ = std::move(*service);
    ASSERT_TRUE(service_->logged_in_within(seconds(60)));
}

std::filesystem::path TableTest::run_file(const char* name, std::size_t run) const {
    return folder_ / (name + std::to_string(run));
}

void TableTest::launch_program() {
    ++runs_;
    program_ =
        std::make_unique<test::Background>(std::vector<std::string>{LESTAPENNA_BINARY, "--json", "run"}, folder_.path(),
                                           run_file("out", runs_), run_file("log", runs_), environment_of(config_));
}

// It says where it is once it has logged in.
bool TableTest::program_logged_in() {
    const auto said = read_text_file(run_file("out", runs_), kLogBytes);
    return said && said->find('\n') != std::string::npos;
}

void TableTest::start_program() {
    launch_program();
    ASSERT_TRUE(program_->until([this] { return program_logged_in(); })) << program_log();
}

void TableTest::kill_program() {
    program_->signal(SIGKILL);
    static_cast<void>(program_->wait());
    program_.reset();
}

int TableTest::stop_program() {
    program_->signal(SIGTERM);
    const int code = program_->wait();
    program_.reset();
    return code;
}

std::string TableTest::program_log() const {
    std::string all;
    for (std::size_t run = 1; run <= runs_; ++run) {
        const auto text = read_text_file(run_file("log", run), kLogBytes);
        all += "---- run " + std::to_string(run) + "\n" + (text ? *text : text.error().message);
    }
    return all;
}

// ---- commands, and what comes back

MessageId TableTest::send(UserId who, const std::string& message, std::optional<ChannelId> channel) {
    return direct([&](sandbox::Loopback& discord) { return discord.type(who, channel.value_or(text()), message); });
}

Posted TableTest::ask(UserId who, const std::string& message, std::optional<ChannelId> channel) {
    const auto before = direct_messages(who).size();
    const auto typed = send(who, message, channel);
    std::optional<Posted> answer;
    const auto answered = [&] {
        answer = answer_to(typed);
        if (const auto direct = direct_messages(who); !answer && direct.size() > before) answer = direct[before];
        return answer.has_value();
    };
    if (!eventually(answered)) ADD_FAILURE() << "no answer to " << message;
    return answer.value_or(Posted{});
}

std::uint64_t TableTest::send_slash(UserId who, const std::string& name, const Options& options,
                                    const std::string& locale, std::optional<ChannelId> channel) {
    constexpr int kText = 3;
    nlohmann::json list = nlohmann::json::array();
    for (const auto& [key, value] : options) list.push_back({{"name", key}, {"type", kText}, {"value", value}});
    return direct([&](sandbox::Loopback& discord) {
        return discord.use_command(who, channel.value_or(text()), bot(), name, list, locale);
    });
}

Posted TableTest::slash(UserId who, const std::string& name, const Options& options, const std::string& locale,
                        std::optional<ChannelId> channel) {
    const auto interaction = send_slash(who, name, options, locale, channel);
    return wait_for([&](const Posted& one) { return one.interaction == interaction; }, "an answer to /" + name);
}

std::vector<Posted> TableTest::posted() {
    return direct([](sandbox::Loopback& discord) { return discord.posted(); });
}

std::optional<Posted> TableTest::answer_to(MessageId typed) {
    for (const auto& one : posted()) {
        if (one.answers == typed) return one;
    }
    return std::nullopt;
}

std::vector<Posted> TableTest::answers_to(std::uint64_t interaction) {
    auto all = posted();
    std::erase_if(all, [&](const Posted& one) { return one.interaction != interaction; });
    return all;
}

std::vector<Posted> TableTest::direct_messages(UserId to) {
    auto all = posted();
    std::erase_if(all, [&](const Posted& one) { return one.direct_to != to; });
    return all;
}

Posted TableTest::wait_for(const std::function<bool(const Posted&)>& fits, const std::string& what) {
    std::optional<Posted> found;
    const auto there = [&] {
        const auto all = posted();
        const auto at = std::ranges::find_if(all, fits);
        if (at != all.end()) found = *at;
        return found.has_value();
    };
    if (!eventually(there)) {
        std::string all;
        for (const auto& one : posted()) all += "\n  " + one.content;
        ADD_FAILURE() << "there came no " << what << "; posted were:" << all;
    }
    return found.value_or(Posted{});
}

Posted TableTest::wait_for_post(std::string_view part) {
    return wait_for([&](const Posted& one) { return one.content.find(part) != std::string::npos; },
                    "message with " + std::string(part));
}

Posted TableTest::wait_for_post_in(ChannelId channel, std::string_view part) {
    return wait_for(
        [&](const Posted& one) { return one.channel == channel && one.content.find(part) != std::string::npos; },
        "message with " + std::string(part) + " in the channel");
}

Posted TableTest::wait_for_direct(UserId to, std::string_view part) {
    return wait_for(
        [&](const Posted& one) { return one.direct_to == to && one.content.find(part) != std::string::npos; },
        "direct message with " + std::string(part));
}

void TableTest::wait_until_idle() {
    const auto idle = [this] {
        if (service_) {
            const auto busy = service_->busy();
            return busy && busy->sessions == 0 && busy->jobs == 0;
        }
        const auto jobs = catalog().job_counts();
        const auto sessions = catalog().sessions();
        const auto is_open = [](const catalog::Session& one) {
            return one.status == catalog::SessionStatus::recording || one.status == catalog::SessionStatus::ending;
        };
        return jobs && sessions && !jobs->contains(catalog::JobStatus::waiting) &&
               !jobs->contains(catalog::JobStatus::running) && std::ranges::none_of(*sessions, is_open);
    };
    EXPECT_TRUE(eventually(idle, seconds(300))) << "there is still work";
}

bool TableTest::eventually(const std::function<bool()>& holds, seconds within) {
    for (const auto until = BootClock::now() + within; BootClock::now() < until;) {
        if (holds()) return true;
        std::this_thread::sleep_for(kLook);
    }
    return holds();
}

// ---- what there is

catalog::Catalog& TableTest::catalog() {
    if (!catalog_) {
        auto opened = catalog::Catalog::open(config_.data.dir / "catalog.sqlite");
        if (!opened) throw std::runtime_error(opened.error().message);  // the test ends here
        catalog_ = std::make_unique<catalog::Catalog>(std::move(*opened));
    }
    return *catalog_;
}

std::optional<catalog::Session> TableTest::last_session(std::size_t guild) {
    const auto sessions = catalog().sessions_of(stage(guild).guild.text(), 1);
    return sessions && !sessions->empty() ? std::optional(sessions->front()) : std::nullopt;
}

bool TableTest::is_recording_in(ChannelId channel, std::size_t guild) {
    return direct([&](sandbox::Loopback& discord) {
        return discord.voice_server(channel).ssrc(stage(guild).guild, bot()).has_value();
    });
}

std::filesystem::path TableTest::journal(const SessionId& session) const {
    return config_.data.dir / "journal" / session.text();
}

// ---- links

std::string TableTest::link_in(std::string_view text) {
    const auto begin = std::min(text.find("http://"), text.find("https://"));
    if (begin == std::string_view::npos) return {};
    text.remove_prefix(begin);
    return std::string(text.substr(0, text.find_first_of(" \n\t>)")));
}

net::HttpResponse TableTest::fetch(const std::string& link, const net::Headers& headers, const std::string& method) {
    auto answer = std::make_shared<std::promise<net::HttpResponse>>();
    auto future = answer->get_future();
    net::HttpRequest request{method, link, headers, {}};
    thread_.call([&] { net::spawn(thread_.loop(), bot::send(client_.get(), std::move(request), std::move(answer))); });
    return future.get();
}

std::string TableTest::web(const std::string& path) {
    return "http://" + address(config_.web.listen) + path;
}

std::string TableTest::admin(const std::string& path) {
    return "http://" + address(config_.web.admin_listen) + path;
}

}  // namespace lestapenna::bot
