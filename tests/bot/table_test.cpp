// The table itself (table.h): the smallest evening, with the bot in this process and as a program.
#include "table.h"

#include <gmock/gmock.h>

#include "base/files.h"
#include "store/keys.h"

namespace lestapenna::bot {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

class Table : public TableTest {
  protected:
    void SetUp() override {
        TableSetup setup;
        setup.talkers = 2;
        open(std::move(setup));
        bice_ = person("Bice");
        sit(bice_);
    }
    /// Everybody plays for some seconds; the link that came of it.
    std::string play_a_little() {
        type(bice_, "$ascolta");
        EXPECT_TRUE(eventually([&] { return is_recording_in(voice()) && last_session(); }));
        play(last_session()->start);
        EXPECT_TRUE(eventually([&] { return sent_to_bot() > 200; }));
        type(bice_, "$termina");
        return link_in(wait_for_direct(bice_, "http").content);
    }
    std::uint64_t sent_to_bot() { return show_->sent_to_bot().value_or(0); }
    /// The link leads to the very master that is in the store.
    void expect_master(const std::string& link) {
        ASSERT_THAT(link, Not(IsEmpty()));
        const auto fetched = fetch(link);
        EXPECT_EQ(fetched.status, 200);
        constexpr std::size_t kMost = 64U << 20;
        const auto key = store::key(store::MasterKey{last_session()->id});
        const auto stored = read_text_file(config_.data.dir / "store" / key.text(), kMost);
        ASSERT_TRUE(stored.ok()) << stored.error().message;
        EXPECT_TRUE(fetched.body == *stored);
    }

    UserId bice_;
};

TEST_F(Table, PlaysWithTheBotInThisProcess) {
    ASSERT_NO_FATAL_FAILURE(start());
    EXPECT_TRUE(slash(bice_, "stato").content.size() > 10);
    const auto link = play_a_little();
    wait_until_idle();
    expect_master(link);
    EXPECT_EQ(last_session()->status, catalog::SessionStatus::complete);
    EXPECT_EQ(fetch(admin("/livez")).status, 200);
}

TEST_F(Table, PlaysWithTheProgram) {
    ASSERT_NO_FATAL_FAILURE(start_program());
    const auto link = play_a_little();
    wait_until_idle();
    expect_master(link);
    EXPECT_EQ(stop_program(), 0) << program_log();
    EXPECT_THAT(program_log(), Not(HasSubstr(stage().bot.token))) << "secrets are in no log";
}

}  // namespace
}  // namespace lestapenna::bot
