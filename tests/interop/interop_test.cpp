// Runs the interoperability suite (run.mjs) where Node.js, npm and the packages are there. LESTAPENNA_LONG=1 runs all
// of its rounds: 12 instead of 2, four minutes more.
#include <cstdlib>
#include <iostream>
#include <string>

#include <gtest/gtest.h>

#include "support.h"

namespace lestapenna {
namespace {

constexpr int kCanNotRunHere = 77;

void run(const std::string& name) {
    if (!test::has_program("node") || !test::has_program("npm")) GTEST_SKIP() << "needs node (20 or later) and npm";
    const bool all_rounds = std::getenv("LESTAPENNA_LONG") != nullptr;
    const std::string script = std::string(LESTAPENNA_TESTS_DIR) + "/interop/run.mjs";
    const auto result = test::run_process({"node", script, name, "--sandbox", LESTAPENNA_BINARY, "--peer",
                                           VOICE_PEER_BINARY, "--rounds", all_rounds ? "12" : "2"});
    std::cout << result.out;
    if (result.exit_code == kCanNotRunHere) GTEST_SKIP() << result.err;
    EXPECT_EQ(result.exit_code, 0) << result.err;
}

TEST(Interop, EveryClientHearsEveryOtherBitForBit) {
    run("matrix");
}
TEST(Interop, AudioFlowsAgainAfterEveryTrouble) {
    run("trouble");
}
TEST(Interop, SlashCommandsAndMessages) {
    run("slash");
}

}  // namespace
}  // namespace lestapenna
