// A program that runs while the test goes on, and can be signalled. Thread: one.
#pragma once

#include <array>
#include <cerrno>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

namespace lestapenna::test {

class Background {
  public:
    /// Standard output and error go to files. `environment` is "KEY=value", besides what this process has.
    Background(std::vector<std::string> argv, const std::filesystem::path& working_folder,
               const std::filesystem::path& out, const std::filesystem::path& err,
               std::vector<std::string> environment = {}) {
        std::vector<char*> words;
        for (auto& word : argv) words.push_back(word.data());
        words.push_back(nullptr);
        std::vector<char*> variables;  // the first of a name counts
        for (auto& variable : environment) variables.push_back(variable.data());
        for (char** inherited = environ; *inherited != nullptr; ++inherited) variables.push_back(*inherited);
        variables.push_back(nullptr);
        posix_spawn_file_actions_t actions;
        posix_spawn_file_actions_init(&actions);
        constexpr int kNew = O_WRONLY | O_CREAT | O_TRUNC;
        posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
        posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, out.c_str(), kNew, 0600);
        posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, err.c_str(), kNew, 0600);
        posix_spawn_file_actions_addchdir_np(&actions, working_folder.c_str());
        if (posix_spawn(&pid_, words[0], &actions, nullptr, words.data(), variables.data()) != 0) pid_ = -1;
        posix_spawn_file_actions_destroy(&actions);
    }
    Background(const Background&) = delete;
    Background& operator=(const Background&) = delete;
    ~Background() {
        if (pid_ <= 0) return;
        kill(pid_, SIGKILL);
        static_cast<void>(wait());
    }

    /// Looks each millisecond until `there` holds; false when the program has ended before.
    bool until(const std::function<bool()>& there) {
        while (pid_ > 0) {
            if (there()) return true;
            if (ended(WNOHANG)) return false;
            poll(nullptr, 0, 1);
        }
        return false;
    }
    [[nodiscard]] pid_t pid() const { return pid_; }  ///< -1: it is over
    void signal(int number) const {
        if (pid_ > 0) kill(pid_, number);
    }
    /// Its exit code; 128 + n after signal n.
    int wait() {
        while (pid_ > 0 && !ended(0)) continue;
        return WIFEXITED(status_) ? WEXITSTATUS(status_) : 128 + WTERMSIG(status_);
    }

  private:
    bool ended(int options) {
        if (waitpid(pid_, &status_, options) != pid_) return false;
        pid_ = -1;
        return true;
    }

    pid_t pid_ = -1;
    int status_ = 0;
};

}  // namespace lestapenna::test
