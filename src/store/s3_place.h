// Where an S3 store is and who we are there: the keys of [store], looked at once and for all.
// Value type and pure functions; any thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/config.h"
#include "base/result.h"
#include "store/keys.h"
#include "store/sigv4.h"

namespace lestapenna::store {

/// The longest that a presigned link may live, by SigV4's rule.
inline constexpr seconds kLongestLink = std::chrono::days(7);

struct S3Place {
    std::string origin;  ///< "https://host" or "http://127.0.0.1:9000", no slash at the end
    std::string host;    ///< as the Host header has it: with the port when it is not the scheme's own
    bool loopback = false;
    std::string bucket;
    std::string prefix;  ///< "" or ending in a slash: before every key of ours
    std::string ca_pem;  ///< what store.ca_file holds: trusted besides the system's authorities
    SigningKey key;

    /// From store.url = "s3://bucket[/prefix]" and its companions; reads store.ca_file. Errors: usage, each with the
    /// key to mend.
    static Result<S3Place> of(const Config& config);

    /// "/bucket/prefix/key", not encoded; and "/bucket".
    [[nodiscard]] std::string path_of(const Key& object) const { return bucket_path() + "/" + prefix + object.text(); }
    [[nodiscard]] std::string bucket_path() const { return "/" + bucket; }
    /// A link to the object under a name to save it as, which holds no quotes, for 1 s to kLongestLink.
    [[nodiscard]] std::string link(const Key& object, std::string_view name, milliseconds lifetime, UnixTime now) const;
};

}  // namespace lestapenna::store
