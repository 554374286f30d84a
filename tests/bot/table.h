// A whole table to try the bot at: a Discord on loopback with people in it, the bot itself (cli::Service, in this
// process or as the built program in one of its own), and what a test asks of both: type a command and read the answer,
// look into somebody's direct messages, follow a link, wait for something to become true.
//
//     class Commands : public TableTest {};
//     TEST_F(Commands, Listen) {
//         open();                              // a guild, a text and a voice channel, the bot's account, nobody else
//         start();                             // the bot, logged in
//         const UserId bice = person("Bice");
//         sit(bice);                           // in the voice channel; says nothing
//         EXPECT_THAT(type(bice, "$ascolta"), HasSubstr("ascolto"));
//         EXPECT_TRUE(slash(bice, "stato").ephemeral);
//     }
//
// Thread: the test's. Each wait has a deadline of a minute and fails the test where it stands (with an empty answer)
// when that passes. Everything is gone with the fixture.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "background.h"
#include "base/config.h"
#include "catalog/catalog.h"
#include "cli/service.h"
#include "net/http.h"
#include "net/http_client.h"
#include "net/loop_thread.h"
#include "sandbox/permissions.h"
#include "sandbox/show.h"
#include "support.h"

namespace lestapenna::bot {

inline constexpr std::uint64_t kTableSeed = 20261122;

struct TableSetup {
    std::size_t talkers = 0;                  ///< people of each guild who join and talk once play() is called
    seconds length{60};                       ///< so long
    double share = 0.6;                       ///< of their time that they talk
    std::optional<sandbox::Script> script{};  ///< what is said, instead of those
    std::size_t guilds = 1;                   ///< the bot is in all; talkers only in theirs
    sandbox::LoopbackOptions discord{};
};

using Posted = sandbox::PostedMessage;

class TableTest : public ::testing::Test {
  public:
    TableTest();
    ~TableTest() override;

  protected:
    // ---- the Discord
    /// Sets config_ up, too: whatever a test wants otherwise it changes there before start().
    void open(TableSetup setup = {});
    [[nodiscard]] const sandbox::Stage& stage(std::size_t guild = 0) const { return show_->stage(guild); }
    [[nodiscard]] GuildId guild() const { return stage().guild; }
    [[nodiscard]] ChannelId voice() const { return stage().voice; }
    [[nodiscard]] ChannelId text() const { return stage().text; }
    [[nodiscard]] UserId bot() const { return stage().bot.user; }
    /// `work(Loopback&)` on the Discord's thread; what it returns.
    template <class Work>
    std::invoke_result_t<Work&, sandbox::Loopback&> direct(Work work) {
        using Value = std::invoke_result_t<Work&, sandbox::Loopback&>;
        if constexpr (std::is_void_v<Value>) {
            show_->direct([&](sandbox::Loopback& discord) { work(discord); });
        } else {
            std::optional<Value> value;
            show_->direct([&](sandbox::Loopback& discord) { value.emplace(work(discord)); });
            return std::move(*value);
        }
    }

    // ---- people
    /// Member of all guilds; with `only` of that one.
    UserId person(const std::string& name, std::optional<GuildId> only = std::nullopt);
    /// A role with these permissions, and who has it.
    discord::RoleId role(const std::string& name, std::uint64_t permissions, const std::vector<UserId>& members = {});
    /// Takes permissions from somebody in a channel, or from the bot where nobody is named.
    void deny(ChannelId channel, std::uint64_t permissions, std::optional<UserId> user = std::nullopt);
    /// In a voice channel (of the guild it belongs to), without saying anything; nothing: leaves.
    void sit(UserId person, std::optional<ChannelId> channel, std::size_t guild = 0);
    void sit(UserId person) { sit(person, voice()); }
    /// Talkers join and speak from now on; a guild's once. Returns at once. The session's truth goes to
    /// folder_/truth-N for guild N.
    void play(UnixTime session_start, std::size_t guild = 0);

    // ---- the bot in this process
    void start(const cli::ServiceOptions& options = {});
    void stop() { service_.reset(); }

    // ---- the bot as the built program
    /// Runs `lestapenna run` and returns when it has logged in.
    void start_program();
    /// Runs it and returns at once.
    void launch_program();
    /// Has logged in since launch_program().
    bool program_logged_in();
    /// SIGKILL, and waits for its end.
    void kill_program();
    /// SIGTERM, and waits for its end; its exit code.
    int stop_program();
    /// What the program's log says, of all its runs.
    [[nodiscard]] std::string program_log() const;

    // ---- commands, and what comes back
    /// Types and returns without waiting; the guild's text channel where none is named.
    MessageId send(UserId who, const std::string& message, std::optional<ChannelId> channel = std::nullopt);
    /// Types, and waits for what the bot answers: a reply, or else a direct message to who typed.
    Posted ask(UserId who, const std::string& message, std::optional<ChannelId> channel = std::nullopt);
    /// The same; only the text.
    std::string type(UserId who, const std::string& message, std::optional<ChannelId> channel = std::nullopt) {
        return ask(who, message, channel).content;
    }
    using Options = std::map<std::string, std::string>;
    std::uint64_t send_slash(UserId who, const std::string& name, const Options& options = {},
                             const std::string& locale = "it", std::optional<ChannelId> channel = std::nullopt);
    /// Uses a slash command and waits for its first answer.
    Posted slash(UserId who, const std::string& name, const Options& options = {}, const std::string& locale = "it",
                 std::optional<ChannelId> channel = std::nullopt);

    /// All that bots posted, in order, as it stands now.
    std::vector<Posted> posted();
    [[nodiscard]] std::optional<Posted> answer_to(MessageId typed);
    /// Its answer and what followed, in order.
    [[nodiscard]] std::vector<Posted> answers_to(std::uint64_t interaction);
    std::vector<Posted> direct_messages(UserId to);
    /// Waits until something with `part` in it was posted: anywhere, in a channel, directly to somebody.
    Posted wait_for_post(std::string_view part);
    Posted wait_for_post_in(ChannelId channel, std::string_view part);
    Posted wait_for_direct(UserId to, std::string_view part);
    /// Waits until every job is done and nothing is recorded.
    void wait_until_idle();

    /// Polls until `holds`, at most so long.
    static bool eventually(const std::function<bool()>& holds, seconds within = seconds(60));

    // ---- what there is
    /// The catalog, opened by the test on its own.
    catalog::Catalog& catalog();
    [[nodiscard]] std::optional<catalog::Session> last_session(std::size_t guild = 0);
    /// The bot has a voice session in this channel.
    bool is_recording_in(ChannelId channel, std::size_t guild = 0);
    [[nodiscard]] std::filesystem::path journal(const SessionId& session) const;

    // ---- links
    /// The first http(s) address in a text; empty: none.
    static std::string link_in(std::string_view text);
    /// Status 0: no answer.
    net::HttpResponse fetch(const std::string& link, const net::Headers& headers = {},
                            const std::string& method = "GET");
    [[nodiscard]] std::string web(const std::string& path);    ///< an address on web.listen
    [[nodiscard]] std::string admin(const std::string& path);  ///< on web.admin_listen

    test::TempDir folder_;
    Config config_;
    std::unique_ptr<sandbox::Show> show_;
    std::unique_ptr<cli::Service> service_;
    std::unique_ptr<test::Background> program_;

  private:
    Posted wait_for(const std::function<bool(const Posted&)>& fits, const std::string& what);
    [[nodiscard]] std::filesystem::path run_file(const char* name, std::size_t run) const;

    std::size_t runs_ = 0;  ///< of the program
    std::unique_ptr<catalog::Catalog> catalog_;
    net::LoopThread thread_;  ///< of the client
    std::unique_ptr<net::HttpClient> client_;
};

}  // namespace lestapenna::bot
