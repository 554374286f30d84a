#include "net/websocket.h"

#include <deque>
#include <optional>

#include <boost/asio/connect.hpp>
#include <boost/beast/websocket/stream.hpp>

#include "base/text.h"
#include "net/await.h"
#include "net/http.h"
#include "net/stream.h"
#include "net/websocket_accept.h"

namespace lestapenna::net {

namespace beast = boost::beast;
namespace websocket = beast::websocket;

/// What Beast does at the end of a websocket. It goes on behind our back, so that read() does not wait for it.
template <class Handler>
void async_teardown(beast::role_type, Stream& stream, Handler&& handler) {
    stream.finish();
    asio::post(stream.get_executor(), beast::bind_front_handler(std::forward<Handler>(handler), error_code()));
}
inline void beast_close_socket(Stream& stream) {
    stream.drop();
}

namespace {

constexpr std::size_t kMaxQueuedBytes = 4u << 20;
constexpr std::size_t kReadBytes = 64u << 10;
constexpr nanoseconds kCloseTime = seconds(2);
constexpr nanoseconds kAcceptTime = seconds(10);
constexpr std::size_t kMaxReasonBytes = 123;  // a control frame holds 125, two of them the code (RFC 6455 section 5.5)
constexpr std::uint16_t kNoCode = 1005;

/// At most `max` bytes of it, and no half character.
std::string_view shortened(std::string_view text, std::size_t max) {
    if (text.size() <= max) return text;
    while (max > 0 && (static_cast<unsigned char>(text[max]) & 0xC0) == 0x80) --max;
    return text.substr(0, max);
}

struct Connection : std::enable_shared_from_this<Connection> {
    using Ws = websocket::stream<Stream, false>;  // false: no permessage-deflate, nor its compile time

    struct Outgoing {
        bool binary = false;
        std::string bytes;
    };

    Connection(const Stream& on, std::size_t max_message_bytes) : stream(on), ws(on) {
        ws.read_message_max(max_message_bytes);
        ws.auto_fragment(false);  // a message is one frame: in pieces of 4 KB it would only cost more
        ws.set_option(websocket::stream_base::timeout{websocket::stream_base::none(), websocket::stream_base::none(),
                                                      false});  // time is kept by whoever waits
    }

    void send(bool binary, std::string bytes) {
        if (over || closing) return;
        if (queued_bytes >= kMaxQueuedBytes) {
            end({0, "dropped: 4 MB were queued and the other end did not read"});
            stream.drop();
            return;
        }
        queued_bytes += bytes.size();
        queue.push_back({binary, std::move(bytes)});
        wake_writer();
    }

    void close(std::uint16_t code, std::string_view words) {
        if (over || closing) return;
        if (code != kNoCode && code != 0) {
            closing.emplace(code);
            const std::string_view fitting = shortened(words, kMaxReasonBytes);
            closing->reason.assign(fitting.data(), fitting.size());
        } else {
            closing.emplace();
        }
        give_up.emplace(stream, kCloseTime);
        wake_writer();
    }

    void drop() {
        end({0, "dropped by us"});
        stream.drop();
    }

    /// The holder went away.
    void abandon() {
        if (!closing && !over) drop();
    }

    static Task<Incoming> read(std::shared_ptr<Connection> self) {
        if (self->over) co_return *self->over;
        Message message;
        auto buffer = asio::dynamic_buffer(message.bytes);
        do {
            // Piece by piece: a frame's header alone must not make us allocate what it announces.
            const auto [error, size] = co_await self->ws.async_read_some(buffer, kReadBytes, kAwait);
            if (error) self->ended(error);
            if (self->over) co_return *self->over;
        } while (!self->ws.is_message_done());
        message.binary = self->ws.got_binary();
        co_return message;
    }

  private:
    /// Only the first reason counts.
    void end(Closed closed) {
        if (over) return;
        over = std::move(closed);
        queue.clear();
    }

    /// A read, a write or the closing ended with `error`.
    void ended(const error_code& error) {
        end(why(error));
        // Beast ends in good order what was closed or broke the protocol, and cancels what it closed itself. Anything
        // else is a lost connection, where a write could wait for ever.
        if (error && error != asio::error::operation_aborted && !is_beasts(error)) stream.drop();
    }

    static bool is_beasts(const error_code& error) {
        return error.category() == make_error_code(websocket::error::closed).category();
    }

    Closed why(const error_code& error) {
        if (error == websocket::error::closed || !error) {
            const auto& reason = ws.reason();
            return {reason.code == websocket::close_code::none ? kNoCode : reason.code,
                    std::string(reason.reason.data(), reason.reason.size())};
        }
        if (give_up && give_up->passed()) return {0, "we closed and got no answer within 2 s"};
        if (error == websocket::error::message_too_big || error == websocket::error::buffer_overflow) {
            return {0, "a message was too long; closed with 1009"};
        }
        if (error == websocket::error::bad_frame_payload) return {0, "a text was not UTF-8; closed with 1007"};
        if (is_beasts(error)) {
            return {0, "not a websocket's frames (" + error.message() + "); closed with 1002"};
        }
        return {0, "connection lost: " + error.message()};
    }

    void wake_writer() {
        if (writing) return;
        writing = true;
        spawn(stream.get_executor(), write_all(shared_from_this()));
    }

    static Task<> write_all(std::shared_ptr<Connection> self) {
        while (!self->over && !self->queue.empty()) {
            const Outgoing next = std::move(self->queue.front());
            self->queue.pop_front();
            self->ws.binary(next.binary);
            const auto [error, size] = co_await self->ws.async_write(asio::buffer(next.bytes), kAwait);
            self->queued_bytes -= next.bytes.size();
            if (error) break;  // whoever reads hears why
        }
        if (!self->over && self->closing) {
            const websocket::close_reason reason = *self->closing;
            const auto [error] = co_await self->ws.async_close(reason, kAwait);
            if (error != asio::error::operation_aborted) self->ended(error);  // else whoever reads has heard why
        }
        self->give_up.reset();
        self->writing = false;
    }

  public:
    Stream stream;
    Ws ws;

  private:
    std::deque<Outgoing> queue;
    std::size_t queued_bytes = 0;
    bool writing = false;
    std::optional<websocket::close_reason> closing;
    std::optional<Deadline> give_up;
    std::optional<Closed> over;
};

class Handle final : public WebSocket {
  public:
    explicit Handle(std::shared_ptr<Connection> connection) : connection_(std::move(connection)) {}
    Handle(const Handle&) = delete;
    Handle& operator=(const Handle&) = delete;
    ~Handle() override { connection_->abandon(); }

    Task<Incoming> read() override { return Connection::read(connection_); }
    void send(std::string text) override { connection_->send(false, std::move(text)); }
    void send_binary(std::string bytes) override { connection_->send(true, std::move(bytes)); }
    void close(std::uint16_t code, std::string_view reason) override { connection_->close(code, reason); }
    void drop() override { connection_->drop(); }

  private:
    std::shared_ptr<Connection> connection_;
};

/// What connect() and its background share: a name lookup can not be stopped, so connect() must be able to leave it.
struct Attempt {
    Attempt(Loop& loop, ConnectOptions wanted, Url to) : done(loop), options(std::move(wanted)), url(std::move(to)) {}
    /// Only the first result counts.
    void end(Result<std::unique_ptr<WebSocket>> with) {
        if (!result) result = std::move(with);
        done.set();
    }
    void fail(const std::string& why) { end(Error{ErrorKind::failed, "no websocket to " + url.host + ": " + why}); }

    Signal done;
    ConnectOptions options;
    Url url;
    std::optional<Stream> stream;
    bool abandoned = false;
    std::optional<Result<std::unique_ptr<WebSocket>>> result;
};

std::string host_header(const Url& url) {
    const std::string host = url.host.find(':') == std::string::npos ? url.host : "[" + url.host + "]";
    return url.port == (url.encrypted() ? 443 : 80) ? host : host + ":" + std::to_string(url.port);
}

std::string why_not(const error_code& error, const websocket::response_type& answer) {
    if (error == websocket::error::upgrade_declined) {
        return "it answered with status " + std::to_string(answer.result_int()) + " instead of a websocket";
    }
    return "no answer to the handshake that we understand: " + error.message();
}

Task<> attempt(std::shared_ptr<Attempt> self) {
    const auto executor = co_await asio::this_coro::executor;
    asio::ip::tcp::resolver resolver(executor);
    const std::string port = std::to_string(self->url.port);
    const auto [unknown, found] = co_await resolver.async_resolve(self->url.host, port, kAwait);
    if (self->abandoned) co_return;
    if (unknown) co_return self->fail("its name could not be looked up: " + unknown.message());

    const Stream stream(executor);
    self->stream = stream;
    if (const error_code refused = co_await stream.connect(found)) co_return self->fail(refused.message());
    if (self->url.encrypted()) {
        const Status secured = co_await stream.start_tls(self->url.host, self->options.trust);
        if (!secured) co_return self->fail(secured.error().message);
    }
    auto connection = std::make_shared<Connection>(stream, self->options.max_message_bytes);
    connection->ws.set_option(websocket::stream_base::decorator([self](websocket::request_type& request) {
        for (const auto& [name, value] : self->options.headers) request.set(name, value);
    }));
    websocket::response_type answer;
    const std::string host = host_header(self->url);
    const auto [refused] = co_await connection->ws.async_handshake(answer, host, self->url.target, kAwait);
    connection->ws.set_option(websocket::stream_base::decorator([](websocket::request_type&) {}));
    if (refused) co_return self->fail(why_not(refused, answer));
    self->end(std::unique_ptr<WebSocket>(std::make_unique<Handle>(std::move(connection))));
}

Task<Result<std::unique_ptr<WebSocket>>> run(std::shared_ptr<Attempt> self) {
    const auto executor = co_await asio::this_coro::executor;
    spawn(executor, attempt(self));
    if (!co_await self->done.wait_for(self->options.timeout)) {
        self->fail("no answer within " +
                   std::to_string(std::chrono::duration_cast<milliseconds>(self->options.timeout).count()) + " ms");
        self->abandoned = true;
        if (self->stream) self->stream->drop();
    }
    co_return std::move(*self->result);
}

}  // namespace

Task<std::unique_ptr<WebSocket>> accept_websocket(Stream stream, HttpRequest request, std::size_t max_message_bytes) {
    beast::http::request<beast::http::empty_body> upgrade(beast::http::verb::get, request.target, 11);
    for (const auto& [name, value] : request.headers) upgrade.insert(name, value);
    const Deadline deadline(stream, kAcceptTime);
    auto connection = std::make_shared<Connection>(stream, max_message_bytes);
    const auto [error] = co_await connection->ws.async_accept(upgrade, kAwait);
    if (error) {
        stream.finish();
        co_return nullptr;
    }
    co_return std::make_unique<Handle>(std::move(connection));
}

Task<Result<std::unique_ptr<WebSocket>>> connect(ConnectOptions options) {
    auto url = Url::parse(options.url);
    if (!url) co_return url.error();
    if (url->scheme != "ws" && url->scheme != "wss") {
        co_return Error{ErrorKind::usage,
                        "a websocket needs a ws:// or wss:// URL, and " + url->scheme + ":// is none"};
    }
    if (!well_formed(Headers(options.headers.begin(), options.headers.end()))) {
        co_return Error{ErrorKind::usage, "a header for " + url->host + " holds characters that no header may hold"};
    }
    const auto executor = co_await asio::this_coro::executor;
    Loop& loop = static_cast<Loop&>(asio::query(executor, asio::execution::context));
    co_return co_await run(std::make_shared<Attempt>(loop, std::move(options), std::move(*url)));
}

}  // namespace lestapenna::net
