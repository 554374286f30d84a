#include "recording_bot.h"

#include <future>
#include <utility>
#include <variant>

#include "discord/gateway.h"
#include "discord/guilds.h"
#include "discord/rest.h"
#include "net/blocking.h"
#include "net/loop_thread.h"

namespace lestapenna::recorder {

struct RecordingBot::Impl {
    Impl(RecordingBotOptions with, catalog::Catalog& rows, GuildId where)
        : options(std::move(with)), catalog(rows), guild(where), changed(thread.loop()), logged_out(thread.loop()) {
        options.voice.trust = options.trust;
    }

    net::Task<Status> log_in();
    net::Task<> log_out();
    static net::Task<> stay(Impl* bot);
    static net::Task<> watch(Impl* bot, std::shared_ptr<std::promise<EndCause>> over);
    [[nodiscard]] Tools tools();
    void hear(const discord::Event& event);
    [[nodiscard]] bool ready() const;

    journal::Committer committer{2};  // a session's writer may outlive the loop's tasks
    net::LoopThread thread;
    net::Blocking blocking;
    RecordingBotOptions options;
    catalog::Catalog& catalog;
    GuildId guild;
    UserId self;
    discord::Guilds guilds;
    std::optional<discord::Rest> rest;
    std::unique_ptr<discord::Gateway> gateway;
    std::unique_ptr<Recorder> recorder;
    std::optional<SessionId> session;  ///< the latest, also when its Recorder is gone
    net::Signal changed;               ///< ready, or not to be
    net::Signal logged_out;
    Status gateway_says = Ok{};
    std::shared_future<EndCause> over;
    std::mutex telling;
    std::vector<Happening> told;  ///< guarded by telling
};

bool RecordingBot::Impl::ready() const {
    const auto* known = guilds.guild(guild);
    return self.value != 0 && known != nullptr && known->available;
}

void RecordingBot::Impl::hear(const discord::Event& event) {
    if (const auto* ready = std::get_if<discord::Ready>(&event)) self = ready->self.id;
    guilds.apply(event);
    if (recorder) recorder->on_event(event);
    if (ready()) changed.set();
}

net::Task<> RecordingBot::Impl::stay(Impl* bot) {
    bot->gateway_says = co_await bot->gateway->run();
    bot->changed.set();
    bot->logged_out.set();
}

net::Task<Status> RecordingBot::Impl::log_in() {
    discord::RestOptions rest_options;
    rest_options.token = options.token;
    rest_options.api_base = options.api_base;
    rest_options.trust = options.trust;
    auto made = discord::Rest::make(thread.loop(), std::move(rest_options));
    if (!made) co_return made.error();
    rest.emplace(std::move(*made));

    discord::GatewayOptions gateway_options;
    gateway_options.token = options.token;
    gateway_options.trust = options.trust;
    gateway = std::make_unique<discord::Gateway>(thread.loop(), *rest, std::move(gateway_options),
                                                 [this](const discord::Event& event) { hear(event); });
    net::spawn(thread.loop(), stay(this));
    static_cast<void>(co_await changed.wait_for(options.log_in_within));
    if (ready()) co_return Ok{};
    if (!gateway_says) co_return gateway_says.error();
    co_return Error{ErrorKind::failed, "Discord's gateway does not tell of the guild; is the bot a member of it?"};
}

net::Task<> RecordingBot::Impl::log_out() {
    recorder.reset();
    if (!gateway) co_return;
    gateway->stop();
    static_cast<void>(co_await logged_out.wait_for(seconds(5)));
}

net::Task<> RecordingBot::Impl::watch(Impl* bot, std::shared_ptr<std::promise<EndCause>> over) {
    const EndCause cause = co_await bot->recorder->over();
    over->set_value(cause);
}

Result<std::unique_ptr<RecordingBot>> RecordingBot::log_in(RecordingBotOptions options, catalog::Catalog& catalog,
                                                           GuildId guild) {
    auto bot =
        std::unique_ptr<RecordingBot>(new RecordingBot(std::make_unique<Impl>(std::move(options), catalog, guild)));
    const Status logged_in = bot->impl_->thread.wait(bot->impl_->log_in());
    if (!logged_in) return logged_in.error();
    return bot;
}

RecordingBot::RecordingBot(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

// What runs on the loop does not throw.
// NOLINTNEXTLINE(bugprone-exception-escape)
RecordingBot::~RecordingBot() {
    impl_->thread.wait(impl_->log_out());
    impl_->thread.call([this] {
        impl_->gateway.reset();
        impl_->rest.reset();
    });
    impl_->thread.stop();
}

Tools RecordingBot::Impl::tools() {
    Tools tools{thread.loop(),        blocking,        *rest,         guilds, catalog,           committer,
                options.journal_root, options.journal, options.voice, self,   options.empty_end, {}};
    tools.ask_gateway = [this](GuildId where, std::optional<ChannelId> channel) {
        gateway->update_voice_state(where, channel, false, false);
    };
    tools.tell = [this](const Happening& what) {
        const std::lock_guard lock(telling);
        told.push_back(what);
    };
    tools.gateway_is_up = [this] { return gateway->ready(); };
    return tools;
}

Result<Ok, StartError> RecordingBot::start(const Where& where, const std::optional<journal::Unfinished>& unfinished) {
    Impl& bot = *impl_;
    auto started = bot.thread.call([&] {
        bot.recorder = unfinished ? std::make_unique<Recorder>(bot.tools(), where, *unfinished)
                                  : std::make_unique<Recorder>(bot.tools(), where);
        bot.session = bot.recorder->session();
        auto over = std::make_shared<std::promise<EndCause>>();
        bot.over = over->get_future().share();
        net::spawn(bot.thread.loop(), Impl::watch(&bot, std::move(over)));
        return bot.recorder->start();
    });
    return bot.thread.wait(std::move(started));
}

void RecordingBot::cut_off() {
    impl_->thread.call([this] { impl_->recorder.reset(); });
}

bool RecordingBot::pause() {
    return impl_->thread.call([this] { return impl_->recorder->pause(); });
}
bool RecordingBot::resume() {
    return impl_->thread.call([this] { return impl_->recorder->resume(); });
}
bool RecordingBot::note(UserId user, const std::string& text) {
    return impl_->thread.call([&] { return impl_->recorder->note(user, text); });
}
std::vector<Happening> RecordingBot::told() const {
    const std::lock_guard lock(impl_->telling);
    return impl_->told;
}
GivenBack RecordingBot::give_back_nick() {
    Impl& bot = *impl_;
    const SignTools tools{*bot.rest, bot.guilds, bot.blocking, bot.catalog, bot.self};
    return bot.thread.wait(recorder::give_back_nick(tools, bot.guild));
}

const SessionId& RecordingBot::session() const {
    return *impl_->session;
}
UnixTime RecordingBot::start_time() const {
    return impl_->recorder->start_time();
}
Report RecordingBot::report() const {
    return impl_->thread.call([this] { return impl_->recorder->report(); });
}
Status RecordingBot::stop() {
    return impl_->thread.wait(impl_->recorder->stop());
}

std::optional<EndCause> RecordingBot::over_within(milliseconds time) {
    if (impl_->over.wait_for(time) != std::future_status::ready) return std::nullopt;
    return impl_->over.get();
}

}  // namespace lestapenna::recorder
