#include "cli/recording_bot.h"

#include <future>
#include <utility>
#include <variant>

#include "discord/gateway.h"
#include "discord/guilds.h"
#include "discord/rest.h"
#include "net/blocking.h"
#include "net/loop_thread.h"

namespace lestapenna::cli {

struct RecordingBot::Impl {
    Impl(RecordingBotOptions with, catalog::Catalog& rows, GuildId where)
        : options(std::move(with)), catalog(rows), guild(where), changed(thread.loop()), logged_out(thread.loop()) {
        options.voice.trust = options.trust;
    }

    net::Task<Status> log_in();
    net::Task<> log_out();
    static net::Task<> stay(Impl* bot);
    static net::Task<> watch(Impl* bot);
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
    std::unique_ptr<recorder::Recorder> recorder;
    net::Signal changed;  ///< ready, or not to be
    net::Signal logged_out;
    Status gateway_says = Ok{};
    std::promise<recorder::EndCause> over;
    std::shared_future<recorder::EndCause> over_future = over.get_future().share();
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

net::Task<> RecordingBot::Impl::watch(Impl* bot) {
    const recorder::EndCause cause = co_await bot->recorder->over();
    bot->over.set_value(cause);
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

Result<Ok, recorder::StartError> RecordingBot::start(const recorder::Where& where) {
    Impl& bot = *impl_;
    auto started = bot.thread.call([&] {
        recorder::Tools tools{bot.thread.loop(),
                              bot.blocking,
                              *bot.rest,
                              bot.guilds,
                              bot.catalog,
                              bot.committer,
                              bot.options.journal_root,
                              bot.options.journal,
                              bot.options.voice,
                              bot.self,
                              bot.options.empty_end,
                              [&bot](GuildId guild, std::optional<ChannelId> channel) {
                                  bot.gateway->update_voice_state(guild, channel, false, false);
                              },
                              bot.options.tell};
        bot.recorder = std::make_unique<recorder::Recorder>(std::move(tools), where);
        net::spawn(bot.thread.loop(), Impl::watch(&bot));
        return bot.recorder->start();
    });
    return bot.thread.wait(std::move(started));
}

const SessionId& RecordingBot::session() const {
    return impl_->recorder->session();
}
UnixTime RecordingBot::start_time() const {
    return impl_->recorder->start_time();
}
recorder::Report RecordingBot::report() const {
    return impl_->thread.call([this] { return impl_->recorder->report(); });
}
Status RecordingBot::stop() {
    return impl_->thread.wait(impl_->recorder->stop());
}

std::optional<recorder::EndCause> RecordingBot::over_within(milliseconds time) {
    if (impl_->over_future.wait_for(time) != std::future_status::ready) return std::nullopt;
    return impl_->over_future.get();
}

}  // namespace lestapenna::cli
