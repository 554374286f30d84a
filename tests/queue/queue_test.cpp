// Runs what is beside BullMQ itself (run.mjs), where Node.js, npm and its packages are there.
#include <iostream>

#include <gtest/gtest.h>

#include "support.h"

namespace lestapenna {
namespace {

constexpr int kCanNotRunHere = 77;

void run(const std::string& name) {
    if (!test::has_program("node") || !test::has_program("npm")) GTEST_SKIP() << "needs node (20 or later) and npm";
    const auto result = test::run_process({"node", std::string(LESTAPENNA_TESTS_DIR) + "/queue/run.mjs", name,
                                           "--producer", QUEUE_PRODUCER_BINARY, "--table", QUEUE_TABLE_BINARY});
    std::cout << result.out;
    if (result.exit_code == kCanNotRunHere) GTEST_SKIP() << result.err;
    EXPECT_EQ(result.exit_code, 0) << result.err;
}

TEST(BullMq, OurProducerLeavesTheKeysThatItsOwnLeaves) {
    run("keys");
}
TEST(BullMq, ItsWorkersDoOurJobsAndTheirWordsComeBack) {
    run("workers");
}

}  // namespace
}  // namespace lestapenna
