// An HTTP/1.1 server with websockets on one port, in the clear or with TLS.
//
// Thread: the loop's, handlers included; each connection is a coroutine of its own. A server that answers with files
// reads them on its loop, a piece at a time: it has a loop of its own, never the one that records. Ownership:
// destroying the Server stops listening and drops its HTTP connections; WebSockets that were handed over live on.
// Errors: what a client does wrong ends that client's connection with a 4xx, never more; a handler that is under way
// when the Server goes runs to its end, and its answer nowhere; a file that can not be read to the end of what was
// promised cuts the connection, so that the client knows. Limits: headers 16 KB, TLS and websocket handshakes 10 s, see
// ServerOptions.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/files.h"
#include "base/result.h"
#include "net/http.h"
#include "net/loop.h"
#include "net/tls.h"
#include "net/websocket.h"

namespace lestapenna::net {

struct ServerOptions {
    std::string address = "127.0.0.1";
    std::uint16_t port = 0;  ///< 0: the kernel chooses
    std::optional<Certificate> tls;
    std::size_t max_body_bytes = 64u << 20;
    std::size_t max_connections = 4'096;  ///< websockets among them while their handler runs; more have to wait
    /// For a whole head, between two pieces of a body that comes, and for each 64 KB of an answer to be taken.
    nanoseconds idle_timeout = seconds(60);
};

/// Part of a file as the body of an answer. Open, so that what is sent is what was looked at, whatever is renamed to
/// its name meanwhile. Never in memory as a whole.
struct FileBody {
    Fd file;
    std::uint64_t offset = 0;
    std::uint64_t length = 0;
};

/// How an answer leaves; all but `whole` are for the sandbox's scripted trouble.
enum class Delivery : std::uint8_t {
    whole,
    half,   ///< head and half of the body, then the connection is cut
    reset,  ///< the connection is cut before a byte is sent
};
struct Reply {
    HttpResponse response;
    std::optional<FileBody> file{};  ///< instead of the response's body
    Delivery delivery = Delivery::whole;
};

struct Handlers {
    std::function<Task<Reply>(HttpRequest)> request;
    /// An upgrade was asked for: the request, and the socket after the handshake. Empty: upgrades get 426.
    std::function<Task<>(HttpRequest, std::unique_ptr<WebSocket>)> websocket;
};

class Server {
  public:
    /// Errors: failed, as the system says (a port that is taken).
    static Result<Server> listen(Loop& loop, ServerOptions options, Handlers handlers);
    Server(Server&&) noexcept;
    Server& operator=(Server&&) noexcept;
    ~Server();
    [[nodiscard]] std::uint16_t port() const;

  private:
    struct Impl;
    explicit Server(std::shared_ptr<Impl> impl);
    std::shared_ptr<Impl> impl_;
};

}  // namespace lestapenna::net
