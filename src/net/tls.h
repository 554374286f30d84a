// Who is trusted, and who we say we are. Pure values and functions; any thread.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace lestapenna::net {

/// Whom a client believes: the system's authorities, and these on top. Names are always checked.
struct Trust {
    std::string extra_ca_pem;  ///< one or more certificates; empty: the system's alone
    /// Errors: not_found, damaged (no certificate in it).
    static Result<Trust> from_file(const std::filesystem::path& ca_file);
};

struct Certificate {
    std::string certificate_pem;
    std::string key_pem;
};
/// A new P-256 key and a self-signed certificate, valid from yesterday for ten years, its own authority. Each
/// name becomes a subjectAltName: an IP address or a DNS name.
Result<Certificate> make_self_signed(const std::vector<std::string>& names);

/// Parts of an absolute http, https, ws or wss URL.
struct Url {
    std::string scheme;
    std::string host;  ///< without brackets
    std::uint16_t port = 0;
    std::string target;  ///< path and query, at least "/"
    [[nodiscard]] bool encrypted() const { return scheme == "https" || scheme == "wss"; }
    /// 127.0.0.0/8, ::1 or localhost.
    [[nodiscard]] bool loopback() const;
    /// A secret may go there (docs/architecture.md section 9).
    [[nodiscard]] bool safe_for_secrets() const { return encrypted() || loopback(); }
    static Result<Url> parse(std::string_view text);
};

}  // namespace lestapenna::net
