// A TCP connection, in the clear or under TLS, as one type: what stands on it (Beast above all) is then compiled once
// and not twice. For the .cpp files of this room.
//
// Thread: the loop's. Ownership: a Stream is a handle, copies are the same connection; every read or write under way
// needs one alive (the coroutine that waits for it has it). When the last one goes, the socket is closed.
#pragma once

#include <array>
#include <memory>
#include <string>
#include <string_view>

#include <boost/asio/any_completion_handler.hpp>
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>

#include "base/result.h"
#include "net/loop.h"
#include "net/tls.h"

namespace boost::asio::ssl {
class context;
}

namespace lestapenna::net {

using boost::system::error_code;
using TlsContext = std::shared_ptr<asio::ssl::context>;

/// Errors: damaged, when the certificate or the key is none or they do not belong together.
Result<TlsContext> server_context(const Certificate& certificate);

/// Asio does not: a program that we start would hold the connection open after we dropped it.
void close_on_exec(int socket);

class Stream {
  public:
    using executor_type = asio::any_io_executor;
    using Done = asio::any_completion_handler<void(error_code, std::size_t)>;
    using Gathered = std::array<asio::const_buffer, 16>;  ///< a handshake's head is a buffer per header: one packet

    explicit Stream(asio::ip::tcp::socket connected);
    explicit Stream(const executor_type& executor);

    /// Tries one address after the other.
    [[nodiscard]] Task<error_code> connect(asio::ip::tcp::resolver::results_type addresses) const;
    /// The TLS handshake, before anything else is sent. Errors: one sentence, without the host's name.
    [[nodiscard]] Task<Status> start_tls(std::string host, Trust trust) const;
    [[nodiscard]] Task<Status> accept_tls(TlsContext context) const;

    executor_type get_executor() const;
    template <class Buffers, class Token>
    auto async_read_some(const Buffers& buffers, Token&& token) {
        return asio::async_initiate<Token, void(error_code, std::size_t)>(
            [self = *this](Done done, asio::mutable_buffer into) { self.read(into, std::move(done)); }, token,
            first(buffers));
    }
    template <class Buffers, class Token>
    auto async_write_some(const Buffers& buffers, Token&& token) {
        return asio::async_initiate<Token, void(error_code, std::size_t)>(
            [self = *this](Done done, const Gathered& from) { self.write(from, std::move(done)); }, token,
            gather(buffers));
    }

    /// Cuts the connection (RST): what was not delivered is lost, operations under way end with an error.
    void drop() const;
    /// Ends it in good order, in the background: what was sent arrives; 2 s at most.
    void finish() const;

  private:
    struct Connection;

    template <class Buffers>
    static asio::mutable_buffer first(const Buffers& buffers) {
        auto buffer = asio::buffer_sequence_begin(buffers);
        const auto end = asio::buffer_sequence_end(buffers);
        while (buffer != end && asio::mutable_buffer(*buffer).size() == 0) ++buffer;
        return buffer == end ? asio::mutable_buffer() : asio::mutable_buffer(*buffer);
    }
    template <class Buffers>
    static Gathered gather(const Buffers& buffers) {
        Gathered gathered;
        std::size_t count = 0;
        const auto end = asio::buffer_sequence_end(buffers);
        for (auto buffer = asio::buffer_sequence_begin(buffers); buffer != end && count < gathered.size(); ++buffer) {
            const asio::const_buffer next(*buffer);
            if (next.size() != 0) gathered[count++] = next;
        }
        return gathered;
    }
    void read(asio::mutable_buffer into, Done done) const;
    void write(const Gathered& from, Done done) const;

    std::shared_ptr<Connection> connection_;
};

/// Drops the stream when its time is up, unless it is gone before. Thread: the loop's.
class Deadline {
  public:
    Deadline(const Stream& stream, nanoseconds time);
    Deadline(const Deadline&) = delete;
    Deadline& operator=(const Deadline&) = delete;
    ~Deadline() { ++state_->round; }
    void restart(nanoseconds time);
    void pause() { ++state_->round; }
    [[nodiscard]] bool passed() const { return state_->passed; }

  private:
    struct State {
        unsigned round = 0;  ///< a timer that has run out already can not be cancelled: it is out of date instead
        bool passed = false;
    };
    Stream stream_;
    std::shared_ptr<State> state_ = std::make_shared<State>();
    asio::steady_timer timer_;
};

}  // namespace lestapenna::net
