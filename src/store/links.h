// Links to files of the store: signed, expiring, with a name to save the file under; a browser plays them and can seek.
// An S3 store gives its files out itself (presigned, 7 days at most); those of a folder our own web server gives out:
//   {public_url}/audio/{key}?expires={Unix s}&name={file name}&mac={hex HMAC-SHA256 of the three}
// Whoever has the link has the file until it expires; nobody can make or change one without the secret. No log may hold
// one. Values and pure functions but for open(); any thread. Errors: see open().
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/config.h"
#include "base/result.h"
#include "base/time.h"
#include "store/keys.h"
#include "store/s3_place.h"

namespace lestapenna::store {

enum class BadLink { malformed, forged, expired };

class Links {
  public:
    /// The secret is web.link_secret, else 32 random bytes kept 0600 as {data}/link-secret (made when missing, durable
    /// on return; of two processes at once both get the same). Errors: failed, usage (a public_url that is no http(s)
    /// URL; what S3Place::of() says).
    static Result<Links> open(const Config& config);
    /// With this configuration make() gives links.
    static bool given_out(const Config& config);

    /// Links lead there instead of to web.public_url: to scheme, host and port of a server that is asked without a
    /// proxy. Before make() is called; check() may be under way elsewhere.
    void lead_to(std::string base_url);

    /// What all links begin with: scheme, host, perhaps a path; empty: make() gives none.
    [[nodiscard]] const std::string& begin() const { return remote_ ? remote_->origin : base_; }

    /// Valid for store.link_ttl from `now`; nothing for a folder without web.public_url. `name` is what people save it
    /// as: letters, digits, `._-`; other characters become `-`.
    [[nodiscard]] std::optional<std::string> make(const Key& key, std::string_view name, UnixTime now) const;

    struct Target {
        Key key;
        std::string name;
    };
    /// `target`: path and query of a request to our web server. The MAC is compared in constant time. Total.
    [[nodiscard]] Result<Target, BadLink> check(std::string_view target, UnixTime now) const;

  private:
    Links(Secret secret, std::string base, milliseconds lifetime);
    Secret secret_;
    std::string base_;  ///< web.public_url without its last slash; empty: no links
    std::string path_;  ///< "/lestapenna" of "https://example.org/lestapenna"; check() looks at nothing else of it
    milliseconds lifetime_;
    std::optional<S3Place> remote_;  ///< links lead there
};

/// What a person saves a session's master as: "2026-11-22-lestapenna-7F3K2A.mp3".
std::string master_name(const SessionId& session, UnixTime start);

}  // namespace lestapenna::store
