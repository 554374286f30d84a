// Requests to an S3 server: signed, sent, judged, tried again where that can help.
//
// Tried again with exponential back-off and jitter: lost connections, time-outs, 5xx and "slow down"; a few times only,
// because the durable jobs try for hours. A clock that the server calls wrong is corrected once by the server's date.
// Errors are sentences for a person that name the key to mend; codes and request ids go to the log, signatures, secrets
// and links nowhere. Thread: any; blocks.
#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <optional>
#include <string>

#include "base/result.h"
#include "net/http.h"
#include "store/s3_place.h"
#include "store/s3_transfer.h"
#include "store/sigv4.h"

namespace lestapenna::store {

struct S3Request {
    std::string method;
    std::string path;  ///< S3Place::path_of() or bucket_path()
    Parameters query = {};
    Parameters headers = {};  ///< lower-case names; host and x-amz-... come by themselves
    std::string body = {};
    std::optional<FilePart> file = {};
    std::string payload_hash = {};  ///< of the file; that of a body is found
    std::function<bool(const net::HttpResponse& head, std::span<const char> piece)> sink = {};
    Patience patience = {};
};

/// What was not a success: what the code that asked may decide on, and what to tell.
struct S3Failure {
    int status = 0;    ///< 0: no answer
    std::string code;  ///< S3's word, perhaps empty
    bool passing = false;
    Error error;
};

class S3Client {
  public:
    explicit S3Client(S3Place place) : place_(std::move(place)) {}

    /// Status 2xx, or a failure. `make` is asked before each attempt.
    Result<net::HttpResponse, S3Failure> send(const std::function<S3Request()>& make);
    Result<net::HttpResponse, S3Failure> send(const S3Request& request);
    [[nodiscard]] const S3Place& place() const { return place_; }
    /// As ObjectStore::stop().
    void stop();
    /// An answer that no S3 server gives.
    [[nodiscard]] Error not_s3(std::string_view doing) const;

  private:
    Result<net::HttpResponse, S3Failure> attempt(const S3Request& request);
    Result<net::HttpResponse, NoAnswer> exchange(const S3Request& request);
    bool correct_clock(const net::HttpResponse& response, const std::string& code);
    bool wait_before_next(int tried);
    [[nodiscard]] UnixTime now() const;

    S3Place place_;
    Connections connections_;
    std::atomic<std::int64_t> ahead_ms_{0};  ///< the server's clock before ours
    std::mutex mutex_;
    std::condition_variable ended_;
    bool stopped_ = false;  ///< guarded by mutex_
};

}  // namespace lestapenna::store
