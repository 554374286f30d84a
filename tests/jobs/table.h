// A table whose fragments are to be transcribed: data folder, catalog, store, links. Thread: one.
#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "base/files.h"
#include "catalog/catalog.h"
#include "jobs/transcriber.h"
#include "store/links.h"
#include "store/store.h"
#include "support.h"

namespace lestapenna::test {

/// Within a minute; the machine is loaded.
inline bool eventually(const std::function<bool()>& there) {
    const auto deadline = BootClock::now() + seconds(60);
    while (BootClock::now() < deadline) {
        if (there()) return true;
        std::this_thread::sleep_for(milliseconds(5));
    }
    return there();
}

class TranscribedTable {
  public:
    TranscribedTable() {
        config.data.dir = folder_ / "data";
        config.web.public_url = "https://example.org";
        EXPECT_TRUE(make_folders(config.data.dir));
        catalog_.emplace(std::move(*catalog::Catalog::open(config.data.dir / "catalog.sqlite")));
        store_ = std::move(*store::open_store(config));
        links_.emplace(std::move(*store::Links::open(config)));
    }

    /// A complete session.
    void session(const std::string& id) {
        EXPECT_TRUE(catalog_->insert_session({.id = *SessionId::parse(id),
                                              .start = UnixTime{milliseconds(1'700'000'000'000)},
                                              .status = catalog::SessionStatus::complete,
                                              .language = "en"}));
    }
    /// A stored fragment that begins so long after its session; its key.
    std::string fragment(const std::string& id, std::uint64_t user, milliseconds delay, const std::string& audio) {
        const auto session = *SessionId::parse(id);
        const UnixTime start = UnixTime{milliseconds(1'700'000'000'000)} + delay;
        const auto key = store::key(store::FragmentKey{session, UserId{user}, start});
        put(key.text(), audio);
        EXPECT_TRUE(catalog_->upsert_recording({.session = session,
                                                .key = key.text(),
                                                .user = UserId{user},
                                                .start = start,
                                                .status = catalog::FileStatus::stored,
                                                .duration = milliseconds(4'000)}));
        EXPECT_TRUE(
            catalog_->upsert_track({.session = session, .user = UserId{user}, .name = "user" + std::to_string(user)}));
        EXPECT_TRUE(catalog_->add_transcription({session, key.text(), UserId{user}, start}));
        return key.text();
    }
    void put(const std::string& key, const std::string& content) {
        EXPECT_TRUE(write_file(folder_ / "object", content));
        EXPECT_TRUE(store_->put(folder_ / "object", *store::Key::parse(key)));
    }

    void start() {
        auto started = jobs::Transcriber::start({config, config.data.dir / "catalog.sqlite", *store_, *links_,
                                                 [](const SessionId& id) {
                                                     return catalog::NewJob{
                                                         .name = "transcript", .subject = id.text(), .session = id};
                                                 },
                                                 [] {}},
                                                options);
        ASSERT_TRUE(started) << started.error().message;
        transcriber = std::move(*started);
    }

    catalog::Catalog& catalog() { return *catalog_; }
    [[nodiscard]] const std::filesystem::path& folder() const { return folder_.path(); }
    catalog::Transcription row(const std::string& key) {
        const auto sessions = *catalog_->sessions();
        for (const auto& session : sessions) {
            const auto rows = *catalog_->transcriptions(session.id);
            for (const auto& row : rows) {
                if (row.file == key) return row;
            }
        }
        return {*SessionId::parse("none")};
    }
    bool becomes(const std::string& key, catalog::TranscriptionStatus status) {
        return eventually([&] { return row(key).status == status; });
    }
    double metric(const std::string& name) {
        for (const auto& metric : transcriber->metrics()) {
            if (metric.name == name) return metric.value;
        }
        return -1;
    }
    std::vector<std::string> jobs() {
        std::vector<std::string> names;
        const auto open = *catalog_->open_jobs(std::nullopt);
        for (const auto& [job, status] : open) names.push_back(job.name + " " + job.subject);
        return names;
    }

    Config config;
    /// As a real one, but that nobody waits for minutes.
    jobs::TranscriberOptions options{.backoff_first = milliseconds(20),
                                     .backoff_most = milliseconds(200),
                                     .attempts = 4,
                                     .look = milliseconds(20),
                                     .reconcile = milliseconds(200),
                                     .command_time = seconds(60)};
    std::unique_ptr<jobs::Transcriber> transcriber;

  private:
    TempDir folder_;
    std::optional<catalog::Catalog> catalog_;
    std::unique_ptr<store::ObjectStore> store_;
    std::optional<store::Links> links_;
};

}  // namespace lestapenna::test
