#include "cli/session_text.h"

#include <algorithm>
#include <array>
#include <ctime>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/text.h"

namespace lestapenna::cli {

namespace {

using Line = std::vector<std::string>;

/// Code points: what a terminal makes of most names.
std::size_t width(const std::string& text) {
    return static_cast<std::size_t>(
        std::ranges::count_if(text, [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U; }));
}

/// Columns two blanks apart, as wide as their widest cell; the last one runs free.
std::string table(const std::vector<Line>& lines) {
    std::vector<std::size_t> widths(lines.front().size());
    for (const auto& line : lines) {
        for (std::size_t i = 0; i < widths.size(); ++i) widths[i] = std::max(widths[i], width(line[i]));
    }
    std::string text;
    for (const auto& line : lines) {
        for (std::size_t i = 0; i + 1 < widths.size(); ++i) {
            text.append(line[i]).append(widths[i] - width(line[i]) + 2, ' ');
        }
        text.append(line.back()).append("\n");
    }
    return text;
}

std::string started(const Json& session) {
    const auto seconds = static_cast<std::time_t>(session["start_time"].get<std::int64_t>() / 1000);
    std::tm local{};
    localtime_r(&seconds, &local);
    std::array<char, 32> text{};
    const auto size = std::strftime(text.data(), text.size(), "%Y-%m-%d %H:%M:%S", &local);
    return {text.data(), size};
}

std::string length(const Json& ms) {
    if (ms.is_null()) return "-";
    const auto seconds = ms.get<std::int64_t>() / 1000;
    return fmt::format("{}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60);
}

std::string decimal(const Json& value) {
    return value.is_number() ? fmt::format("{:.1f}", value.get<double>()) : "-";
}
std::string whole(const Json& value) {
    return value.is_number() ? std::to_string(value.get<std::int64_t>()) : "-";
}
/// The file here, or what the store calls it.
std::string place(const Json& file) {
    const auto& path = file["path"];
    return one_line((path.is_null() ? file["key"] : path).get<std::string>());
}

void add_player(const Json& track, std::vector<Line>& lines) {
    const Line who{one_line(track["name"].get<std::string>()), whole(track["packets_received"]),
                   whole(track["packets_lost"])};
    auto name = who[0];
    for (const auto& fragment : track["fragments"]) {
        const auto& flag = fragment["level_flag"];
        lines.push_back({name, length(fragment["duration_ms"]), name.empty() ? "" : who[1], name.empty() ? "" : who[2],
                         decimal(fragment["loudness_lufs"]), flag.is_null() ? "" : flag.get<std::string>(),
                         place(fragment)});
        name.clear();  // once per player
    }
    if (track["fragments"].empty()) lines.push_back({name, "-", who[1], who[2], "-", "", "no fragment yet"});
}

}  // namespace

std::string sessions_text(const Json& sessions) {
    if (sessions.empty()) return "There are no sessions yet.\n";
    std::vector<Line> lines{{"SESSION", "STARTED", "LENGTH", "STATUS", "PLAYERS", "MASTER"}};
    for (const auto& session : sessions) {
        const auto& master = session["master"];
        lines.push_back({session["session"].get<std::string>(), started(session), length(session["duration_ms"]),
                         session["status"].get<std::string>(), std::to_string(session["tracks"].size()),
                         master.is_null() ? "-" : place(master)});
    }
    return table(lines);
}

std::string session_text(const Json& session) {
    auto text = fmt::format("Session {}, {}, started {}, length {}\n\n", session["session"].get<std::string>(),
                            session["status"].get<std::string>(), started(session), length(session["duration_ms"]));
    std::vector<Line> lines{{"PLAYER", "LENGTH", "PACKETS", "LOST", "LUFS", "LEVEL", "FILE"}};
    for (const auto& track : session["tracks"]) add_player(track, lines);
    const auto& master = session["master"];
    if (master.is_null()) {
        lines.push_back({"master", "-", "", "", "-", "", "not made yet"});
    } else {
        lines.push_back(
            {"master", length(master["duration_ms"]), "", "", decimal(master["loudness_lufs"]), "", place(master)});
    }
    return text + table(lines);
}

}  // namespace lestapenna::cli
