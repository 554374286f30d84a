#include "store/s3_client.h"

#include <algorithm>
#include <cmath>
#include <random>

#include "base/hash.h"
#include "base/log.h"
#include "store/s3_errors.h"

namespace lestapenna::store {

namespace {

constexpr milliseconds kFirstPause{500};
constexpr milliseconds kLongestPause = seconds(8);
/// Servers allow 15 minutes; what is less than this is not why one refuses.
constexpr milliseconds kSkew = std::chrono::minutes(4);

/// Half of it for certain, half by chance: those who failed together do not come back together.
milliseconds pause_after(int tried) {
    thread_local std::minstd_rand random{std::random_device{}()};
    const auto whole = std::min(kLongestPause, kFirstPause * (1 << std::min(tried, 8)));
    std::uniform_int_distribution<std::int64_t> chance(whole.count() / 2, whole.count());
    return milliseconds(chance(random));
}

std::string hash_of(const std::string& body) {
    return hex(Sha256::of({reinterpret_cast<const std::uint8_t*>(body.data()), body.size()}));
}

}  // namespace

UnixTime S3Client::now() const {
    return unix_now() + milliseconds(ahead_ms_.load(std::memory_order_relaxed));
}

Result<net::HttpResponse, NoAnswer> S3Client::exchange(const S3Request& request) {
    const auto time = now();
    Signable signable{request.method, request.path, request.query, request.headers,
                      request.file ? request.payload_hash : hash_of(request.body)};
    signable.headers.emplace_back("host", place_.host);
    signable.headers.emplace_back("x-amz-date", amz_date(time));
    signable.headers.emplace_back("x-amz-content-sha256", signable.payload_hash);

    HttpExchange http;
    http.method = request.method;
    http.url = place_.origin + canonical_path(request.path);
    if (!request.query.empty()) http.url.append("?").append(canonical_query(request.query));
    http.headers.assign(signable.headers.begin(), signable.headers.end());
    http.headers.emplace_back("authorization", authorization(place_.key, signable, time));
    http.body = request.body;
    http.file = request.file;
    http.sink = request.sink;
    http.patience = request.patience;
    http.direct = place_.loopback;
    http.ca_pem = place_.ca_pem;
    return connections_.perform(http);
}

bool S3Client::correct_clock(const net::HttpResponse& response, const std::string& code) {
    // The answer to a HEAD can not say why.
    if (code != "RequestTimeTooSkewed" && !(code.empty() && response.status == 403)) return false;
    const auto date = net::parse_http_date(response.headers.find("date").value_or(""));
    if (!date) return false;
    const auto ahead = std::chrono::duration_cast<milliseconds>(*date - unix_now());
    if (std::chrono::abs(ahead - milliseconds(ahead_ms_.load())) < kSkew) return false;
    ahead_ms_.store(ahead.count());
    log().warn("store: this machine's clock is {} s off the store's; set it, or links will not work",
               std::chrono::duration_cast<seconds>(ahead).count());
    return true;
}

Result<net::HttpResponse, S3Failure> S3Client::attempt(const S3Request& request) {
    for (bool again = true;; again = false) {
        auto answer = exchange(request);
        if (!answer) return failure_of(place_, answer.error());
        if (answer->status >= 200 && answer->status < 300) return std::move(*answer);
        auto failure = failure_of(place_, request.method, *answer);
        if (!again || !correct_clock(*answer, failure.code)) return failure;
    }
}

Result<net::HttpResponse, S3Failure> S3Client::send(const std::function<S3Request()>& make) {
    for (int tried = 0;; ++tried) {
        const auto request = make();
        auto answer = attempt(request);
        if (answer || !answer.error().passing || tried + 1 >= request.patience.attempts) return answer;
        if (!wait_before_next(tried)) return answer;
    }
}

/// False: there is no next one.
bool S3Client::wait_before_next(int tried) {
    std::unique_lock lock(mutex_);
    return !ended_.wait_for(lock, pause_after(tried), [this] { return stopped_; });
}

void S3Client::stop() {
    connections_.stop();
    const std::lock_guard lock(mutex_);
    stopped_ = true;
    ended_.notify_all();
}

Result<net::HttpResponse, S3Failure> S3Client::send(const S3Request& request) {
    return send([&request] { return request; });
}

Error S3Client::not_s3(std::string_view doing) const {
    return {ErrorKind::failed, "the store at " + place_.host + " does not answer as S3 does when asked to " +
                                   std::string(doing) + ": check store.endpoint"};
}

}  // namespace lestapenna::store
