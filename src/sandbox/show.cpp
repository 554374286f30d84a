#include "sandbox/show.h"

#include <future>
#include <map>
#include <utility>

#include "net/loop_thread.h"
#include "sandbox/live_player.h"
#include "sandbox/truth.h"

namespace lestapenna::sandbox {

struct Show::Impl {
    net::LoopThread thread;  // last to go: what lives on it is taken down first
    ShowOptions options;
    std::unique_ptr<Loopback> discord;
    Stage stage;
    std::vector<Packed> packed;       ///< what each will send, until it is cast
    std::map<UserId, UserId> people;  ///< of the script's users
    std::vector<std::unique_ptr<LivePlayer>> players;
    std::unique_ptr<Truth> truth;
    std::size_t left = 0;
    std::promise<void> over;
    std::future<void> over_future = over.get_future();

    Status set_the_stage();
    void cast(std::size_t index);
    static net::Task<> act(Impl* show, LivePlayer* player, BootTime zero);
    [[nodiscard]] std::map<std::uint32_t, Forwarded> line() const {
        return discord->voice_server(stage.voice).forwarded(stage.bot.user);
    }
};

Status Show::Impl::set_the_stage() {
    auto started = Loopback::start(thread.loop(), options.discord);
    if (!started) return started.error();
    discord = std::move(*started);
    stage.addresses = discord->addresses();
    stage.guild = discord->add_guild("La Stapenna");
    stage.text = discord->add_text_channel(stage.guild, "taverna");
    stage.voice = discord->add_voice_channel(stage.guild, "Tavolo");
    stage.bot = discord->add_bot("Lestapenna");
    discord->voice_server(stage.voice).set_forwarding(stage.bot.user, options.line);
    for (std::size_t i = 0; i < options.script.players.size(); ++i) cast(i);
    return Ok{};
}

void Show::Impl::cast(std::size_t index) {
    Player& script = options.script.players[index];
    UserId& person = people[script.user];
    if (person == UserId{}) {
        person = discord->add_person(index < options.names.size() ? options.names[index] : script.user.text());
        stage.players.push_back(person);
    }
    script.user = person;
    LivePlayerOptions live;
    live.voice.trust.extra_ca_pem = stage.addresses.ca_pem;
    live.early = kEarly;
    live.on_frame = [this, user = script.user](const TrueFrame& frame) { truth->frame(user, frame); };
    players.push_back(std::make_unique<LivePlayer>(thread.loop(), *discord, stage.guild, stage.voice, script,
                                                   std::make_shared<const Packed>(std::move(packed[index])),
                                                   std::move(live)));
}

net::Task<> Show::Impl::act(Impl* show, LivePlayer* player, BootTime zero) {
    co_await player->play(zero);
    if (++show->left == show->players.size()) show->over.set_value();
}

Result<std::unique_ptr<Show>> Show::open(ShowOptions options) {
    auto impl = std::make_unique<Impl>();
    impl->options = std::move(options);
    impl->packed = pack_all(impl->options.script, impl->options.senders, Sender{});
    const Status set = impl->thread.call([&] { return impl->set_the_stage(); });
    auto show = std::unique_ptr<Show>(new Show(std::move(impl)));
    if (!set) return set.error();
    return show;
}

Show::Show(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

// What runs on the loop does not throw.
// NOLINTNEXTLINE(bugprone-exception-escape)
Show::~Show() {
    impl_->thread.call([this] {
        impl_->players.clear();
        impl_->discord.reset();
    });
    impl_->thread.stop();
}

const Stage& Show::stage() const {
    return impl_->stage;
}

Status Show::begin(BootTime zero, UnixTime start, const std::filesystem::path& truth) {
    auto begun = Truth::start(truth, start, impl_->stage.players);
    if (!begun) return begun.error();
    impl_->thread.call([&] {
        impl_->truth = std::move(*begun);
        for (const auto& player : impl_->players)
            net::spawn(impl_->thread.loop(), Impl::act(impl_.get(), player.get(), zero));
    });
    return Ok{};
}

bool Show::over_within(milliseconds time) {
    return impl_->over_future.wait_for(time) == std::future_status::ready;
}

void Show::stop() {
    impl_->thread.call([this] {
        for (const auto& player : impl_->players) player->stop();
    });
}

void Show::direct(const std::function<void(Loopback&)>& work) {
    impl_->thread.call([&] { work(*impl_->discord); });
}

std::optional<std::uint64_t> Show::sent_to_bot() const {
    return impl_->thread.call([this]() -> std::optional<std::uint64_t> {
        std::uint64_t sent = 0;
        for (const auto& [ssrc, line] : impl_->line()) {
            if (line.arrived != line.sent + line.dropped + line.send_failed) return std::nullopt;
            sent += line.sent + line.duplicated;
        }
        return sent;
    });
}

Status Show::finish(Samples length) {
    const auto line = impl_->thread.call([this] { return impl_->line(); });
    return impl_->truth->finish(length, impl_->options.discord.seed, line);
}

}  // namespace lestapenna::sandbox
