// Whatever comes and goes, in whatever order messages arrive: everybody who is in ends in the same epoch, and hears
// everything that was said in the epochs they were in. Two to twelve members, by a printed seed.
#include <algorithm>
#include <iostream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "service.h"

namespace lestapenna::dave {
namespace {

using test::Member;
using test::Table;

constexpr std::uint64_t kTables = 6;
constexpr std::size_t kFewest = 2;
constexpr std::size_t kMost = 12;
constexpr std::size_t kUnderWay = 8;  // frames to one listener

struct Said {
    UserId from;
    std::string epoch;  ///< whose key it was sealed with
    mls::Bytes frame;
    mls::Bytes text;
};

/// A table that talks while it changes. Frames take their time, a different one to each listener; who cannot open one
/// tries again with each epoch.
class TalkingTable {
  public:
    explicit TalkingTable(std::uint64_t seed) {
        table_.random.seed(seed);
        table_.meanwhile = [this] { talk(); };
    }

    void change() {
        const std::size_t there = table_.members().size();
        const std::size_t coming = draw(3);
        for (std::size_t i = 0; i < coming && table_.members().size() < kMost; ++i) table_.join(UserId{++last_user_});
        if (there > kFewest && draw(2) == 0) leave(any_member());
        if (there > kFewest && draw(8) == 0) {  // gone, and back before anybody has noticed
            const UserId user = any_member();
            leave(user);
            table_.join(user);
        }
        spoil_for_ = draw(6) == 0 && !table_.members().empty() ? any_member() : UserId{};
        table_.on_the_way = [this](const Member& to, mls::Bytes bytes) {
            if (to.user != spoil_for_) return bytes;
            spoil_for_ = UserId{};
            return test::spoiled(std::move(bytes), 40 + draw(bytes.size() - 40));
        };
        const auto transition = static_cast<std::uint16_t>(draw(4) == 0 ? 0 : 1 + draw(60'000));
        if (table_.round(transition)) ++rounds_;
    }

    void settle() {
        table_.on_the_way = [](const Member& /*to*/, mls::Bytes bytes) { return bytes; };
        while (table_.members().size() < kFewest) table_.join(UserId{++last_user_});
        table_.settle();
        for (int i = 0; i < 200; ++i) talk();
        for (auto& [listener, frames] : under_way_) {
            while (!frames.empty()) deliver(listener, frames);
        }
    }

    void expect_agreement() {
        const auto members = table_.members();
        for (Member* member : members) {
            EXPECT_EQ(member->code(), members.front()->code());
            EXPECT_EQ(member->session.call().members.size(), members.size());
            EXPECT_FALSE(member->session.in_transition());
            const auto in_vain = std::ranges::count_if(
                unheard_[member->user], [&](const Said& said) { return member->epochs.contains(said.epoch); });
            EXPECT_EQ(in_vain, 0) << "was said to " << member->user.value;
        }
        EXPECT_EQ(wrong_, 0);
        EXPECT_GT(heard_, 100);
    }

    [[nodiscard]] int rounds() const { return rounds_; }

  private:
    std::size_t draw(std::size_t below) { return table_.random() % below; }
    UserId any_member() {
        const auto members = table_.members();
        return members[draw(members.size())]->user;
    }
    void leave(UserId user) {
        table_.leave(user);
        under_way_.erase(user);
        unheard_.erase(user);
    }

    void talk() {
        const auto members = table_.members();
        Member& from = *members[draw(members.size())];
        const mls::Bytes text{0x78, static_cast<std::uint8_t>(draw(256)), static_cast<std::uint8_t>(draw(256))};
        if (const auto frame = from.speak(text)) {
            for (const Member* to : members) {
                if (to != &from) under_way_[to->user].push_back({from.user, from.speaks_in, *frame, text});
            }
        }
        for (auto& [listener, frames] : under_way_) {
            while (frames.size() > kUnderWay || (!frames.empty() && draw(4) == 0)) deliver(listener, frames);
        }
        for (Member* member : members) {
            member->now += std::chrono::milliseconds(2);
            member->receiver.expire(member->now);
            retry(*member);
        }
    }

    void deliver(UserId listener, std::vector<Said>& frames) {
        const auto at = static_cast<std::ptrdiff_t>(draw(frames.size()));
        unheard_[listener].push_back(std::move(frames[static_cast<std::size_t>(at)]));
        frames.erase(frames.begin() + at);
        retry(table_.at(listener));
    }

    void retry(Member& member) {
        std::erase_if(unheard_[member.user], [&](const Said& said) {
            const Opened opened = member.receiver.open(said.from, 1, said.frame, member.now);
            if (opened.what != Opening::opened) return false;
            ++(std::ranges::equal(opened.payload, said.text) ? heard_ : wrong_);
            return true;
        });
    }

    Table table_;
    std::uint64_t last_user_ = 100;
    UserId spoil_for_;
    std::map<UserId, std::vector<Said>> under_way_;
    std::map<UserId, std::vector<Said>> unheard_;
    int rounds_ = 0;
    int heard_ = 0;
    int wrong_ = 0;
};

TEST(Tables, AgreeAndHearEachOtherWhateverHappens) {
    const std::uint64_t first = std::random_device{}();
    int rounds = 0;
    for (std::uint64_t seed = first; seed < first + kTables; ++seed) {
        SCOPED_TRACE("seed " + std::to_string(seed));
        TalkingTable table(seed);
        for (int changes = 0; changes < 25; ++changes) table.change();
        table.settle();
        table.expect_agreement();
        rounds += table.rounds();
        if (HasFailure()) break;
    }
    EXPECT_GT(rounds, 50);
    std::cout << "first seed " << first << ", " << rounds << " epochs\n";
}

}  // namespace
}  // namespace lestapenna::dave
