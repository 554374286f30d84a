// `lestapenna sandbox` as a program that starts it sees it: one line, then orders and answers, then a signal.
#include <sstream>

#include <sys/stat.h>

#include "background.h"
#include "program.h"

namespace lestapenna::system_test {
namespace {

class Sandbox : public Program {
  protected:
    /// `redirection` is the shell's, of standard input.
    [[nodiscard]] Words line(const std::string& options, const std::string& redirection) const {
        return {"/bin/sh", "-c", "exec " LESTAPENNA_BINARY " sandbox --no-dave " + options + " " + redirection};
    }
    [[nodiscard]] std::vector<Json> said() const {
        std::vector<Json> lines;
        const auto bytes = slurp(out_);
        std::istringstream text(std::string(bytes.begin(), bytes.end()));
        for (std::string one; std::getline(text, one);) lines.push_back(Json::parse(one, nullptr, false));
        return lines;
    }
    fs::path out_ = folder_ / "out";
    fs::path err_ = folder_ / "err";
};

TEST_F(Sandbox, SaysWhereItIsAndRunsUntilASignal) {
    for (const auto& [redirection, number] : {std::pair{"</dev/null", SIGTERM}, {"<&-", SIGINT}}) {
        test::Background program(line("--players 0", redirection), folder_.path(), out_, err_);
        ASSERT_TRUE(program.until([&] { return !said().empty() && said()[0].is_object(); })) << redirection;
        const Json world = said()[0];
        EXPECT_THAT(world["api_base"].get<std::string>(),
                    AllOf(StartsWith("http://127.0.0.1:"), HasSubstr("/api/v10")));
        EXPECT_THAT(world["gateway_url"].get<std::string>(), StartsWith("ws://127.0.0.1:"));
        EXPECT_GE(world["bot_tokens"].size(), 4U);
        EXPECT_EQ(world["bot_user_ids"].size(), world["bot_tokens"].size());
        EXPECT_EQ(world["player_user_ids"].size(), 1U) << "somebody who can type";
        for (const auto* const id : {"guild_id", "voice_channel_id", "text_channel_id"}) {
            EXPECT_GT(std::stoull(world[id].get<std::string>()), 1ULL << 53) << id;
        }
        const fs::path ca_file = world["ca_file"].get<std::string>();
        const auto pem = slurp(ca_file);
        EXPECT_THAT(std::string(pem.begin(), pem.end()), StartsWith("-----BEGIN CERTIFICATE-----"));
        EXPECT_EQ(fs::status(ca_file.parent_path()).permissions(), fs::perms::owner_all);
        program.signal(number);
        EXPECT_EQ(program.wait(), kDone) << redirection;
        EXPECT_FALSE(fs::exists(ca_file.parent_path()));
        EXPECT_EQ(said().size(), 1U);
    }
    EXPECT_FALSE(fs::exists(data())) << "it leaves nothing behind";
}

TEST_F(Sandbox, ObeysOrdersAndOutlivesTheirEnd) {
    const auto orders = folder_ / "orders";
    ASSERT_EQ(mkfifo(orders.c_str(), 0600), 0);
    test::Background program(line("--players 2 --seed 7", "<'" + orders.string() + "'"), folder_.path(), out_, err_);
    std::size_t answers = 0;
    {
        std::ofstream input(orders);
        ASSERT_TRUE(program.until([&] { return !said().empty() && said()[0].is_object(); }));
        const auto people = said()[0]["player_user_ids"];
        ASSERT_EQ(people.size(), 2U);
        const auto ask = [&](const std::string& order) {
            input << order << std::endl;
            ++answers;
            EXPECT_TRUE(program.until([&] { return said().size() > answers && said()[answers].is_object(); }));
            return said().at(answers);
        };
        EXPECT_TRUE(ask("nonsense").contains("error"));
        const auto where = R"({"do":"where","user":)" + people[0].dump() + "}";
        Json at;
        ASSERT_TRUE(program.until([&] { return (at = ask(where))["channel_id"] != nullptr; }))
            << "players come by themselves";
        EXPECT_EQ(at["channel_id"], said()[0]["voice_channel_id"]);
        EXPECT_EQ(ask(R"({"do":"kick","user":)" + people[0].dump() + "}"), (Json{{"ok", true}}));
        EXPECT_EQ(ask(where)["channel_id"], nullptr);
        input << R"({"do":"posted"})";  // no end of line
        ++answers;
    }
    ASSERT_TRUE(program.until([&] { return said().size() > answers && said()[answers].is_object(); }));
    EXPECT_EQ(said()[answers]["posted"], Json::array());
    program.signal(SIGINT);
    EXPECT_EQ(program.wait(), kDone);
}

TEST_F(Sandbox, RefusesWhatItDoesNotKnow) {
    expect_refused({"sandbox", "--modes", "rot13"}, kUsage, "usage", "rot13");
    expect_refused({"sandbox", "--players", "-1"}, kUsage, "usage", "--players");
    EXPECT_THAT(run({"sandbox", "--help"}).out, AllOf(HasSubstr("change_voice_server"), HasSubstr("--no-dave")));
}

}  // namespace
}  // namespace lestapenna::system_test
