// HTTP messages as values, for both ends. Any thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/time.h"

namespace lestapenna::net {

/// In order; names compare without regard to case.
struct Headers : std::vector<std::pair<std::string, std::string>> {
    using vector::vector;
    [[nodiscard]] std::optional<std::string_view> find(std::string_view name) const;
};

/// Fit to be sent: names are tokens, values hold no line end (with one, a value could add headers of its own).
bool well_formed(const Headers& headers);

struct HttpRequest {
    std::string method;  ///< upper case
    std::string target;  ///< path and query (server), absolute URL (client)
    Headers headers;
    std::string body;
};

struct HttpResponse {
    int status = 200;
    Headers headers;
    std::string body;
};

/// "Sun, 22 Nov 2026 15:42:00 GMT", as Date and its like have it (RFC 9110 section 5.6.7); read back, nothing for any
/// other form.
std::string http_date(UnixTime time);
std::optional<UnixTime> parse_http_date(std::string_view text);

/// "/a/b?x=1" without what follows the path.
std::string_view path_of(std::string_view target);
/// "10" for "v" of "/?v=10&encoding=json", as it stands there; empty: not there.
std::string_view query_parameter(std::string_view target, std::string_view name);

/// One part of multipart/form-data (RFC 7578).
struct FormPart {
    std::string name;
    std::string filename;  ///< empty: none
    std::string content_type;
    std::string body;
};
/// A body and its Content-Type with a random boundary that no part holds.
std::pair<std::string, std::string> encode_form(const std::vector<FormPart>& parts);
/// Nothing when `body` is not what `content_type` says. Total.
std::optional<std::vector<FormPart>> decode_form(std::string_view content_type, std::string_view body);

}  // namespace lestapenna::net
