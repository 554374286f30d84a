// Four people for tests of a session: three at a table, and one who comes in.
#pragma once

#include <memory>

#include <gtest/gtest.h>

#include "dave/rules.h"
#include "service.h"

namespace lestapenna::test {

inline constexpr UserId kAnna{1001};
inline constexpr UserId kBea{1002};
inline constexpr UserId kCarla{1003};
inline constexpr UserId kDora{1004};
inline const mls::Bytes kOpus{0x78, 1, 2, 3};

/// That everybody hears everybody.
inline void expect_all_hear(Table& table) {
    for (Member* from : table.members()) {
        const auto frame = from->speak(kOpus);
        ASSERT_TRUE(frame) << from->user.value;
        for (Member* to : table.members()) {
            if (to == from) continue;
            EXPECT_EQ(to->hear(from->user, *frame), dave::Opening::opened) << from->user.value;
        }
    }
}

/// Op 27 that adds `member` to a group that is yet to begin.
inline mls::Bytes adding(const Table& table, const Member& member) {
    return append({table.gateway.add(0, member.packages.back())});
}

/// Anna, Bea and Carla are in a group; Dora has been named and sent her key package.
class WithNewcomer : public testing::Test {
  protected:
    WithNewcomer() {
        newcomer_.op4();
        newcomer_.op11({kAnna, kBea, kCarla});
        newcomer_.op25(table_.gateway.op25());
        for (Member* member : table_.members()) member->op11({kDora});
    }
    [[nodiscard]] mls::Bytes add(const Member& member) const {
        return table_.gateway.add(table_.epoch(), member.packages.back());
    }
    [[nodiscard]] mls::Bytes remove(UserId user) const {
        return table_.gateway.remove(table_.epoch(), table_.leaf_of(user));
    }

    std::unique_ptr<Table> held_ = test::table_of({kAnna, kBea, kCarla});
    Table& table_ = *held_;
    Member newcomer_{kDora};
    Member& anna_ = table_.at(kAnna);
    Member& bea_ = table_.at(kBea);
    Member& carla_ = table_.at(kCarla);
};

}  // namespace lestapenna::test
