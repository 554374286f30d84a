#include "cli/service.h"

#include <algorithm>
#include <cerrno>
#include <future>
#include <iterator>
#include <mutex>
#include <thread>
#include <utility>
#include <variant>

#include <fcntl.h>
#include <sys/file.h>

#include "base/files.h"
#include "base/log.h"
#include "bot/bot.h"
#include "catalog/catalog.h"
#include "cli/mail.h"
#include "cli/service_jobs.h"
#include "cli/storage_metrics.h"
#include "discord/gateway.h"
#include "discord/rest.h"
#include "jobs/runner.h"
#include "jobs/transcriber.h"
#include "mls/crypto.h"
#include "net/blocking.h"
#include "net/loop_thread.h"
#include "store/links.h"
#include "web/site.h"
#include "workflows/job_names.h"
#include "workflows/retention.h"
#include "workflows/wishes.h"

namespace lestapenna::cli {

namespace {

constexpr std::size_t kMaxCertificateBytes = 1U << 20;
/// For Discord to take our goodbye; a service manager kills after 90 s.
constexpr seconds kLogOut{5};
/// How often it is looked whether retention is to sweep; it sweeps once a day.
constexpr std::chrono::hours kLookForSweep{1};

/// Free when its holder dies.
Result<Fd> lock_folder(const std::filesystem::path& folder) {
    const auto path = folder / "run.lock";
    Fd lock(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
    if (!lock) return io_error("open", path, errno);
    if (::flock(lock.get(), LOCK_EX | LOCK_NB) == 0) return lock;
    if (errno != EWOULDBLOCK) return io_error("lock", path, errno);
    return Error{ErrorKind::locked,
                 "another lestapenna runs on " + folder.string() + ": stop it, or give this one a data.dir of its own"};
}

Result<net::Trust> trust_of(const Config& config, const ServiceOptions& options) {
    net::Trust trust;
    trust.extra_ca_pem = options.extra_ca_pem;
    if (config.discord.ca_file.empty()) return trust;
    const auto pem = read_text_file(config.discord.ca_file, kMaxCertificateBytes);
    if (!pem) return Error{ErrorKind::usage, "discord.ca_file: " + pem.error().message};
    trust.extra_ca_pem += *pem;
    return trust;
}

Status check_token(const Config& config) {
    if (!config.discord.token.empty()) return Ok{};
    return Error{ErrorKind::usage,
                 "there is no token: create a bot at https://discord.com/developers/applications, and put its token "
                 "into DISCORD_TOKEN or discord.token"};
}

}  // namespace

struct Service::Impl {
    Impl(const Config& with, ServiceOptions how)
        : config(with), options(std::move(how)), logged_out(thread.loop()), leaving(thread.loop()) {}

    Status open_files();
    Status open_mailer();
    Status log_in();
    void hear(const discord::Event& event);
    static net::Task<> stay(Impl* service);
    static net::Task<> sweep_daily(Impl* service);
    net::Task<> log_out();
    web::Health health();
    Result<Busy> busy();

    const Config& config;
    ServiceOptions options;
    Fd lock;
    std::optional<catalog::Catalog> catalog;         ///< the blocking thread's
    std::optional<catalog::Catalog> asking_catalog;  ///< the thread's that asks the store
    std::optional<catalog::Catalog> questions;       ///< health()'s and busy()'s, one at a time
    std::mutex asking;
    std::unique_ptr<store::ObjectStore> store;
    std::optional<store::Links> links;
    journal::Committer committer;  // sessions' writers may outlive the loop's tasks
    std::optional<Mailer> mailer;
    net::LoopThread thread;
    net::Blocking blocking;
    net::Blocking asking_store;
    std::unique_ptr<jobs::Runner> runner;
    std::unique_ptr<jobs::Transcriber> transcriber;
    std::optional<discord::Rest> rest;
    std::unique_ptr<discord::Gateway> gateway;
    std::unique_ptr<bot::Bot> bot;
    std::unique_ptr<web::Site> site;

    net::Signal logged_out;
    net::Signal leaving;
    bool accepted = false;
    std::promise<void> logged_in;
    std::future<void> logged_in_future = logged_in.get_future();
    std::promise<Status> ended;
    std::shared_future<Status> ended_future = ended.get_future().share();
};

// ---- opening

Status Service::Impl::open_files() {
    const auto& folder = config.data.dir;
    if (auto made = make_folders(folder); !made) {
        return Error{ErrorKind::failed, made.error().message + " (data.dir in the configuration says where)"};
    }
    auto locked = lock_folder(folder);
    if (!locked) return locked.error();
    lock = std::move(*locked);
    for (auto* const which : {&catalog, &asking_catalog, &questions}) {
        auto opened = catalog::Catalog::open(folder / "catalog.sqlite");
        if (!opened) return opened.error();
        which->emplace(std::move(*opened));
    }
    auto opened = store::open_store(config);
    if (!opened) return opened.error();
    store = std::move(*opened);
    auto signer = store::Links::open(config);
    if (!signer) return signer.error();
    links.emplace(std::move(*signer));
    if (auto made = open_mailer(); !made) return made;
    auto transcribing = jobs::Transcriber::start(
        {config, folder / "catalog.sqlite", *store, *links, workflows::transcript_job, [this] { runner->wake(); }});
    if (!transcribing) return transcribing.error();
    transcriber = std::move(*transcribing);
    auto shown = web::Site::open({config, *links, *store, [this] { return health(); }});
    if (!shown) return shown.error();
    site = std::move(*shown);
    if (workflows::Wishes::any(folder)) {
        if (auto added = catalog->add_job({.name = workflows::kForgetJob, .subject = ""}); !added) return added;
    }
    if (options.links_to_here && config.web.public_url.empty())
        links->lead_to("http://127.0.0.1:" + std::to_string(site->port()));
    return Ok{};
}

Status Service::Impl::open_mailer() {
    auto server = notify::Server::open(config);
    if (!server) return server.error();
    if (!*server) return Ok{};
    mailer.emplace(config, std::move(**server), *links);
    return try_mails_again(*catalog, unix_now());
}

/// On the loop.
Status Service::Impl::log_in() {
    auto trust = trust_of(config, options);
    if (!trust) return trust.error();
    discord::RestOptions rest_options;
    rest_options.token = config.discord.token.reveal();
    rest_options.api_base = config.discord.api_base;
    rest_options.trust = *trust;
    auto made = discord::Rest::make(thread.loop(), std::move(rest_options));
    if (!made) return made.error();
    rest.emplace(std::move(*made));

    discord::GatewayOptions gateway_options;
    gateway_options.token = config.discord.token.reveal();
    gateway_options.intents |= discord::intents::direct_messages;  // to say that commands belong into a guild
    gateway_options.trust = *trust;
    gateway = std::make_unique<discord::Gateway>(thread.loop(), *rest, std::move(gateway_options),
                                                 [this](const discord::Event& event) { hear(event); });

    bot::Tools tools{thread.loop(),
                     blocking,
                     *rest,
                     workflows::Tools{config, *catalog, *store, {}},
                     asking_store,
                     workflows::Tools{config, *asking_catalog, *store, {}},
                     *links,
                     *runner,
                     committer,
                     {},
                     {},
                     [this](GuildId guild, std::optional<ChannelId> channel) {
                         gateway->update_voice_state(guild, channel, false, false);
                     },
                     [this] { return gateway->ready(); }};
    tools.journal.write_interval = config.capture.write_interval;
    tools.journal.sync_interval = config.capture.sync_interval;
    tools.voice.trust = *trust;
    // One for all calls of this process: people see the same key of ours wherever we are.
    tools.voice.identity = std::make_shared<const mls::KeyPair>(mls::KeyPair::generate());
    bot = std::make_unique<bot::Bot>(std::move(tools));
    net::spawn(thread.loop(), stay(this));
    return Ok{};
}

void Service::Impl::hear(const discord::Event& event) {
    bot->on_event(event);
    if (!std::holds_alternative<discord::Ready>(event) || accepted) return;
    accepted = true;
    logged_in.set_value();
}

net::Task<> Service::Impl::stay(Impl* service) {
    Status end = co_await service->gateway->run();
    service->ended.set_value(std::move(end));
    service->logged_out.set();
}

net::Task<> Service::Impl::sweep_daily(Impl* service) {
    for (bool over = false; !over;) {
        auto want = [service] { return workflows::want_sweep(*service->catalog, unix_now()); };
        const Status wanted = co_await service->blocking.run(std::move(want));
        if (!wanted) log().warn("retention can not be thought of: {}", wanted.error().message);
        service->runner->wake();
        over = co_await service->leaving.wait_for(kLookForSweep);
    }
}

Result<std::unique_ptr<Service>> Service::open(const Config& config, const ServiceOptions& options) {
    if (auto token = check_token(config); !token) return token.error();
    auto impl = std::make_unique<Impl>(config, options);
    impl->runner = std::make_unique<jobs::Runner>(config.data.dir / "catalog.sqlite");
    if (auto opened = impl->open_files(); !opened) return opened.error();
    auto service = std::unique_ptr<Service>(new Service(std::move(impl)));
    Impl& at = *service->impl_;
    if (auto begun = at.thread.call([&] { return at.log_in(); }); !begun) return begun.error();
    handle_all(*at.runner, {config, *at.store, at.committer, at.thread.loop(), *at.bot, options.threads,
                            at.mailer ? &*at.mailer : nullptr});
    if (auto started = at.runner->start(); !started) return started.error();
    net::spawn(at.thread.loop(), Impl::sweep_daily(&at));
    return service;
}

Service::Service(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

// ---- the end

net::Task<> Service::Impl::log_out() {
    leaving.set();
    if (bot) co_await bot->leave();
    if (!gateway) co_return;
    gateway->stop();
    static_cast<void>(co_await logged_out.wait_for(kLogOut));
}

// What runs on the loop does not throw.
// NOLINTNEXTLINE(bugprone-exception-escape)
Service::~Service() {
    Impl& at = *impl_;
    at.store->stop();          // else a server that hangs would keep us for minutes
    at.runner->ask_to_stop();  // all wind down at once: what one waits for does not come on top of the next one's
    at.site.reset();
    at.transcriber.reset();
    at.runner->stop();
    at.thread.wait(at.log_out());
    at.thread.call([&at] {
        at.bot.reset();
        at.gateway.reset();
        at.rest.reset();
    });
    at.thread.stop();
}

// ---- what one may ask

bool Service::logged_in_within(milliseconds time) {
    return impl_->logged_in_future.wait_for(time) == std::future_status::ready;
}

std::optional<Error> Service::broken_within(milliseconds time) {
    if (impl_->ended_future.wait_for(time) != std::future_status::ready) return std::nullopt;
    const Status& end = impl_->ended_future.get();
    return end ? Error{ErrorKind::failed, "the connection to Discord was closed"} : end.error();
}

Result<Service::Busy> Service::Impl::busy() {
    Busy busy;
    {
        const std::lock_guard alone(asking);
        const auto counts = questions->job_counts();
        if (!counts) return counts.error();
        for (const auto& [status, count] : *counts) {
            if (status == catalog::JobStatus::waiting || status == catalog::JobStatus::running)
                busy.jobs += static_cast<std::size_t>(count);
        }
    }
    busy.sessions = thread.call([this] { return bot ? bot->recording() : 0; });
    return busy;
}

Result<Service::Busy> Service::busy() {
    return impl_->busy();
}

web::Health Service::Impl::health() {
    web::Health health = thread.call([this] {
        web::Health now;
        if (!bot || !bot->ready()) now.not_ready.emplace_back("the bot is not logged in to Discord");
        if (bot) now.metrics = bot->metrics();
        if (!gateway) return now;
        for (const auto& [code, count] : gateway->counts().closes) {
            now.metrics.push_back({"lestapenna_gateway_closes_total",
                                   "Connections to the main gateway that ended, by close code (0: none came).",
                                   MetricKind::counter,
                                   {{"code", std::to_string(code)}},
                                   static_cast<double>(count)});
        }
        return now;
    });
    const std::lock_guard alone(asking);
    if (mailer) std::ranges::move(mailer->metrics(), std::back_inserter(health.metrics));
    if (const auto counts = questions->job_counts(); counts) {
        for (const auto& [status, count] : *counts) {
            health.metrics.push_back({"lestapenna_jobs",
                                      "Durable jobs, by status.",
                                      MetricKind::gauge,
                                      {{"status", std::string(to_text(status))}},
                                      static_cast<double>(count)});
        }
    } else {
        health.not_ready.push_back(counts.error().message);
    }
    std::ranges::move(storage_metrics(*questions, config), std::back_inserter(health.metrics));
    if (const auto counts = questions->transcription_counts(); counts) {
        for (const auto& [status, count] : *counts) {
            health.metrics.push_back({"lestapenna_transcriptions",
                                      "Fragments to be transcribed, by status.",
                                      MetricKind::gauge,
                                      {{"status", std::string(to_text(status))}},
                                      static_cast<double>(count)});
        }
    }
    std::ranges::move(transcriber->metrics(), std::back_inserter(health.metrics));
    return health;
}

std::uint16_t Service::web_port() const {
    return impl_->site->port();
}
std::uint16_t Service::admin_port() const {
    return impl_->site->admin_port();
}
std::string Service::links_begin() const {
    return impl_->links->begin();
}

}  // namespace lestapenna::cli
