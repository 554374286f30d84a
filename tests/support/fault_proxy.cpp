#include "fault_proxy.h"

#include <algorithm>
#include <array>
#include <list>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include "base/files.h"
#include "base/time.h"

namespace lestapenna::test {

namespace {

constexpr std::size_t kBuffer = 16u << 10;
constexpr int kSocketBuffer = 16 << 10;  // what is on its way is not in the kernel's buffers
constexpr double kSlowBytesPerSecond = 10 * 1024;
constexpr std::size_t kCutAfter = 20u << 10;
constexpr std::size_t kUpload = 4u << 10;
constexpr int kTurnMs = 20;

sockaddr_in loopback(std::uint16_t port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(port);
    return address;
}

Fd new_socket(bool small) {
    Fd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    const int yes = 1;
    ::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    if (small) ::setsockopt(socket.get(), SOL_SOCKET, SO_RCVBUF, &kSocketBuffer, sizeof kSocketBuffer);
    return socket;
}

/// One way of a connection.
struct Way {
    std::string waiting;
    bool ended = false;  ///< the sender has hung up
};

struct Line {
    Fd client;
    Fd server;
    Way to_server;
    Way to_client;
    std::size_t sent = 0;    ///< by the client
    std::size_t upload = 0;  ///< by the client since the server last said something
    bool answered = false;
    bool dead = false;
};

/// False: the connection is broken.
bool read_into(int from, Way& way, std::size_t* count = nullptr) {
    if (way.ended || way.waiting.size() >= kBuffer) return true;
    std::array<char, kBuffer> piece{};
    const auto got = ::recv(from, piece.data(), kBuffer - way.waiting.size(), 0);
    if (got < 0) return errno == EAGAIN || errno == EINTR;
    if (got == 0) way.ended = true;
    way.waiting.append(piece.data(), static_cast<std::size_t>(got));
    if (count != nullptr) *count += static_cast<std::size_t>(got);
    return true;
}

bool write_from(Way& way, int to, double* allowance) {
    auto bytes = way.waiting.size();
    if (allowance != nullptr) bytes = std::min(bytes, static_cast<std::size_t>(std::max(0.0, *allowance)));
    if (bytes > 0) {
        const auto put = ::send(to, way.waiting.data(), bytes, MSG_NOSIGNAL);
        if (put < 0) return errno == EAGAIN || errno == EINTR;
        way.waiting.erase(0, static_cast<std::size_t>(put));
        if (allowance != nullptr) *allowance -= static_cast<double>(put);
    }
    if (way.ended && way.waiting.empty()) ::shutdown(to, SHUT_WR);
    return true;
}

}  // namespace

struct FaultProxy::Impl {
    explicit Impl(std::uint16_t to) : server_port(to) {
        listen();
        thread = std::thread([this] { run(); });
    }

    void listen() {
        listener = new_socket(true);
        auto address = loopback(port);
        socklen_t size = sizeof address;
        auto* const raw = reinterpret_cast<sockaddr*>(&address);
        if (::bind(listener.get(), raw, size) != 0 || ::listen(listener.get(), 64) != 0) std::abort();
        ::getsockname(listener.get(), raw, &size);
        if (port == 0) port = ntohs(address.sin_port);
    }

    void run() {
        auto before = BootClock::now();
        while (!stopped) {
            turn();
            const std::lock_guard lock(mutex);
            const auto now = BootClock::now();
            const double earned = kSlowBytesPerSecond * std::chrono::duration<double>(now - before).count();
            before = now;
            for (double& one : allowance) one = std::min(one + earned, kSlowBytesPerSecond / 4);
            take_in();
            for (Line& line : lines) line.dead |= !move(line);
            std::erase_if(lines, [](const Line& line) { return line.dead; });
            const auto uploads = std::ranges::count_if(lines, [](const Line& line) { return line.upload > kUpload; });
            most_uploads = std::max(most_uploads, static_cast<std::size_t>(uploads));
        }
    }

    /// Until something can be read, or a little while: what waits to be written is tried then.
    void turn() {
        std::vector<pollfd> wanted;
        {
            const std::lock_guard lock(mutex);
            if (listener) wanted.push_back({listener.get(), POLLIN, 0});
            for (const Line& line : lines) {
                if (line.to_server.waiting.empty() && !line.to_server.ended)
                    wanted.push_back({line.client.get(), POLLIN, 0});
                if (line.server && line.to_client.waiting.empty() && !line.to_client.ended)
                    wanted.push_back({line.server.get(), POLLIN, 0});
            }
        }
        ::poll(wanted.data(), wanted.size(), kTurnMs);
    }

    void take_in() {
        if (!listener) return;
        for (;;) {
            Fd client(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
            if (!client) return;
            if (fault != Fault::none) ++troubled;
            Line& line = lines.emplace_back();
            line.client = std::move(client);
            line.server = new_socket(false);
            const auto address = loopback(server_port);
            const auto* const raw = reinterpret_cast<const sockaddr*>(&address);
            ::connect(line.server.get(), raw, sizeof address);  // under way; a refusal shows when it is read
        }
    }

    /// False: it is over.
    bool move(Line& line) {
        const auto before = line.sent;
        if (!read_into(line.client.get(), line.to_server, &line.sent)) return false;
        line.upload += line.sent - before;
        if (fault == Fault::hangs) {
            line.to_server.waiting.clear();
            return !line.to_server.ended;
        }
        if (fault == Fault::answers) return answer_for_it(line);
        if (fault == Fault::cuts && line.sent > kCutAfter) return false;
        const bool slow = fault == Fault::slow;
        if (!write_from(line.to_server, line.server.get(), slow ? &allowance[0] : nullptr)) return false;
        if (!read_into(line.server.get(), line.to_client)) return errno == ENOTCONN;
        if (!line.to_client.waiting.empty()) line.upload = 0;
        if (!write_from(line.to_client, line.client.get(), slow ? &allowance[1] : nullptr)) return false;
        return !(line.to_client.ended && line.to_client.waiting.empty());
    }

    /// As soon as the head of a request is there; its body is read and thrown away, so that the answer is not lost to a
    /// reset.
    bool answer_for_it(Line& line) {
        std::string& asked = line.to_server.waiting;
        if (!line.answered && asked.find("\r\n\r\n") != std::string::npos) {
            ::send(line.client.get(), answer.data(), answer.size(), MSG_NOSIGNAL);
            ::shutdown(line.client.get(), SHUT_WR);
            line.answered = true;
        }
        if (line.answered) asked.clear();
        return !line.to_server.ended;
    }

    void set(Fault next, std::string what) {
        const std::lock_guard lock(mutex);
        const bool spoiled = fault == Fault::hangs || fault == Fault::answers;
        fault = next;
        answer = std::move(what);
        if (spoiled || fault == Fault::refuses || fault == Fault::answers) lines.clear();
        if (fault == Fault::refuses) {
            listener = Fd();
        } else if (!listener) {
            listen();
        }
    }

    const std::uint16_t server_port;
    std::uint16_t port = 0;
    std::atomic<bool> stopped = false;
    std::mutex mutex;  // guards all that follows
    Fd listener;
    std::list<Line> lines;
    Fault fault = Fault::none;
    std::string answer;
    std::array<double, 2> allowance{};
    std::size_t most_uploads = 0;
    std::size_t troubled = 0;
    std::thread thread;
};

FaultProxy::FaultProxy(std::uint16_t server_port) : impl_(std::make_unique<Impl>(server_port)) {}

FaultProxy::~FaultProxy() {
    impl_->stopped = true;
    impl_->thread.join();
}

std::uint16_t FaultProxy::port() const {
    return impl_->port;
}

void FaultProxy::set(Fault fault, std::string answer) {
    impl_->set(fault, std::move(answer));
}

std::size_t FaultProxy::most_uploads() const {
    const std::lock_guard lock(impl_->mutex);
    return impl_->most_uploads;
}

std::size_t FaultProxy::troubled() const {
    const std::lock_guard lock(impl_->mutex);
    return impl_->troubled;
}

}  // namespace lestapenna::test
