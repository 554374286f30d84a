#include "cli/line_reader.h"

#include <array>
#include <cerrno>
#include <cstring>

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

namespace lestapenna::cli {

namespace {

constexpr std::size_t kMostBytes = 1U << 20;

/// Hands over the whole lines of `pending` and keeps the rest.
void hand_over(std::string& pending, const LineReader::OnLine& on_line) {
    std::size_t begin = 0;
    for (auto end = pending.find('\n'); end != std::string::npos; end = pending.find('\n', begin)) {
        on_line(pending.substr(begin, end - begin));
        begin = end + 1;
    }
    pending.erase(0, begin);
    if (pending.size() >= kMostBytes) on_line(std::exchange(pending, {}));
}

/// False when there is nothing more to read, or it was told to stop.
bool wait_for_input(int fd, int stop) {
    std::array<pollfd, 2> watched{{{fd, POLLIN, 0}, {stop, POLLIN, 0}}};
    while (poll(watched.data(), watched.size(), -1) < 0) {
        if (errno != EINTR) return false;
    }
    return watched[1].revents == 0;
}

void read_lines(int fd, const Fd& stop, const LineReader::OnLine& on_line) {
    std::string pending;
    std::array<char, 4'096> block{};
    while (wait_for_input(fd, stop.get())) {
        const auto got = read(fd, block.data(), block.size());
        if (got < 0 && (errno == EINTR || errno == EAGAIN)) continue;
        if (got <= 0) break;
        pending.append(block.data(), static_cast<std::size_t>(got));
        hand_over(pending, on_line);
    }
    if (!pending.empty()) on_line(std::move(pending));
}

}  // namespace

Result<LineReader> LineReader::start(int fd, OnLine on_line) {
    std::array<int, 2> ends{};
    if (pipe2(ends.data(), O_CLOEXEC) != 0) {
        return Error{ErrorKind::failed, std::string("can not open a pipe: ") + std::strerror(errno)};  // NOLINT
    }
    Fd stopped(ends[0]);
    Fd stop(ends[1]);
    return LineReader(std::thread([fd, stopped = std::move(stopped), on_line = std::move(on_line)] {
                          read_lines(fd, stopped, on_line);
                      }),
                      std::move(stop));
}

LineReader::~LineReader() {
    stop_ = Fd();
    if (thread_.joinable()) thread_.join();
}

}  // namespace lestapenna::cli
