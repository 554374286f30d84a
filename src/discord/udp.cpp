#include "discord/udp.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include <arpa/inet.h>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

namespace lestapenna::discord {
namespace {

constexpr std::size_t kBatch = 64;
/// Batches per readiness; then other sockets have their turn.
constexpr int kBatchesInARow = 4;
/// Of a last reading: more than any buffer holds; who sends on and on does not keep us.
constexpr int kMostBatches = 1'024;
constexpr nanoseconds kStampSlack = milliseconds(1);

using WallTime = std::chrono::sys_time<nanoseconds>;  // CLOCK_REALTIME
WallTime wall_time(const timespec& time) {
    return WallTime(seconds{time.tv_sec} + nanoseconds{time.tv_nsec});
}

struct Arrival {
    BootTime at;
    bool trusted = false;
};
Arrival arrival_of(WallTime stamp, const ClockReading& now, BootTime last_empty) {
    const nanoseconds age = now.wall - stamp;
    if (age < nanoseconds{0} || age > now.boot - last_empty + kStampSlack) return {now.boot, false};
    return {now.boot - age, true};
}

struct SocketName {
    sockaddr_storage storage{};
    socklen_t size = 0;
};

SocketName name_of(const UdpAddress& address) {
    SocketName name;
    if (address.v6) {
        sockaddr_in6 in{};
        in.sin6_family = AF_INET6;
        in.sin6_port = htons(address.port);
        std::memcpy(&in.sin6_addr, address.ip.data(), 16);
        std::memcpy(&name.storage, &in, sizeof in);
        name.size = sizeof in;
    } else {
        sockaddr_in in{};
        in.sin_family = AF_INET;
        in.sin_port = htons(address.port);
        std::memcpy(&in.sin_addr, address.ip.data(), 4);
        std::memcpy(&name.storage, &in, sizeof in);
        name.size = sizeof in;
    }
    return name;
}

UdpAddress address_of(const sockaddr_storage& storage) {
    UdpAddress address;
    if (storage.ss_family == AF_INET6) {
        sockaddr_in6 in{};
        std::memcpy(&in, &storage, sizeof in);
        std::memcpy(address.ip.data(), &in.sin6_addr, 16);
        address.v6 = true;
        address.port = ntohs(in.sin6_port);
    } else if (storage.ss_family == AF_INET) {
        sockaddr_in in{};
        std::memcpy(&in, &storage, sizeof in);
        std::memcpy(address.ip.data(), &in.sin_addr, 4);
        address.port = ntohs(in.sin_port);
    }
    return address;
}

/// Where datagrams are read to: one set per thread, used and done with inside one call.
class Batch {
  public:
    Batch() {
        for (std::size_t i = 0; i < kBatch; ++i) {
            vectors_[i] = {.iov_base = bytes_[i].data(), .iov_len = bytes_[i].size()};
            messages_[i].msg_hdr.msg_iov = &vectors_[i];
            messages_[i].msg_hdr.msg_iovlen = 1;
            messages_[i].msg_hdr.msg_name = &names_[i];
            messages_[i].msg_hdr.msg_control = controls_[i].bytes.data();
        }
    }
    static Batch& of_this_thread() {
        static thread_local const std::unique_ptr<Batch> batch = std::make_unique<Batch>();
        return *batch;
    }

    /// How many came; -1 and errno when there is none.
    int receive(int fd) {
        // The kernel wrote its own lengths into those it filled the last time: often one or two of the 64.
        for (std::size_t i = 0; i < used_; ++i) {
            msghdr& head = messages_[i].msg_hdr;
            head.msg_namelen = sizeof names_[i];
            head.msg_controllen = controls_[i].bytes.size();
        }
        const int count = recvmmsg(fd, messages_.data(), kBatch, MSG_DONTWAIT, nullptr);
        used_ = static_cast<std::size_t>(std::max(count, 0));
        return count;
    }

    struct Control {
        std::optional<WallTime> stamp;
        std::optional<std::uint32_t> drops;  // the socket's, since it was opened
    };
    [[nodiscard]] Control control(std::size_t i) {
        Control control;
        msghdr& head = messages_[i].msg_hdr;
        for (cmsghdr* c = CMSG_FIRSTHDR(&head); c != nullptr; c = CMSG_NXTHDR(&head, c)) {
            if (c->cmsg_level != SOL_SOCKET) continue;
            if (c->cmsg_type == SCM_TIMESTAMPNS) {
                timespec stamp{};
                std::memcpy(&stamp, CMSG_DATA(c), sizeof stamp);
                control.stamp = wall_time(stamp);
            } else if (c->cmsg_type == SO_RXQ_OVFL) {
                std::uint32_t drops = 0;
                std::memcpy(&drops, CMSG_DATA(c), sizeof drops);
                control.drops = drops;
            }
        }
        return control;
    }
    [[nodiscard]] std::span<std::uint8_t> bytes(std::size_t i) {
        return std::span(bytes_[i]).first(messages_[i].msg_len);
    }
    [[nodiscard]] bool cut(std::size_t i) const {
        return messages_[i].msg_len > kMaxDatagramBytes || (messages_[i].msg_hdr.msg_flags & MSG_TRUNC) != 0;
    }
    [[nodiscard]] UdpAddress from(std::size_t i) const { return address_of(names_[i]); }

    /// While one socket's datagrams are handed over no other may be read.
    bool in_hand = false;

  private:
    struct alignas(cmsghdr) ControlBytes {
        std::array<char, CMSG_SPACE(sizeof(timespec)) + CMSG_SPACE(sizeof(std::uint32_t))> bytes{};
    };
    std::array<std::array<std::uint8_t, kMaxDatagramBytes + 1>, kBatch> bytes_{};
    std::array<ControlBytes, kBatch> controls_{};
    std::array<sockaddr_storage, kBatch> names_{};
    std::array<iovec, kBatch> vectors_{};
    std::array<mmsghdr, kBatch> messages_{};
    std::size_t used_ = kBatch;
};

Error system_error(const std::string& what) {
    return {ErrorKind::failed, what + ": " + std::strerror(errno)};
}

int option(int fd, int name) {
    int value = 0;
    socklen_t size = sizeof value;
    return getsockopt(fd, SOL_SOCKET, name, &value, &size) == 0 ? value : 0;
}

void set_option(int fd, int name, int value) {
    // All that is set is an improvement; without it the socket still works.
    static_cast<void>(setsockopt(fd, SOL_SOCKET, name, &value, sizeof value));
}

Result<int> open_socket(const UdpAddress& address, int receive_buffer_bytes) {
    const int fd = socket(address.v6 ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) return system_error("no UDP socket can be opened");
    set_option(fd, SO_TIMESTAMPNS, 1);
    set_option(fd, SO_RXQ_OVFL, 1);
    set_option(fd, SO_RCVBUF, receive_buffer_bytes);
    set_option(fd, SO_RCVBUFFORCE, receive_buffer_bytes);  // above net.core.rmem_max, with CAP_NET_ADMIN
    return fd;
}

}  // namespace

std::string UdpAddress::ip_text() const {
    std::array<char, INET6_ADDRSTRLEN> text{};
    return inet_ntop(v6 ? AF_INET6 : AF_INET, ip.data(), text.data(), text.size()) == nullptr ? "" : text.data();
}

std::optional<UdpAddress> UdpAddress::parse(const std::string& ip, std::uint16_t port) {
    UdpAddress address;
    address.port = port;
    if (inet_pton(AF_INET, ip.c_str(), address.ip.data()) == 1) return address;
    if (inet_pton(AF_INET6, ip.c_str(), address.ip.data()) != 1) return std::nullopt;
    address.v6 = true;
    return address;
}

struct UdpSocket::Impl : std::enable_shared_from_this<UdpSocket::Impl> {
    net::asio::posix::stream_descriptor socket;
    BootTime last_empty = BootClock::now();
    std::uint32_t drops = 0;
    std::uint64_t errors = 0;
    bool closed = false;
    std::function<void(const Received&)> take;
    std::function<void(std::uint32_t)> dropped;

    Impl(net::Loop& loop, int fd) : socket(loop, fd) {}

    void close() {
        closed = true;
        boost::system::error_code ignored;
        socket.close(ignored);
    }

    void wait() {
        socket.async_wait(net::asio::posix::descriptor_base::wait_read,
                          [self = shared_from_this()](const boost::system::error_code& error) {
                              if (error || self->closed) return;
                              self->read();
                              if (!self->closed) self->wait();
                          });
    }

    void read(int most_batches = kBatchesInARow) {
        for (int i = 0; i < most_batches; ++i) {
            const BootTime asked = BootClock::now();
            const int count = Batch::of_this_thread().receive(socket.native_handle());
            if (count < 0) {
                if (errno == EINTR) continue;
                if (errno != EAGAIN && errno != EWOULDBLOCK) {  // what an earlier send came to
                    ++errors;
                    continue;
                }
                last_empty = asked;
                return;
            }
            hand_over(static_cast<std::size_t>(count));
            if (closed) return;
            if (static_cast<std::size_t>(count) < kBatch) {
                last_empty = asked;
                return;
            }
        }
    }

    void drain() {
        if (closed || !take || Batch::of_this_thread().in_hand) return;
        read(kMostBatches);
        // The kernel tells of drops with the next datagram, and there will be none.
        std::array<std::uint32_t, SK_MEMINFO_VARS> memory{};
        socklen_t size = sizeof memory;
        if (closed || getsockopt(socket.native_handle(), SOL_SOCKET, SO_MEMINFO, memory.data(), &size) != 0) return;
        if (size == sizeof memory) note_drops(memory[SK_MEMINFO_DROPS]);
    }

    void note_drops(std::uint32_t since_opened) {
        const std::uint32_t more = since_opened - drops;
        // A datagram says what it was when it came; drain() may have heard of later ones.
        if (static_cast<std::int32_t>(more) <= 0) return;
        drops = since_opened;
        dropped(more);
    }

    void hand_over(std::size_t count) {
        Batch& batch = Batch::of_this_thread();
        batch.in_hand = true;
        const ClockReading now = read_clocks();
        for (std::size_t i = 0; i < count && !closed; ++i) {
            const Batch::Control control = batch.control(i);
            if (control.drops) note_drops(*control.drops);
            if (closed) break;
            const Arrival arrival =
                control.stamp ? arrival_of(*control.stamp, now, last_empty) : Arrival{now.boot, false};
            take({.bytes = batch.bytes(i),
                  .arrival = arrival.at,
                  .stamp_trusted = arrival.trusted,
                  .cut = batch.cut(i),
                  .from = batch.from(i)});
        }
        batch.in_hand = false;
    }
};

UdpSocket::UdpSocket(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}
UdpSocket::UdpSocket(UdpSocket&&) noexcept = default;
UdpSocket& UdpSocket::operator=(UdpSocket&& other) noexcept {
    if (this != &other) {
        if (impl_) impl_->close();
        impl_ = std::move(other.impl_);
    }
    return *this;
}
UdpSocket::~UdpSocket() {
    if (impl_) impl_->close();
}

Result<UdpSocket> UdpSocket::connect(net::Loop& loop, const UdpAddress& to, int receive_buffer_bytes) {
    const Result<int> fd = open_socket(to, receive_buffer_bytes);
    if (!fd) return fd.error();
    const SocketName name = name_of(to);
    if (::connect(*fd, reinterpret_cast<const sockaddr*>(&name.storage), name.size) != 0) {
        Error error = system_error("no way to " + to.ip_text() + " over UDP");
        ::close(*fd);
        return error;
    }
    return UdpSocket(std::make_shared<Impl>(loop, *fd));
}

Result<UdpSocket> UdpSocket::bind(net::Loop& loop, const UdpAddress& at, int receive_buffer_bytes) {
    const Result<int> fd = open_socket(at, receive_buffer_bytes);
    if (!fd) return fd.error();
    const SocketName name = name_of(at);
    if (::bind(*fd, reinterpret_cast<const sockaddr*>(&name.storage), name.size) != 0) {
        Error error = system_error("UDP port " + std::to_string(at.port) + " of " + at.ip_text() + " can not be had");
        ::close(*fd);
        return error;
    }
    return UdpSocket(std::make_shared<Impl>(loop, *fd));
}

void UdpSocket::read_loop(std::function<void(const Received&)> take, std::function<void(std::uint32_t)> dropped) {
    impl_->take = std::move(take);
    impl_->dropped = std::move(dropped);
    impl_->last_empty = BootClock::now();
    impl_->wait();
}

void UdpSocket::drain() {
    const auto held = impl_;  // a call-back may destroy the socket
    held->drain();
}

bool UdpSocket::send(std::span<const std::uint8_t> bytes) {
    const auto once = [&] {
        return ::send(impl_->socket.native_handle(), bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL) >= 0;
    };
    if (once()) return true;
    if (errno != ECONNREFUSED) return false;
    ++impl_->errors;  // of an earlier datagram; it kept this one from leaving
    return once();
}

bool UdpSocket::send_to(std::span<const std::uint8_t> bytes, const UdpAddress& to) {
    const SocketName name = name_of(to);
    return ::sendto(impl_->socket.native_handle(), bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL,
                    reinterpret_cast<const sockaddr*>(&name.storage), name.size) >= 0;
}

UdpAddress UdpSocket::local() const {
    sockaddr_storage storage{};
    socklen_t size = sizeof storage;
    if (getsockname(impl_->socket.native_handle(), reinterpret_cast<sockaddr*>(&storage), &size) != 0) return {};
    return address_of(storage);
}

int UdpSocket::receive_buffer_bytes() const {
    return option(impl_->socket.native_handle(), SO_RCVBUF) / 2;  // the kernel doubles it for its own bookkeeping
}

std::uint64_t UdpSocket::errors() const {
    return impl_->errors;
}

}  // namespace lestapenna::discord
