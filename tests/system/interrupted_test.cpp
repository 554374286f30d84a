// A master that is interrupted at any step leaves only whole files, and the next one goes on to the same bytes.
#include <chrono>

#include "background.h"
#include "program.h"

namespace lestapenna::system_test {
namespace {

/// Where the work stands, by what lies on disk.
struct Step {
    const char* name;
    const char* folder;  ///< below the data folder
    const char* prefix;  ///< a file of such a name is there
};
constexpr std::array kSteps{
    Step{"a fragment is being made", "cache/session", "FULL-"},
    Step{"the master is being made", "cache/session", "MASTER-"},
    Step{"the master is stored", "store/recordings/session/master", "MASTER-"},
    Step{"a fragment is stored", "store/recordings/session/full", "FULL-"},
    Step{"the first chunk is being made", "cache/session", "300"},
    Step{"a chunk is stored", "store/recordings/session/chunks", "300"},
};

bool holds(const fs::path& folder, const std::string& prefix) {
    std::error_code ignored;  // it comes and goes
    for (fs::directory_iterator entry(folder, ignored), end; !ignored && entry != end; entry.increment(ignored)) {
        if (entry->path().filename().string().starts_with(prefix)) return true;
    }
    return false;
}

class Interrupted : public Program, public ::testing::WithParamInterface<int> {
  protected:
    /// Six minutes of two players: seconds of work.
    void SetUp() override {
        const auto table = repeated(play(), 18, seconds(20));
        import(table, "session");
        fs::copy(data(), folder_ / "reference", fs::copy_options::recursive);
        made_ = ask({"master", "session"}, kDone, {"LESTAPENNA_DATA_DIR=reference"});
        whole_ = digests(folder_ / "reference/store/recordings/session");
    }
    [[nodiscard]] Digests in_store() const {
        Digests files;
        for (auto& [file, digest] : digests(stored("session"))) {
            // What SIGKILL left unfinished has such a name: no key, read by nobody, gone an hour later.
            if (fs::path(file).filename().string().starts_with(".tmp-")) continue;
            files.emplace(file, digest);
        }
        return files;
    }
    void expect_only_whole_files() const {
        for (const auto& [file, digest] : in_store()) EXPECT_EQ(digest, whole_.at(file)) << file;
    }

    Digests whole_;
    Json made_;
};

TEST_P(Interrupted, MasterGoesOnToTheSameBytes) {
    const auto journal = digests(this->journal("session"));
    std::size_t stopped = 0;
    for (const Step& step : kSteps) {
        SCOPED_TRACE(step.name);
        test::Background master({LESTAPENNA_BINARY, "master", "session", "--json", "--threads", "2"}, folder_.path(),
                                folder_ / "out", folder_ / "err");
        // The file may be there from the step before: only who has begun to work has heard of signals.
        const auto there = [&] {
            return fs::exists(data() / "cache/session") && holds(data() / step.folder, step.prefix);
        };
        if (!master.until(there)) {
            // Too quick for us to see: then it must be done.
            EXPECT_EQ(master.wait(), kDone);
            continue;
        }
        master.signal(GetParam());
        const auto signalled = std::chrono::steady_clock::now();
        const int exit_code = master.wait();
        const std::chrono::duration<double> took = std::chrono::steady_clock::now() - signalled;
        if (exit_code == kDone) continue;
        std::printf("  stopped when %s\n", step.name);
        ++stopped;
        expect_only_whole_files();
        if (GetParam() == SIGKILL) {
            EXPECT_EQ(exit_code, 128 + SIGKILL);
            continue;
        }
        EXPECT_EQ(exit_code, kInterrupted);
        EXPECT_LT(took.count(), 5.0) << "soon";
        const auto answer = Json::parse(std::ifstream(folder_ / "out"), nullptr, false);
        EXPECT_EQ(answer["error"]["code"], "interrupted");
        EXPECT_THAT(slurp(folder_ / "err"), IsEmpty());
        EXPECT_FALSE(fs::exists(data() / "cache/session")) << "what was half done is gone";
        EXPECT_EQ(ask({"sessions", "session"})["status"], "ending");
    }
    EXPECT_GE(stopped, 2U) << "the session was too short for this test";

    auto made = ask({"master", "session"});
    EXPECT_EQ(made["status"], "complete");
    EXPECT_EQ(made["master"]["loudness_lufs"], made_["master"]["loudness_lufs"]);
    EXPECT_EQ(in_store(), whole_);
    EXPECT_FALSE(fs::exists(data() / "cache/session"));
    EXPECT_EQ(digests(this->journal("session")), journal);
}

INSTANTIATE_TEST_SUITE_P(By, Interrupted, ::testing::Values(SIGINT, SIGTERM, SIGKILL), [](const auto& signal) {
    return signal.param == SIGINT ? "SIGINT" : signal.param == SIGTERM ? "SIGTERM" : "SIGKILL";
});

class TwoAtOnce : public Program {};

TEST_F(TwoAtOnce, TheSecondMasterOfASessionWaitsOutside) {
    import(repeated(play(), 12, seconds(20)), "session");
    test::Background one({LESTAPENNA_BINARY, "master", "session", "--threads", "1"}, folder_.path(), folder_ / "out",
                         folder_ / "err");
    ASSERT_TRUE(one.until([&] { return holds(data() / "cache/session", ""); }));
    one.signal(SIGSTOP);
    expect_refused({"master", "session"}, kFailed, "locked", "wait until it is done");
    order({"sessions", "session"});
    order({"export", "session", "--format", "opus", "--out", "out.d"});
    one.signal(SIGCONT);
    EXPECT_EQ(one.wait(), kDone);
    const auto whole = digests(stored("session"));
    EXPECT_EQ(ask({"master", "session"})["status"], "complete");
    EXPECT_EQ(digests(stored("session")), whole);
}

TEST_F(TwoAtOnce, AnInterruptedImportLeavesNothing) {
    const auto table = repeated(play(), 400, seconds(20));
    write_capture(table, folder_ / "a.pcap");
    // It may be done before we see that it has begun: then another one.
    constexpr int kTries = 20;
    int tries = 0;
    for (; tries < kTries; ++tries) {
        const auto session = "x" + std::to_string(tries);
        test::Background import(
            {LESTAPENNA_BINARY, "import", "a.pcap", "--users", users_of(table), "--session", session}, folder_.path(),
            folder_ / "out", folder_ / "err");
        if (!import.until([&] { return holds(journal(session), "0"); })) continue;
        import.signal(SIGINT);
        const int exit_code = import.wait();
        if (exit_code == kDone) continue;
        EXPECT_EQ(exit_code, kInterrupted);
        EXPECT_FALSE(fs::exists(journal(session)));
        break;
    }
    ASSERT_LT(tries, kTries);
    EXPECT_EQ(ask({"sessions"}).size(), static_cast<std::size_t>(tries)) << "those that were done, and no other";
    order({"import", "a.pcap", "--users", users_of(table), "--session", "x" + std::to_string(tries)});
}

}  // namespace
}  // namespace lestapenna::system_test
