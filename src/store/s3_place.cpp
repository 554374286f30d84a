#include "store/s3_place.h"

#include <algorithm>

#include "base/text.h"
#include "net/tls.h"

namespace lestapenna::store {

namespace {

constexpr std::string_view kScheme = "s3://";

Error usage(std::string message) {
    return {ErrorKind::usage, std::move(message)};
}

/// What S3 allows: 3 to 63 lower-case letters, digits, dots and hyphens; some servers also capitals and underscores.
bool is_bucket(std::string_view name) {
    constexpr std::size_t kShortest = 3;
    constexpr std::size_t kLongest = 63;
    const auto fits = [](char c) {
        return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '.' || c == '-' ||
               c == '_';
    };
    return name.size() >= kShortest && name.size() <= kLongest && name.front() != '.' &&
           std::ranges::all_of(name, fits);
}

/// Into a header and a scope: no blanks, no slashes.
bool is_word(std::string_view text) {
    return !text.empty() &&
           std::ranges::all_of(text, [](char c) { return c > ' ' && c < 0x7f && c != '/' && c != ','; });
}

Status place_bucket(std::string_view url, S3Place& place) {
    const auto rest = url.substr(kScheme.size());
    const auto slash = std::min(rest.find('/'), rest.size());
    place.bucket = rest.substr(0, slash);
    if (!is_bucket(place.bucket)) {
        return usage("store.url names the bucket " + in_quotes(place.bucket) +
                     ", which no bucket is called; it has to look like \"s3://bucket\" or \"s3://bucket/prefix\"");
    }
    const auto prefix = trimmed(rest.substr(slash), "/");
    if (prefix.empty()) return Ok{};
    if (!Key::parse(prefix)) {
        return usage("store.url has the prefix " + in_quotes(prefix) +
                     ", which may hold only letters, digits and ._-/");
    }
    place.prefix = std::string(prefix) + "/";
    return Ok{};
}

Status place_server(const Config& config, S3Place& place) {
    const auto endpoint = config.store.endpoint.empty() ? "https://s3." + place.key.region + ".amazonaws.com"
                                                        : std::string(trimmed(config.store.endpoint, "/"));
    const auto url = net::Url::parse(endpoint);
    if (!url || (url->scheme != "https" && url->scheme != "http") || url->target != "/") {
        return usage("store.endpoint is " + in_quotes(endpoint) +
                     ", which is no address of a server; it has to look like "
                     "\"https://namespace.compat.objectstorage.eu-milan-1.oraclecloud.com\"");
    }
    if (!url->safe_for_secrets() && !config.store.allow_plaintext) {
        return usage(
            "store.endpoint is not encrypted, so everybody on the way could listen: use https://, or set "
            "store.allow_plaintext = true");
    }
    constexpr std::uint16_t kHttps = 443;
    constexpr std::uint16_t kHttp = 80;
    place.host = url->host.find(':') == std::string::npos ? url->host : "[" + url->host + "]";
    if (url->port != (url->encrypted() ? kHttps : kHttp)) place.host += ":" + std::to_string(url->port);
    place.origin = url->scheme + "://" + place.host;
    place.loopback = url->loopback();
    return Ok{};
}

}  // namespace

Result<S3Place> S3Place::of(const Config& config) {
    const auto& store = config.store;
    if (!store.url.starts_with(kScheme)) {
        return usage("store.url names no kind of store that this version has: use \"file:\" or \"s3://bucket/prefix\"");
    }
    S3Place place;
    if (auto placed = place_bucket(store.url, place); !placed) return placed.error();
    if (!is_word(store.region)) return usage("store.region has to be set for an S3 store, like \"eu-milan-1\"");
    if (!is_word(store.access_key.reveal()) || store.secret_key.empty()) {
        return usage("store.access_key and store.secret_key have to be set for an S3 store");
    }
    if (store.link_ttl > kLongestLink) {
        return usage("store.link_ttl is longer than the 7 days that an S3 server lets a link live: set \"7d\" or less");
    }
    place.key = {store.access_key.reveal(), store.secret_key, store.region};
    if (auto placed = place_server(config, place); !placed) return placed.error();
    if (!store.ca_file.empty()) {
        auto trust = net::Trust::from_file(store.ca_file);
        if (!trust) return usage("store.ca_file: " + trust.error().message);
        place.ca_pem = std::move(trust->extra_ca_pem);
    }
    return place;
}

std::string S3Place::link(const Key& object, std::string_view name, milliseconds lifetime, UnixTime now) const {
    // inline: a browser plays it, and saves it under this name.
    Parameters query{{"response-content-disposition", "inline; filename=\"" + std::string(name) + "\""},
                     {"response-content-type", std::string(content_type(object))}};
    return origin +
           presigned_target(key, host, path_of(object), std::move(query), std::chrono::ceil<seconds>(lifetime), now);
}

}  // namespace lestapenna::store
