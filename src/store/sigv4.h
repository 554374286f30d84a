// Requests and links signed as S3 wants them: AWS Signature Version 4, in the header form and the query form. libcurl's
// own does not fit S3 (it signs paths and queries as they are given and can not presign). Pure functions and values;
// any thread. Nothing here fails. What comes out holds no secret, but the right that the key gives until it expires: no
// log line may hold it.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/config.h"
#include "base/time.h"

namespace lestapenna::store {

/// Names and values, not yet encoded.
using Parameters = std::vector<std::pair<std::string, std::string>>;

struct SigningKey {
    std::string access_key;
    Secret secret_key;
    std::string region;
};

struct Signable {
    std::string method;        ///< upper case
    std::string path;          ///< from its first slash, not encoded
    Parameters query;          ///< in any order
    Parameters headers;        ///< lower-case names, in any order: host, x-amz-... and what else is to be signed
    std::string payload_hash;  ///< SHA-256 of the body in lower-case hex, or kUnsignedPayload
};
inline constexpr std::string_view kUnsignedPayload = "UNSIGNED-PAYLOAD";

/// "20261122T070000Z", as x-amz-date has it.
std::string amz_date(UnixTime time);
/// Every byte but `A-Z a-z 0-9 - _ . ~` as %XX.
std::string percent_encoded(std::string_view text, std::string_view also_kept = "");
/// Sorted and encoded: what is signed, and what has to be sent.
std::string canonical_query(const Parameters& query);
std::string canonical_path(std::string_view path);

/// SHA-256 of the canonical request, in hex: what two signers that disagree compare first.
std::string canonical_hash(const Signable& request);
/// The value of `Authorization`; `headers` hold x-amz-date of the same `now`.
std::string authorization(const SigningKey& key, const Signable& request, UnixTime now);

/// Path and query of a link that gives the object to whoever has it, for `lifetime` (1 s to 7 days) from `now`.
/// `query` holds what the answer's headers are to say (response-content-...).
std::string presigned_target(const SigningKey& key, std::string_view host, std::string_view path, Parameters query,
                             seconds lifetime, UnixTime now);

}  // namespace lestapenna::store
