#include "net/http.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <ctime>

#include "base/text.h"
#include "net/random.h"

namespace lestapenna::net {

namespace {

constexpr std::string_view kLineEnd = "\r\n";
constexpr const char* kDateFormat = "%a, %d %b %Y %H:%M:%S GMT";
constexpr std::string_view kBlank = " \t";  // OWS, RFC 9110 section 5.6.3

bool is_token_character(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
}

// How browsers and node quote names (HTML standard, multipart/form-data): three characters, percent-encoded.
constexpr std::array<std::pair<char, std::string_view>, 3> kEscapes = {{{'"', "%22"}, {'\r', "%0D"}, {'\n', "%0A"}}};

std::string quoted(std::string_view text) {
    std::string out = "\"";
    for (const char c : text) {
        const auto* escape =
            std::find_if(kEscapes.begin(), kEscapes.end(), [c](auto& pair) { return pair.first == c; });
        if (escape == kEscapes.end()) {
            out += c;
        } else {
            out += escape->second;
        }
    }
    return out + '"';
}

/// Takes `text` up to the closing quote; curl escapes with a backslash, browsers with percent.
std::optional<std::string> take_quoted(std::string_view& text) {
    std::string out;
    for (std::size_t at = 0; at < text.size(); ++at) {
        if (text[at] == '"') {
            text.remove_prefix(at + 1);
            return out;
        }
        if (text[at] == '\\' && at + 1 < text.size() && (text[at + 1] == '"' || text[at + 1] == '\\')) {
            out += text[++at];
            continue;
        }
        const auto* escape = std::find_if(kEscapes.begin(), kEscapes.end(),
                                          [&](auto& pair) { return text.substr(at, 3) == pair.second; });
        if (escape == kEscapes.end()) {
            out += text[at];
        } else {
            out += escape->first;
            at += 2;
        }
    }
    return std::nullopt;
}

/// The parameters of a header value: `form-data; name="a"; filename="b"`. Nothing when it is malformed.
std::optional<Headers> parameters(std::string_view value) {
    Headers found;
    for (std::size_t semicolon = value.find(';'); semicolon != std::string_view::npos; semicolon = value.find(';')) {
        value = trimmed(value.substr(semicolon + 1), kBlank);
        const std::size_t equals = value.find('=');
        if (equals == std::string_view::npos) return value.empty() ? std::optional(found) : std::nullopt;
        const std::string name(trimmed(value.substr(0, equals), kBlank));
        value = trimmed(value.substr(equals + 1), kBlank);
        if (value.starts_with('"')) {
            value.remove_prefix(1);
            auto text = take_quoted(value);
            if (!text) return std::nullopt;
            found.emplace_back(name, std::move(*text));
        } else {
            found.emplace_back(name, trimmed(value.substr(0, value.find(';')), kBlank));
        }
    }
    return found;
}

/// The headers of a part, up to and with the empty line, which is taken from `text`.
std::optional<Headers> take_headers(std::string_view& text) {
    Headers headers;
    for (;;) {
        const std::size_t end = text.find(kLineEnd);
        if (end == std::string_view::npos) return std::nullopt;
        const std::string_view line = text.substr(0, end);
        text.remove_prefix(end + kLineEnd.size());
        if (line.empty()) return headers;
        const std::size_t colon = line.find(':');
        if (colon == std::string_view::npos) return std::nullopt;
        headers.emplace_back(line.substr(0, colon), trimmed(line.substr(colon + 1), kBlank));
    }
}

std::optional<FormPart> decode_part(std::string_view text) {
    const auto headers = take_headers(text);
    if (!headers) return std::nullopt;
    const auto disposition = headers->find("Content-Disposition");
    if (!disposition || !same_word(trimmed(disposition->substr(0, disposition->find(';')), kBlank), "form-data")) {
        return std::nullopt;
    }
    const auto named = parameters(*disposition);
    if (!named || !named->find("name")) return std::nullopt;
    FormPart part;
    part.name = *named->find("name");
    part.filename = named->find("filename").value_or("");
    part.content_type = headers->find("Content-Type").value_or("");
    part.body = text;
    return part;
}

}  // namespace

std::optional<std::string_view> Headers::find(std::string_view name) const {
    const auto found =
        std::find_if(begin(), end(), [name](const auto& header) { return same_word(header.first, name); });
    if (found == end()) return std::nullopt;
    return found->second;
}

bool well_formed(const Headers& headers) {
    return std::all_of(headers.begin(), headers.end(), [](const auto& header) {
        const auto& [name, value] = header;
        return !name.empty() && std::all_of(name.begin(), name.end(), is_token_character) &&
               std::none_of(value.begin(), value.end(), [](char c) { return c == '\r' || c == '\n' || c == '\0'; });
    });
}

std::string http_date(UnixTime time) {
    const std::time_t at = std::chrono::system_clock::to_time_t(std::chrono::floor<seconds>(time));
    std::tm parts{};
    ::gmtime_r(&at, &parts);
    std::array<char, 64> text{};
    // Days and months in English: nobody here calls setlocale().
    const std::size_t size = std::strftime(text.data(), text.size(), kDateFormat, &parts);
    return {text.data(), size};
}

std::optional<UnixTime> parse_http_date(std::string_view text) {
    std::tm parts{};
    const std::string whole(text);
    const char* const end = ::strptime(whole.c_str(), kDateFormat, &parts);
    if (end == nullptr || *end != '\0') return std::nullopt;
    return UnixTime(seconds(::timegm(&parts)));
}

std::string_view path_of(std::string_view target) {
    return target.substr(0, target.find_first_of("?#"));
}

std::string_view query_parameter(std::string_view target, std::string_view name) {
    const std::size_t query = target.find('?');
    std::string_view rest = query == std::string_view::npos ? "" : target.substr(query + 1);
    while (!rest.empty()) {
        const auto pair = rest.substr(0, rest.find('&'));
        rest.remove_prefix(std::min(rest.size(), pair.size() + 1));
        const std::size_t equals = pair.find('=');
        if (equals != std::string_view::npos && pair.substr(0, equals) == name) return pair.substr(equals + 1);
    }
    return {};
}

std::pair<std::string, std::string> encode_form(const std::vector<FormPart>& parts) {
    std::string boundary;
    do {
        boundary = "lestapenna-" + random_hex(16);
    } while (std::any_of(parts.begin(), parts.end(),
                         [&](const FormPart& part) { return part.body.find(boundary) != std::string::npos; }));

    std::string body;
    for (const FormPart& part : parts) {
        body += "--" + boundary + "\r\nContent-Disposition: form-data; name=" + quoted(part.name);
        if (!part.filename.empty()) body += "; filename=" + quoted(part.filename);
        if (!part.content_type.empty()) body += "\r\nContent-Type: " + part.content_type;
        body += "\r\n\r\n" + part.body + "\r\n";
    }
    body += "--" + boundary + "--\r\n";
    return {std::move(body), "multipart/form-data; boundary=" + boundary};
}

std::optional<std::vector<FormPart>> decode_form(std::string_view content_type, std::string_view body) {
    if (!same_word(trimmed(content_type.substr(0, content_type.find(';')), kBlank), "multipart/form-data"))
        return std::nullopt;
    const auto named = parameters(content_type);
    const auto boundary = named ? named->find("boundary") : std::nullopt;
    if (!boundary || boundary->empty() || boundary->size() > 70) return std::nullopt;  // 70: RFC 2046 section 5.1.1

    const std::string first = "--" + std::string(*boundary);
    const std::string next = "\r\n" + first;
    if (!body.starts_with(first)) {  // a preamble is allowed, and nobody's
        const std::size_t start = body.find(next);
        if (start == std::string_view::npos) return std::nullopt;
        body.remove_prefix(start + kLineEnd.size());
    }
    body.remove_prefix(first.size());
    std::vector<FormPart> parts;
    while (!body.starts_with("--")) {
        body.remove_prefix(std::min(body.find_first_not_of(kBlank), body.size()));
        if (!body.starts_with(kLineEnd)) return std::nullopt;
        body.remove_prefix(kLineEnd.size());
        const std::size_t end = body.find(next);
        if (end == std::string_view::npos) return std::nullopt;
        auto part = decode_part(body.substr(0, end));
        if (!part) return std::nullopt;
        parts.push_back(std::move(*part));
        body.remove_prefix(end + next.size());
    }
    return parts;
}

}  // namespace lestapenna::net
