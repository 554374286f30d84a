// What an hour of a table asks of the store: the figures of docs/operations.md. In a bucket each of these is paid for.
#include <cstdio>

#include <gmock/gmock.h>

#include "growing_table.h"
#include "workflows/retention.h"

namespace lestapenna::workflows {
namespace {

constexpr std::uint64_t kSeed = 20261123;
constexpr std::size_t kPlayers = 6;
constexpr seconds kLength{3600};
const SessionId kId = *SessionId::parse("hour");
const UnixTime kStart{milliseconds(1'760'000'000'000)};

/// Six who come one after the other, so that no two windows close together: the dearest case.
std::vector<journal::Record> joins(const sandbox::SimulatedTable& table) {
    std::vector<journal::Record> all;
    for (std::size_t i = 0; i < table.senders.size(); ++i) {
        all.emplace_back(journal::Join{BootTime{seconds(20 * i)}, table.senders[i].user});
    }
    return all;
}

sandbox::SimulatedTable table() {
    sandbox::CutTable cut;
    cut.length = kLength;
    cut.seed = kSeed;
    cut.share = 0.03;  // what is silent costs no time here, and as many bytes
    cut.join_spread = seconds(120);
    sandbox::LineOptions line;
    line.seed = kSeed;
    line.start_time = kStart;
    return sandbox::simulate(sandbox::cut_table(test::buzzing_voices(kPlayers), cut), line);
}

std::size_t count(const std::map<std::string, int>& puts, std::string_view tier) {
    std::size_t sum = 0;
    for (const auto& [key, times] : puts) {
        if (key.find(tier) != std::string::npos) sum += static_cast<std::size_t>(times);
    }
    return sum;
}

TEST(Operations, AnHourOfATableStaysWithinWhatTheDocumentationSays) {
    const auto simulated = table();
    Desk desk(kId, kStart, std::chrono::minutes(5));
    auto journal = desk.journal(kStart, test::records_of(simulated, joins(simulated)));
    Growing growing;
    int kept_up = 0;
    for (nanoseconds now{0}; now < kLength; ++kept_up) {
        ASSERT_TRUE(journal.grow_to(now).ok());
        const UnixTime before = unix_now();
        const auto next = keep_up(desk.tools(4), kId, growing);
        ASSERT_TRUE(next.ok() && *next);
        now += **next - before;
    }
    ASSERT_TRUE(journal.end().ok());
    desk.finish();
    const auto& puts = desk.store().puts;
    std::size_t all = 0;
    for (const auto& [key, times] : puts) all += static_cast<std::size_t>(times);
    const std::size_t gets = static_cast<std::size_t>(desk.store().finds) + count(desk.store().gets, "");
    std::printf("keep_up %d times; PUT %zu: chunks %zu, fragments %zu, master %zu, manifest %zu; HEAD %d, GET %zu\n",
                kept_up, all, count(puts, "/chunks/"), count(puts, "/full/"), count(puts, "/master/"),
                count(puts, "/session.json"), desk.store().finds.load(), count(desk.store().gets, ""));
    EXPECT_GE(count(puts, "/chunks/"), 60U) << "somebody spoke in nearly every window";
    EXPECT_LE(count(puts, "/chunks/"), 78U);
    EXPECT_EQ(count(puts, "/full/"), kPlayers);
    EXPECT_EQ(count(puts, "/master/"), 1U);
    EXPECT_LE(count(puts, "/session.json"), 82U);
    EXPECT_LE(all, 170U);
    EXPECT_LE(gets, 330U);
    EXPECT_EQ(desk.store().lists, 0);

    const auto sizes = *desk.catalog().sizes();
    std::printf("bytes: chunks %ld, fragments %ld, master %ld\n", static_cast<long>(sizes.chunks.bytes),
                static_cast<long>(sizes.fragments.bytes), static_cast<long>(sizes.masters.bytes));
    EXPECT_NEAR(static_cast<double>(sizes.fragments.bytes), 6 * 28.8e6, 6e6);
    EXPECT_NEAR(static_cast<double>(sizes.masters.bytes), 57.6e6, 1e6);
    desk.store().puts.clear();
    desk.store().finds = 0;
    desk.store().remote = true;
    const auto report = sweep(desk.tools(), {.now = {.wall = kStart + std::chrono::days(100)}});
    ASSERT_TRUE(report.ok());
    EXPECT_EQ(desk.catalog().sizes()->fragments, catalog::Stored{});
    std::printf("retention: HEAD %d, list %d, DELETE %d, PUT %zu\n", desk.store().finds.load(),
                desk.store().lists.load(), desk.store().removes.load(), count(desk.store().puts, ""));
    EXPECT_LE(desk.store().finds, 9);
    EXPECT_LE(desk.store().lists, 1);
    EXPECT_EQ(count(desk.store().puts, ""), 1U);
}

}  // namespace
}  // namespace lestapenna::workflows
