// Runs the interoperability suite (run.mjs) where Node.js, npm and the packages are there. LESTAPENNA_LONG=1 runs all
// of it: 12 rounds instead of 3 or 1, 300 epochs instead of 24, and ten minutes of coming and going instead of half a
// minute; forty minutes instead of three.
#include <cstdlib>
#include <iostream>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "support.h"

namespace lestapenna {
namespace {

constexpr int kCanNotRunHere = 77;

/// `brief` and `whole`: run.mjs' options that say how much.
void run(const std::string& name, const std::vector<std::string>& brief, const std::vector<std::string>& whole) {
    if (!test::has_program("node") || !test::has_program("npm")) GTEST_SKIP() << "needs node (20 or later) and npm";
    const std::string script = std::string(LESTAPENNA_TESTS_DIR) + "/interop/run.mjs";
    std::vector<std::string> words{"node", script, name, "--sandbox", LESTAPENNA_BINARY, "--peer", VOICE_PEER_BINARY};
    const auto& extent = std::getenv("LESTAPENNA_LONG") != nullptr ? whole : brief;
    words.insert(words.end(), extent.begin(), extent.end());
    const auto result = test::run_process(words);
    std::cout << result.out;
    if (result.exit_code == kCanNotRunHere) GTEST_SKIP() << result.err;
    EXPECT_EQ(result.exit_code, 0) << result.err;
}

TEST(Interop, EveryClientHearsEveryOtherBitForBit) {
    run("matrix", {"--rounds", "3"}, {"--rounds", "12"});
}
TEST(Interop, WhoeverCommitsEverybodyFollows) {
    run("epochs", {"--epochs", "24"}, {"--epochs", "300"});
}
TEST(Interop, NothingIsLostWhenMembersComeAndGo) {
    run("churn", {"--seconds", "30"}, {"--seconds", "600"});
}
TEST(Interop, TheGroupOutlivesEveryTrouble) {
    run("keys", {"--rounds", "1"}, {"--rounds", "12"});
}
TEST(Interop, AudioFlowsAgainAfterEveryTrouble) {
    run("trouble", {"--rounds", "1"}, {"--rounds", "12"});
}
TEST(Interop, SlashCommandsAndMessages) {
    run("slash", {}, {});
}

}  // namespace
}  // namespace lestapenna
