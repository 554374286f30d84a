#include "net/server.h"

#include <algorithm>
#include <cerrno>
#include <set>

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/status.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/websocket/rfc6455.hpp>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "net/await.h"
#include "net/stream.h"
#include "net/websocket_accept.h"

namespace lestapenna::net {

namespace http = boost::beast::http;
using asio::ip::tcp;

namespace {

constexpr std::uint32_t kMaxHeadBytes = 16u << 10;
constexpr nanoseconds kHandshakeTime = seconds(10);
constexpr nanoseconds kOutOfSockets = milliseconds(100);
constexpr std::size_t kMaxMessageBytes = 16u << 20;
constexpr std::size_t kPieceBytes = 64u << 10;

using Parser = http::request_parser<http::string_body>;

struct Received {
    HttpRequest request;
    bool keep_alive = false;
    bool upgrade = false;
};
/// What a client gets that did it wrong; 0: it is gone.
struct Refusal {
    int status = 0;
};

Received received(Parser& parser) {
    auto message = parser.release();
    Received result;
    result.keep_alive = message.version() >= 11 && message.keep_alive();
    result.upgrade = boost::beast::websocket::is_upgrade(message);
    result.request.method = message.method_string();
    result.request.target = message.target();
    for (const auto& field : message) result.request.headers.emplace_back(field.name_string(), field.value());
    result.request.body = std::move(message.body());
    return result;
}

int status_of(const error_code& error) {
    if (error == http::error::body_limit) return 413;
    if (error == http::error::header_limit) return 431;
    return 400;
}

/// Without this the kernel takes megabytes for a client that is slow and says so only when a third of them are gone:
/// who listens at 16 KB/s takes nothing for a minute then, as far as we can see.
void keep_short_what_waits(tcp::socket& socket) {
    const int bytes = static_cast<int>(kPieceBytes);
    (void)::setsockopt(socket.native_handle(), IPPROTO_TCP, TCP_NOTSENT_LOWAT, &bytes, sizeof bytes);
}

/// Each piece has `idle` to be taken: a client that takes a byte now and then holds a connection, but not for long.
Task<error_code> write_all(Stream stream, std::string_view bytes, nanoseconds idle, Deadline& deadline) {
    while (!bytes.empty()) {
        deadline.restart(idle);
        std::string_view piece = bytes.substr(0, kPieceBytes);
        bytes.remove_prefix(piece.size());
        while (!piece.empty()) {
            const auto [error, size] = co_await stream.async_write_some(asio::buffer(piece), kAwait);
            if (error) co_return error;
            piece.remove_prefix(size);
        }
    }
    co_return error_code();
}

/// An error also when the file has become shorter.
Task<error_code> write_file(Stream stream, const FileBody& body, nanoseconds idle, Deadline& deadline) {
    std::string piece;
    for (std::uint64_t sent = 0; sent < body.length; sent += piece.size()) {
        piece.resize(static_cast<std::size_t>(std::min<std::uint64_t>(kPieceBytes, body.length - sent)));
        const ssize_t got =
            ::pread(body.file.get(), piece.data(), piece.size(), static_cast<off_t>(body.offset + sent));
        if (got < 0) co_return error_code(errno, boost::system::system_category());
        if (got == 0) co_return asio::error::eof;
        piece.resize(static_cast<std::size_t>(got));
        const error_code error = co_await write_all(stream, piece, idle, deadline);
        if (error) co_return error;
    }
    co_return error_code();
}

/// The next request. `buffer` keeps what was read and not used. The head has the idle time from now on, waiting
/// included; the body from piece to piece.
Task<Result<Received, Refusal>> read_request(Stream stream, std::string& buffer, const ServerOptions& options,
                                             Deadline& deadline) {
    Parser parser;
    parser.header_limit(kMaxHeadBytes);
    parser.body_limit(options.max_body_bytes);
    parser.eager(true);
    deadline.restart(options.idle_timeout);
    bool continued = false;
    for (;;) {
        error_code error = http::error::need_more;
        const std::size_t used = buffer.empty() ? 0 : parser.put(asio::buffer(buffer), error);
        buffer.erase(0, used);
        if (error && error != http::error::need_more) co_return Refusal{status_of(error)};
        if (parser.is_done()) co_return received(parser);
        if (used != 0 && !buffer.empty()) continue;
        if (parser.is_header_done()) {
            deadline.restart(options.idle_timeout);
            if (!continued && boost::beast::iequals(parser.get()[http::field::expect], "100-continue")) {
                const error_code gone =
                    co_await write_all(stream, "HTTP/1.1 100 Continue\r\n\r\n", options.idle_timeout, deadline);
                if (gone) co_return Refusal();
            }
            continued = true;
        }
        const std::size_t kept = buffer.size();
        buffer.resize(kept + (parser.is_header_done() ? 64u << 10 : 4u << 10));
        const auto [gone, size] =
            co_await stream.async_read_some(asio::buffer(buffer.data() + kept, buffer.size() - kept), kAwait);
        buffer.resize(kept + size);
        if (gone) co_return Refusal();
    }
}

bool has_no_body(std::string_view method, int status) {
    return method == "HEAD" || status == 204 || status == 304 || status / 100 == 1;
}

/// What says where the answer ends is ours to say, once.
bool is_framing(std::string_view name) {
    return boost::beast::iequals(name, "Content-Length") || boost::beast::iequals(name, "Transfer-Encoding") ||
           boost::beast::iequals(name, "Connection");
}

std::string head_of(const HttpResponse& response, std::uint64_t length, bool keep_alive) {
    const auto reason = http::obsolete_reason(http::int_to_status(static_cast<unsigned>(response.status)));
    std::string head = "HTTP/1.1 " + std::to_string(response.status) + " " + std::string(reason) + "\r\n";
    if (well_formed(response.headers)) {
        for (const auto& [name, value] : response.headers) {
            if (!is_framing(name)) head.append(name).append(": ").append(value).append("\r\n");
        }
    } else {
        log().error("an answer's headers hold characters that no header may hold; sent without them");
    }
    if (!response.headers.find("Date")) head += "Date: " + http_date(unix_now()) + "\r\n";
    if (response.status != 204 && response.status != 304) {
        head += "Content-Length: " + std::to_string(length) + "\r\n";
    }
    if (!keep_alive) head += "Connection: close\r\n";
    return head + "\r\n";
}

}  // namespace

struct Server::Impl : std::enable_shared_from_this<Server::Impl> {
    Impl(Loop& loop, ServerOptions wanted, Handlers called)
        : acceptor(loop), room(loop), options(std::move(wanted)), handlers(std::move(called)) {}

    /// One of the connections we may have at a time, for as long as its coroutine runs.
    struct Place {
        explicit Place(std::shared_ptr<Impl> of) : server(std::move(of)) { ++server->connections; }
        Place(const Place&) = delete;
        Place& operator=(const Place&) = delete;
        ~Place() {
            --server->connections;
            server->room.set();
        }
        std::shared_ptr<Impl> server;
    };
    /// A connection that is ours to drop, for as long as it stands here.
    struct Http {
        Http(Impl& of, Stream on) : server(of), stream(std::move(on)) { server.http.insert(this); }
        Http(const Http&) = delete;
        Http& operator=(const Http&) = delete;
        ~Http() { server.http.erase(this); }
        Impl& server;
        Stream stream;
    };

    Status open();
    void stop();
    static Task<> accept(std::shared_ptr<Impl> self);
    static Task<> serve(std::shared_ptr<Impl> self, std::shared_ptr<Place> place, Stream stream);
    static Task<std::optional<HttpRequest>> talk(std::shared_ptr<Impl> self, Stream stream);
    static Task<bool> answer(std::shared_ptr<Impl> self, Stream stream, Received received, Deadline& deadline);

    tcp::acceptor acceptor;
    Signal room;
    ServerOptions options;
    Handlers handlers;
    TlsContext tls;
    std::size_t connections = 0;
    std::set<Http*> http;
    bool stopped = false;
};

Status Server::Impl::open() {
    if (options.tls) {
        auto context = server_context(*options.tls);
        if (!context) return context.error();
        tls = *context;
    }
    error_code error;
    const auto address = asio::ip::make_address(options.address, error);
    if (error) return Error{ErrorKind::usage, "\"" + options.address + "\" is no IP address to listen on"};
    const tcp::endpoint endpoint(address, options.port);
    acceptor.open(endpoint.protocol(), error);
    if (!error) close_on_exec(acceptor.native_handle());
    if (!error) acceptor.set_option(tcp::acceptor::reuse_address(true), error);
    if (!error) acceptor.bind(endpoint, error);
    if (!error) acceptor.listen(tcp::acceptor::max_listen_connections, error);
    if (error) {
        return Error{ErrorKind::failed, "cannot listen on " + options.address + " port " +
                                            std::to_string(options.port) + ": " + error.message()};
    }
    return Ok();
}

void Server::Impl::stop() {
    stopped = true;
    error_code ignored;
    acceptor.close(ignored);
    room.set();
    for (const Http* connection : http) connection->stream.drop();
}

Task<> Server::Impl::accept(std::shared_ptr<Impl> self) {
    while (!self->stopped) {
        if (self->connections >= self->options.max_connections) {
            self->room.reset();
            co_await self->room.wait();
            continue;
        }
        auto [error, socket] = co_await self->acceptor.async_accept(kAwait);
        if (self->stopped) break;
        if (error) {
            // A client that is gone again, or no file descriptor left: neither is a reason to stop for good.
            if (error != asio::error::connection_aborted) co_await sleep_for(kOutOfSockets);
            continue;
        }
        keep_short_what_waits(socket);
        spawn(self->acceptor.get_executor(), serve(self, std::make_shared<Place>(self), Stream(std::move(socket))));
    }
}

Task<> Server::Impl::serve(std::shared_ptr<Impl> self, [[maybe_unused]] std::shared_ptr<Place> place, Stream stream) {
    auto upgrade = co_await talk(self, stream);
    if (!upgrade || self->stopped) co_return;
    auto socket = co_await accept_websocket(stream, *upgrade, kMaxMessageBytes);
    if (!socket || self->stopped) co_return;
    Task<> task = self->handlers.websocket(std::move(*upgrade), std::move(socket));
    co_await std::move(task);
}

/// Until the connection ends, or somebody wants a websocket.
Task<std::optional<HttpRequest>> Server::Impl::talk(std::shared_ptr<Impl> self, Stream stream) {
    if (self->stopped) co_return std::nullopt;
    const Http ours(*self, stream);
    Deadline deadline(stream, std::min(kHandshakeTime, self->options.idle_timeout));
    if (self->tls) {
        const Status secured = co_await stream.accept_tls(self->tls);
        if (!secured) co_return std::nullopt;
    }
    std::string buffer;
    for (;;) {
        auto read = co_await read_request(stream, buffer, self->options, deadline);
        deadline.pause();
        if (self->stopped || (!read && read.error().status == 0)) co_return std::nullopt;
        int refused = read ? 0 : read.error().status;
        if (read && read->upgrade) {
            if (self->handlers.websocket && buffer.empty()) co_return std::move(read->request);
            refused = self->handlers.websocket ? 400 : 426;  // 400: nothing may follow before our 101
        }
        if (refused != 0) {
            const std::string head = head_of({refused, {}, {}}, 0, false);
            co_await write_all(stream, head, self->options.idle_timeout, deadline);
            stream.finish();
            co_return std::nullopt;
        }
        const bool more = co_await answer(self, stream, std::move(*read), deadline);
        if (!more) co_return std::nullopt;
    }
}

/// True: the connection stays open for another request.
Task<bool> Server::Impl::answer(std::shared_ptr<Impl> self, Stream stream, Received received, Deadline& deadline) {
    const std::string method = received.request.method;
    Reply reply;
    reply.response.status = 404;
    if (self->handlers.request) {
        Task<Reply> task = self->handlers.request(std::move(received.request));
        reply = co_await std::move(task);
    }
    if (self->stopped || reply.delivery == Delivery::reset) {
        stream.drop();
        co_return false;
    }
    const bool keep_alive = received.keep_alive && reply.delivery == Delivery::whole;
    const nanoseconds idle = self->options.idle_timeout;
    std::uint64_t length = reply.file ? reply.file->length : reply.response.body.size();
    std::string bytes = head_of(reply.response, length, keep_alive);
    if (has_no_body(method, reply.response.status)) length = 0;
    if (reply.delivery == Delivery::half) length /= 2;
    if (!reply.file) bytes.append(reply.response.body, 0, static_cast<std::size_t>(length));
    error_code gone = co_await write_all(stream, bytes, idle, deadline);
    if (!gone && reply.file) {
        reply.file->length = length;
        gone = co_await write_file(stream, *reply.file, idle, deadline);
        if (gone) stream.drop();
    }
    if (gone) co_return false;
    if (!keep_alive) stream.finish();
    co_return keep_alive;
}

Server::Server(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}
Server::Server(Server&&) noexcept = default;

Server& Server::operator=(Server&& other) noexcept {
    if (impl_ && impl_ != other.impl_) impl_->stop();
    impl_ = std::move(other.impl_);
    return *this;
}

Server::~Server() {
    if (impl_) impl_->stop();
}

Result<Server> Server::listen(Loop& loop, ServerOptions options, Handlers handlers) {
    auto impl = std::make_shared<Impl>(loop, std::move(options), std::move(handlers));
    if (auto status = impl->open(); !status) return status.error();
    spawn(loop, Impl::accept(impl));
    return Server(std::move(impl));
}

std::uint16_t Server::port() const {
    error_code ignored;
    return impl_->acceptor.local_endpoint(ignored).port();
}

}  // namespace lestapenna::net
