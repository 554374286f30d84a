#include "store/s3_errors.h"

#include <algorithm>
#include <array>

#include "base/log.h"
#include "store/s3_xml.h"

namespace lestapenna::store {

namespace {

constexpr int kNotFound = 404;

std::string at(const S3Place& place) {
    return "the store at " + place.host;
}

std::string say(const S3Place& place, NoAnswer::Why why) {
    switch (why) {
        case NoAnswer::Why::unknown_host:
            return "no server is called " + place.host + ": check store.endpoint and this machine's network";
        case NoAnswer::Why::refused:
            return at(place) + " can not be reached: check store.endpoint, or wait until the server is back";
        case NoAnswer::Why::not_trusted:
            return at(place) +
                   " shows a certificate that nobody we trust has signed: check store.endpoint, or put the certificate "
                   "of its authority into a file and name that in store.ca_file";
        case NoAnswer::Why::other_name:
            return at(place) + " shows a certificate that is for another name: check store.endpoint";
        case NoAnswer::Why::no_tls:
            return at(place) + " does not speak TLS: check store.endpoint (http:// needs store.allow_plaintext = true)";
        case NoAnswer::Why::too_slow:
            return at(place) + " does not answer in time; it is tried again later";
        case NoAnswer::Why::sink:
            return "what " + at(place) + " sent could not be written";
        case NoAnswer::Why::stopped:
            return "the program ends; it is tried again at its next start";
        case NoAnswer::Why::broken:
            break;
    }
    return "the connection to " + at(place) + " broke; it is tried again later";
}

bool is_one_of(std::string_view code, std::initializer_list<std::string_view> codes) {
    return std::ranges::find(codes, code) != codes.end();
}

/// By the code first, then by the status: some servers say 400 for what is their own trouble.
bool passing(int status, std::string_view code) {
    if (is_one_of(code, {"InternalError", "ServiceUnavailable", "SlowDown", "TooManyRequests", "RequestTimeout",
                         "OperationAborted", "ConditionalRequestConflict"})) {
        return true;
    }
    if (is_one_of(code, {"AccessDenied", "NotImplemented"})) return false;
    return is_one_of(std::to_string(status), {"408", "429", "500", "502", "503", "504"});
}

std::string say(const S3Place& place, int status, const S3ErrorBody& body) {
    const std::string& code = body.code;
    if (code == "NoSuchKey") return at(place) + " has no such object";
    if (code == "NoSuchBucket") {
        return at(place) + " has no bucket \"" + place.bucket + "\": make it, or correct store.url";
    }
    if (code == "InvalidAccessKeyId") {
        return at(place) + " does not know the key: check store.access_key";
    }
    if (code == "SignatureDoesNotMatch") {
        return at(place) + " does not accept our signature: check store.access_key and store.secret_key";
    }
    if (code == "RequestTimeTooSkewed") {
        return at(place) + " says that this machine's clock is wrong: set it (timedatectl)";
    }
    if (is_one_of(code, {"AuthorizationHeaderMalformed", "PermanentRedirect", "TemporaryRedirect",
                         "IllegalLocationConstraintException"}) ||
        (status >= 300 && status < 400)) {
        const std::string which = body.region.empty() ? "" : " to \"" + body.region + "\"";
        return at(place) + " wants another region or address: set store.region" + which + " and check store.endpoint";
    }
    if (code == "AccessDenied" || (code.empty() && status == 403)) {
        return at(place) +
               " refuses: check store.access_key, store.secret_key and this machine's clock, and give the "
               "key the right to read, write, list and delete in the bucket \"" +
               place.bucket + "\"";
    }
    if (is_one_of(code, {"BadDigest", "XAmzContentSHA256Mismatch", "InvalidDigest"})) {
        return at(place) + " received other bytes than we sent; it is tried again later";
    }
    if (passing(status, code)) return at(place) + " is in trouble (" + std::to_string(status) + "); tried again later";
    const std::string why = std::to_string(status) + (code.empty() ? "" : " " + code);
    if (code.empty()) return at(place) + " answers " + why + ", but not as S3 does: check store.endpoint";
    return at(place) + " refuses: " + why;
}

}  // namespace

S3Failure failure_of(const S3Place& place, NoAnswer why) {
    using Why = NoAnswer::Why;
    S3Failure failure;
    failure.passing = why.why == Why::refused || why.why == Why::too_slow || why.why == Why::broken;
    failure.error = {why.why == Why::stopped ? ErrorKind::interrupted : ErrorKind::failed, say(place, why.why)};
    return failure;
}

S3Failure failure_of(const S3Place& place, std::string_view method, const net::HttpResponse& response) {
    const auto body = parse_s3_error(response.body).value_or(S3ErrorBody{});
    S3Failure failure;
    failure.status = response.status;
    failure.code = body.code;
    // The answer to a HEAD has no body.
    const bool absent = body.code == "NoSuchKey" || (method == "HEAD" && response.status == kNotFound);
    // Damaged on the way: once more, the same bytes.
    failure.passing =
        passing(response.status, body.code) || is_one_of(body.code, {"BadDigest", "XAmzContentSHA256Mismatch"});
    failure.error = {absent ? ErrorKind::not_found : ErrorKind::failed,
                     absent ? at(place) + " has no such object" : say(place, response.status, body)};
    if (!absent) {
        log().warn("store: {} answered {} {} (request {})", method, response.status, body.code,
                   body.request_id.empty() ? "without id" : body.request_id);
    }
    return failure;
}

}  // namespace lestapenna::store
