#include "store/directory.h"

#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/files.h"
#include "small_filesystem.h"

namespace lestapenna::store {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

Key k(std::string_view text) {
    return *Key::parse(text);
}

std::vector<std::string> keys(const Result<std::vector<ObjectInfo>>& listed) {
    std::vector<std::string> all;
    for (const auto& object : listed.value()) all.push_back(object.key.text());
    return all;
}

class DirectoryStoreTest : public ::testing::Test {
  protected:
    fs::path file(std::string_view text) {
        auto name = folder_ / ("file" + std::to_string(++files_));
        EXPECT_TRUE(write_file(name, text));
        return name;
    }

    test::TempDir folder_;
    std::unique_ptr<DirectoryStore> store_ = std::move(*DirectoryStore::open(folder_ / "data/store"));
    int files_ = 0;
};

TEST_F(DirectoryStoreTest, KeepsWhatItIsGiven) {
    const auto key = k("recordings/s/full/x.mp3");
    EXPECT_EQ(*store_->find(key), std::nullopt);
    const auto source = file("one");
    ASSERT_TRUE(store_->put(source, key));
    EXPECT_TRUE(fs::exists(source)) << "put copies";
    EXPECT_EQ(*store_->find(key), (ObjectInfo{key, 3}));
    ASSERT_TRUE(store_->put(file("second"), key));
    EXPECT_EQ((*store_->find(key))->bytes, 6U);
    ASSERT_TRUE(store_->get(key, folder_ / "out"));
    EXPECT_EQ(*read_text_file(folder_ / "out", 100), "second");
}

TEST_F(DirectoryStoreTest, ItsFilesLieWhereTheKeySays) {
    ASSERT_TRUE(store_->put(file("x"), k("recordings/s/session.json")));
    const auto path = store_->local_path(k("recordings/s/session.json"));
    EXPECT_EQ(*path, folder_ / "data/store/recordings/s/session.json");
    EXPECT_TRUE(path->is_absolute());
    EXPECT_EQ(*read_text_file(*path, 10), "x");
    EXPECT_EQ(fs::status(*path).permissions(), fs::perms::owner_read | fs::perms::owner_write);
    EXPECT_EQ(fs::status(folder_ / "data").permissions(), fs::perms::owner_all);
}

TEST_F(DirectoryStoreTest, WhatIsMissingIsNotFound) {
    const auto got = store_->get(k("recordings/s/x"), folder_ / "out");
    EXPECT_EQ(got.error().kind, ErrorKind::not_found);
    EXPECT_EQ(got.error().message, "the store has no recordings/s/x");
    EXPECT_FALSE(fs::exists(folder_ / "out"));
    EXPECT_TRUE(store_->remove(k("recordings/s/x")));
    // A part of the key is an object, and a folder is no object.
    ASSERT_TRUE(store_->put(file("x"), k("a/b")));
    EXPECT_EQ(*store_->find(k("a/b/c")), std::nullopt);
    EXPECT_EQ(*store_->find(k("a")), std::nullopt);
    EXPECT_TRUE(store_->remove(k("a/b/c")));
    EXPECT_EQ(store_->get(k("a"), folder_ / "out").error().kind, ErrorKind::not_found);
}

TEST_F(DirectoryStoreTest, AFailedPutLeavesTheOldObject) {
    const auto key = k("a/b");
    ASSERT_TRUE(store_->put(file("old"), key));
    const auto failed = store_->put(folder_ / "no such file", key);
    EXPECT_EQ(failed.error().kind, ErrorKind::failed) << "not_found is for keys";
    EXPECT_EQ(*read_text_file(*store_->local_path(key), 10), "old");
    EXPECT_FALSE(store_->put(file("x"), k("a/b/c"))) << "below an object";
    EXPECT_EQ(*read_text_file(*store_->local_path(key), 10), "old");
}

TEST_F(DirectoryStoreTest, RemovesOnce) {
    ASSERT_TRUE(store_->put(file("x"), k("a/b")));
    ASSERT_TRUE(store_->remove(k("a/b")));
    EXPECT_EQ(*store_->find(k("a/b")), std::nullopt);
    EXPECT_TRUE(store_->remove(k("a/b")));
}

TEST_F(DirectoryStoreTest, ListsByPrefixInOrder) {
    for (const auto* name : {"r/s2/b", "r/s1/chunks/2", "r/s1/chunks/1", "r/s1/full/9", "r/s11/x"}) {
        ASSERT_TRUE(store_->put(file("xy"), k(name)));
    }
    EXPECT_THAT(keys(store_->list("")),
                ElementsAre("r/s1/chunks/1", "r/s1/chunks/2", "r/s1/full/9", "r/s11/x", "r/s2/b"));
    EXPECT_THAT(keys(store_->list("r/s1/")), ElementsAre("r/s1/chunks/1", "r/s1/chunks/2", "r/s1/full/9"));
    EXPECT_THAT(keys(store_->list("r/s1")), ElementsAre("r/s1/chunks/1", "r/s1/chunks/2", "r/s1/full/9", "r/s11/x"));
    EXPECT_THAT(keys(store_->list("r/s1/chunks/1")), ElementsAre("r/s1/chunks/1"));
    EXPECT_EQ(store_->list("r/s2/")->front().bytes, 2U);
    for (const auto* odd : {"nothing/", "../", "/etc/", "r/s2/b/", "r//"})
        EXPECT_THAT(keys(store_->list(odd)), IsEmpty()) << odd;
}

TEST_F(DirectoryStoreTest, UnfinishedAndForeignFilesAreNotListedAndStaleOnesGo) {
    ASSERT_TRUE(store_->put(file("x"), k("a/b")));
    const auto stale = folder_ / "data/store/a/.tmp-killed";
    ASSERT_TRUE(write_file(stale, std::string_view("half")));
    ASSERT_TRUE(write_file(folder_ / "data/store/a/a name with blanks", std::string_view("foreign")));
    EXPECT_THAT(keys(store_->list("")), ElementsAre("a/b"));
    fs::last_write_time(stale, fs::file_time_type::clock::now() - std::chrono::hours(2));
    ASSERT_TRUE(store_->put(file("y"), k("a/c")));
    EXPECT_FALSE(fs::exists(stale));
    EXPECT_THAT(keys(store_->list("")), ElementsAre("a/b", "a/c"));
}

TEST_F(DirectoryStoreTest, ConcurrentPutsOfOneKeyLeaveOneOfThem) {
    const auto key = k("a/b");
    std::vector<fs::path> sources;
    for (const char c : {'a', 'b', 'c', 'd'}) sources.push_back(file(std::string(200'000, c)));
    {
        std::vector<std::jthread> threads;
        for (const auto& source : sources) {
            threads.emplace_back([&] {
                for (int i = 0; i < 10; ++i) EXPECT_TRUE(store_->put(source, key));
            });
        }
    }
    const auto text = *read_text_file(*store_->local_path(key), 1 << 20);
    EXPECT_EQ(text, std::string(200'000, text[0]));
    EXPECT_THAT(keys(store_->list("")), ElementsAre("a/b"));
}

TEST_F(DirectoryStoreTest, KnowsItsOwnDisk) {
    EXPECT_TRUE(store_->same_device(folder_.path()));
    EXPECT_TRUE(store_->same_device(folder_ / "not/made/yet"));
    const test::SmallFilesystem disk(64 << 10);
    if (!disk.mounted()) GTEST_SKIP() << test::kNeedsRoot;
    EXPECT_FALSE(store_->same_device(disk.path()));
    EXPECT_FALSE(store_->same_device(disk / "not/made/yet"));
}

TEST_F(DirectoryStoreTest, AFullDiskIsOneSentenceAndHarmsNothing) {
    const test::SmallFilesystem disk(64 << 10);
    if (!disk.mounted()) GTEST_SKIP() << test::kNeedsRoot;
    const auto store = std::move(*DirectoryStore::open(disk.path()));
    ASSERT_TRUE(store->put(file("old"), k("a/b")));
    const auto full = store->put(file(std::string(1 << 20, 'x')), k("a/b"));
    EXPECT_EQ(full.error().kind, ErrorKind::failed);
    EXPECT_THAT(full.error().message, HasSubstr("No space left on device; free some space"));
    EXPECT_EQ(*read_text_file(*store->local_path(k("a/b")), 10), "old");
    disk.make_read_only();
    EXPECT_THAT(store->put(file("x"), k("a/c")).error().message, HasSubstr("mounted read-only"));
    EXPECT_THAT(store->remove(k("a/b")).error().message, HasSubstr("mounted read-only"));
    EXPECT_THAT(DirectoryStore::open(disk / "below").error().message, HasSubstr("mounted read-only"));
}

TEST(OpenStore, OpensWhatTheConfigurationNames) {
    const test::TempDir folder;
    Config config;
    config.data.dir = folder / "d";
    auto store = open_store(config);
    ASSERT_TRUE(store);
    EXPECT_EQ(*(*store)->local_path(k("x")), folder / "d/store/x");
    config.store.url = "s3://bucket";
    EXPECT_EQ(open_store(config).error().kind, ErrorKind::usage);
    config.store.url = "file:/proc/nowhere";
    EXPECT_EQ(open_store(config).error().kind, ErrorKind::failed);
}

}  // namespace
}  // namespace lestapenna::store
