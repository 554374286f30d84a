// The program as its users meet it: a folder of its own, a captured table, and what must hold for every answer.
// Nothing here links what it tests but to make its input and to listen to its output.
#pragma once

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "sandbox/capture.h"
#include "sandbox/line.h"
#include "support.h"

namespace lestapenna::system_test {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;
using Bytes = std::vector<std::uint8_t>;
using Words = std::vector<std::string>;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;

// docs/architecture.md section 10; written out, because a change of these is a change of the contract.
inline constexpr int kDone = 0;
inline constexpr int kFailed = 1;
inline constexpr int kUsage = 2;
inline constexpr int kGaps = 3;
inline constexpr int kDamaged = 4;
inline constexpr int kInterrupted = 130;

inline constexpr std::uint64_t kSeed = 20261122;

Bytes slurp(const fs::path& path);
void spit(const fs::path& path, std::span<const std::uint8_t> bytes);
void spit(const fs::path& path, std::string_view text);

/// Every file below a folder, by its path there, as the digest of its bytes.
using Digests = std::map<std::string, std::string>;
Digests digests(const fs::path& folder);

/// A mono file as a player plays it.
std::vector<float> decode_mp3(const fs::path& path);

/// A short table without any speech program: each player says something at least once.
struct Sitting {
    int speakers = 2;
    seconds length{8};
    sandbox::LineOptions line{};
};
sandbox::SimulatedTable play(const Sitting& sitting = {});

/// The same table again and again, each time `later` by this much, as one long session; its ledger is that of the first
/// time alone.
sandbox::SimulatedTable repeated(const sandbox::SimulatedTable& table, int times, seconds later);

/// A capture of what arrived.
void write_capture(const sandbox::SimulatedTable& table, const fs::path& path,
                   const sandbox::CaptureFormat& format = {});
/// "SSRC=USER,SSRC=USER"
std::string users_of(const sandbox::SimulatedTable& table, bool hexadecimal = false);

/// What a session must not lose: its journal and its files.
struct Belongings {
    Digests journal;
    Digests files;
    bool operator==(const Belongings&) const = default;
};

class Program : public ::testing::Test {
  protected:
    [[nodiscard]] test::ProcessResult run(const Words& words, const Words& environment = {}) const;
    /// Exactly one JSON value on standard output.
    static Json value(const test::ProcessResult& result);
    /// Runs with --json and expects this exit code.
    [[nodiscard]] Json ask(const Words& words, int exit_code = kDone, const Words& environment = {}) const;
    /// The same for who needs no answer.
    void order(const Words& words, int exit_code = kDone, const Words& environment = {}) const;
    /// The same refusal for people and for programs: this exit code, one sentence that holds `hint`, nothing else.
    void expect_refused(const Words& words, int exit_code, const std::string& code, const std::string& hint,
                        const Words& environment = {}) const;

    /// Captures the table as {session}.pcap and imports it; the session object.
    Json import(const sandbox::SimulatedTable& table, const std::string& session, const Words& more = {},
                int exit_code = kDone) const;

    [[nodiscard]] fs::path data() const { return folder_ / "data"; }
    [[nodiscard]] fs::path journal(const std::string& session) const { return data() / "journal" / session; }
    [[nodiscard]] fs::path segment(const std::string& session, int number = 1) const {
        return journal(session) / ("00000" + std::to_string(number) + ".log");
    }
    [[nodiscard]] fs::path stored(const std::string& session) const { return data() / "store/recordings" / session; }
    [[nodiscard]] fs::path master_of(const std::string& session) const {
        return stored(session) / "master" / ("MASTER-" + session + ".mp3");
    }
    [[nodiscard]] Belongings belongings(const std::string& session) const {
        return {digests(journal(session)), digests(stored(session))};
    }

    test::TempDir folder_;
};

}  // namespace lestapenna::system_test
