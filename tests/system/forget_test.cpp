// `lestapenna forget`, as its users run it.
#include <random>

#include "background.h"
#include "program.h"
#include "traces.h"

namespace lestapenna::system_test {
namespace {

constexpr UserId kGone{184'405'311'681'986'560};
constexpr UserId kStays{987'654'321'098'765'432};

class Forget : public Program {
  protected:
    static sandbox::SimulatedTable table() {
        auto table = play();
        table.senders[0].user = kGone;
        table.senders[1].user = kStays;
        return table;
    }
    static Words forget(const Words& more = {"--yes"}) {
        Words words{"forget", "--user", kGone.text()};
        words.insert(words.end(), more.begin(), more.end());
        return words;
    }
    /// What must not change: the other's files.
    [[nodiscard]] Digests others(const std::string& session) const {
        auto files = digests(stored(session));
        std::erase_if(files, [](const auto& file) {
            return file.first.find(kGone.text()) != std::string::npos || file.first.starts_with("master") ||
                   file.first == "session.json";
        });
        return files;
    }
};

TEST_F(Forget, AsksFirst) {
    import(table(), "first");
    expect_refused(forget({}), kUsage, "usage", "--yes");
    expect_refused({"forget", "--user", "Mario", "--yes"}, kUsage, "usage", "no user id");
    expect_refused({"forget", "--user", "0", "--yes"}, kUsage, "usage", "nobody");
    expect_refused({"forget", "--yes"}, kUsage, "usage", "--user");
    EXPECT_FALSE(test::traces_of(kGone, data()).empty()) << "nothing was erased";
}

TEST_F(Forget, SaysWhatItErasedAndLeavesNothingOfThem) {
    import(table(), "first");
    import(table(), "second");
    order({"master", "first"});
    const auto before = others("first");
    const auto master = slurp(master_of("first"));

    const auto gone = ask(forget());
    EXPECT_EQ(gone["user"], kGone.text());
    ASSERT_EQ(gone["sessions"].size(), 2U);
    EXPECT_EQ(gone["sessions"][0]["session"], "first");
    EXPECT_GT(gone["sessions"][0]["packets"], 10);
    EXPECT_EQ(gone["sessions"][0]["files"], 2);
    EXPECT_EQ(gone["sessions"][0]["master"], "remade");
    EXPECT_EQ(gone["sessions"][1]["master"], "untouched") << "it is made at its end";
    EXPECT_TRUE(gone["recorded"].empty() && gone["undone"].empty());

    EXPECT_EQ(test::traces_of(kGone, data()), std::vector<std::string>{});
    EXPECT_EQ(others("first"), before);
    EXPECT_NE(slurp(master_of("first")), master);
    EXPECT_EQ(ask({"journal", "verify", journal("first").string()})["clean"], true);
    EXPECT_EQ(ask({"sessions", "first"})["tracks"].size(), 1U);
    order({"master", "second"});
    EXPECT_EQ(ask({"sessions", "second"})["tracks"].size(), 1U);
    EXPECT_TRUE(ask(forget())["sessions"].empty());
}

// Wherever: the same command finishes it.
TEST_F(Forget, KilledAndAskedAgain) {
    const unsigned seed = std::random_device{}();
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937 random(seed);
    import(table(), "first");
    order({"master", "first"});
    const auto before = others("first");
    Words line{LESTAPENNA_BINARY};
    for (const auto& word : forget()) line.push_back(word);
    for (int kills = 0; kills < 10; ++kills) {
        const auto program = std::make_unique<test::Background>(line, folder_.path(), folder_ / "out", folder_ / "err");
        poll(nullptr, 0, std::uniform_int_distribution(0, 300)(random));
        program->signal(SIGKILL);
        program->wait();
        EXPECT_EQ(others("first"), before);
    }
    order(forget());
    EXPECT_EQ(test::traces_of(kGone, data()), std::vector<std::string>{});
    EXPECT_EQ(others("first"), before);
    EXPECT_TRUE(fs::exists(master_of("first")));
}

}  // namespace
}  // namespace lestapenna::system_test
