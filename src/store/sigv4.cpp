#include "store/sigv4.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <span>

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "base/hash.h"
#include "base/text.h"

namespace lestapenna::store {

namespace {

constexpr std::string_view kAlgorithm = "AWS4-HMAC-SHA256";
constexpr std::size_t kDayCharacters = 8;  // of "20261122T070000Z"

std::span<const std::uint8_t> bytes_of(std::string_view text) {
    return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

Digest hmac(std::span<const std::uint8_t> key, std::string_view text) {
    Digest mac{};
    const auto* const done = HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), bytes_of(text).data(),
                                  text.size(), mac.data(), nullptr);
    if (done == nullptr) std::abort();  // memory is gone
    return mac;
}

/// Of one day, one region and S3 alone: "20261122/eu-milan-1/s3/aws4_request".
std::string scope_of(const SigningKey& key, std::string_view date) {
    return std::string(date.substr(0, kDayCharacters)).append("/").append(key.region).append("/s3/aws4_request");
}

std::string signature(const SigningKey& key, std::string_view date, std::string_view hash) {
    const std::string text = std::string(kAlgorithm)
                                 .append("\n")
                                 .append(date)
                                 .append("\n")
                                 .append(scope_of(key, date))
                                 .append("\n")
                                 .append(hash);
    Digest by = hmac(bytes_of("AWS4" + key.secret_key.reveal()), date.substr(0, kDayCharacters));
    for (const std::string_view part :
         {std::string_view(key.region), std::string_view("s3"), std::string_view("aws4_request")}) {
        by = hmac(by, part);
    }
    return hex(hmac(by, text));
}

/// Trimmed, inner runs of spaces as one.
std::string plain_value(std::string_view value) {
    std::string plain;
    for (const char c : trimmed(value)) {
        if (c != ' ' || !plain.ends_with(' ')) plain.push_back(c);
    }
    return plain;
}

std::string signed_names(Parameters headers) {
    std::ranges::sort(headers);
    std::string names;
    for (const auto& [name, value] : headers) names.append(names.empty() ? "" : ";").append(name);
    return names;
}

}  // namespace

std::string amz_date(UnixTime time) {
    const auto day = std::chrono::floor<std::chrono::days>(time);
    const std::chrono::year_month_day date(day);
    const std::chrono::hh_mm_ss clock(std::chrono::floor<seconds>(time - day));
    std::array<char, 64> text{};
    std::snprintf(text.data(), text.size(), "%04d%02u%02uT%02d%02d%02dZ", static_cast<int>(date.year()),
                  static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                  static_cast<int>(clock.hours().count()), static_cast<int>(clock.minutes().count()),
                  static_cast<int>(clock.seconds().count()));
    return text.data();
}

std::string percent_encoded(std::string_view text, std::string_view also_kept) {
    constexpr std::string_view kDigits = "0123456789ABCDEF";
    constexpr unsigned kLowBits = 15;
    std::string encoded;
    encoded.reserve(text.size());
    for (const char c : text) {
        const bool plain = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
                           std::string_view("-_.~").find(c) != std::string_view::npos;
        if (plain || also_kept.find(c) != std::string_view::npos) {
            encoded.push_back(c);
            continue;
        }
        const auto byte = static_cast<unsigned char>(c);
        encoded.append({'%', kDigits[byte >> 4U], kDigits[byte & kLowBits]});
    }
    return encoded;
}

std::string canonical_path(std::string_view path) {
    return percent_encoded(path, "/");
}

std::string canonical_query(const Parameters& query) {
    Parameters encoded;
    encoded.reserve(query.size());
    for (const auto& [name, value] : query) encoded.emplace_back(percent_encoded(name), percent_encoded(value));
    std::ranges::sort(encoded);
    std::string text;
    for (const auto& [name, value] : encoded) {
        text.append(text.empty() ? "" : "&").append(name).append("=").append(value);
    }
    return text;
}

std::string canonical_hash(const Signable& request) {
    std::string text = request.method;
    text.append("\n").append(canonical_path(request.path));
    text.append("\n").append(canonical_query(request.query)).append("\n");
    Parameters headers = request.headers;
    std::ranges::sort(headers);
    for (const auto& [name, value] : headers) text.append(name).append(":").append(plain_value(value)).append("\n");
    text.append("\n").append(signed_names(std::move(headers))).append("\n").append(request.payload_hash);
    return hex(Sha256::of(bytes_of(text)));
}

std::string authorization(const SigningKey& key, const Signable& request, UnixTime now) {
    const auto date = amz_date(now);
    std::string value(kAlgorithm);
    value.append(" Credential=").append(key.access_key).append("/").append(scope_of(key, date));
    value.append(",SignedHeaders=").append(signed_names(request.headers));
    return value.append(",Signature=").append(signature(key, date, canonical_hash(request)));
}

std::string presigned_target(const SigningKey& key, std::string_view host, std::string_view path, Parameters query,
                             seconds lifetime, UnixTime now) {
    const auto date = amz_date(now);
    query.emplace_back("X-Amz-Algorithm", kAlgorithm);
    query.emplace_back("X-Amz-Credential", key.access_key + "/" + scope_of(key, date));
    query.emplace_back("X-Amz-Date", date);
    query.emplace_back("X-Amz-Expires", std::to_string(lifetime.count()));
    query.emplace_back("X-Amz-SignedHeaders", "host");
    const Signable request{
        "GET", std::string(path), std::move(query), {{"host", std::string(host)}}, std::string(kUnsignedPayload)};
    std::string target = canonical_path(path);
    target.append("?").append(canonical_query(request.query));
    return target.append("&X-Amz-Signature=").append(signature(key, date, canonical_hash(request)));
}

}  // namespace lestapenna::store
