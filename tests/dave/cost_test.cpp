// What one message from outside may cost us: it holds the thread on which all calls are recorded. Limits are asked for
// where they are counts; the time of the worst is printed, and bounded by ten times what was measured.
#include <chrono>
#include <iostream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "dave/rules.h"
#include "people.h"

namespace lestapenna::dave {
namespace {

using test::append;
using test::kAnna;
using test::kBea;
using test::Member;
using test::words;
using testing::ElementsAre;

constexpr std::size_t kMessageBytes = (std::size_t{1} << 20) - 64;  ///< of the largest that is read
constexpr UserId kFirst{5000};

class Cost : public testing::Test {
  protected:
    /// Of processor time: the machine has other things to do.
    template <class Call>
    static double ms_of(const char* what, const Call& call) {
        const auto now = [] {
            timespec at{};
            clock_gettime(CLOCK_THREAD_CPUTIME_ID, &at);
            return static_cast<double>(at.tv_sec) * 1e3 + static_cast<double>(at.tv_nsec) / 1e6;
        };
        const double from = now();
        call();
        const double ms = now() - from;
        std::cout << what << ": " << ms << " ms\n";
        return ms;
    }
    /// Adds of strangers whom the server has named.
    std::vector<mls::Bytes> adds(std::size_t count) {
        std::vector<mls::Bytes> messages;
        std::vector<UserId> users;
        for (std::size_t i = 0; i < count; ++i) {
            Member stranger(UserId{kFirst.value + i});
            stranger.op4();
            users.push_back(stranger.user);
            messages.push_back(table_->gateway.add(table_->epoch(), stranger.packages.back()));
        }
        anna_.op11(users);
        return messages;
    }
    /// As often as it goes into one message.
    static std::vector<mls::Bytes> repeated(const mls::Bytes& message) {
        return std::vector<mls::Bytes>(kMessageBytes / message.size(), message);
    }

    std::unique_ptr<test::Table> table_ = test::table_of({kAnna, kBea});
    Member& anna_ = table_->at(kAnna);
};

TEST_F(Cost, MoreProposalsThanAChannelCanNeedAreRefusedUnread) {
    const auto remove = table_->gateway.remove(table_->epoch(), 1);
    for (const mls::Bytes& message : {remove, adds(1).front()}) {
        const auto op27 = append(repeated(message));
        EXPECT_LT(ms_of("one proposal as often as it goes in",
                        [&] { EXPECT_THAT(words(anna_.op27(op27)), ElementsAre("refused proposals bad_proposal")); }),
                  100);
    }
}

TEST_F(Cost, ARepeatedProposalIsVerifiedOnce) {
    const std::vector<mls::Bytes> copies(kMostQueued, adds(1).front());
    const auto op27 = append(copies);
    EXPECT_LT(
        ms_of("256 copies of an Add", [&] { EXPECT_THAT(words(anna_.op27(op27)), ElementsAre("commit and welcome")); }),
        100);
    EXPECT_EQ(parse_proposals(op27).value().items.size(), 1U);
}

TEST_F(Cost, AddsAreBounded) {
    auto all = adds(kMostAdds + 1);
    EXPECT_THAT(words(anna_.op27(append(all))), ElementsAre("refused proposals bad_proposal"));
    const mls::Bytes last = all.back();
    all.pop_back();
    ms_of("128 Adds, their commit and welcome",
          [&] { EXPECT_THAT(words(anna_.op27(append(all))), ElementsAre("commit and welcome")); });
    EXPECT_THAT(words(anna_.op27(append({last}))), ElementsAre("refused proposals bad_proposal"))
        << "those of an epoch count together";
}

TEST_F(Cost, RevocationsAreBounded) {
    anna_.op27(append(adds(kMostAdds)));
    const auto empty = test::revoke(std::vector<mls::Bytes>(kMessageBytes));
    const auto many = test::revoke(std::vector<mls::Bytes>(kMessageBytes / 33, mls::Bytes(mls::kHashBytes)));
    EXPECT_LT(ms_of("a million empty references",
                    [&] { EXPECT_THAT(words(anna_.op27(empty)), ElementsAre("refused proposals malformed")); }),
              50);
    EXPECT_LT(ms_of("30,000 references",
                    [&] { EXPECT_THAT(words(anna_.op27(many)), ElementsAre("refused proposals bad_proposal")); }),
              50);
}

}  // namespace
}  // namespace lestapenna::dave
