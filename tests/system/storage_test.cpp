// Folders that can not be written and disks that are full: one sentence, nothing harmed, and with space again the same
// command succeeds. Needs root, to mount small filesystems.
#include <unistd.h>

#include "program.h"
#include "small_filesystem.h"

namespace lestapenna::system_test {
namespace {

constexpr std::size_t kMiB = std::size_t{1} << 20;

class Storage : public Program {
  protected:
    [[nodiscard]] Words at(const test::SmallFilesystem& disk) const {
        return {"LESTAPENNA_DATA_DIR=" + (disk / "data").string()};
    }
    static fs::path stored(const test::SmallFilesystem& disk, const std::string& session) {
        return disk / "data/store/recordings" / session;
    }
    /// Takes all space but `left` bytes; to be removed again.
    static fs::path fill(const test::SmallFilesystem& disk, std::size_t left) {
        auto path = disk / "ballast";
        const auto space = fs::space(disk.path()).available;
        if (space > left) spit(path, Bytes(space - left));
        return path;
    }
    Words import_words(const std::string& session) {
        write_capture(table_, folder_ / "a.pcap");
        return {"import", "a.pcap", "--users", users_of(table_), "--session", session};
    }

    const sandbox::SimulatedTable table_ = play();
};

TEST_F(Storage, AFullDiskAtImportLeavesNoHalfSession) {
    const test::SmallFilesystem disk(2 * kMiB);
    if (!disk.mounted()) GTEST_SKIP() << test::kNeedsRoot;
    order(import_words("first"), kDone, at(disk));
    const auto journal = digests(disk / "data/journal");
    const auto ballast = fill(disk, 24 << 10);
    expect_refused(import_words("second"), kFailed, "failed", "free some space", at(disk));
    EXPECT_EQ(digests(disk / "data/journal"), journal) << "nothing of it is left, and the first is as it was";
    fs::remove(ballast);
    order(import_words("second"), kDone, at(disk));
    EXPECT_EQ(ask({"sessions"}, kDone, at(disk)).size(), 2U);
    EXPECT_EQ(ask({"journal", "verify", (disk / "data/journal/second").string()})["clean"], true);
}

TEST_F(Storage, AFullDiskAtMasterLeavesNoHalfFile) {
    const test::SmallFilesystem disk(4 * kMiB);
    if (!disk.mounted()) GTEST_SKIP() << test::kNeedsRoot;
    order(import_words("other"), kDone, at(disk));
    order({"master", "other"}, kDone, at(disk));
    const auto other = digests(stored(disk, "other"));
    order(import_words("reference"));
    order({"master", "reference"});
    order(import_words("reference"), kDone, at(disk));
    const auto journal = digests(disk / "data/journal/reference");

    // From hopeless to almost enough: it fails at another step each time.
    const auto whole = digests(Program::stored("reference"));
    for (const std::size_t left :
         {std::size_t{0}, std::size_t{40}, std::size_t{90}, std::size_t{160}, std::size_t{230}}) {
        SCOPED_TRACE(std::to_string(left) + " KiB left");
        const auto ballast = fill(disk, left << 10);
        const auto result = run({"master", "reference", "--json"}, at(disk));
        if (result.exit_code != kDone) {
            EXPECT_EQ(result.exit_code, kFailed);
            EXPECT_EQ(value(result)["error"]["code"], "failed");
            EXPECT_THAT(value(result)["error"]["message"].get<std::string>(), HasSubstr("pace"));
            EXPECT_THAT(result.err, IsEmpty());
        }
        for (const auto& [file, digest] : digests(stored(disk, "reference")))
            EXPECT_EQ(digest, whole.at(file)) << file << " is whole or not there";
        EXPECT_FALSE(fs::exists(disk / "data/cache/reference")) << "what was half done gives its space back";
        fs::remove(ballast);
    }
    EXPECT_EQ(ask({"master", "reference"}, kDone, at(disk))["status"], "complete");
    EXPECT_EQ(digests(stored(disk, "reference")), whole);
    EXPECT_EQ(digests(stored(disk, "other")), other);
    EXPECT_EQ(digests(disk / "data/journal/reference"), journal);
}

TEST_F(Storage, AFullDiskAtExportLeavesNoHalfFile) {
    const test::SmallFilesystem disk(kMiB);
    if (!disk.mounted()) GTEST_SKIP() << test::kNeedsRoot;
    order(import_words("session"));
    const auto before = belongings("session");
    for (const std::string format : {"wav", "flac", "opus"}) {
        SCOPED_TRACE(format);
        const auto out = (disk / format).string();
        const Words words{"export", "session", "--format", format, "--out", out};
        const auto ballast = fill(disk, 20 << 10);
        expect_refused(words, kFailed, "failed", "pace");
        EXPECT_THAT(digests(out), IsEmpty());
        fs::remove(ballast);
        if (format == "wav") continue;  // more than the disk holds
        order(words);
        EXPECT_EQ(digests(out).size(), 3U);
        fs::remove_all(out);
    }
    EXPECT_EQ(belongings("session"), before);
}

TEST_F(Storage, AReadOnlyDataFolder) {
    const test::SmallFilesystem disk(8 * kMiB);
    if (!disk.mounted()) GTEST_SKIP() << test::kNeedsRoot;
    order(import_words("session"), kDone, at(disk));
    const auto before = digests(disk.path());
    disk.make_read_only();
    const auto env = at(disk);
    expect_refused(import_words("another"), kFailed, "failed", "may write there", env);
    expect_refused({"master", "session"}, kFailed, "failed", "may write there", env);
    expect_refused({"demo", "--seconds", "2", "--out", (disk / "demo").string()}, kFailed, "failed", "read-only");
    EXPECT_EQ(ask({"journal", "verify", (disk / "data/journal/session").string()})["clean"], true);
    EXPECT_EQ(digests(disk.path()), before);
}

TEST_F(Storage, AnotherUsersDataFolder) {
    if (geteuid() != 0 || !test::has_program("setpriv")) GTEST_SKIP() << "needs root and setpriv, to be somebody else";
    order(import_words("session"));
    order({"master", "session"});
    const auto before = digests(data());
    fs::permissions(folder_.path(), fs::perms::all);
    const auto as_nobody = [&](Words words) {
        const Words head{"setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", LESTAPENNA_BINARY, "--json"};
        words.insert(words.begin(), head.begin(), head.end());
        return test::run_process(words, {}, folder_.path());
    };
    if (as_nobody({"--version"}).exit_code == 127) GTEST_SKIP() << "nobody may not run programs from the build folder";
    for (const Words& words : {Words{"sessions"}, Words{"master", "session"}, import_words("other")}) {
        const auto result = as_nobody(words);
        EXPECT_EQ(result.exit_code, kFailed);
        EXPECT_EQ(value(result)["error"]["code"], "failed");
        EXPECT_THAT(value(result)["error"]["message"].get<std::string>(), HasSubstr("that this user may write there"));
        EXPECT_THAT(result.err, IsEmpty());
    }
    EXPECT_EQ(digests(data()), before);
}

}  // namespace
}  // namespace lestapenna::system_test
