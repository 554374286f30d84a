// A table whose journal grows under our hands, as a recorder would write it: joins, leaves, a clock record each second.
#pragma once

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include <gtest/gtest.h>

#include "base/files.h"
#include "buzz.h"
#include "journal/writer.h"
#include "rtp/packet.h"
#include "sandbox/line.h"
#include "support.h"
#include "workflows/keep_up.h"
#include "workflows/master.h"

namespace lestapenna::workflows {

/// The directory store, which counts what is put into it, and fails when it is told to.
class CountingStore final : public store::ObjectStore {
  public:
    explicit CountingStore(std::unique_ptr<store::ObjectStore> inner) : inner_(std::move(inner)) {}
    Status put(const std::filesystem::path& file, const store::Key& key) override {
        if (failing_puts > 0) {
            --failing_puts;
            return Error{ErrorKind::failed, "the store is told to fail"};
        }
        ++puts[key.text()];
        return inner_->put(file, key);
    }
    Status get(const store::Key& key, const std::filesystem::path& file) override { return inner_->get(key, file); }
    Result<std::optional<store::ObjectInfo>> find(const store::Key& key) override { return inner_->find(key); }
    Status remove(const store::Key& key) override { return inner_->remove(key); }
    Result<std::vector<store::ObjectInfo>> list(std::string_view prefix) override { return inner_->list(prefix); }
    [[nodiscard]] std::optional<std::filesystem::path> local_path(const store::Key& key) const override {
        return remote ? std::nullopt : inner_->local_path(key);
    }
    [[nodiscard]] bool same_device(const std::filesystem::path& path) const override {
        return inner_->same_device(path);
    }

    std::map<std::string, int> puts;
    int failing_puts = 0;
    bool remote = false;  ///< as if its objects were elsewhere

  private:
    std::unique_ptr<store::ObjectStore> inner_;
};

/// Data folder, catalog and store of one session.
class Desk {
  public:
    explicit Desk(SessionId id, UnixTime start, milliseconds rotation = seconds(30)) : id_(std::move(id)) {
        config_.data.dir = folder_.path();
        config_.capture.rotation = rotation;
        auto catalog = catalog::Catalog::open(folder_ / "catalog.sqlite");
        EXPECT_TRUE(catalog.ok()) << catalog.error().message;
        catalog_ = std::make_unique<catalog::Catalog>(std::move(*catalog));
        auto store = store::open_store(config_);
        EXPECT_TRUE(store.ok()) << store.error().message;
        store_ = std::make_unique<CountingStore>(std::move(*store));
        catalog::Session row{.id = id_, .guild_id = "7", .channel_id = "8", .start = start};
        row.language = "it";
        EXPECT_TRUE(catalog_->insert_session(row).ok());
    }
    Desk(const Desk&) = delete;
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
    test::TempDir folder_;
    SessionId id_;
    Config config_;
    std::unique_ptr<catalog::Catalog> catalog_;
    std::unique_ptr<CountingStore> store_;
};

/// All that a recorder would journal of a table, but for its End, in order of time. Views `table`.
inline std::vector<journal::Record> records_of(const sandbox::SimulatedTable& table,
                                               std::vector<journal::Record> events) {
    std::vector<journal::Record> all = std::move(events);
    for (const auto& sender : table.senders) all.emplace_back(journal::Binding{BootTime{}, sender.ssrc, sender.user});
    for (const sandbox::Arrival& arrival : table.arrivals) {
        const rtp::Parsed parsed = rtp::parse(arrival.datagram);
        journal::Packet packet;
        packet.ssrc = parsed.header.ssrc;
        packet.seq = parsed.header.seq;
        packet.rtp_timestamp = parsed.header.timestamp;
        packet.arrival = BootTime{arrival.time - table.start_time};
        packet.payload = parsed.payload;
        packet.payload_size = static_cast<std::uint16_t>(parsed.payload.size());
        all.emplace_back(packet);
    }
    const auto length = std::chrono::floor<seconds>(table.length);
    for (seconds at{0}; at <= length; ++at) {
        all.emplace_back(journal::Clock{BootTime{at}, table.start_time + at});
    }
    std::ranges::stable_sort(all, {}, [](const journal::Record& record) { return journal::time_of(record); });
    return all;
}

/// A journal in the making.
class GrowingJournal {
  public:
    GrowingJournal(Desk& desk, UnixTime start, std::vector<journal::Record> records)
        : records_(std::move(records)), committer_(1) {
        auto writer =
            journal::Writer::open(committer_, journal_root(desk.config()), {desk.id(), start, BootTime{}, BootId{}});
        EXPECT_TRUE(writer.ok()) << writer.error().message;
        writer_.emplace(std::move(*writer));
    }
    /// What happens until then is durable.
    void grow_to(nanoseconds time) {
        for (; next_ < records_.size() && journal::time_of(records_[next_]) <= BootTime{time}; ++next_) {
            append(records_[next_]);
        }
        EXPECT_TRUE(writer_->flush().ok());
    }
    [[nodiscard]] bool done() const { return next_ == records_.size(); }
    void end() {
        grow_to(nanoseconds::max());
        append(journal::End{journal::time_of(records_.back())});
        EXPECT_TRUE(writer_->flush().ok());
        writer_.reset();
    }
    /// As a kill would leave it.
    void cut_off() { writer_.reset(); }
    journal::Committer& committer() { return committer_; }

  private:
    void append(const journal::Record& record) {
        EXPECT_TRUE(writer_->wait_for_room().ok());
        EXPECT_TRUE(writer_->append(record));
    }
    std::vector<journal::Record> records_;
    std::size_t next_ = 0;
    journal::Committer committer_;
    std::optional<journal::Writer> writer_;
};

}  // namespace lestapenna::workflows
