#include "cli/session_text.h"

#include <algorithm>
#include <array>
#include <ctime>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "dave/codes.h"

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
                   whole(track["packets_lost"]), whole(track["packets_undecryptable"])};
    auto name = who[0];
    for (const auto& fragment : track["fragments"]) {
        const auto& flag = fragment["level_flag"];
        const auto once = [&](std::size_t column) { return name.empty() ? std::string() : who[column]; };
        lines.push_back({name, length(fragment["duration_ms"]), once(1), once(2), once(3),
                         decimal(fragment["loudness_lufs"]), flag.is_null() ? "" : flag.get<std::string>(),
                         place(fragment)});
        name.clear();  // once per player
    }
    if (track["fragments"].empty()) lines.push_back({name, "-", who[1], who[2], who[3], "-", "", "no fragment yet"});
}

/// A line and a blank one; nothing where it is not known.
std::string encryption_text(const Json& session) {
    const auto& known = session["encryption"];
    if (known.is_null()) return {};
    const auto word = known.get<std::string>();
    const auto& code = session["privacy_code"];
    const auto last = code.is_null() ? "" : ", last privacy code " + dave::in_groups_of_five(code.get<std::string>());
    if (word == "none") return "The call was not end-to-end encrypted\n\n";
    return (word == "partly" ? "The call was end-to-end encrypted in part" : "The call was end-to-end encrypted") +
           last + "\n\n";
}

std::string megabytes(double bytes) {
    return fmt::format("{:.1f} MB", bytes / 1e6);
}

/// What of it is where.
std::string storage_text(const Json& session) {
    const auto& storage = session["storage"];
    std::string text;
    for (const std::string tier : {"chunk", "fragment", "master"}) {
        const auto& stored = storage[tier + "s"];
        const auto objects = stored["objects"].get<std::int64_t>();
        text += fmt::format("{}{} {}{} ({})", text.empty() ? "In the store: " : ", ", objects, tier,
                            objects == 1 ? "" : "s", megabytes(stored["bytes"].get<double>()));
    }
    const auto& journal = storage["journal_bytes"];
    return text + (journal.is_null() ? "; the journal is gone\n"
                                     : "; journal: " + megabytes(journal.get<double>()) + " here\n");
}

/// "Anna: 600 packets could not be opened (no_key 600)".
std::string closed_text(const Json& track) {
    const auto& reasons = track["undecryptable"];
    const auto& all = track["packets_undecryptable"];
    if (reasons.is_null() || all == 0) return {};
    std::string why;
    for (const auto& [reason, packets] : reasons.items()) {
        if (packets == 0) continue;
        why += (why.empty() ? "" : ", ") + reason + ' ' + whole(packets);
    }
    return fmt::format("{}: {} packets could not be opened ({})\n", one_line(track["name"].get<std::string>()),
                       whole(all), why);
}

/// With what it was mixed from, where that is not the journal.
std::string master_name(const Json& master) {
    const Json& source = master["source"];
    if (source.is_null() || source == "journal") return "master";
    return fmt::format("master (from {})", source.get<std::string>());
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
    text += encryption_text(session);
    std::vector<Line> lines{{"PLAYER", "LENGTH", "PACKETS", "LOST", "CLOSED", "LUFS", "LEVEL", "FILE"}};
    for (const auto& track : session["tracks"]) add_player(track, lines);
    const auto& master = session["master"];
    if (master.is_null()) {
        lines.push_back({"master", "-", "", "", "", "-", "", "not made yet"});
    } else {
        lines.push_back({master_name(master), length(master["duration_ms"]), "", "", "",
                         decimal(master["loudness_lufs"]), "", place(master)});
    }
    text += table(lines);
    if (const auto& words = session["transcript"]; !words.is_null()) text += "Transcript: " + place(words) + "\n";
    text += storage_text(session);
    for (const auto& track : session["tracks"]) text += closed_text(track);
    return text;
}

}  // namespace lestapenna::cli
