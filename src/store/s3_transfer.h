// One HTTP exchange with an S3 server: libcurl, without signing, retries or meaning.
//
// Connections keeps at most kParallel exchanges with a file under way, however many threads ask (capture's network
// comes first), and hands connections on from one to the next; a question never waits behind files. Thread: any;
// perform() blocks until the exchange has ended. Certificates and names are always checked, redirects never followed.
// Nothing is logged here.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <semaphore>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/free.h"
#include "base/result.h"
#include "base/time.h"
#include "net/http.h"

namespace lestapenna::store {

/// Part of an open file, sent as a body without a copy in memory.
struct FilePart {
    int fd = -1;
    std::uint64_t offset = 0;
    std::uint64_t length = 0;
};

/// How long an exchange may make no progress. Slow is no failure: 10 KiB/s brings an evening home too.
struct Patience {
    milliseconds connect = seconds(10);
    seconds stalled{20};  ///< under 1 KiB/s for this long
    std::optional<milliseconds> total;
    int attempts = 4;
};

struct HttpExchange {
    std::string method;
    std::string url;
    net::Headers headers;
    std::string body;              ///< of a POST
    std::optional<FilePart> file;  ///< of a PUT
    /// Takes the body of a 200 or 206, in pieces; the head is known by then. False ends the exchange.
    std::function<bool(const net::HttpResponse& head, std::span<const char> piece)> sink;
    Patience patience;
    bool direct = false;           ///< past any proxy
    std::string_view ca_pem = {};  ///< trusted besides the system's authorities
};

/// Why there was no answer.
struct NoAnswer {
    enum class Why {
        unknown_host,
        refused,
        not_trusted,  ///< nobody whom we trust has signed the certificate
        other_name,   ///< the certificate is another server's
        no_tls,
        too_slow,
        sink,
        stopped,
        broken
    } why = Why::broken;
};

class Connections {
  public:
    static constexpr int kParallel = 4;
    Connections();
    ~Connections();
    Connections(const Connections&) = delete;
    Connections& operator=(const Connections&) = delete;

    /// Bodies without a sink, and those of errors, are cut at kLongestBody.
    Result<net::HttpResponse, NoAnswer> perform(const HttpExchange& exchange);
    static constexpr std::size_t kLongestBody = 8u << 20;  // 1,000 keys of 1,024 escaped bytes are 4 MB
    /// What is under way and what comes later ends within about a second. Any thread.
    void stop() { stopped_ = true; }

  private:
    struct Handle;
    std::unique_ptr<Handle> take();
    Result<net::HttpResponse, NoAnswer> perform_now(const HttpExchange& exchange);
    std::counting_semaphore<kParallel> room_{kParallel};
    std::mutex mutex_;
    std::vector<std::unique_ptr<Handle>> idle_;  ///< guarded by mutex_
    std::atomic<bool> stopped_ = false;
};

}  // namespace lestapenna::store
