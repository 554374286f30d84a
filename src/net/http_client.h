// Requests over HTTP/1.1 and HTTP/2 through libcurl: pooled connections, proxies from the environment, TLS. A thread of
// its own drives them, so that a slow name lookup never stops the loop.
//
// Thread: send() on the loop; answers come back on it. Ownership: destroying the client ends what is under way with an
// error; before the loop goes. Errors are values: no answer, a cut answer, a time-out, an answer above
// `max_body_bytes`. Any status is an answer. A request leaves once at most: whether it may be repeated is for who knows
// what it does. Redirects are not followed. Bodies and header values are never logged.
#pragma once

#include <memory>
#include <string>

#include "base/result.h"
#include "net/http.h"
#include "net/loop.h"
#include "net/tls.h"

namespace lestapenna::net {

struct HttpClientOptions {
    Trust trust;
    nanoseconds connect_timeout = seconds(10);
    std::size_t max_body_bytes = 32u << 20;
    std::size_t max_connections_per_host = 8;
};

class HttpClient {
  public:
    HttpClient(Loop& loop, HttpClientOptions options);
    ~HttpClient();
    HttpClient(const HttpClient&) = delete;
    HttpClient& operator=(const HttpClient&) = delete;

    /// `timeout` covers everything, from name lookup to the last byte.
    Task<Result<HttpResponse>> send(HttpRequest request, nanoseconds timeout);

  private:
    struct Impl;
    std::shared_ptr<Impl> impl_;
};

}  // namespace lestapenna::net
