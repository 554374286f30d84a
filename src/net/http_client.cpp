#include "net/http_client.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <csignal>
#include <map>
#include <mutex>
#include <thread>

#include <boost/asio/post.hpp>
#include <curl/curl.h>
#include <openssl/ssl.h>

#include "base/free.h"
#include "base/text.h"
#include "net/trust_store.h"

namespace lestapenna::net {

namespace {

constexpr std::size_t kMaxHeaderBytes = 256u << 10;
constexpr int kPollMs = 60'000;  // nothing depends on it: new work wakes the poll, and libcurl knows its own timers

using Easy = std::unique_ptr<CURL, Free<curl_easy_cleanup>>;
using Multi = std::unique_ptr<CURLM, Free<curl_multi_cleanup>>;
using List = std::unique_ptr<curl_slist, Free<curl_slist_free_all>>;

/// A request on its way: the loop's, then the thread's from queue to answer, then the loop's again.
struct Transfer {
    Transfer(Loop& loop, HttpRequest wanted, Url to, nanoseconds within)
        : request(std::move(wanted)), url(std::move(to)), timeout(within), done(loop) {}

    HttpRequest request;
    Url url;
    nanoseconds timeout;
    std::size_t max_body_bytes = 0;
    StorePtr trusted;
    Easy easy;
    List headers;
    std::array<char, CURL_ERROR_SIZE> why = {};
    std::size_t header_bytes = 0;
    bool too_long = false;
    bool whole_head = false;
    bool sent = false;
    Result<HttpResponse> result = HttpResponse{};
    Signal done;
};
using TransferPtr = std::shared_ptr<Transfer>;

Error failed(const Transfer& transfer, const std::string& why) {
    return {ErrorKind::failed, "no answer from " + transfer.url.host + ": " + why};
}

extern "C" std::size_t lestapenna_on_header(char* data, std::size_t, std::size_t size, void* user) {
    auto& transfer = *static_cast<Transfer*>(user);
    const std::string_view line = trimmed({data, size});
    transfer.header_bytes += size;
    if (transfer.header_bytes > kMaxHeaderBytes) {
        transfer.too_long = true;
        return 0;
    }
    // A new status line: what came before was "100 Continue".
    if (line.starts_with("HTTP/")) {
        transfer.result->headers.clear();
        transfer.whole_head = false;
    }
    if (line.empty()) transfer.whole_head = true;
    const std::size_t colon = line.find(':');
    if (colon != std::string_view::npos && colon != 0) {
        transfer.result->headers.emplace_back(line.substr(0, colon), trimmed(line.substr(colon + 1)));
    }
    return size;
}

extern "C" std::size_t lestapenna_on_body(char* data, std::size_t, std::size_t size, void* user) {
    auto& transfer = *static_cast<Transfer*>(user);
    if (size > transfer.max_body_bytes - transfer.result->body.size()) {
        transfer.too_long = true;
        return size + 1;  // anything but size ends the transfer
    }
    transfer.result->body.append(data, size);
    return size;
}

/// libcurl sends a request again, whatever its method, when a pooled connection ends without an answer; the server may
/// have done by then what it was asked to.
extern "C" int lestapenna_on_sending(void* user, char*, char*, int, int) {
    return std::exchange(static_cast<Transfer*>(user)->sent, true) ? CURL_PREREQFUNC_ABORT : CURL_PREREQFUNC_OK;
}

extern "C" CURLcode lestapenna_on_tls(CURL*, void* context, void* user) {
    SSL_CTX_set1_cert_store(static_cast<SSL_CTX*>(context), static_cast<Transfer*>(user)->trusted.get());
    return CURLE_OK;
}

template <class Value>
void set(Transfer& transfer, CURLoption option, Value value) {
    curl_easy_setopt(transfer.easy.get(), option, value);
}

List header_list(const HttpRequest& request) {
    List list;
    const auto add = [&list](const std::string& line) { list.reset(curl_slist_append(list.release(), line.c_str())); };
    // "Name;" is how libcurl is told of a header without a value.
    for (const auto& [name, value] : request.headers) {
        std::string line = name;
        add(trimmed(value).empty() ? line.append(";") : line.append(": ").append(value));
    }
    // libcurl would wait a second for a 100 that few servers send, and call a body a form.
    add("Expect:");
    if (!request.headers.find("Content-Type")) add("Content-Type:");
    return list;
}

void prepare_body(Transfer& transfer) {
    const HttpRequest& request = transfer.request;
    const bool expects_body = request.method == "POST" || request.method == "PUT" || request.method == "PATCH";
    if (request.method == "HEAD") {
        set(transfer, CURLOPT_NOBODY, 1L);
    } else if (expects_body || !request.body.empty()) {
        set(transfer, CURLOPT_POST, 1L);
        set(transfer, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request.body.size()));
        set(transfer, CURLOPT_POSTFIELDS, request.body.c_str());
    }
    set(transfer, CURLOPT_CUSTOMREQUEST, request.method.c_str());
}

long in_ms(nanoseconds time) {
    // At least 1: to libcurl 0 means for ever.
    return static_cast<long>(std::max<std::int64_t>(1, std::chrono::ceil<milliseconds>(time).count()));
}

void prepare(Transfer& transfer, const HttpClientOptions& options) {
    transfer.easy.reset(curl_easy_init());
    if (!transfer.easy) return;
    transfer.headers = header_list(transfer.request);
    set(transfer, CURLOPT_URL, transfer.request.target.c_str());
    set(transfer, CURLOPT_PROTOCOLS_STR, "http,https");
    set(transfer, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_2TLS));
    set(transfer, CURLOPT_PATH_AS_IS, 1L);
    set(transfer, CURLOPT_FOLLOWLOCATION, 0L);
    set(transfer, CURLOPT_NOSIGNAL, 1L);
    set(transfer, CURLOPT_QUICK_EXIT, 1L);  // ending the client does not wait for a name lookup
    set(transfer, CURLOPT_TCP_KEEPALIVE, 1L);
    set(transfer, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    set(transfer, CURLOPT_CONNECTTIMEOUT_MS, in_ms(options.connect_timeout));
    set(transfer, CURLOPT_TIMEOUT_MS, in_ms(transfer.timeout));
    if (transfer.url.loopback()) set(transfer, CURLOPT_PROXY, "");
    set(transfer, CURLOPT_HTTPHEADER, transfer.headers.get());
    prepare_body(transfer);
    set(transfer, CURLOPT_ERRORBUFFER, transfer.why.data());
    set(transfer, CURLOPT_PREREQFUNCTION, lestapenna_on_sending);
    set(transfer, CURLOPT_PREREQDATA, static_cast<void*>(&transfer));
    set(transfer, CURLOPT_HEADERFUNCTION, lestapenna_on_header);
    set(transfer, CURLOPT_HEADERDATA, static_cast<void*>(&transfer));
    set(transfer, CURLOPT_WRITEFUNCTION, lestapenna_on_body);
    set(transfer, CURLOPT_WRITEDATA, static_cast<void*>(&transfer));
    // Our store instead of libcurl's files, which it would read for each connection.
    set(transfer, CURLOPT_CAINFO, static_cast<char*>(nullptr));
    set(transfer, CURLOPT_CAPATH, static_cast<char*>(nullptr));
    set(transfer, CURLOPT_SSL_CTX_FUNCTION, lestapenna_on_tls);
    set(transfer, CURLOPT_SSL_CTX_DATA, static_cast<void*>(&transfer));
}

std::string why_not(const Transfer& transfer, CURLcode code) {
    if (code == CURLE_OK) return "the connection ended in the middle of the head";  // good enough for libcurl
    if (code == CURLE_ABORTED_BY_CALLBACK) return "the connection ended before an answer came";
    return transfer.why[0] ? transfer.why.data() : curl_easy_strerror(code);
}

void conclude(Transfer& transfer, CURLcode code, const HttpClientOptions& options) {
    if (code == CURLE_OK && transfer.whole_head) {
        long status = 0;
        curl_easy_getinfo(transfer.easy.get(), CURLINFO_RESPONSE_CODE, &status);
        transfer.result->status = static_cast<int>(status);
    } else if (transfer.too_long) {
        transfer.result = Error{ErrorKind::failed, "the answer of " + transfer.url.host + " is longer than the " +
                                                       std::to_string(options.max_body_bytes) + " bytes we accept"};
    } else {
        transfer.result = failed(transfer, why_not(transfer, code));
    }
}

}  // namespace

struct HttpClient::Impl {
    Impl(Loop& on, HttpClientOptions wanted) : loop(on), options(std::move(wanted)) {
        static const CURLcode once = curl_global_init(CURL_GLOBAL_DEFAULT);
        multi.reset(once == CURLE_OK ? curl_multi_init() : nullptr);
        if (!multi) return;
        const auto most = static_cast<long>(options.max_connections_per_host);
        curl_multi_setopt(multi.get(), CURLMOPT_MAX_HOST_CONNECTIONS, most);
        // A signal is for the threads that wait for it.
        sigset_t all;
        sigset_t before;
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &before);
        thread = std::thread([this] { work(); });
        pthread_sigmask(SIG_SETMASK, &before, nullptr);
    }

    void stop() {
        stopped = true;
        if (!thread.joinable()) return;
        curl_multi_wakeup(multi.get());
        thread.join();
    }

    static Task<Result<HttpResponse>> send(std::shared_ptr<Impl> self, HttpRequest request, nanoseconds timeout);

  private:
    void work();
    bool perform();
    void begin(TransferPtr transfer);
    void end(TransferPtr transfer);
    std::vector<TransferPtr> take();

    Loop& loop;
    const HttpClientOptions options;
    Multi multi;
    std::atomic<bool> stopped = false;
    std::mutex mutex;
    std::vector<TransferPtr> queue;  ///< guarded by mutex
    // The thread's own:
    Result<StorePtr> trusted = StorePtr();
    std::map<CURL*, TransferPtr> under_way;
    std::thread thread;
};

Task<Result<HttpResponse>> HttpClient::Impl::send(std::shared_ptr<Impl> self, HttpRequest request,
                                                  nanoseconds timeout) {
    auto url = Url::parse(request.target);
    if (!url) co_return url.error();
    if (url->scheme != "http" && url->scheme != "https") {
        co_return Error{ErrorKind::usage,
                        "a request needs an http:// or https:// URL, and " + url->scheme + ":// is none"};
    }
    if (!well_formed(request.headers) || !well_formed({{request.method, ""}})) {
        co_return Error{ErrorKind::usage, "a header for " + url->host + " holds characters that no header may hold"};
    }
    const auto transfer = std::make_shared<Transfer>(self->loop, std::move(request), std::move(*url), timeout);
    if (self->stopped || !self->multi) co_return failed(*transfer, "the client is closed");
    {
        const std::lock_guard lock(self->mutex);
        self->queue.push_back(transfer);
    }
    curl_multi_wakeup(self->multi.get());
    self.reset();
    co_await transfer->done.wait();
    co_return std::move(transfer->result);
}

void HttpClient::Impl::work() {
    trusted = trust_store(options.trust);
    while (!stopped) {
        for (auto& transfer : take()) begin(std::move(transfer));
        // Once more after each end: libcurl 7.88 forgets the timer of a transfer that it takes from its queue for the
        // connection that became free, when that transfer's turn in this round was over (it then sleeps for 10 s).
        while (perform()) continue;
        curl_multi_poll(multi.get(), nullptr, 0, kPollMs, nullptr);
    }
    for (auto& transfer : take()) {
        transfer->result = failed(*transfer, "the client was closed");
        end(std::move(transfer));
    }
    while (!under_way.empty()) {
        TransferPtr transfer = std::move(under_way.begin()->second);
        transfer->result = failed(*transfer, "the client was closed");
        end(std::move(transfer));
    }
}

std::vector<TransferPtr> HttpClient::Impl::take() {
    const std::lock_guard lock(mutex);
    return std::exchange(queue, {});
}

/// True when a transfer ended.
bool HttpClient::Impl::perform() {
    int running = 0;
    curl_multi_perform(multi.get(), &running);
    bool ended = false;
    int left = 0;
    while (const CURLMsg* message = curl_multi_info_read(multi.get(), &left)) {
        if (message->msg != CURLMSG_DONE) continue;
        const auto found = under_way.find(message->easy_handle);
        conclude(*found->second, message->data.result, options);
        end(std::move(found->second));
        ended = true;
    }
    return ended;
}

void HttpClient::Impl::begin(TransferPtr transfer) {
    if (!trusted) {
        transfer->result = trusted.error();
        return end(std::move(transfer));
    }
    transfer->trusted = *trusted;
    transfer->max_body_bytes = options.max_body_bytes;
    prepare(*transfer, options);
    CURL* const easy = transfer->easy.get();
    if (!easy || curl_multi_add_handle(multi.get(), easy) != CURLM_OK) {
        transfer->result = failed(*transfer, "libcurl has no memory left");
        return end(std::move(transfer));
    }
    under_way.emplace(easy, std::move(transfer));
}

/// Hands it back, the only pointer to it: what it was for libcurl ends here, the rest is freed on the loop's thread.
void HttpClient::Impl::end(TransferPtr transfer) {
    if (CURL* const easy = transfer->easy.get()) {
        curl_multi_remove_handle(multi.get(), easy);
        under_way.erase(easy);
        transfer->easy.reset();
    }
    asio::post(loop, [back = std::move(transfer)] { back->done.set(); });
}

HttpClient::HttpClient(Loop& loop, HttpClientOptions options)
    : impl_(std::make_shared<Impl>(loop, std::move(options))) {}

HttpClient::~HttpClient() {
    impl_->stop();
}

Task<Result<HttpResponse>> HttpClient::send(HttpRequest request, nanoseconds timeout) {
    return Impl::send(impl_, std::move(request), timeout);
}

}  // namespace lestapenna::net
