#include "store/s3_transfer.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <utility>

#include <curl/curl.h>
#include <linux/sockios.h>
#include <openssl/x509.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/text.h"

namespace lestapenna::store {

namespace {

constexpr double kLeastBytesPerSecond = 1024;
constexpr long kUploadBuffer = 512L << 10;  // the default of 64 KiB costs a third of the throughput on loopback
constexpr std::size_t kLongestHead = 64u << 10;

using List = std::unique_ptr<curl_slist, Free<curl_slist_free_all>>;

/// What the call-backs know of an exchange under way.
struct UnderWay {
    const HttpExchange& exchange;
    const std::atomic<bool>& stopped;
    const int& socket;  ///< the connection's; -1 before there is one
    net::HttpResponse response{};
    std::size_t head_bytes = 0;
    std::uint64_t sent = 0;
    bool whole_head = false;
    bool sink_refused = false;

    // Of the watch for progress.
    BootTime looked = BootClock::now();
    BootTime moving = looked;  ///< when it was last fast enough
    std::int64_t moved = 0;    ///< bytes, both ways
    bool too_slow = false;
};

extern "C" std::size_t lestapenna_s3_head(char* data, std::size_t, std::size_t size, void* user) {
    auto& now = *static_cast<UnderWay*>(user);
    now.head_bytes += size;
    if (now.head_bytes > kLongestHead) return 0;
    const auto line = trimmed({data, size});
    if (line.starts_with("HTTP/")) {  // a new head: what came before was "100 Continue"
        now.response = {};
        now.response.status = 0;
        now.whole_head = false;
        const auto blank = line.find(' ');
        if (blank == std::string_view::npos) return size;
        for (const char c : line.substr(blank + 1, 3)) {
            if (c < '0' || c > '9') break;
            now.response.status = now.response.status * 10 + (c - '0');
        }
        return size;
    }
    if (line.empty()) now.whole_head = true;
    const auto colon = line.find(':');
    if (colon != std::string_view::npos && colon != 0) {
        now.response.headers.emplace_back(line.substr(0, colon), trimmed(line.substr(colon + 1)));
    }
    return size;
}

extern "C" std::size_t lestapenna_s3_body(char* data, std::size_t, std::size_t size, void* user) {
    auto& now = *static_cast<UnderWay*>(user);
    const bool wanted = now.response.status == 200 || now.response.status == 206;
    if (now.exchange.sink && wanted) {
        now.sink_refused = !now.exchange.sink(now.response, {data, size});
        return now.sink_refused ? size + 1 : size;
    }
    if (size > Connections::kLongestBody - now.response.body.size()) return size + 1;
    now.response.body.append(data, size);
    return size;
}

extern "C" std::size_t lestapenna_s3_read(char* data, std::size_t, std::size_t size, void* user) {
    auto& now = *static_cast<UnderWay*>(user);
    const FilePart& file = *now.exchange.file;
    const auto most = static_cast<std::size_t>(std::min<std::uint64_t>(size, file.length - now.sent));
    ssize_t got = 0;
    do {
        got = ::pread(file.fd, data, most, static_cast<off_t>(file.offset + now.sent));
    } while (got < 0 && errno == EINTR);
    if (got < 0) return CURL_READFUNC_ABORT;
    now.sent += static_cast<std::uint64_t>(got);  // a file cut short meanwhile ends the exchange
    return static_cast<std::size_t>(got);
}

extern "C" int lestapenna_s3_seek(void* user, curl_off_t offset, int origin) {
    if (origin != SEEK_SET) return CURL_SEEKFUNC_CANTSEEK;
    static_cast<UnderWay*>(user)->sent = static_cast<std::uint64_t>(offset);
    return CURL_SEEKFUNC_OK;
}

/// Called at least once a second. libcurl's own watch counts what the kernel has taken as sent: up to 4 MB, which a
/// line of 10 KiB/s takes seven minutes to carry away, while libcurl sees nothing move.
extern "C" int lestapenna_s3_progress(void* user, curl_off_t, curl_off_t received, curl_off_t, curl_off_t taken) {
    auto& now = *static_cast<UnderWay*>(user);
    if (now.stopped) return 1;
    const auto time = BootClock::now();
    if (time - now.looked < seconds(1)) return 0;
    int not_acknowledged = 0;
    if (now.socket >= 0 && ::ioctl(now.socket, SIOCOUTQ, &not_acknowledged) != 0) not_acknowledged = 0;
    const std::int64_t moved = received + taken - not_acknowledged;
    const double passed_s = std::chrono::duration<double>(time - now.looked).count();
    if (static_cast<double>(moved - now.moved) >= kLeastBytesPerSecond * passed_s) now.moving = time;
    now.looked = time;
    now.moved = moved;
    now.too_slow = time - now.moving >= now.exchange.patience.stalled;
    return now.too_slow ? 1 : 0;
}

/// Remembers the socket of a new connection.
extern "C" int lestapenna_s3_socket(void* user, curl_socket_t socket, curlsocktype) {
    *static_cast<int*>(user) = socket;
    return CURL_SOCKOPT_OK;
}

NoAnswer::Why why_of(CURL* easy, CURLcode code) {
    long chain = X509_V_OK;
    switch (code) {
        case CURLE_COULDNT_RESOLVE_HOST:
        case CURLE_COULDNT_RESOLVE_PROXY:
            return NoAnswer::Why::unknown_host;
        case CURLE_COULDNT_CONNECT:
            return NoAnswer::Why::refused;
        case CURLE_PEER_FAILED_VERIFICATION:
        case CURLE_SSL_ISSUER_ERROR:
            curl_easy_getinfo(easy, CURLINFO_SSL_VERIFYRESULT, &chain);
            // libcurl looks at the name first, and says "unspecified" for what it has not looked at yet.
            return chain == X509_V_ERR_UNSPECIFIED ? NoAnswer::Why::other_name : NoAnswer::Why::not_trusted;
        case CURLE_SSL_CONNECT_ERROR:
            return NoAnswer::Why::no_tls;
        case CURLE_OPERATION_TIMEDOUT:
            return NoAnswer::Why::too_slow;
        case CURLE_ABORTED_BY_CALLBACK:
            return NoAnswer::Why::stopped;
        default:
            return NoAnswer::Why::broken;
    }
}

template <class Value>
void set(CURL* easy, CURLoption option, Value value) {
    curl_easy_setopt(easy, option, value);
}

/// The system's authorities stay: libcurl's default folder of them is read beside the blob.
void trust(CURL* easy, std::string_view ca_pem) {
    if (ca_pem.empty()) return;
    // libcurl does not write to it, whatever its type says.
    curl_blob blob{const_cast<char*>(ca_pem.data()), ca_pem.size(), CURL_BLOB_NOCOPY};
    set(easy, CURLOPT_CAINFO_BLOB, &blob);
}

void set_limits(CURL* easy, const Patience& patience) {
    set(easy, CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(patience.connect.count()));
    if (patience.total) set(easy, CURLOPT_TIMEOUT_MS, static_cast<long>(patience.total->count()));
}

void set_body(CURL* easy, const HttpExchange& exchange, UnderWay& now) {
    if (exchange.method == "HEAD") {
        set(easy, CURLOPT_NOBODY, 1L);
    } else if (exchange.file) {
        set(easy, CURLOPT_UPLOAD, 1L);
        set(easy, CURLOPT_INFILESIZE_LARGE, static_cast<curl_off_t>(exchange.file->length));
        set(easy, CURLOPT_UPLOAD_BUFFERSIZE, kUploadBuffer);
        set(easy, CURLOPT_READFUNCTION, lestapenna_s3_read);
        set(easy, CURLOPT_READDATA, static_cast<void*>(&now));
        set(easy, CURLOPT_SEEKFUNCTION, lestapenna_s3_seek);
        set(easy, CURLOPT_SEEKDATA, static_cast<void*>(&now));
    } else if (exchange.method == "POST") {
        set(easy, CURLOPT_POST, 1L);
        set(easy, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(exchange.body.size()));
        set(easy, CURLOPT_POSTFIELDS, exchange.body.c_str());
    }
    set(easy, CURLOPT_CUSTOMREQUEST, exchange.method.c_str());
}

List header_list(const net::Headers& headers) {
    List list;
    const auto add = [&list](const std::string& line) { list.reset(curl_slist_append(list.release(), line.c_str())); };
    for (const auto& [name, value] : headers) add(std::string(name).append(": ").append(value));
    // libcurl would wait a second for a 100 that some servers do not send, and call a body a form.
    add("Expect:");
    if (!headers.find("Content-Type")) add("Content-Type:");
    return list;
}

}  // namespace

struct Connections::Handle {
    int socket = -1;  ///< of its connection, the only one it keeps
    std::unique_ptr<CURL, Free<curl_easy_cleanup>> easy{curl_easy_init()};
};

Connections::Connections() {
    static const CURLcode once = curl_global_init(CURL_GLOBAL_DEFAULT);
    static_cast<void>(once);  // without it curl_easy_init() gives nothing
}

Connections::~Connections() = default;

std::unique_ptr<Connections::Handle> Connections::take() {
    const std::lock_guard lock(mutex_);
    if (idle_.empty()) return std::make_unique<Handle>();
    auto handle = std::move(idle_.back());
    idle_.pop_back();
    return handle;
}

Result<net::HttpResponse, NoAnswer> Connections::perform(const HttpExchange& exchange) {
    if (!exchange.file && !exchange.sink) return perform_now(exchange);
    room_.acquire();
    auto answer = perform_now(exchange);
    room_.release();
    return answer;
}

Result<net::HttpResponse, NoAnswer> Connections::perform_now(const HttpExchange& exchange) {
    auto handle = take();
    CURL* const easy = handle->easy.get();
    if (easy == nullptr) return NoAnswer{};
    UnderWay now{exchange, stopped_, handle->socket};
    const List headers = header_list(exchange.headers);
    set(easy, CURLOPT_URL, exchange.url.c_str());
    set(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    set(easy, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
    set(easy, CURLOPT_PATH_AS_IS, 1L);
    set(easy, CURLOPT_FOLLOWLOCATION, 0L);
    set(easy, CURLOPT_NOSIGNAL, 1L);
    set(easy, CURLOPT_QUICK_EXIT, 1L);  // who is stopped does not wait for a name lookup: up to 40 s
    set(easy, CURLOPT_TCP_KEEPALIVE, 1L);
    set(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    if (exchange.direct) set(easy, CURLOPT_PROXY, "");
    trust(easy, exchange.ca_pem);
    set(easy, CURLOPT_HTTPHEADER, headers.get());
    set_limits(easy, exchange.patience);
    set_body(easy, exchange, now);
    set(easy, CURLOPT_HEADERFUNCTION, lestapenna_s3_head);
    set(easy, CURLOPT_HEADERDATA, static_cast<void*>(&now));
    set(easy, CURLOPT_WRITEFUNCTION, lestapenna_s3_body);
    set(easy, CURLOPT_WRITEDATA, static_cast<void*>(&now));
    set(easy, CURLOPT_MAXCONNECTS, 1L);
    set(easy, CURLOPT_SOCKOPTFUNCTION, lestapenna_s3_socket);
    set(easy, CURLOPT_SOCKOPTDATA, static_cast<void*>(&handle->socket));
    set(easy, CURLOPT_XFERINFOFUNCTION, lestapenna_s3_progress);
    set(easy, CURLOPT_XFERINFODATA, static_cast<void*>(&now));
    set(easy, CURLOPT_NOPROGRESS, 0L);
    const CURLcode code = curl_easy_perform(easy);
    const auto why = why_of(easy, code);
    curl_easy_reset(easy);  // keeps its connection
    {
        const std::lock_guard lock(mutex_);
        idle_.push_back(std::move(handle));
    }
    if (now.sink_refused) return NoAnswer{NoAnswer::Why::sink};
    if (now.too_slow) return NoAnswer{NoAnswer::Why::too_slow};
    // A server may refuse a body before it has read it, and hang up: its answer says more than the broken pipe.
    const bool refused_early = code == CURLE_SEND_ERROR && now.response.status >= 300;
    if (code != CURLE_OK && !refused_early) return NoAnswer{why};
    if (!now.whole_head) return NoAnswer{};  // a head cut short is good enough for libcurl
    return std::move(now.response);
}

}  // namespace lestapenna::store
