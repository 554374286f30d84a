#include "jobs/dial.h"

#include <cerrno>
#include <future>
#include <memory>
#include <system_error>
#include <thread>
#include <utility>

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include "base/free.h"

namespace lestapenna::jobs {

namespace {

constexpr milliseconds kLook{100};  ///< so often a wait looks at `stop`

using Addresses = std::unique_ptr<addrinfo, Free<freeaddrinfo>>;

Error stopped() {
    return {ErrorKind::interrupted, "stopped"};
}

Error failed(int error_number) {
    return {ErrorKind::failed, std::generic_category().message(error_number)};
}

Result<Addresses> look_up(const std::string& host, std::uint16_t port) {
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    addrinfo* found = nullptr;
    const int code = ::getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &found);
    if (code != 0) return Error{ErrorKind::failed, ::gai_strerror(code)};
    return Addresses(found);
}

/// In a thread of its own: getaddrinfo() can not be told to stop.
Result<Addresses> addresses_of(const std::string& host, std::uint16_t port, const std::atomic<bool>& stop) {
    std::packaged_task<Result<Addresses>()> task([host, port] { return look_up(host, port); });
    auto found = task.get_future();
    try {
        std::thread(std::move(task)).detach();
    } catch (const std::system_error& error) {
        return Error{ErrorKind::failed, error.code().message()};
    }
    while (found.wait_for(kLook) != std::future_status::ready) {
        if (stop) return stopped();
    }
    return found.get();
}

Result<Fd> connect_to(const addrinfo& address, milliseconds patience, const std::atomic<bool>& stop) {
    Fd socket(::socket(address.ai_family, address.ai_socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, address.ai_protocol));
    if (!socket) return failed(errno);
    const int on = 1;  // an answer is waited for after each command
    static_cast<void>(::setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on));
    if (::connect(socket.get(), address.ai_addr, address.ai_addrlen) == 0) return socket;
    if (errno != EINPROGRESS) return failed(errno);
    const auto ended = ready(socket, POLLOUT, BootClock::now() + patience, stop);
    if (!ended) return ended.error();
    if (!*ended) return failed(ETIMEDOUT);
    int error_number = 0;
    socklen_t size = sizeof error_number;
    static_cast<void>(::getsockopt(socket.get(), SOL_SOCKET, SO_ERROR, &error_number, &size));
    if (error_number != 0) return failed(error_number);
    return socket;
}

}  // namespace

Result<Fd> dial(const std::string& host, std::uint16_t port, milliseconds patience, const std::atomic<bool>& stop) {
    const auto addresses = addresses_of(host, port, stop);
    if (!addresses) return addresses.error();
    Result<Fd> connected = failed(EADDRNOTAVAIL);
    for (const addrinfo* at = addresses->get(); at != nullptr; at = at->ai_next) {
        connected = connect_to(*at, patience, stop);
        if (connected || connected.error().kind == ErrorKind::interrupted) break;
    }
    return connected;
}

Result<bool> ready(const Fd& socket, short events, BootTime deadline, const std::atomic<bool>& stop) {
    for (;;) {
        if (stop) return stopped();
        pollfd waited{socket.get(), events, 0};
        const int count = ::poll(&waited, 1, static_cast<int>(kLook.count()));
        if (count > 0) return true;
        if (count < 0 && errno != EINTR) return failed(errno);
        if (BootClock::now() >= deadline) return false;
    }
}

}  // namespace lestapenna::jobs
