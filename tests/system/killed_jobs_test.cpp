// The program killed at random moments while it does an evening's jobs, and started again: what it leaves is what a
// program leaves that nobody disturbed, to the byte and to the row, and nothing of it twice.
#include <map>
#include <memory>
#include <random>

#include "background.h"
#include "catalog/catalog.h"
#include "program.h"

namespace lestapenna::system_test {
namespace {

constexpr int kSessions = 3;
constexpr int kKills = 20;

std::string name(int session) {
    return "session" + std::to_string(session);
}

class KilledJobs : public Program {
  protected:
    /// Sessions of three minutes, two players and six rotations, and how they end undisturbed.
    void prepare(int sessions) {
        // These tables are a year old: none of it is to go by its age.
        spit(folder_ / ".env",
             "LESTAPENNA_CAPTURE_ROTATION=30s\nLESTAPENNA_RETENTION_CHUNKS=forever\n"
             "LESTAPENNA_RETENTION_FRAGMENTS=forever\nLESTAPENNA_RETENTION_JOURNALS=forever\n");
        const auto table = repeated(play(), 9, seconds(20));
        for (int i = 0; i < sessions; ++i) import(table, name(i));
        fs::copy(data(), reference(), fs::copy_options::recursive);
        for (int i = 0; i < sessions; ++i) order({"master", name(i)}, kDone, {"LESTAPENNA_DATA_DIR=reference"});
    }
    [[nodiscard]] fs::path reference() const { return folder_ / "reference"; }

    static catalog::Catalog open(const fs::path& data_folder) {
        auto opened = catalog::Catalog::open(data_folder / "catalog.sqlite");
        EXPECT_TRUE(opened) << opened.error().message;
        return std::move(*opened);
    }

    void want_end_of(int session) const {
        const auto id = *SessionId::parse(name(session));
        const auto added = open(data()).add_job({.name = "finish", .subject = id.text(), .session = id});
        ASSERT_TRUE(added) << added.error().message;
    }
    /// The program runs until every job is done and it has said where it is; only then it ends in order.
    void do_the_rest() const {
        const auto program = start_program();
        ASSERT_TRUE(program->until([&] { return all_done() && !slurp(folder_ / "out").empty(); })) << log();
        program->signal(SIGTERM);
        EXPECT_EQ(program->wait(), kDone) << log();
    }

    /// A Discord to log in to; the addresses it says.
    void start_discord() {
        discord_ = std::make_unique<test::Background>(
            Words{"/bin/sh", "-c", "exec " LESTAPENNA_BINARY " sandbox --no-dave --players 0 </dev/null"},
            folder_.path(), folder_ / "discord.out", folder_ / "discord.err");
        ASSERT_TRUE(discord_->until([&] {
            const auto said = slurp(folder_ / "discord.out");
            world_ = Json::parse(said.begin(), said.end(), nullptr, false);
            return world_.is_object();
        }));
    }
    [[nodiscard]] std::unique_ptr<test::Background> start_program() const {
        return std::make_unique<test::Background>(
            Words{LESTAPENNA_BINARY, "--json", "run", "--threads", "1"}, folder_.path(), folder_ / "out",
            folder_ / "err",
            Words{"DISCORD_TOKEN=" + world_["bot_tokens"][0].get<std::string>(),
                  "LESTAPENNA_DISCORD_API_BASE=" + world_["api_base"].get<std::string>(),
                  "LESTAPENNA_DISCORD_CA_FILE=" + world_["ca_file"].get<std::string>(),
                  "LESTAPENNA_WEB_LISTEN=127.0.0.1:0", "LESTAPENNA_WEB_ADMIN_LISTEN=127.0.0.1:0"});
    }
    static std::string text_of(const fs::path& file) {
        const auto bytes = slurp(file);
        return {bytes.begin(), bytes.end()};
    }
    [[nodiscard]] std::string log() const { return text_of(folder_ / "err"); }

    /// What has no key yet is in the making.
    static bool is_whole(const fs::path& file) { return !file.filename().string().starts_with("."); }
    static Digests whole_files(const fs::path& data_folder) {
        auto files = digests(data_folder / "store");
        std::erase_if(files, [](const auto& file) { return !is_whole(file.first); });
        return files;
    }
    [[nodiscard]] std::size_t files_stored() const {
        std::size_t count = 0;
        std::error_code ignored;  // they come and go
        for (fs::recursive_directory_iterator at(data() / "store", ignored), end; !ignored && at != end;
             at.increment(ignored)) {
            if (at->is_regular_file(ignored) && is_whole(at->path())) ++count;
        }
        return count;
    }
    [[nodiscard]] bool all_done() const {
        const auto counts = open(data()).job_counts();
        return counts && !counts->contains(catalog::JobStatus::waiting) &&
               !counts->contains(catalog::JobStatus::running);
    }

    Json world_;
    std::unique_ptr<test::Background> discord_;
};

TEST_F(KilledJobs, LeaveWhatUndisturbedOnesLeave) {
    const std::uint64_t seed = std::random_device{}();
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937_64 random(seed);
    prepare(kSessions);
    start_discord();
    if (HasFatalFailure()) return;
    for (int i = 0; i < kSessions; ++i) want_end_of(i);

    const auto whole = whole_files(reference());
    int killed_at_work = 0;
    for (int kills = 0; kills < kKills; ++kills) {
        const auto before = files_stored();
        const auto program = start_program();
        // Somewhere in the making of a file: each takes tens of milliseconds.
        ASSERT_TRUE(program->until([&] { return files_stored() > before || all_done(); })) << log();
        poll(nullptr, 0, std::uniform_int_distribution(0, 100)(random));
        program->signal(SIGKILL);
        ASSERT_EQ(program->wait(), 128 + SIGKILL) << log();
        for (const auto& [file, digest] : whole_files(data())) {
            if (fs::path(file).filename() == "session.json") continue;  // it grows with what it lists
            ASSERT_TRUE(whole.contains(file)) << file;
            EXPECT_EQ(digest, whole.at(file)) << file << " after " << kills + 1 << " kills";
        }
        if (all_done()) break;
        ++killed_at_work;
    }
    RecordProperty("killed_at_work", killed_at_work);
    EXPECT_GE(killed_at_work, 6) << "the jobs were done too soon for this test";

    do_the_rest();
    if (HasFatalFailure()) return;

    const auto left = whole_files(data());
    EXPECT_EQ(left.size(), whole.size());
    for (const auto& [file, digest] : left) {
        const auto known = whole.find(file);
        EXPECT_TRUE(known != whole.end() && digest == known->second)
            << file << (fs::path(file).extension() == ".json" ? text_of(data() / "store" / file) : "");
    }
    auto found = open(data());
    auto wanted = open(reference());
    EXPECT_THAT(*found.open_jobs(std::nullopt), IsEmpty());
    for (int i = 0; i < kSessions; ++i) {
        SCOPED_TRACE(name(i));
        const auto id = *SessionId::parse(name(i));
        EXPECT_EQ(*found.session(id), *wanted.session(id));
        EXPECT_EQ(*found.recordings(id), *wanted.recordings(id));
        EXPECT_EQ(*found.chunks(id), *wanted.chunks(id));
        EXPECT_EQ(*found.tracks(id), *wanted.tracks(id));
        EXPECT_EQ(*found.master(id), *wanted.master(id));
        EXPECT_EQ(*found.transcriptions(id), *wanted.transcriptions(id));
        EXPECT_EQ(found.transcriptions(id)->size(), found.recordings(id)->size()) << "each person's fragment once";
    }
}

// What a kill leaves that came after the last row and before the manifest.
TEST_F(KilledJobs, WhatIsFinishedButForItsManifestGetsIt) {
    prepare(1);
    order({"master", name(0)});
    const auto manifest = stored(name(0)) / "session.json";
    spit(manifest, R"({"manifest": 1, "status": "ending"})");
    start_discord();
    want_end_of(0);
    if (HasFatalFailure()) return;
    do_the_rest();
    EXPECT_EQ(slurp(manifest), slurp(reference() / "store/recordings" / name(0) / "session.json"));
}

}  // namespace
}  // namespace lestapenna::system_test
