// What Discord says: is the token good, may the bot read, may it record.
#include <fmt/format.h>

#include "base/text.h"
#include "cli/doctor_checks.h"
#include "discord/permissions.h"
#include "net/http_client.h"
#include "net/loop_thread.h"

namespace lestapenna::cli {

namespace {

using net::Task;

constexpr seconds kPatience{20};  // for each question; nobody waits two minutes for a doctor
constexpr milliseconds kClockTolerance{5'000};
constexpr const char* kPortal = "https://discord.com/developers/applications";

struct Permission {
    std::uint64_t bit;
    const char* name;  ///< as Discord's settings call it
};
constexpr Permission kNeeded[] = {
    {discord::permission::view_channel, "View Channel"},       {discord::permission::send_messages, "Send Messages"},
    {discord::permission::attach_files, "Attach Files"},       {discord::permission::connect, "Connect"},
    {discord::permission::change_nickname, "Change Nickname"},
};

/// Where a manager of a guild lets the bot in, or gives it what it lacks.
std::string invitation(const discord::OwnApplication& application) {
    std::uint64_t all = 0;
    for (const auto& one : kNeeded) all |= one.bit;
    return fmt::format(
        "https://discord.com/oauth2/authorize?client_id={}&scope=bot+applications.commands&permissions={}",
        application.id.text(), all);
}

std::string lacking(std::uint64_t permissions) {
    std::string names;
    if ((permissions & discord::permission::administrator) != 0) return names;
    for (const auto& one : kNeeded) {
        if ((permissions & one.bit) == 0) names += (names.empty() ? "" : ", ") + std::string(one.name);
    }
    return names;
}

/// What was asked, and what came back. Nothing: not asked.
struct Answers {
    std::optional<discord::RestResult<discord::User>> user;
    std::optional<discord::RestResult<discord::OwnApplication>> application;
    std::optional<discord::RestResult<std::vector<discord::OwnGuild>>> guilds;
    std::optional<Check> clock;
};

/// Anybody may ask for /gateway; its answer says what time it is there.
Task<std::optional<Check>> ask_clock(net::HttpClient& client, std::string api_base) {
    while (api_base.ends_with('/')) api_base.pop_back();
    net::HttpRequest request{"GET", api_base + "/gateway", {}, {}};
    const UnixTime asked = unix_now();
    const auto answer = co_await client.send(std::move(request), kPatience);
    const UnixTime answered = unix_now();
    const auto date = answer ? answer->headers.find("Date") : std::nullopt;
    const auto theirs = date ? net::parse_http_date(*date) : std::nullopt;
    if (!theirs) co_return std::nullopt;
    co_return clock_check(*theirs, asked, answered);
}

Task<Answers> ask_all(discord::Rest& rest, net::HttpClient& client, std::string api_base) {
    Answers answers;
    answers.clock = co_await ask_clock(client, std::move(api_base));
    answers.user = co_await rest.current_user();
    if (!*answers.user) co_return answers;
    answers.application = co_await rest.own_application();
    answers.guilds = co_await rest.own_guilds();
    co_return answers;
}

/// The client and Rest live on the loop.
Result<Answers> answers_of(const Config& config) {
    discord::RestOptions options;
    options.token = config.discord.token.reveal();
    options.api_base = config.discord.api_base;
    options.timing.give_up = kPatience;
    if (!config.discord.ca_file.empty()) {
        auto trust = net::Trust::from_file(config.discord.ca_file);
        if (!trust) return Error{ErrorKind::usage, "discord.ca_file: " + trust.error().message};
        options.trust = std::move(*trust);
    }
    net::LoopThread thread;
    std::optional<Result<discord::Rest>> rest;
    std::optional<net::HttpClient> client;
    thread.call([&] {
        net::HttpClientOptions client_options;
        client_options.trust = options.trust;
        client.emplace(thread.loop(), std::move(client_options));
        rest.emplace(discord::Rest::make(thread.loop(), options));
    });
    std::optional<Answers> answers;
    if (*rest) answers = thread.wait(ask_all(**rest, *client, options.api_base));
    const auto refused = *rest ? std::nullopt : std::optional(rest->error());
    thread.call([&] {
        rest.reset();
        client.reset();
    });
    if (refused) return *refused;
    return std::move(*answers);
}

}  // namespace

Check intents_check(const discord::OwnApplication& application) {
    if (application.reads_messages()) return {"intents", true, "the bot may read messages: $ascolta works"};
    return {"intents", false,
            fmt::format("the bot may not read messages, so only slash commands work: switch on \"Message Content "
                        "Intent\" at {}/{}/bot",
                        kPortal, application.id.text())};
}

std::vector<Check> guild_checks(const discord::OwnApplication& application,
                                const std::vector<discord::OwnGuild>& guilds) {
    if (guilds.empty()) {
        return {{"guild", false, "the bot is in no server: open " + invitation(application) + " and choose yours"}};
    }
    std::vector<Check> checks;
    for (const auto& guild : guilds) {
        const auto lacks = lacking(guild.permissions);
        const auto who = fmt::format("{} ({}): ", in_quotes(guild.name), guild.id.text());
        checks.push_back(
            {"guild", lacks.empty(),
             who + (lacks.empty() ? "the bot may do all it needs to"
                                  : fmt::format("the bot lacks {}, where no channel gives it: give it to its role, or "
                                                "open {}",
                                                lacks, invitation(application)))});
    }
    return checks;
}

Check clock_check(UnixTime theirs, UnixTime asked, UnixTime answered) {
    // Date is cut to the second: half of one is the best guess. When it was written is somewhere between the others.
    const auto ours = asked + (answered - asked) / 2;
    const auto ahead = ours - (theirs + milliseconds(500));
    const double off = std::chrono::duration<double>(ahead).count();
    const auto uncertain = (answered - asked) / 2 + milliseconds(500);
    if (std::chrono::abs(ahead) <= kClockTolerance + uncertain) {
        return {"clock", true, fmt::format("within {:.0f} s of Discord's", std::abs(off) + 0.5)};
    }
    return {"clock", false,
            fmt::format("this machine's clock is {:.0f} s {} Discord's: recordings get wrong times and links expire "
                        "wrongly; let it be set by the network (timedatectl set-ntp true)",
                        std::abs(off), off > 0 ? "ahead of" : "behind")};
}

std::vector<Check> check_discord(const Config& config) {
    if (config.discord.token.empty()) {
        return {{"token", false,
                 fmt::format("there is none: make an application at {}, take the token from its page \"Bot\" (Reset "
                             "Token), and put it into DISCORD_TOKEN or discord.token",
                             kPortal)}};
    }
    auto answers = answers_of(config);
    if (!answers) return {{"token", false, answers.error().message}};
    std::vector<Check> checks;
    const auto& user = *answers->user;
    checks.push_back({"token", user.ok(), user ? "Discord knows the bot as " + user->display() : user.error().message});
    if (answers->clock) checks.push_back(*answers->clock);
    if (!user) return checks;
    const auto& application = *answers->application;
    if (!application) {
        checks.push_back({"intents", false, application.error().message});
        return checks;
    }
    checks.push_back(intents_check(*application));
    const auto& guilds = *answers->guilds;
    if (!guilds) {
        checks.push_back({"guild", false, guilds.error().message});
        return checks;
    }
    for (auto& check : guild_checks(*application, *guilds)) checks.push_back(std::move(check));
    return checks;
}

}  // namespace lestapenna::cli
