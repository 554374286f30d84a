// What tests share: where data lies, folders that go away, programs that run.
// Thread: any; nothing here has state but the folders on disk.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace lestapenna::test {

/// The workshop's data: $LESTAPENNA_TEST_DATA, else ../shared beside the source tree. Nothing when there is none:
///     const auto data = test_data();
///     if (!data) GTEST_SKIP() << kNoTestData;
std::optional<std::filesystem::path> test_data();
inline constexpr const char* kNoTestData = "no test data: set LESTAPENNA_TEST_DATA to the folder that holds speech/";

/// A new empty folder, removed with all it holds when the object goes.
class TempDir {
  public:
    TempDir();
    TempDir(const TempDir&) = delete;
    TempDir& operator=(const TempDir&) = delete;
    ~TempDir();
    [[nodiscard]] const std::filesystem::path& path() const { return path_; }
    [[nodiscard]] std::filesystem::path operator/(const std::filesystem::path& name) const { return path_ / name; }

  private:
    std::filesystem::path path_;
};

/// Is there a program of that name on PATH (or at that path)?
bool has_program(const std::string& name);

struct ProcessResult {
    int exit_code = -1;  ///< 128 + n after signal n; 127 when there is no such program
    std::string out;
    std::string err;
};
/// Runs a program without a shell, standard input empty, and waits for its end. `extra_environment` is "KEY=value".
ProcessResult run_process(const std::vector<std::string>& argv, const std::vector<std::string>& extra_environment = {},
                          const std::filesystem::path& working_folder = {});

}  // namespace lestapenna::test
