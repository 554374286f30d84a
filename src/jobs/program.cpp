#include "jobs/program.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <string_view>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/files.h"
#include "base/text.h"

namespace lestapenna::jobs {

namespace {

constexpr int kNice = 10;
constexpr milliseconds kLook{100};  ///< so often a wait looks at `stop`
constexpr std::size_t kLastBytes = 4096;

struct Pipe {
    Fd read;
    Fd write;
};

Result<Pipe> make_pipe() {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) {
        return Error{ErrorKind::failed, "can not make a pipe: " + std::generic_category().message(errno)};
    }
    return Pipe{Fd(ends[0]), Fd(ends[1])};
}

/// Words as exec wants them: pointers into `words`, and a null.
std::vector<char*> pointers(std::vector<std::string>& words) {
    std::vector<char*> out;
    out.reserve(words.size() + 1);
    for (std::string& word : words) out.push_back(word.data());
    out.push_back(nullptr);
    return out;
}

std::vector<std::string> harmless_environment() {
    std::vector<std::string> kept;
    for (char** variable = environ; *variable != nullptr; ++variable) {
        const std::string_view text = *variable;
        if (!text.starts_with("LESTAPENNA_") && !text.starts_with("DISCORD_TOKEN")) kept.emplace_back(text);
    }
    return kept;
}

/// Where execvp would find `name`; empty: nowhere.
std::string found(const std::string& name) {
    const auto runs = [](const std::string& path) { return ::access(path.c_str(), X_OK) == 0; };
    if (name.find('/') != std::string::npos) return runs(name) ? name : std::string();
    const char* const path = std::getenv("PATH");
    std::string_view rest = path != nullptr ? path : "/usr/bin:/bin";
    while (!rest.empty()) {
        const std::size_t colon = std::min(rest.find(':'), rest.size());
        std::string candidate = std::string(rest.substr(0, colon)) + "/" + name;
        if (colon > 0 && runs(candidate)) return candidate;
        rest.remove_prefix(std::min(colon + 1, rest.size()));
    }
    return {};
}

/// In the child of a process with threads: nothing but what is async-signal-safe. Tells errno where it comes back.
[[noreturn]] void become(const char* path, char* const* argv, char* const* environment, int out, int err, int failure) {
    ::setpgid(0, 0);
    ::setpriority(PRIO_PROCESS, 0, kNice);
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);  // no orphan goes on for hours for nobody
    sigset_t none;
    sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
    ::signal(SIGPIPE, SIG_DFL);
    const int in = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (in >= 0 && ::dup2(in, STDIN_FILENO) >= 0 && ::dup2(out, STDOUT_FILENO) >= 0 &&
        ::dup2(err, STDERR_FILENO) >= 0) {
        // What somebody's library opened without O_CLOEXEC stays ours.
        ::close_range(STDERR_FILENO + 1, ~0U, CLOSE_RANGE_CLOEXEC);
        ::execve(path, argv, environment);
    }
    const int why = errno;
    static_cast<void>(!::write(failure, &why, sizeof why));
    ::_exit(127);
}

/// A child and its whole group, killed with the object.
class Group {
  public:
    explicit Group(pid_t leader) : leader_(leader) {
        ::setpgid(leader, leader);
    }  // as the child does, whoever is first
    Group(const Group&) = delete;
    Group& operator=(const Group&) = delete;
    ~Group() { static_cast<void>(finish()); }

    /// Kills who is left. The leader's exit code.
    int finish() {
        if (over_) return code_;
        ::kill(-leader_, SIGKILL);  // before its number is given to somebody else
        int status = 0;
        while (::waitpid(leader_, &status, 0) < 0 && errno == EINTR) continue;
        over_ = true;
        code_ = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
        return code_;
    }
    /// It stays a zombie until finish().
    [[nodiscard]] bool ended() const {
        siginfo_t info{};
        return ::waitid(P_PID, static_cast<id_t>(leader_), &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid != 0;
    }

  private:
    pid_t leader_;
    bool over_ = false;
    int code_ = 0;
};

/// Takes what is there. False: that was all.
bool take(const Fd& from, std::string& into) {
    std::array<char, 16384> piece{};
    const ssize_t got = ::read(from.get(), piece.data(), piece.size());
    if (got > 0) into.append(piece.data(), static_cast<std::size_t>(got));
    return got > 0 || (got < 0 && (errno == EINTR || errno == EAGAIN));
}

/// Until the program has ended and its streams hold nothing more. (What it left behind may keep them open.)
Status listen(const Group& group, Fd& out, Fd& err, const ProgramLimits& limits, const std::atomic<bool>& stop,
              ProgramEnd& end) {
    const BootTime deadline = BootClock::now() + limits.time;
    for (;;) {
        if (stop.load(std::memory_order_relaxed)) return Error{ErrorKind::interrupted, "stopped"};
        if (BootClock::now() >= deadline) {
            return Error{ErrorKind::failed, "it took longer than " +
                                                std::to_string(std::chrono::floor<seconds>(limits.time).count()) +
                                                " s and was killed"};
        }
        const bool over = group.ended();
        std::array<pollfd, 2> streams{pollfd{out.get(), POLLIN, 0}, pollfd{err.get(), POLLIN, 0}};
        const int count = ::poll(streams.data(), streams.size(), over ? 0 : static_cast<int>(kLook.count()));
        if (count == 0 && over) return Ok{};
        if (streams[0].revents != 0 && !take(out, end.out)) out = Fd();
        if (streams[1].revents != 0 && !take(err, end.last)) err = Fd();
        if (end.last.size() > 2 * kLastBytes) end.last.erase(0, end.last.size() - kLastBytes);
        if (end.out.size() > limits.output_bytes) {
            return Error{ErrorKind::damaged,
                         "it printed more than " + std::to_string(limits.output_bytes >> 20) + " MiB and was killed"};
        }
    }
}

}  // namespace

bool is_program(const std::string& name) {
    return !found(name).empty();
}

Result<ProgramEnd> run_program(const std::vector<std::string>& argv, const ProgramLimits& limits,
                               const std::atomic<bool>& stop) {
    const std::string path = argv.empty() ? std::string() : found(argv.front());
    if (path.empty()) {
        return Error{ErrorKind::not_found, "there is no program " + in_quotes(argv.empty() ? "" : argv.front())};
    }
    auto out = make_pipe();
    auto err = make_pipe();
    auto failure = make_pipe();
    for (const auto* const pipe : {&out, &err, &failure}) {
        if (!*pipe) return pipe->error();
    }
    std::vector<std::string> words = argv;
    std::vector<std::string> variables = harmless_environment();
    const auto word_pointers = pointers(words);
    const auto variable_pointers = pointers(variables);

    const pid_t child = ::fork();
    if (child < 0) {
        return Error{ErrorKind::failed, "can not start a program: " + std::generic_category().message(errno)};
    }
    if (child == 0) {
        become(path.c_str(), word_pointers.data(), variable_pointers.data(), out->write.get(), err->write.get(),
               failure->write.get());
    }
    Group group(child);
    out->write = Fd();
    err->write = Fd();
    failure->write = Fd();
    int why = 0;
    if (::read(failure->read.get(), &why, sizeof why) == static_cast<ssize_t>(sizeof why)) {  // closed by exec
        return Error{ErrorKind::not_found,
                     "can not run " + in_quotes(path) + ": " + std::generic_category().message(why)};
    }
    ProgramEnd end;
    if (auto heard = listen(group, out->read, err->read, limits, stop, end); !heard) return heard.error();
    end.exit_code = group.finish();
    return end;
}

}  // namespace lestapenna::jobs
