#include "support.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <string_view>
#include <system_error>
#include <tuple>

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

namespace lestapenna::test {
namespace {

namespace fs = std::filesystem;

[[noreturn]] void fail(const char* what) {
    throw std::system_error(errno, std::generic_category(), what);
}

/// A pipe whose ends are not inherited by other children.
struct Pipe {
    Pipe() {
        if (pipe2(ends.data(), O_CLOEXEC) != 0) fail("pipe2");
    }
    Pipe(const Pipe&) = delete;
    Pipe& operator=(const Pipe&) = delete;
    ~Pipe() {
        for (int& end : ends) shut(end);
    }
    static void shut(int& end) {
        if (end >= 0) close(end);
        end = -1;
    }
    std::array<int, 2> ends{-1, -1};
};

/// Reads both pipes to their ends, whichever has something.
void drain(Pipe& out, std::string& out_text, Pipe& err, std::string& err_text) {
    std::array<char, 65'536> buffer{};
    while (out.ends[0] >= 0 || err.ends[0] >= 0) {
        std::array<pollfd, 2> watched{{{out.ends[0], POLLIN, 0}, {err.ends[0], POLLIN, 0}}};
        if (poll(watched.data(), watched.size(), -1) < 0 && errno != EINTR) fail("poll");
        for (auto [pipe, text, seen] : {std::tuple{&out, &out_text, watched[0]}, {&err, &err_text, watched[1]}}) {
            if (seen.revents == 0) continue;
            const ssize_t got = read(seen.fd, buffer.data(), buffer.size());
            if (got > 0) text->append(buffer.data(), static_cast<std::size_t>(got));
            if (got == 0 || (got < 0 && errno != EINTR)) Pipe::shut(pipe->ends[0]);
        }
    }
}

/// Our environment with `extra` in front, where it wins.
std::vector<char*> environment_with(std::vector<std::string>& extra) {
    std::vector<char*> result;
    result.reserve(extra.size());
    for (std::string& entry : extra) result.push_back(entry.data());
    for (char** entry = environ; *entry != nullptr; ++entry) {
        const std::string_view name = std::string_view(*entry).substr(0, std::string_view(*entry).find('=') + 1);
        bool replaced = false;
        for (const std::string& ours : extra) replaced = replaced || ours.starts_with(name);
        if (!replaced) result.push_back(*entry);
    }
    result.push_back(nullptr);
    return result;
}

}  // namespace

std::optional<fs::path> test_data() {
    const char* named = std::getenv("LESTAPENNA_TEST_DATA");
    const fs::path path = named != nullptr ? fs::path(named) : fs::path(LESTAPENNA_TESTS_DIR) / "../../shared";
    std::error_code ignored;
    if (!fs::is_directory(path / "speech", ignored)) return std::nullopt;
    return fs::canonical(path);
}

TempDir::TempDir() {
    std::string name = (fs::temp_directory_path() / "lestapenna-test-XXXXXX").string();
    if (mkdtemp(name.data()) == nullptr) fail("mkdtemp");
    path_ = name;
}

TempDir::~TempDir() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
}

bool has_program(const std::string& name) {
    if (name.find('/') != std::string::npos) return access(name.c_str(), X_OK) == 0;
    const char* variable = std::getenv("PATH");
    std::string_view folders = variable != nullptr ? variable : "/usr/bin:/bin";
    while (!folders.empty()) {
        const std::size_t colon = std::min(folders.find(':'), folders.size());
        if (access((fs::path(folders.substr(0, colon)) / name).c_str(), X_OK) == 0) return true;
        folders.remove_prefix(std::min(colon + 1, folders.size()));
    }
    return false;
}

ProcessResult run_process(const std::vector<std::string>& argv, const std::vector<std::string>& extra_environment,
                          const fs::path& working_folder) {
    std::vector<std::string> words = argv;
    std::vector<char*> arguments;
    arguments.reserve(words.size() + 1);
    for (std::string& word : words) arguments.push_back(word.data());
    arguments.push_back(nullptr);
    std::vector<std::string> extra = extra_environment;
    std::vector<char*> environment = environment_with(extra);

    Pipe out;
    Pipe err;
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, out.ends[1], STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&actions, err.ends[1], STDERR_FILENO);
    if (!working_folder.empty()) posix_spawn_file_actions_addchdir_np(&actions, working_folder.c_str());
    pid_t child = 0;
    const int failure = posix_spawnp(&child, arguments[0], &actions, nullptr, arguments.data(), environment.data());
    posix_spawn_file_actions_destroy(&actions);
    if (failure != 0) return {.exit_code = 127, .out = {}, .err = std::generic_category().message(failure)};

    Pipe::shut(out.ends[1]);
    Pipe::shut(err.ends[1]);
    ProcessResult result;
    drain(out, result.out, err, result.err);
    int status = 0;
    while (waitpid(child, &status, 0) < 0) {
        if (errno != EINTR) fail("waitpid");
    }
    result.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    return result;
}

}  // namespace lestapenna::test
