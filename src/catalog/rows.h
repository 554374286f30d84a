// How the catalog's values stand in its columns. Private to catalog/.
#pragma once

#include <algorithm>
#include <array>
#include <cassert>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "base/ids.h"
#include "base/result.h"
#include "base/time.h"
#include "catalog/sqlite.h"

namespace lestapenna::catalog {

template <class E>
using Words = std::pair<E, std::string_view>;

template <class Table, class E>
std::string_view word(const Table& table, E value) {
    const auto* const found = std::ranges::find(table, value, &Words<E>::first);
    assert(found != table.end());
    return found->second;
}

/// A word that a program newer than this one wrote counts as failed: it is shown, and nothing is done with it.
template <class Table>
auto value_of(const Table& table, std::string_view text) {
    using E = typename Table::value_type::first_type;
    const auto found = std::ranges::find(table, text, &Words<E>::second);
    return found == table.end() ? E::failed : found->first;
}

inline std::int64_t unix_ms(UnixTime time) {
    return time.time_since_epoch().count();
}
inline UnixTime unix_time(std::int64_t ms) {
    return UnixTime{milliseconds{ms}};
}

inline std::optional<std::int64_t> ms_of(const std::optional<UnixTime>& time) {
    return time ? std::optional(unix_ms(*time)) : std::nullopt;
}
inline std::optional<std::int64_t> ms_of(const std::optional<milliseconds>& length) {
    return length ? std::optional<std::int64_t>(length->count()) : std::nullopt;
}

inline std::optional<std::string> text_or_null(Row row, int column) {
    return row.is_null(column) ? std::nullopt : std::optional(row.text(column));
}
inline std::optional<double> real_or_null(Row row, int column) {
    return row.is_null(column) ? std::nullopt : std::optional(row.real(column));
}
inline std::optional<milliseconds> length_or_null(Row row, int column) {
    return row.is_null(column) ? std::nullopt : std::optional(milliseconds{row.integer(column)});
}
inline std::optional<UnixTime> time_or_null(Row row, int column) {
    return row.is_null(column) ? std::nullopt : std::optional(unix_time(row.integer(column)));
}

// Ids were checked when they were written. Should somebody else write odd ones, they become harmless ones here.
inline SessionId session_id(const std::string& text) {
    static const auto kOdd = *SessionId::parse("_");
    return SessionId::parse(text).value_or(kOdd);
}
inline UserId user_id(const std::string& text) {
    return UserId::parse(text).value_or(UserId{});
}

}  // namespace lestapenna::catalog
