// The restore drill: a session is recorded, the machine is lost with all that was on it, and everything comes back from
// the store: a folder, and real S3 servers.
#include <gmock/gmock.h>

#include "audio/mp3.h"
#include "growing_table.h"
#include "judge.h"
#include "s3_server.h"
#include "simulated_journal.h"
#include "workflows/rebuild.h"
#include "workflows/scan_store.h"

namespace lestapenna::workflows {
namespace {

using catalog::MasterSource;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

const SessionId kId = *SessionId::parse("drill");
constexpr seconds kLength{70};

/// A machine with an empty data folder, and a store that is elsewhere.
class Machine {
  public:
    Machine(Config config, const std::filesystem::path& data) : config_(std::move(config)) {
        config_.data.dir = data;
        config_.capture.rotation = seconds(30);
        std::filesystem::create_directories(data);
        auto catalog = catalog::Catalog::open(data / "catalog.sqlite");
        EXPECT_TRUE(catalog.ok()) << catalog.error().message;
        catalog_ = std::make_unique<catalog::Catalog>(std::move(*catalog));
        auto store = store::open_store(config_);
        EXPECT_TRUE(store.ok()) << store.error().message;
        store_ = std::move(*store);
    }
    Tools tools() {
        render::Work work;
        work.threads = 2;
        return {config_, *catalog_, *store_, work};
    }
    void record() {
        const BuzzingTable table(2, kLength);
        const auto& simulated = table.simulated;
        ASSERT_TRUE(test::write_journal(simulated, journal_root(config_), kId).ok());
        ASSERT_TRUE(catalog_->insert_session({.id = kId, .guild_id = "7", .start = simulated.start_time}).ok());
        auto session = Session::open(tools(), kId);
        ASSERT_TRUE(session.ok()) << session.error().message;
        const Status finished = finish_session(*session);
        ASSERT_TRUE(finished.ok()) << finished.error().message;
    }
    std::vector<float> master() {
        const auto copy = config_.data.dir / "master.mp3";
        EXPECT_TRUE(store_->get(store::key(store::MasterKey{kId}), copy).ok());
        return audio::decode_mp3(*read_file(copy, 1U << 30))->pcm;
    }
    void remove(const std::string& part) {
        const auto objects = store_->list(store::session_prefix(kId));
        ASSERT_TRUE(objects.ok());
        for (const auto& object : *objects) {
            if (object.key.text().find(part) == std::string::npos) continue;
            ASSERT_TRUE(store_->remove(object.key).ok());
        }
    }

  private:
    Config config_;
    std::unique_ptr<catalog::Catalog> catalog_;
    std::unique_ptr<store::ObjectStore> store_;
};

void drill(const Config& config) {
    const test::TempDir folder;
    std::vector<float> first;
    catalog::Master row{kId};
    std::vector<catalog::Recording> fragments;
    {
        Machine machine(config, folder / "lost");
        machine.record();
        first = machine.master();
        row = **machine.tools().catalog.master(kId);
        fragments = *machine.tools().catalog.recordings(kId);
    }
    std::filesystem::remove_all(folder / "lost");

    Machine machine(config, folder / "new");
    const Tools tools = machine.tools();
    const auto scan = scan_store(tools);
    ASSERT_TRUE(scan.ok()) << scan.error().message;
    EXPECT_THAT(scan->sessions, ElementsAre(kId));
    EXPECT_THAT(scan->damaged, IsEmpty());
    EXPECT_THAT(scan->lost, IsEmpty());
    EXPECT_EQ(*tools.catalog.recordings(kId), fragments);
    EXPECT_EQ(**tools.catalog.master(kId), row);
    EXPECT_TRUE(*is_finished(tools, kId));
    EXPECT_EQ(restore(tools, kId)->source, MasterSource::journal) << "it is there";
    EXPECT_EQ(machine.master(), first);

    std::vector<test::Interval> stretches;
    for (seconds at{0}; at + seconds(4) < kLength; at += seconds(4)) {
        stretches.push_back({SamplePos{at}, SamplePos{at + seconds(4)}});
    }
    for (const auto source : {MasterSource::fragments, MasterSource::chunks}) {
        if (source == MasterSource::chunks) machine.remove("/full/");
        machine.remove("/master/");
        const auto rebuilt = restore(tools, kId);
        ASSERT_TRUE(rebuilt.ok()) << rebuilt.error().message;
        EXPECT_EQ(rebuilt->source, source);
        const auto again = machine.master();
        EXPECT_EQ(again.size(), first.size());
        const auto heard = test::Judge(again).listen(first, stretches);
        EXPECT_EQ(heard.missing, 0U);
        EXPECT_LE(heard.max_ms, 1.0);
        const double loudness = *(**tools.catalog.master(kId)).levels.loudness_lufs;
        EXPECT_NEAR(loudness, *row.levels.loudness_lufs, 0.2);
        std::printf("  from %s: moved %.4f ms at most, %.3f LU from the first\n", std::string(to_text(source)).c_str(),
                    heard.max_ms, loudness - *row.levels.loudness_lufs);
    }
}

TEST(RestoreDrill, Folder) {
    const test::TempDir folder;
    Config config;
    config.store.url = "file:" + (folder / "store").string();
    drill(config);
}

void drill_on(const std::string& name) {
    std::string why;
    const auto server = store::S3Server::start(name, why);
    if (!server) GTEST_SKIP() << why;
    drill(server->config("tables"));
}
TEST(S3RealDrill, Ceph) {
    drill_on("ceph");
}
TEST(S3RealDrill, Swift) {
    drill_on("swift");
}

}  // namespace
}  // namespace lestapenna::workflows
