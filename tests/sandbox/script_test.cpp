#include "sandbox/script.h"

#include <algorithm>
#include <cmath>

#include <gtest/gtest.h>

#include "audio/files.h"
#include "sandbox/random.h"
#include "sandbox/speech.h"
#include "support.h"

namespace lestapenna::sandbox {
namespace {

constexpr std::uint64_t kSeed = 20'260'105;

Samples length_of(const Talk& talk) {
    return Samples(std::ssize(talk.pcm));
}

/// What every script promises.
void expect_well_formed(const Script& script) {
    for (const Player& player : script.players) {
        SamplePos free = player.join;
        for (const Talk& talk : player.talks) {
            ASSERT_GE(talk.start, free);
            ASSERT_GT(talk.pcm.size(), 4'800U) << "shorter than 0.1 s is nothing said";
            free = talk.start + length_of(talk) + kLeastPause;
            ASSERT_LE(free, player.leave);
            EXPECT_LT(std::abs(talk.pcm.front()), 1e-3F);
            EXPECT_LT(std::abs(talk.pcm.back()), 1e-3F);
            EXPECT_LE(std::abs(*std::max_element(talk.pcm.begin(), talk.pcm.end(),
                                                 [](float a, float b) { return std::abs(a) < std::abs(b); })),
                      1.0F);
        }
        EXPECT_LE(player.leave, SamplePos(script.length));
    }
}

bool same(const Script& a, const Script& b) {
    return a.length == b.length && std::equal(a.players.begin(), a.players.end(), b.players.begin(), b.players.end(),
                                              [](const Player& p, const Player& q) {
                                                  return p.user == q.user && p.join == q.join && p.leave == q.leave &&
                                                         std::equal(p.talks.begin(), p.talks.end(), q.talks.begin(),
                                                                    q.talks.end(), [](const Talk& s, const Talk& t) {
                                                                        return s.start == t.start && s.pcm == t.pcm;
                                                                    });
                                              });
}

std::vector<std::vector<float>> voices(std::size_t count) {
    std::vector<std::vector<float>> result(count);
    for (std::size_t i = 0; i < count; ++i) {
        for (const std::string_view line : table_lines().first(8)) {
            const auto pcm = buzz(voice_of(i), line);
            result[i].insert(result[i].end(), pcm.begin(), pcm.end());
            result[i].resize(result[i].size() + 28'800);
        }
    }
    return result;
}

TEST(Random, ASeedMeansTheSameEverywhere) {
    Random random(1, 2);
    EXPECT_EQ(random.bits(), Random(1, 2).bits());
    EXPECT_NE(Random(1, 2).bits(), Random(1, 3).bits());
    EXPECT_NE(Random(1, 2).bits(), Random(2, 2).bits());
    double sum = 0;
    for (int i = 0; i < 100'000; ++i) sum += random.exponential(3);
    EXPECT_NEAR(sum / 100'000, 3, 0.05);
    for (int i = 0; i < 10'000; ++i) ASSERT_LT(random.below(3), 3U);
}

TEST(CutTable, CutsRunsOfTheAskedLengthAndShare) {
    const auto pcm = voices(3);
    const CutTable options{.length = seconds(600), .share = 0.3, .seed = kSeed, .join_spread = seconds(60)};
    const Script script = cut_table(pcm, options);
    expect_well_formed(script);
    ASSERT_EQ(script.players.size(), 3U);
    EXPECT_EQ(script.players[0].join, SamplePos());
    for (const Player& player : script.players) {
        Samples said{0};
        for (const Talk& talk : player.talks) {
            // 1.5 to 6 s, moved by at most 0.4 s at its end.
            EXPECT_GE(length_of(talk), Samples(milliseconds(1'090)));
            EXPECT_LE(length_of(talk), Samples(milliseconds(6'410)));
            said += length_of(talk);
        }
        EXPECT_NEAR(std::chrono::duration<double>(said) / std::chrono::duration<double>(player.leave - player.join),
                    0.3, 0.08);
    }
    EXPECT_TRUE(same(script, cut_table(pcm, options)));
    CutTable other = options;
    other.seed++;
    EXPECT_FALSE(same(script, cut_table(pcm, other)));
}

TEST(CutTable, CutsWhereItIsQuiet) {
    const auto data = test::test_data();
    if (!data) GTEST_SKIP() << test::kNoTestData;
    auto pcm = audio::read_mono_48k(*data / "speech" / "en-libri3080-f.opus");
    ASSERT_TRUE(pcm.ok()) << pcm.error().message;
    const Script script = cut_table({&*pcm, 1}, {.length = seconds(600), .seed = kSeed});
    const auto level = [](std::span<const float> part) {
        double sum = 0;
        for (const float x : part) sum += static_cast<double>(x) * x;
        return 10 * std::log10(sum / static_cast<double>(part.size()) + 1e-12);
    };
    std::vector<double> below;
    for (const Talk& talk : script.players[0].talks) {
        const std::span<const float> run(talk.pcm);
        below.push_back(level(run) - std::max(level(run.first(480)), level(run.last(480))));
    }
    ASSERT_GT(below.size(), 20U);
    std::sort(below.begin(), below.end());
    EXPECT_GT(below[below.size() / 10], 15) << "dB between a run and its louder end, in nine of ten";
}

TEST(SpokenTable, HasTurnsOverlapsALateJoinAndAnEarlyLeave) {
    if (!test::has_program("espeak-ng")) GTEST_SKIP() << "espeak-ng is not installed";
    const auto table = spoken_table({.speakers = 4, .length = seconds(60), .seed = kSeed});
    ASSERT_TRUE(table.ok()) << table.error().message;
    EXPECT_TRUE(table->spoken);
    const Script& script = table->script;
    expect_well_formed(script);
    EXPECT_EQ(script.players[3].join, SamplePos(Samples(seconds(12))));
    EXPECT_EQ(script.players[2].leave, SamplePos(Samples(seconds(48))));

    std::vector<std::pair<SamplePos, SamplePos>> runs;
    Samples said{0};
    for (const Player& player : script.players) {
        EXPECT_GE(player.talks.size(), 2U);
        for (const Talk& talk : player.talks)
            runs.emplace_back(talk.start, talk.start + length_of(talk)), said += length_of(talk);
    }
    std::sort(runs.begin(), runs.end());
    int overlaps = 0;
    int pauses = 0;
    for (std::size_t i = 1; i < runs.size(); ++i) (runs[i].first < runs[i - 1].second ? overlaps : pauses)++;
    EXPECT_GT(overlaps, 1);
    EXPECT_GT(pauses, 5);
    EXPECT_GT(said, Samples(seconds(30))) << "a table is not silent";
}

TEST(SpokenTable, BuzzesWithoutTheProgram) {
    const auto table =
        spoken_table({.speakers = 3, .length = seconds(30), .seed = kSeed, .program = "no-such-program"});
    ASSERT_TRUE(table.ok()) << table.error().message;
    EXPECT_FALSE(table->spoken);
    expect_well_formed(table->script);
    const auto again =
        spoken_table({.speakers = 3, .length = seconds(30), .seed = kSeed, .program = "no-such-program"});
    EXPECT_TRUE(same(table->script, again->script));
}

TEST(SpokenTable, EverybodySpeaksAtATableOfAnySize) {
    for (const int speakers : {1, 2, 5, 12, 30}) {
        for (std::uint64_t seed = kSeed; seed < kSeed + 3; ++seed) {
            const auto table = spoken_table({.speakers = speakers,
                                             .length = seconds(std::max(20, 2 * speakers)),
                                             .seed = seed,
                                             .program = "no-such-program"});
            ASSERT_TRUE(table.ok());
            expect_well_formed(table->script);
            for (const Player& player : table->script.players) {
                EXPECT_FALSE(player.talks.empty())
                    << speakers << " speakers, seed " << seed << ", user " << player.user.text();
            }
        }
    }
}

TEST(SpokenTable, SaysWhatIsWrong) {
    EXPECT_EQ(spoken_table({.speakers = 0}).error().kind, ErrorKind::usage);
    EXPECT_EQ(spoken_table({.speakers = 101}).error().kind, ErrorKind::usage);
    EXPECT_EQ(spoken_table({.length = milliseconds(999)}).error().kind, ErrorKind::usage);
    EXPECT_EQ(spoken_table({.program = "false"}).error().kind, ErrorKind::failed) << "there, and fails";
}

TEST(SpokenTable, AShortTableIsWellFormed) {
    for (int s = 1; s < 8; ++s) {
        const auto table =
            spoken_table({.speakers = 4, .length = seconds(s), .seed = kSeed, .program = "no-such-program"});
        ASSERT_TRUE(table.ok());
        expect_well_formed(table->script);
    }
}

}  // namespace
}  // namespace lestapenna::sandbox
