// The bodies that S3 speaks in, read and written. What a server says is outside input: reading is total, a body that is
// not what it should be gives nothing. No entities are expanded, nothing is fetched.
// Pure functions and values; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace lestapenna::store {

struct S3ErrorBody {
    std::string code;        ///< letters and digits; "" is never
    std::string request_id;  ///< the same, for the operator of the server; perhaps empty
    std::string region;      ///< the right one, where it was wrong and the server says so
};
std::optional<S3ErrorBody> parse_s3_error(std::string_view body);

struct S3Listed {
    std::string name;  ///< whole key, decoded
    std::uint64_t bytes = 0;
};
struct S3Listing {
    std::vector<S3Listed> objects;
    std::string next;  ///< token for the next page; empty: this was the last
};
std::optional<S3Listing> parse_listing(std::string_view body);

/// UploadId of InitiateMultipartUploadResult.
std::optional<std::string> parse_upload_id(std::string_view body);

struct S3Upload {
    std::string name;       ///< whole key, decoded
    std::string id;         ///< opaque
    std::string initiated;  ///< "2026-11-22T07:00:00.000Z": sorts by time
};
struct S3Uploads {
    std::vector<S3Upload> uploads;
    std::string next_key;  ///< with next_id, for the next page; empty: this was the last
    std::string next_id;
};
std::optional<S3Uploads> parse_uploads(std::string_view body);

struct S3Part {
    std::uint32_t number = 0;  ///< 1 and up
    std::string etag;          ///< as the server wrote it, with its quotes
    std::uint64_t bytes = 0;
};
struct S3Parts {
    std::vector<S3Part> parts;
    std::string next;  ///< part-number-marker of the next page; empty: this was the last
};
std::optional<S3Parts> parse_parts(std::string_view body);

/// Body of a complete request, of parts in order.
std::string complete_body(const std::vector<S3Part>& parts);
/// A 200 may hold an error: only this is a success.
bool is_completed(std::string_view body);

}  // namespace lestapenna::store
