#include "dave/frame.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "../mls/vectors.h"

namespace lestapenna::dave {
namespace {

using test::unhex;
using testing::ElementsAreArray;

TEST(Frame, IsTakenApart) {
    const auto bytes = unhex("0c262047e25ea9abb4fbc2617f5a27875394030cfafa");
    const auto frame = parse_frame(bytes);
    ASSERT_TRUE(frame);
    EXPECT_THAT(frame->media, ElementsAreArray(unhex("0c262047e25ea9abb4fb")));
    EXPECT_THAT(frame->tag, ElementsAreArray(unhex("c2617f5a27875394")));
    EXPECT_EQ(frame->nonce, 3U);
}

TEST(Frame, IsPutTogether) {
    struct Case {
        std::uint32_t nonce;
        const char* supplement;
    };
    for (const Case& c : {Case{0,
                               "00112233445566770"
                               "00cfafa"},
                          Case{127, "00112233445566777f0cfafa"}, Case{128, "001122334455667780010dfafa"},
                          Case{16'383, "0011223344556677ff7f0dfafa"}, Case{16'384, "00112233445566778080010efafa"},
                          Case{0xFFFFFFFF, "0011223344556677ffffffff0f10fafa"}}) {
        std::vector<std::uint8_t> frame = unhex("aabb");
        const auto tag = unhex("0011223344556677");
        append_supplement(frame, std::span(tag).first<kTagBytes>(), c.nonce);
        EXPECT_THAT(frame, ElementsAreArray(unhex(std::string("aabb") + c.supplement))) << c.nonce;
        EXPECT_LE(frame.size(), 2 + kMostSupplement);
        const auto again = parse_frame(frame);
        ASSERT_TRUE(again) << c.nonce;
        EXPECT_EQ(again->nonce, c.nonce);
        EXPECT_EQ(again->media.size(), 2U);
    }
}

TEST(Frame, NoMediaAtAllIsAFrame) {
    const auto frame = parse_frame(unhex("0011223344556677010cfafa"));
    ASSERT_TRUE(frame);
    EXPECT_TRUE(frame->media.empty());
}

TEST(Frame, NoncesAreReadLikeLibdaveDoes) {
    // Longer than it need be, up to ten bytes, of which 32 bits count.
    EXPECT_EQ(parse_frame(unhex("00112233445566778180000efafa")).value().nonce, 1U);
    EXPECT_EQ(parse_frame(unhex("0011223344556677"
                                "81808080808080808000"
                                "15fafa"))
                  .value()
                  .nonce,
              1U);
    EXPECT_EQ(parse_frame(unhex("0011223344556677"
                                "ffffffff7f"
                                "10fafa"))
                  .value()
                  .nonce,
              0xFFFFFFFFU);
    EXPECT_FALSE(
        parse_frame(unhex("0011223344556677"
                          "8180808080808080808000"
                          "16fafa")))
        << "eleven bytes";
}

TEST(Frame, EverythingElseIsNone) {
    struct Case {
        const char* what;
        const char* bytes;
    };
    for (const Case& c : {
             Case{"nothing", ""},
             Case{"eleven bytes", "11223344556677010cfafa"},
             Case{"no marker", "aa0011223344556677010cfafb"},
             Case{"half a marker", "aa0011223344556677010cfbfa"},
             Case{"a supplement longer than the frame", "aa0011223344556677010efafa"},
             Case{"a supplement that holds no nonce", "aa0011223344556677010bfafa"},
             Case{"size zero", "aa00112233445566770100fafa"},
             Case{"a nonce that runs past its end", "aa0011223344556677810cfafa"},
             Case{"one unencrypted range",
                  "aa001122334455667701"
                  "0001"
                  "0efafa"},
             Case{"half a range",
                  "aa001122334455667701"
                  "00"
                  "0dfafa"},
         }) {
        EXPECT_FALSE(parse_frame(unhex(c.bytes))) << c.what;
    }
}

TEST(Frame, SilenceIsThreeBytes) {
    EXPECT_TRUE(is_silence(unhex("f8fffe")));
    EXPECT_FALSE(is_silence(unhex("f8ff")));
    EXPECT_FALSE(is_silence(unhex("f8fffe00")));
    EXPECT_FALSE(is_silence(unhex("f8ffff")));
    EXPECT_FALSE(is_silence({}));
}

}  // namespace
}  // namespace lestapenna::dave
