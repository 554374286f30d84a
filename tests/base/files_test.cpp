#include "base/files.h"

#include <algorithm>

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "small_filesystem.h"

namespace lestapenna {
namespace {

namespace fs = std::filesystem;
using test::SmallFilesystem;
using test::TempDir;
using ::testing::HasSubstr;

std::vector<std::string> names(const fs::path& folder) {
    std::vector<std::string> all;
    for (const auto& entry : fs::directory_iterator(folder)) all.push_back(entry.path().filename());
    std::ranges::sort(all);
    return all;
}

TEST(Files, WritesAndReadsBack) {
    const TempDir folder;
    const std::vector<std::uint8_t> bytes{0, 1, 255, 0};
    ASSERT_TRUE(write_file(folder / "x", bytes));
    EXPECT_EQ(*read_file(folder / "x", 100), bytes);
    ASSERT_TRUE(write_file(folder / "x", std::string_view("second")));
    EXPECT_EQ(*read_text_file(folder / "x", 100), "second");
    EXPECT_THAT(names(folder.path()), ::testing::ElementsAre("x"));
}

TEST(Files, ReadsAnEmptyFileAndOneOfExactlyTheLimit) {
    const TempDir folder;
    ASSERT_TRUE(write_file(folder / "x", std::string_view()));
    EXPECT_EQ(*read_text_file(folder / "x", 0), "");
    ASSERT_TRUE(write_file(folder / "x", std::string(10, 'a')));
    EXPECT_EQ(*read_text_file(folder / "x", 10), std::string(10, 'a'));
}

TEST(Files, RefusesWhatIsTooLargeMissingOrNoFile) {
    const TempDir folder;
    ASSERT_TRUE(write_file(folder / "x", std::string(11, 'a')));
    const auto large = read_text_file(folder / "x", 10);
    EXPECT_EQ(large.error().kind, ErrorKind::damaged);
    EXPECT_THAT(large.error().message, HasSubstr("larger than 10 bytes"));
    const auto missing = read_text_file(folder / "y", 10);
    EXPECT_EQ(missing.error().kind, ErrorKind::not_found);
    EXPECT_THAT(missing.error().message, HasSubstr("No such file or directory"));
    EXPECT_THAT(read_text_file(folder.path(), 10).error().message, HasSubstr("not a regular file"));
    ASSERT_EQ(mkfifo((folder / "pipe").c_str(), 0600), 0);
    EXPECT_FALSE(read_text_file(folder / "pipe", 10));  // does not hang either
}

TEST(Files, ReadsFilesOfUnknownSize) {
    // Files of /proc say that they are empty.
    const auto status = read_text_file("/proc/self/status", 1U << 20);
    ASSERT_TRUE(status);
    EXPECT_THAT(*status, HasSubstr("Pid:"));
    EXPECT_EQ(read_text_file("/proc/self/status", 10).error().kind, ErrorKind::damaged);
}

TEST(Files, APendingFileLeavesNothingUnlessCommitted) {
    const TempDir folder;
    ASSERT_TRUE(write_file(folder / "x", std::string_view("old")));
    {
        auto file = PendingFile::create(folder / "x");
        ASSERT_TRUE(file);
        const std::vector<std::uint8_t> bytes{1, 2, 3};
        ASSERT_TRUE(file->write(bytes));
        EXPECT_EQ(names(folder.path()).size(), 2U);
        EXPECT_TRUE(file->path().filename().string().starts_with(kTemporaryPrefix));
        const PendingFile moved = std::move(*file);
        EXPECT_EQ(*read_text_file(folder / "x", 10), "old");
    }
    EXPECT_THAT(names(folder.path()), ::testing::ElementsAre("x"));
    EXPECT_EQ(*read_text_file(folder / "x", 10), "old");
}

TEST(Files, CopiesWholeFiles) {
    const TempDir folder;
    for (const std::size_t size : {std::size_t{0}, std::size_t{1}, std::size_t{3'000'000}}) {
        ASSERT_TRUE(write_file(folder / "from", std::string(size, 'z')));
        ASSERT_TRUE(copy_durably(folder / "from", folder / "to"));
        EXPECT_EQ(*read_text_file(folder / "to", size), std::string(size, 'z'));
    }
    EXPECT_EQ(copy_durably(folder / "nothing", folder / "to").error().kind, ErrorKind::not_found);
    ASSERT_TRUE(copy_durably("/proc/self/status", folder / "status"));  // the kernel can not copy this one by itself
    EXPECT_GT(fs::file_size(folder / "status"), 100U);
    EXPECT_THAT(names(folder.path()), ::testing::ElementsAre("from", "status", "to"));
}

TEST(Files, MakesFoldersForTheirOwnerOnly) {
    const TempDir folder;
    ASSERT_TRUE(make_folders(folder / "a/b/c"));
    ASSERT_TRUE(make_folders(folder / "a/b/c"));
    ASSERT_TRUE(make_folders(folder / "d/"));
    EXPECT_TRUE(fs::is_directory(folder / "d"));
    EXPECT_EQ(fs::status(folder / "a/b/c").permissions(), fs::perms::owner_all);
    ASSERT_TRUE(write_file(folder / "file", std::string_view("x")));
    EXPECT_THAT(make_folders(folder / "file").error().message, HasSubstr("a file of that name is there"));
    EXPECT_FALSE(make_folders(folder / "file/below"));
}

TEST(Files, RemovesOnlyStaleTemporaries) {
    const TempDir folder;
    for (const auto* name : {".tmp-aaaaaa", ".tmp-bbbbbb", "kept"}) {
        ASSERT_TRUE(write_file(folder / name, std::string_view("x")));
    }
    const auto old = fs::file_time_type::clock::now() - std::chrono::hours(2);
    fs::last_write_time(folder / ".tmp-aaaaaa", old);
    fs::last_write_time(folder / "kept", old);
    remove_stale_temporaries(folder.path());
    remove_stale_temporaries(folder / "no such folder");
    EXPECT_THAT(names(folder.path()), ::testing::ElementsAre(".tmp-bbbbbb", "kept"));
}

TEST(Files, AFullDiskIsOneSentenceAndHarmsNothing) {
    const SmallFilesystem disk(64 << 10);
    if (!disk.mounted()) GTEST_SKIP() << test::kNeedsRoot;
    ASSERT_TRUE(write_file(disk / "x", std::string_view("old")));
    const auto full = write_file(disk / "x", std::string(1 << 20, 'y'));
    ASSERT_FALSE(full);
    EXPECT_EQ(full.error().kind, ErrorKind::failed);
    EXPECT_THAT(full.error().message, HasSubstr("No space left on device; free some space"));
    EXPECT_EQ(*read_text_file(disk / "x", 10), "old");
    EXPECT_THAT(names(disk.path()), ::testing::ElementsAre("x"));

    const TempDir elsewhere;
    ASSERT_TRUE(write_file(elsewhere / "big", std::string(1 << 20, 'y')));
    EXPECT_THAT(copy_durably(elsewhere / "big", disk / "x").error().message, HasSubstr("No space left"));
    EXPECT_THAT(names(disk.path()), ::testing::ElementsAre("x"));
}

TEST(Files, AReadOnlyDiskIsOneSentence) {
    const SmallFilesystem disk(64 << 10);
    if (!disk.mounted()) GTEST_SKIP() << test::kNeedsRoot;
    ASSERT_TRUE(write_file(disk / "x", std::string_view("old")));
    disk.make_read_only();
    EXPECT_THAT(write_file(disk / "x", std::string_view("new")).error().message, HasSubstr("mounted read-only"));
    EXPECT_THAT(make_folders(disk / "folder").error().message, HasSubstr("mounted read-only"));
    EXPECT_EQ(*read_text_file(disk / "x", 10), "old");
}

TEST(Files, ErrorsNameWhatToDo) {
    EXPECT_EQ(io_error("write", "/x\ny", EACCES).message,
              "can not write /x?y: Permission denied; give this user the right to it or choose another place");
    EXPECT_EQ(io_error("read", "/x", ENOENT).kind, ErrorKind::not_found);
}

}  // namespace
}  // namespace lestapenna
