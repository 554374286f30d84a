// Around a journal that grows: data folder, catalog, and a store that counts.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "base/files.h"
#include "buzz.h"
#include "growing_journal.h"
#include "support.h"
#include "workflows/keep_up.h"
#include "workflows/master.h"

namespace lestapenna::workflows {

/// The directory store, which counts what it is asked for, and fails when it is told to.
class CountingStore final : public store::ObjectStore {
  public:
    explicit CountingStore(std::unique_ptr<store::ObjectStore> inner) : inner_(std::move(inner)) {}
    Status put(const std::filesystem::path& file, const store::Key& key) override {
        if (failing_puts > 0) {
            --failing_puts;
            return told_to_fail();
        }
        ++puts[key.text()];
        order.push_back(key.text());
        if (const auto meanwhile = std::exchange(in_a_put, {})) meanwhile();
        return inner_->put(file, key);
    }
    Status get(const store::Key& key, const std::filesystem::path& file) override {
        {
            const std::scoped_lock lock(mutex_);
            ++gets[key.text()];
        }
        return inner_->get(key, file);
    }
    Result<std::optional<store::ObjectInfo>> find(const store::Key& key) override {
        ++finds;
        return inner_->find(key);
    }
    Status remove(const store::Key& key) override {
        if (failing_removes > 0) {
            --failing_removes;
            return told_to_fail();
        }
        ++removes;
        return inner_->remove(key);
    }
    Result<std::vector<store::ObjectInfo>> list(std::string_view prefix) override {
        ++lists;
        return inner_->list(prefix);
    }
    [[nodiscard]] std::optional<std::filesystem::path> local_path(const store::Key& key) const override {
        return remote ? std::nullopt : inner_->local_path(key);
    }
    [[nodiscard]] bool same_device(const std::filesystem::path& path) const override {
        return inner_->same_device(path);
    }

    std::function<void()> in_a_put;  ///< what another process does during the next one
    std::map<std::string, int> puts;
    std::vector<std::string> order;   ///< of the puts
    std::map<std::string, int> gets;  ///< of several threads
    std::atomic<int> finds = 0;
    std::atomic<int> removes = 0;
    std::atomic<int> lists = 0;
    int failing_puts = 0;
    int failing_removes = 0;
    bool remote = false;  ///< as if its objects were elsewhere

  private:
    static Error told_to_fail() { return {ErrorKind::failed, "the store is told to fail"}; }
    std::unique_ptr<store::ObjectStore> inner_;
    std::mutex mutex_;
};

/// Data folder, catalog and store of one session.
class Desk {
  public:
    explicit Desk(SessionId id, UnixTime start, milliseconds rotation = seconds(30)) : id_(std::move(id)) {
        config_.capture.rotation = rotation;
        open();
        catalog::Session row{.id = id_, .guild_id = "7", .channel_id = "8", .start = start};
        row.language = "it";
        EXPECT_TRUE(catalog_->insert_session(row).ok());
    }
    /// As another one stands now.
    Desk(const Desk& other) : id_(other.id_), config_(other.config_) {
        std::filesystem::copy(other.folder_.path(), folder_.path(), std::filesystem::copy_options::recursive);
        open();
    }
    Desk& operator=(const Desk&) = delete;

    [[nodiscard]] const SessionId& id() const { return id_; }
    Config& config() { return config_; }
    catalog::Catalog& catalog() { return *catalog_; }
    CountingStore& store() { return *store_; }
    Tools tools(unsigned threads = 2) {
        render::Work work;
        work.threads = threads;
        return {config_, *catalog_, *store_, work};
    }
    [[nodiscard]] test::GrowingJournal journal(UnixTime start, std::vector<journal::Record> records) const {
        return {journal_root(config_), id_, start, std::move(records)};
    }
    /// As if its file had been removed.
    void lose_catalog() {
        catalog_.reset();
        for (const char* file : {"catalog.sqlite", "catalog.sqlite-wal", "catalog.sqlite-shm"}) {
            std::filesystem::remove(folder_ / file);
        }
        open_catalog();
    }
    void finish() {
        auto session = Session::open(tools(), id_);
        ASSERT_TRUE(session.ok()) << session.error().message;
        const Status status = finish_session(*session);
        ASSERT_TRUE(status.ok()) << status.error().message;
    }
    /// Every object of the session, by key, with its bytes.
    std::map<std::string, std::vector<std::uint8_t>> objects() {
        std::map<std::string, std::vector<std::uint8_t>> all;
        const auto list = store_->list(store::session_prefix(id_));
        EXPECT_TRUE(list.ok());
        for (const auto& object : *list) {
            all[object.key.text()] = *read_file(config_.data.dir / "store" / object.key.text(), 1U << 30);
        }
        return all;
    }

  private:
    void open() {
        config_.data.dir = folder_.path();
        open_catalog();
        auto store = store::open_store(config_);
        EXPECT_TRUE(store.ok()) << store.error().message;
        store_ = std::make_unique<CountingStore>(std::move(*store));
    }
    void open_catalog() {
        auto catalog = catalog::Catalog::open(folder_ / "catalog.sqlite");
        EXPECT_TRUE(catalog.ok()) << catalog.error().message;
        catalog_ = std::make_unique<catalog::Catalog>(std::move(*catalog));
    }

    test::TempDir folder_;
    SessionId id_;
    Config config_;
    std::unique_ptr<catalog::Catalog> catalog_;
    std::unique_ptr<CountingStore> store_;
};

/// Each chunk, fragment and master; the manifest comes again.
inline void expect_each_once(const std::map<std::string, int>& puts) {
    for (const auto& [key, count] : puts) EXPECT_TRUE(count == 1 || key.ends_with("session.json")) << key;
}

/// `players` who are there from the beginning on and never leave, and buzz.
struct BuzzingTable {
    explicit BuzzingTable(std::size_t players, seconds length,
                          UnixTime start = UnixTime{milliseconds(1'760'000'000'000)}) {
        sandbox::CutTable cut;
        cut.length = length;
        cut.share = 0.5;
        sandbox::LineOptions line;
        line.start_time = start;
        simulated = sandbox::simulate(sandbox::cut_table(test::buzzing_voices(players), cut), line);
    }
    [[nodiscard]] std::vector<journal::Record> records() const {
        std::vector<journal::Record> joins;
        for (const auto& sender : simulated.senders) joins.emplace_back(journal::Join{BootTime{}, sender.user});
        return test::records_of(simulated, std::move(joins));
    }
    sandbox::SimulatedTable simulated;
};

}  // namespace lestapenna::workflows
