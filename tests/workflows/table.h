// A simulated table, journaled as an import would, with a catalog and a store around it.
#pragma once

#include <memory>

#include <gtest/gtest.h>

#include "base/files.h"
#include "buzz.h"
#include "sandbox/line.h"
#include "simulated_journal.h"
#include "support.h"
#include "workflows/master.h"

namespace lestapenna::workflows {

using test::buzzing_voices;

class Table {
  public:
    explicit Table(const sandbox::SimulatedTable& table, SessionId id = SessionId::make()) : id_(std::move(id)) {
        config_.data.dir = folder_.path();
        const Status written = test::write_journal(table, journal_root(config_), id_);
        EXPECT_TRUE(written.ok()) << written.error().message;
        open();
        const catalog::Session row{id_, {}, {}, table.start_time, {}, catalog::SessionStatus::ending};
        EXPECT_TRUE(catalog_->insert_session(row).ok());
    }

    [[nodiscard]] const SessionId& id() const { return id_; }
    [[nodiscard]] const std::filesystem::path& folder() const { return folder_.path(); }
    Config& config() { return config_; }
    catalog::Catalog& catalog() { return *catalog_; }
    store::ObjectStore& store() { return *store_; }

    Tools tools(unsigned threads) {
        render::Work work;
        work.threads = threads;
        return {config_, *catalog_, *store_, work};
    }

    /// Finishes the session with so many threads.
    void finish(unsigned threads) {
        auto session = Session::open(tools(threads), id_);
        ASSERT_TRUE(session.ok()) << session.error().message;
        const Status status = finish_session(*session);
        ASSERT_TRUE(status.ok()) << status.error().message;
    }

    /// Every object of the session, by key, with its bytes.
    std::map<std::string, std::vector<std::uint8_t>> objects() {
        std::map<std::string, std::vector<std::uint8_t>> all;
        const auto list = store_->list(store::session_prefix(id_));
        EXPECT_TRUE(list.ok());
        for (const auto& object : *list) all[object.key.text()] = *read_file(*store_->local_path(object.key), 1u << 30);
        return all;
    }

  private:
    void open() {
        auto catalog = catalog::Catalog::open(folder_ / "catalog.sqlite");
        ASSERT_TRUE(catalog.ok()) << catalog.error().message;
        catalog_ = std::make_unique<catalog::Catalog>(std::move(*catalog));
        auto store = store::open_store(config_);
        ASSERT_TRUE(store.ok()) << store.error().message;
        store_ = std::move(*store);
    }

    test::TempDir folder_;
    SessionId id_;
    Config config_;
    std::unique_ptr<catalog::Catalog> catalog_;
    std::unique_ptr<store::ObjectStore> store_;
};

}  // namespace lestapenna::workflows
