#include "net/stream.h"

#include <optional>

#include <boost/asio/connect.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/host_name_verification.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <fcntl.h>
#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>

#include "net/await.h"
#include "net/trust_store.h"

namespace lestapenna::net {

namespace ssl = asio::ssl;
using asio::ip::tcp;

namespace {

/// How long an orderly end may take.
constexpr nanoseconds kFinishTime = seconds(2);

std::string tls_reason(ssl::stream<tcp::socket&>& tls, const error_code& error) {
    const long verified = SSL_get_verify_result(tls.native_handle());
    if (verified != X509_V_OK) {
        return std::string("its certificate is not accepted: ") + X509_verify_cert_error_string(verified);
    }
    return "TLS handshake failed: " + error.message();
}

Result<TlsContext> client_context(const Trust& trust) {
    auto store = trust_store(trust);
    if (!store) return store.error();
    auto context = std::make_shared<ssl::context>(ssl::context::tls_client);
    SSL_CTX_set_min_proto_version(context->native_handle(), TLS1_2_VERSION);
    SSL_CTX_set1_cert_store(context->native_handle(), store->get());
    return context;
}

}  // namespace

void close_on_exec(int socket) {
    fcntl(socket, F_SETFD, FD_CLOEXEC);
}

Result<TlsContext> server_context(const Certificate& certificate) {
    auto context = std::make_shared<ssl::context>(ssl::context::tls_server);
    SSL_CTX_set_min_proto_version(context->native_handle(), TLS1_2_VERSION);
    error_code error;
    context->use_certificate_chain(asio::buffer(certificate.certificate_pem), error);
    if (!error) context->use_private_key(asio::buffer(certificate.key_pem), ssl::context::pem, error);
    if (!error && SSL_CTX_check_private_key(context->native_handle()) != 1) error = asio::error::invalid_argument;
    if (error) {
        return Error{ErrorKind::damaged, "the server's certificate and key can not be used: " + error.message()};
    }
    return context;
}

struct Stream::Connection {
    explicit Connection(tcp::socket on) : socket(std::move(on)) {}

    void connected() {
        // Heartbeats and voice signalling are small and urgent; Nagle would hold them back for up to 40 ms.
        error_code ignored;
        socket.set_option(tcp::no_delay(true), ignored);
        close_on_exec(socket.native_handle());
    }

    void close() {
        error_code ignored;
        socket.close(ignored);
    }

    tcp::socket socket;
    TlsContext context;
    std::optional<ssl::stream<tcp::socket&>> tls;
};

Stream::Stream(tcp::socket connected) : connection_(std::make_shared<Connection>(std::move(connected))) {
    connection_->connected();
}

Stream::Stream(const executor_type& executor) : connection_(std::make_shared<Connection>(tcp::socket(executor))) {}

Task<error_code> Stream::connect(tcp::resolver::results_type addresses) const {
    const Stream self = *this;  // the caller's may be gone before the end
    const auto [error, endpoint] = co_await asio::async_connect(self.connection_->socket, addresses, kAwait);
    if (!error) self.connection_->connected();
    co_return error;
}

Task<Status> Stream::start_tls(std::string host, Trust trust) const {
    const Stream self = *this;
    auto context = client_context(trust);
    if (!context) co_return context.error();
    Connection& connection = *self.connection_;
    connection.context = *context;
    auto& tls = connection.tls.emplace(connection.socket, *connection.context);
    error_code error;
    tls.set_verify_mode(ssl::verify_peer, error);
    tls.set_verify_callback(ssl::host_name_verification(host), error);
    asio::ip::make_address(host, error);
    if (error) {  // an address is no server name (RFC 6066). The call is SSL_set_tlsext_host_name, a macro with C casts
        SSL_ctrl(tls.native_handle(), SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name, host.data());
    }
    const auto [failed] = co_await tls.async_handshake(ssl::stream_base::client, kAwait);
    if (failed) co_return Error{ErrorKind::failed, tls_reason(tls, failed)};
    co_return Ok();
}

Task<Status> Stream::accept_tls(TlsContext context) const {
    const Stream self = *this;
    Connection& connection = *self.connection_;
    connection.context = std::move(context);
    auto& tls = connection.tls.emplace(connection.socket, *connection.context);
    const auto [failed] = co_await tls.async_handshake(ssl::stream_base::server, kAwait);
    if (failed) co_return Error{ErrorKind::failed, "TLS handshake failed: " + failed.message()};
    co_return Ok();
}

Stream::executor_type Stream::get_executor() const {
    return connection_->socket.get_executor();
}

void Stream::read(asio::mutable_buffer into, Done done) const {
    if (connection_->tls) {
        connection_->tls->async_read_some(into, std::move(done));
    } else {
        connection_->socket.async_read_some(into, std::move(done));
    }
}

void Stream::write(const Gathered& from, Done done) const {
    if (connection_->tls) {
        connection_->tls->async_write_some(from, std::move(done));
    } else {
        connection_->socket.async_write_some(from, std::move(done));
    }
}

void Stream::drop() const {
    error_code ignored;
    connection_->socket.set_option(asio::socket_base::linger(true, 0), ignored);
    connection_->close();
}

void Stream::finish() const {
    // A close() with bytes unread would become an RST, and that may overtake what we sent: so the other end is told
    // that we are done and read until it is done too.
    const auto drain = [](Stream self) -> Task<> {
        const Deadline deadline(self, kFinishTime);
        Connection& connection = *self.connection_;
        if (connection.tls) co_await connection.tls->async_shutdown(kAwait);
        error_code ignored;
        connection.socket.shutdown(tcp::socket::shutdown_send, ignored);
        std::array<char, 4096> rest;
        for (;;) {
            const auto [error, size] = co_await connection.socket.async_read_some(asio::buffer(rest), kAwait);
            if (error) break;
        }
        connection.close();
    };
    spawn(get_executor(), drain(*this));
}

Deadline::Deadline(const Stream& stream, nanoseconds time) : stream_(stream), timer_(stream.get_executor()) {
    restart(time);
}

void Deadline::restart(nanoseconds time) {
    timer_.expires_after(time);
    timer_.async_wait([stream = stream_, state = state_, round = ++state_->round](const error_code& cancelled) {
        if (cancelled || round != state->round) return;
        state->passed = true;
        stream.drop();
    });
}

}  // namespace lestapenna::net
