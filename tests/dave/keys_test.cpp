#include "dave/keys.h"

#include <gtest/gtest.h>

#include "../mls/vectors.h"
#include "dave/codes.h"

namespace lestapenna::dave {
namespace {

using test::unhex;

mls::Secret secret(const nlohmann::json& digits) {
    const mls::Bytes bytes = unhex(digits.get<std::string>());
    return {bytes.begin(), bytes.end()};
}

TEST(Ratchet, GivesTheKeysOfTheVectors) {
    int checked = 0;
    const auto vectors = test::dave_vectors();
    for (const auto& step : vectors.at("steps")) {
        for (const auto& sender : step.at("after").at("senders")) {
            Ratchet ratchet(secret(sender.at("base_secret")));
            EXPECT_EQ(ratchet.key(0), secret(sender.at("key_gen0")));
            EXPECT_EQ(ratchet.key(1), secret(sender.at("key_gen1")));
            EXPECT_EQ(ratchet.key(255), secret(sender.at("key_gen255")));
            EXPECT_EQ(ratchet.generation(), 256U);
            ++checked;
        }
    }
    EXPECT_EQ(checked, 10);
}

TEST(Ratchet, DoesNotGoBack) {
    Ratchet ratchet(mls::Secret(16));
    ASSERT_TRUE(ratchet.key(2));
    EXPECT_FALSE(ratchet.key(1));
    EXPECT_FALSE(ratchet.key(2));
    EXPECT_EQ(ratchet.generation(), 3U);
    EXPECT_TRUE(ratchet.key(3));
}

TEST(Generations, AreWidenedLikeLibdaveDoes) {
    EXPECT_EQ(widen_generation(0, 0), 0U);
    EXPECT_EQ(widen_generation(0, 250), 250U);
    EXPECT_EQ(widen_generation(11 * 256 + 42, 42), 11U * 256 + 42);
    EXPECT_EQ(widen_generation(11 * 256 + 42, 50), 11U * 256 + 50);
    EXPECT_EQ(widen_generation(11 * 256 + 42, 10), 12U * 256 + 10);
    EXPECT_EQ(widen_generation(255, 0), 256U);
}

TEST(Codes, AreThoseOfDavey) {
    const auto vectors = test::dave_vectors();
    for (const auto& code : vectors.at("displayable_code")) {
        EXPECT_EQ(displayable_code(unhex(code.at("data")), code.at("length"), code.at("group")), code.at("code"));
    }
    for (const auto& step : vectors.at("steps")) {
        const auto& after = step.at("after");
        EXPECT_EQ(privacy_code(unhex(after.at("epoch_authenticator"))), after.at("privacy_code"));
    }
    const auto& pair = vectors.at("pairwise_fingerprint");
    const UserId one{std::stoull(pair.at("user1").get<std::string>())};
    const UserId two{std::stoull(pair.at("user2").get<std::string>())};
    const mls::Bytes key_one = unhex(pair.at("key1"));
    const mls::Bytes key_two = unhex(pair.at("key2"));
    const mls::Bytes fingerprint = pairwise_fingerprint(one, key_one, two, key_two);
    EXPECT_EQ(fingerprint, unhex(pair.at("fingerprint")));
    EXPECT_EQ(pairwise_fingerprint(two, key_two, one, key_one), fingerprint) << "the same from both sides";
    EXPECT_EQ(verification_code(fingerprint), pair.at("code"));
}

TEST(Codes, AreShownInGroupsOfFive) {
    EXPECT_EQ(in_groups_of_five("090606058512110"), "09060 60585 12110");
    EXPECT_EQ(in_groups_of_five(""), "");
}

}  // namespace
}  // namespace lestapenna::dave
