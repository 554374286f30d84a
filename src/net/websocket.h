// A websocket (RFC 6455), either end. Text and binary messages, whole. Ping and pong are answered inside.
//
// Thread: the loop's. Ownership: whoever holds the WebSocket; destroying it drops the connection without a closing
// handshake, and a read() still under way then ends with Closed{0}. Errors: none is thrown; everything that ends the
// connection is one Closed, again at every further read().
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "net/loop.h"
#include "net/tls.h"

namespace lestapenna::net {

struct Message {
    bool binary = false;
    std::string bytes;  ///< text is valid UTF-8 (else the connection was closed with 1007)
};

struct Closed {
    std::uint16_t code = 0;  ///< the other end's close code; 1005: it closed without giving one; 0: lost
    std::string reason;      ///< its words, or ours when the connection was lost
};

using Incoming = std::variant<Message, Closed>;

class WebSocket {
  public:
    virtual ~WebSocket() = default;
    /// One at a time.
    virtual Task<Incoming> read() = 0;
    /// Queued and sent in order; never waits. When 4 MB are queued the other end is not reading: the connection is
    /// dropped.
    virtual void send(std::string text) = 0;
    virtual void send_binary(std::string bytes) = 0;
    /// Sends what is queued, then a close frame, waits up to 2 s for the answer and drops the connection. read() ends
    /// with Closed. May be destroyed after it: the closing goes on.
    virtual void close(std::uint16_t code, std::string_view reason) = 0;
    /// Drops the TCP connection at once, as a cut cable would.
    virtual void drop() = 0;
};

struct ConnectOptions {
    std::string url;  ///< ws://… or wss://…
    Trust trust;
    std::vector<std::pair<std::string, std::string>> headers;
    nanoseconds timeout = seconds(15);  ///< from name lookup to the end of the handshake
    std::size_t max_message_bytes = 16u << 20;
};
/// Errors: failed, with one sentence that names host and cause.
Task<Result<std::unique_ptr<WebSocket>>> connect(ConnectOptions options);

}  // namespace lestapenna::net
