#include "sandbox/show.h"

#include <future>
#include <map>
#include <set>
#include <utility>

#include <fmt/format.h>

#include "net/loop_thread.h"
#include "sandbox/live_player.h"
#include "sandbox/truth.h"

namespace lestapenna::sandbox {

struct Show::Impl {
    /// One guild's.
    struct Table {
        Stage stage;
        std::vector<std::unique_ptr<LivePlayer>> players;
        std::unique_ptr<Truth> truth;
        std::set<std::uint32_t> ssrcs;  ///< of its players
        std::size_t left = 0;
        std::promise<void> over;
        std::future<void> over_future = over.get_future();
    };

    net::LoopThread thread;  // last to go: what lives on it is taken down first
    ShowOptions options;
    std::unique_ptr<Loopback> discord;
    std::vector<std::shared_ptr<const Packed>> packed;  ///< what each will send
    std::vector<std::unique_ptr<Table>> tables;

    Status set_the_stages();
    void cast(Table& table, std::size_t number);
    void cast(Table& table, std::size_t player, UserId user);
    static net::Task<> act(Table* table, LivePlayer* player, BootTime zero);
    /// The voice server's account of what the bot was sent; it serves other guilds too.
    [[nodiscard]] std::map<std::uint32_t, Forwarded> line(const Table& table) const {
        auto sent = discord->voice_server(table.stage.voice).forwarded(table.stage.bot.user);
        std::erase_if(sent, [&](const auto& entry) { return !table.ssrcs.contains(entry.first); });
        return sent;
    }
};

// The bot comes after all guilds, because it is in all; the people of each are in theirs alone.
Status Show::Impl::set_the_stages() {
    auto started = Loopback::start(thread.loop(), options.discord);
    if (!started) return started.error();
    discord = std::move(*started);
    for (std::size_t i = 0; i < options.guilds; ++i) {
        Stage& stage = tables.emplace_back(std::make_unique<Table>())->stage;
        stage.addresses = discord->addresses();
        stage.guild = discord->add_guild(i == 0 ? "La Stapenna" : fmt::format("La Stapenna {}", i + 1));
        stage.text = discord->add_text_channel(stage.guild, "taverna");
        stage.voice = discord->add_voice_channel(stage.guild, "Tavolo");
    }
    const auto bot = discord->add_bot("Lestapenna");
    for (std::size_t i = 0; i < options.guilds; ++i) {
        Stage& stage = tables[i]->stage;
        stage.bot = bot;
        discord->voice_server(stage.voice).set_forwarding(bot.user, options.line);
        cast(*tables[i], i + 1);
    }
    return Ok{};
}

// Who comes back is the same person.
void Show::Impl::cast(Table& table, std::size_t number) {
    std::map<UserId, UserId> people;
    for (std::size_t i = 0; i < options.script.players.size(); ++i) {
        const UserId written = options.script.players[i].user;
        if (!people.contains(written)) {
            auto name = i < options.names.size() ? options.names[i] : written.text();
            if (number > 1) name += fmt::format(" {}", number);
            people[written] = discord->add_person(std::move(name), table.stage.guild);
            table.stage.players.push_back(people[written]);
        }
        cast(table, i, people[written]);
    }
}

void Show::Impl::cast(Table& table, std::size_t player, UserId user) {
    const Player& written = options.script.players[player];
    const Player script{user, written.join, written.leave, {}};
    LivePlayerOptions live;
    live.voice.trust.extra_ca_pem = table.stage.addresses.ca_pem;
    live.early = kEarly;
    live.on_frame = [at = &table, user](const TrueFrame& frame) {
        at->ssrcs.insert(frame.ssrc);
        at->truth->frame(user, frame);
    };
    table.players.push_back(std::make_unique<LivePlayer>(thread.loop(), *discord, table.stage.guild, table.stage.voice,
                                                         script, packed[player], std::move(live)));
}

net::Task<> Show::Impl::act(Table* table, LivePlayer* player, BootTime zero) {
    co_await player->play(zero);
    if (++table->left == table->players.size()) table->over.set_value();
}

Result<std::unique_ptr<Show>> Show::open(ShowOptions options) {
    auto impl = std::make_unique<Impl>();
    impl->options = std::move(options);
    for (auto& one : pack_all(impl->options.script, impl->options.senders, Sender{})) {
        impl->packed.push_back(std::make_shared<const Packed>(std::move(one)));
    }
    const Status set = impl->thread.call([&] { return impl->set_the_stages(); });
    auto show = std::unique_ptr<Show>(new Show(std::move(impl)));
    if (!set) return set.error();
    return show;
}

Show::Show(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

// What runs on the loop does not throw.
// NOLINTNEXTLINE(bugprone-exception-escape)
Show::~Show() {
    impl_->thread.call([this] {
        for (const auto& table : impl_->tables) table->players.clear();
        impl_->discord.reset();
    });
    impl_->thread.stop();
}

const Stage& Show::stage(std::size_t guild) const {
    return impl_->tables.at(guild)->stage;
}

Status Show::begin(BootTime zero, UnixTime start, const std::filesystem::path& truth, std::size_t guild) {
    auto& table = *impl_->tables.at(guild);
    auto begun = Truth::start(truth, start, table.stage.players);
    if (!begun) return begun.error();
    impl_->thread.call([&] {
        table.truth = std::move(*begun);
        for (const auto& player : table.players)
            net::spawn(impl_->thread.loop(), Impl::act(&table, player.get(), zero));
    });
    return Ok{};
}

bool Show::over_within(milliseconds time, std::size_t guild) {
    return impl_->tables.at(guild)->over_future.wait_for(time) == std::future_status::ready;
}

void Show::stop() {
    impl_->thread.call([this] {
        for (const auto& table : impl_->tables) {
            for (const auto& player : table->players) player->stop();
        }
    });
}

void Show::direct(const std::function<void(Loopback&)>& work) {
    impl_->thread.call([&] { work(*impl_->discord); });
}

std::optional<std::uint64_t> Show::sent_to_bot(std::size_t guild) const {
    return impl_->thread.call([this, guild]() -> std::optional<std::uint64_t> {
        std::uint64_t sent = 0;
        for (const auto& [ssrc, line] : impl_->line(*impl_->tables.at(guild))) {
            if (line.arrived != line.sent + line.dropped + line.send_failed) return std::nullopt;
            sent += line.sent + line.duplicated;
        }
        return sent;
    });
}

Status Show::finish(Samples length, std::size_t guild) {
    auto& table = *impl_->tables.at(guild);
    const auto line = impl_->thread.call([&] { return impl_->line(table); });
    return table.truth->finish(length, impl_->options.discord.seed, line);
}

}  // namespace lestapenna::sandbox
