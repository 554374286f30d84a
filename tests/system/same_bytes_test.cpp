// The same import gives the same bytes, whatever the number of threads, the order of work and what was there before.
#include "program.h"

namespace lestapenna::system_test {
namespace {

class SameBytes : public Program {
  protected:
    /// Two minutes of two players: slices that join, and with this rotation two chunks each.
    void SetUp() override {
        sandbox::LineOptions line;
        line.loss = 0.02;
        line.seed = kSeed;
        table_ = repeated(play({.line = line}), 5, seconds(24));
        spit(folder_ / "lestapenna.toml", std::string_view("[capture]\nrotation = \"60s\"\n"));
        write_capture(table_, folder_ / "a.pcap");
    }
    void import_into(const std::string& data) {
        order({"import", "a.pcap", "--users", users_of(table_), "--session", "session"}, kDone,
              {"LESTAPENNA_DATA_DIR=" + data});
    }

    sandbox::SimulatedTable table_;
};

TEST_F(SameBytes, WithAnyNumberOfThreads) {
    std::vector<Digests> stores;
    std::vector<Json> objects;
    for (const std::string threads : {"1", "2", "4"}) {
        import_into(threads);
        const Words where{"LESTAPENNA_DATA_DIR=" + threads};
        auto object = ask({"master", "session", "--threads", threads}, kGaps, where);
        object["master"].erase("path");
        for (auto& track : object["tracks"]) track["fragments"].at(0).erase("path");
        objects.push_back(std::move(object));
        for (const std::string format : {"wav", "opus", "flac"}) {
            order({"export", "session", "--format", format, "--threads", threads, "--out", "export-" + threads}, kGaps,
                  where);
        }
        stores.push_back(digests(folder_ / threads / "store"));
        EXPECT_EQ(digests(folder_ / threads / "journal"), digests(folder_ / "1/journal"));
        EXPECT_EQ(digests(folder_ / ("export-" + threads)), digests(folder_ / "export-1"));
    }
    EXPECT_EQ(stores[0].size(), 2U * (2 + 1) + 2) << "two chunks and a fragment each, the master, the manifest";
    EXPECT_EQ(stores[1], stores[0]);
    EXPECT_EQ(stores[2], stores[0]);
    EXPECT_EQ(objects[1], objects[0]);
    EXPECT_EQ(objects[2], objects[0]);
}

TEST_F(SameBytes, AgainWithTheFilesThere) {
    import_into("data");
    const auto made = ask({"master", "session"}, kGaps);
    const auto files = digests(stored("session"));
    const auto written = [&] {
        std::map<std::string, fs::file_time_type> times;
        for (const auto& [file, digest] : files) times[file] = fs::last_write_time(stored("session") / file);
        return times;
    };
    const auto times = written();
    EXPECT_EQ(ask({"master", "session", "--threads", "1"}, kGaps), made);
    EXPECT_EQ(written(), times) << "nothing was made again";
    EXPECT_EQ(digests(stored("session")), files);

    for (const auto& [file, digest] : files) {
        SCOPED_TRACE("without " + file);
        fs::remove(stored("session") / file);
        EXPECT_EQ(ask({"master", "session"}, kGaps), made);
        EXPECT_EQ(digests(stored("session")), files);
        for (const auto& [other, time] : written()) {
            if (other == file) continue;
            EXPECT_EQ(time, times.at(other)) << other << " was made again";
        }
        fs::last_write_time(stored("session") / file, times.at(file));
    }
    fs::remove_all(data() / "store");
    fs::remove_all(data() / "cache");
    EXPECT_EQ(ask({"master", "session"}, kGaps), made);
    EXPECT_EQ(digests(stored("session")), files);
}

}  // namespace
}  // namespace lestapenna::system_test
