// JSON from outside, read without surprises: what is absent, null or of the wrong type reads as "nothing", and no
// getter throws. Messages are read where they are: no getter copies more than the value asked for.
//
//     const auto frame = parse_json(message);                       // nothing: no JSON
//     const auto op = json::integer<int>(*frame, "op");             // nothing: absent, no number, or none that fits
//     const Json& data = json::object(*frame, "d");                 // an empty object when it is none
//     for (const Json& one : json::array(data, "members")) use(one);  // no turn when it is no array
//
// Pure; any thread.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include <nlohmann/json.hpp>

#include "base/ids.h"

namespace lestapenna::discord {

using Json = nlohmann::json;

/// Nothing when `text` is no JSON (RFC 8259, valid UTF-8), holds a number beyond a double's range, or nests deeper than
/// 64: copying and printing a Json recurse, and Discord's deepest message has about ten levels.
std::optional<Json> parse_json(std::string_view text);

/// On one line. Bytes that are not UTF-8 become U+FFFD.
std::string print_json(const Json& value);

namespace json {

/// The field; null when `from` is no object or the field is absent or null. Valid as long as `from`.
const Json* field(const Json& from, const char* key);

/// Empty when there is none.
const std::string& text(const Json& from, const char* key);

/// False when there is none.
bool flag(const Json& from, const char* key);

/// Any finite number.
std::optional<double> number(const Json& from, const char* key);

/// A whole number in the range of T; fractions of floating-point numbers are cut off.
template <class T>
std::optional<T> integer(const Json& from, const char* key) {
    const Json* value = field(from, key);
    if (value == nullptr) return std::nullopt;
    // get_ptr tells unsigned, signed and floating apart; the first two compare exactly, whatever T is.
    if (const auto* u = value->get_ptr<const Json::number_unsigned_t*>()) {
        return std::in_range<T>(*u) ? std::optional(static_cast<T>(*u)) : std::nullopt;
    }
    if (const auto* i = value->get_ptr<const Json::number_integer_t*>()) {
        return std::in_range<T>(*i) ? std::optional(static_cast<T>(*i)) : std::nullopt;
    }
    if (const auto* f = value->get_ptr<const Json::number_float_t*>()) {
        constexpr double kExact = 9007199254740992.0;  // 2^53: beyond it a double is no count of anything
        if (!(*f > -kExact && *f < kExact)) return std::nullopt;
        const auto whole = static_cast<std::int64_t>(*f);
        return std::in_range<T>(whole) ? std::optional(static_cast<T>(whole)) : std::nullopt;
    }
    return std::nullopt;
}

/// 64 bits as decimal text, which is how Discord sends ids and permissions.
std::optional<std::uint64_t> decimal(const Json& from, const char* key);

/// An id: json::id<UserId>(data, "user_id").
template <class Id>
std::optional<Id> id(const Json& from, const char* key) {
    const auto value = decimal(from, key);
    return value ? std::optional(Id{*value}) : std::nullopt;
}

/// The object there; an empty one when there is none.
const Json& object(const Json& from, const char* key);

/// The array there; an empty one when there is none.
const Json& array(const Json& from, const char* key);

}  // namespace json
}  // namespace lestapenna::discord
