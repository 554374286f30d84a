// What the parts of the bot share: its tools, what it knows of the guilds, and the table of each guild.
//
// Thread: the loop's. Ownership: every coroutine of the bot holds a Core, so it may outlive the Bot; once `gone` is set
// the tools are no more, and nothing here touches them: off_loop() then gives an error, and whoever talks to Discord
// looks at `gone` before each call.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "bot/bot.h"
#include "bot/language.h"
#include "bot/line.h"
#include "bot/permissions.h"
#include "discord/guilds.h"
#include "workflows/recovery.h"

namespace lestapenna::bot {

/// A session that a restart tries to go on with, and can not yet.
struct Returning {
    SessionId session;
    recorder::Where where;
    milliseconds length{};  ///< from its start to its last record
};

/// A guild's recording, or none.
struct Table {
    explicit Table(net::Loop& loop) : line(loop) {}

    enum class State : std::uint8_t { idle, starting, recording, ending };
    State state = State::idle;
    /// Null: idle. Whoever awaits something of it holds a copy, and not for longer: leave() destroys the last one.
    std::shared_ptr<recorder::Recorder> recorder;
    recorder::Where where;
    std::optional<Returning> returning;  ///< changed by who has the turn
    Line line;                           ///< of those who start or end something
    std::size_t conversations = 0;       ///< under way
};

/// Whom a private word is for, and the ways to reach them.
struct Addressee {
    GuildId guild;
    ChannelId channel;  ///< where they asked
    UserId user;
    Language language{};
    std::optional<MessageId> message{};                 ///< what they typed
    std::optional<discord::Interaction> interaction{};  ///< or chose; its token is a secret
    bool thinking = false;                              ///< the interaction's answer is announced and not yet given
    BootTime asked{};
};

/// Who ended a session, or wants it recovered, and is told how it went.
struct Closer {
    Addressee addressee;
    Asker asker;
    bool asks_again = false;  ///< what was told before is told once more
};

/// Of sessions that are over: metrics never go back.
struct Totals {
    std::uint64_t packets = 0;
    std::uint64_t refused = 0;
    std::uint64_t oversized = 0;
    std::uint64_t paused = 0;
    std::uint64_t kernel_drops = 0;
    discord::DatagramCounts datagrams{};
    // Of encrypted calls, as discord/voice.h counts them.
    std::uint64_t parked = 0;
    std::array<std::uint64_t, 6> closed{};
    std::uint64_t replayed = 0;
    std::uint64_t epochs = 0;
    std::uint64_t transitions = 0;
    std::uint64_t refused_messages = 0;
    std::uint64_t recoveries = 0;
    std::map<std::uint16_t, std::uint64_t> voice_closes;
    void add(const recorder::Report& report);
};

struct Core {
    explicit Core(Tools with) : tools(std::move(with)), logged_in(tools.loop), quiet(tools.loop) {}

    Tools tools;
    discord::Guilds guilds;
    UserId self;
    net::Signal logged_in;
    bool leaving = false;             ///< nothing new is begun
    bool gone = false;                ///< the Bot is no more, nor are its tools
    std::map<GuildId, Table> tables;  ///< entries stay
    Totals totals;

    /// Commands and other doings under way; `quiet` is set while there are none.
    std::size_t doings = 0;
    net::Signal quiet;
    std::size_t questions = 0;  ///< to the store, brief ones, under way

    // What the last process left, by guild; taken out when the guild shows up.
    bool looked_back = false;
    std::map<GuildId, std::vector<workflows::Orphan>> orphans;
    std::set<GuildId> nicks;

    std::map<SessionId, Closer> closers;
    std::map<std::pair<SessionId, UserId>, Addressee> waiting;  ///< for a download
    std::map<SessionId, std::optional<UnixTime>> reported;      ///< to the table, with the end it had then
    std::map<SessionId, std::optional<UnixTime>> handed_over;   ///< its link too

    Table& table(GuildId guild) { return tables.try_emplace(guild, tools.loop).first->second; }
    /// The table that records this session now.
    const Table* table_of(const SessionId& session) const;
    const Config& config() const { return tools.workflows.config; }
    const std::string& prefix() const { return config().discord.prefix; }
    /// How an answer names commands: as they were given. Who chose a slash command may not be able to type any.
    std::string_view prefix_for(const Addressee& with) const {
        return with.interaction ? std::string_view("/") : std::string_view(prefix());
    }
};
using CorePtr = std::shared_ptr<Core>;

/// Counts as something under way as long as it lives.
class Doing {
  public:
    explicit Doing(CorePtr core);
    Doing(const Doing&) = delete;
    Doing& operator=(const Doing&) = delete;
    ~Doing();

  private:
    CorePtr core_;
};

Error shutting_down();
/// Of a store that is slow to answer.
Error no_answer_yet();

/// A stage channel, whose calls Discord does not encrypt end to end.
bool is_stage(const discord::Guilds& guilds, GuildId guild, ChannelId channel);

/// Does `work(workflows::Tools)`, which gives a Result, beside the loop.
template <class Work>
net::Task<std::invoke_result_t<Work&, const workflows::Tools&>> off_loop(CorePtr core, Work work) {
    if (core->gone) co_return shutting_down();
    auto with_tools = [work = std::move(work), tools = core->tools.workflows]() mutable { return work(tools); };
    auto result = co_await core->tools.blocking.run(std::move(with_tools));
    co_return result;
}

/// The same for work that asks the store, and may take long when that is a bucket: on a thread of its own, so that no
/// command of another table waits behind it.
template <class Work>
net::Task<std::invoke_result_t<Work&, const workflows::Tools&>> ask_store(CorePtr core, Work work) {
    if (core->gone) co_return shutting_down();
    auto with_tools = [work = std::move(work), tools = core->tools.asking_tools]() mutable { return work(tools); };
    auto result = co_await core->tools.asking.run(std::move(with_tools));
    co_return result;
}

/// The same; an error when there is no answer within kStorePatience, or when several wait for theirs already.
inline constexpr seconds kStorePatience{3};
inline constexpr std::size_t kMostQuestions = 4;
template <class Work>
net::Task<std::invoke_result_t<Work&, const workflows::Tools&>> ask_store_briefly(CorePtr core, Work work) {
    using Answer = std::invoke_result_t<Work&, const workflows::Tools&>;
    struct Asked {
        explicit Asked(net::Loop& loop) : answered(loop) {}
        net::Signal answered;
        std::optional<Answer> answer;
    };
    if (core->gone) co_return shutting_down();
    if (core->questions >= kMostQuestions) co_return no_answer_yet();
    ++core->questions;
    auto asked = std::make_shared<Asked>(core->tools.loop);
    const auto ask = [](CorePtr with, std::shared_ptr<Asked> to, Work what) -> net::Task<> {
        auto answer = co_await ask_store(with, std::move(what));
        --with->questions;
        to->answer.emplace(std::move(answer));
        to->answered.set();
    };
    net::spawn(core->tools.loop, ask(core, asked, std::move(work)));
    const bool in_time = co_await asked->answered.wait_for(kStorePatience);
    if (!in_time || !asked->answer) co_return no_answer_yet();
    co_return std::move(*asked->answer);
}

/// Durable on return, all or none, and begun when they are due. What fails is logged: the next start finds the work
/// again.
net::Task<Status> add_jobs(CorePtr core, std::vector<catalog::NewJob> jobs);
net::Task<Status> add_job(CorePtr core, catalog::NewJob job);

/// To everybody, in a text channel; pings nobody. What fails is logged. `nonce`: not twice within some minutes.
net::Task<discord::RestResult<MessageId>> post(CorePtr core, ChannelId channel, discord::OutgoingMessage message);
net::Task<> tell(CorePtr core, ChannelId channel, std::string text);

/// Worth another try later; else Discord will say the same again.
bool is_passing(const discord::RestError& error);

}  // namespace lestapenna::bot
