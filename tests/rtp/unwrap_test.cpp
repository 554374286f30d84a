#include "rtp/unwrap.h"

#include <random>

#include <gtest/gtest.h>

namespace lestapenna::rtp {
namespace {

static_assert(unwrap<std::uint16_t>(65'535, 0) == 65'536);
static_assert(unwrap<std::uint16_t>(65'536, 65'535) == 65'535);
static_assert(unwrap<std::uint16_t>(0, 65'535) == -1);
static_assert(unwrap<std::uint16_t>(0, 32'768) == 32'768, "of two equally near values the higher");
static_assert(unwrap<std::uint16_t>(0, 32'769) == -32'767);
static_assert(unwrap<std::uint32_t>(0xFFFF'FFFF, 959) == 0x1'0000'03BF);
static_assert(unwrap<std::uint32_t>(0x1'0000'0000, 0xFFFF'FFFF) == 0xFFFF'FFFF);

template <class T>
class Unwrap : public testing::Test {};
using Counters = testing::Types<std::uint16_t, std::uint32_t>;
TYPED_TEST_SUITE(Unwrap, Counters);

constexpr unsigned kSeed = 20'260'102;

TYPED_TEST(Unwrap, IsCongruentAndNearest) {
    constexpr std::int64_t kModulus = std::int64_t{1} << (8 * sizeof(TypeParam));
    std::mt19937_64 random(kSeed);
    for (int i = 0; i < 200'000; ++i) {
        const auto reference = static_cast<std::int64_t>(random() % (std::uint64_t{1} << 50)) - (std::int64_t{1} << 49);
        const auto next = static_cast<TypeParam>(random());
        const std::int64_t value = unwrap<TypeParam>(reference, next);
        ASSERT_EQ(static_cast<TypeParam>(value), next) << "seed " << kSeed << " round " << i;
        ASSERT_GT(value - reference, -kModulus / 2);
        ASSERT_LE(value - reference, kModulus / 2);
    }
}

/// Walks of steps below half the range, forwards and backwards, over many wraps: the 64-bit walk is found again.
TYPED_TEST(Unwrap, FollowsAWalkOverManyWraps) {
    constexpr std::int64_t kModulus = std::int64_t{1} << (8 * sizeof(TypeParam));
    std::mt19937_64 random(kSeed);
    auto truth = static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(kModulus));
    std::int64_t followed = truth;
    for (int i = 0; i < 100'000; ++i) {
        const auto step = static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(kModulus / 2));
        truth += random() % 8 == 0 ? -step : step;
        followed = unwrap<TypeParam>(followed, static_cast<TypeParam>(truth));
        ASSERT_EQ(followed, truth) << "seed " << kSeed << " step " << i;
    }
    EXPECT_GT(truth, 100 * kModulus);
}

}  // namespace
}  // namespace lestapenna::rtp
