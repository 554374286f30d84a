#include "cli/journal.h"

#include <array>
#include <cstdio>
#include <map>
#include <optional>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "cli/cli11.h"
#include "journal/reader.h"
#include "journal/writer.h"

namespace lestapenna::cli {

namespace {

using journal::Damage;
using journal::Item;

constexpr std::array kNames{"packet", "join", "leave", "binding", "pause", "resume", "gap", "clock", "marker", "end"};
static_assert(kNames.size() == std::variant_size_v<journal::Record>);
constexpr std::array kReasons{"", "outage", "kernel_drop", "queue_full", "server_deaf", "restart"};

Result<journal::Reader> open(const std::filesystem::path& path) {
    std::error_code error;
    const bool folder = std::filesystem::is_directory(path, error);
    return folder ? journal::Reader::open(path) : journal::Reader::open_segment(path);
}

/// h:mm:ss.mmm of session time.
std::string clock_text(SessionTime time) {
    const auto ms = std::chrono::floor<milliseconds>(time.time_since_epoch()).count();
    const auto size = ms < 0 ? -ms : ms;
    return fmt::format("{}{}:{:02}:{:02}.{:03}", ms < 0 ? "-" : "", size / 3'600'000, size / 60'000 % 60,
                       size / 1'000 % 60, size % 1'000);
}

struct Fields {
    Json& json;
    void operator()(const journal::Packet& packet) const {
        json["ssrc"] = packet.ssrc;
        json["seq"] = packet.seq;
        json["rtp_timestamp"] = packet.rtp_timestamp;
        json["payload_bytes"] = packet.payload_size;
        if (packet.undecryptable) {
            json["undecryptable"] = true;
            json["reason"] = to_text(packet.closed);
        }
        if (packet.parked) json["parked"] = true;
    }
    void operator()(const journal::Binding& binding) const {
        json["ssrc"] = binding.ssrc;
        json["user_id"] = binding.user.text();
    }
    void operator()(const journal::Gap& gap) const {
        json["length_ns"] = (gap.to - gap.from).count();
        json["reason"] = kReasons[static_cast<std::size_t>(gap.reason)];
        json["packets"] = gap.packets;
    }
    void operator()(const journal::Clock& clock) const { json["wall_ms"] = clock.wall.time_since_epoch().count(); }
    void operator()(const journal::Marker& marker) const {
        json["user_id"] = marker.user.text();
        json["text"] = std::string(marker.text);
    }
    void operator()(const journal::Join& join) const { json["user_id"] = join.user.text(); }
    void operator()(const journal::Leave& leave) const { json["user_id"] = leave.user.text(); }
    void operator()(const journal::Pause& /*pause*/) const {}
    void operator()(const journal::Resume& /*resume*/) const {}
    void operator()(const journal::End& /*end*/) const {}
};

Json record_json(const Item& item, const journal::SegmentInfo& segment) {
    Json json{{"segment", segment.number},
              {"offset", item.offset},
              {"time_ns", item.time.time_since_epoch().count()},
              {"type", kNames.at(item.record.index())}};
    std::visit(Fields{json}, item.record);
    return json;
}

Json damage_json(const Damage& damage) {
    return {{"path", damage.path.string()},
            {"offset", damage.offset},
            {"length", damage.length},
            {"torn_tail", damage.torn_tail},
            {"what", damage.what}};
}

std::string damage_text(const Damage& damage) {
    return one_line(fmt::format("{}: {} ({} bytes at {}){}", damage.path.filename().string(), damage.what,
                                damage.length, damage.offset,
                                damage.torn_tail ? ", as a kill or a power cut leaves it" : ""));
}

/// What dump prints for a record: segment:offset, time, type, then key=value.
std::string record_text(const Item& item, const Json& json) {
    std::string line = fmt::format("{:06}:{:<9} {:>13}  {:<8}", json["segment"].get<std::uint32_t>(), item.offset,
                                   clock_text(item.time), kNames.at(item.record.index()));
    for (const auto& [key, value] : json.items()) {
        if (key == "segment" || key == "offset" || key == "time_ns" || key == "type") continue;
        line += ' ' + key + '=';
        line += value.is_string() ? in_quotes(value.get_ref<const std::string&>()) : dump(value);
    }
    line.erase(line.find_last_not_of(' ') + 1);
    return line;
}

struct SegmentSum {
    std::map<std::size_t, std::uint64_t> records;  ///< by kind, as in kNames
    std::optional<SessionTime> first;
    SessionTime last;
};

struct Sum {
    std::vector<SegmentSum> segments;
    std::vector<Damage> damage;
    journal::CleanEnd end;
};

Sum sum_up(journal::Reader& reader) {
    Sum sum;
    while (!Context::stop()) {
        const auto outcome = reader.next();
        sum.segments.resize(reader.segments().size());
        if (const auto* const item = std::get_if<Item>(&outcome)) {
            auto& segment = sum.segments.at(item->segment);
            ++segment.records[item->record.index()];
            segment.first = std::min(segment.first.value_or(item->time), item->time);
            segment.last = std::max(segment.last, item->time);
        } else if (const auto* const damage = std::get_if<Damage>(&outcome)) {
            sum.damage.push_back(*damage);
        } else {
            sum.end = std::get<journal::CleanEnd>(outcome);
            break;
        }
    }
    return sum;
}

const char* state_of(const Sum& sum) {
    if (sum.end.locked) return "recording";
    return sum.end.sealed ? "ended" : "interrupted";
}

const char* state_of(const journal::SegmentInfo& segment, bool last, const Sum& sum) {
    if (segment.sealed) return "sealed";
    return last && sum.end.locked ? "open" : "interrupted";
}

Json verify_json(const journal::Reader& reader, const Sum& sum) {
    Json segments = Json::array();
    for (std::size_t i = 0; i < sum.segments.size(); ++i) {
        const auto& info = reader.segments()[i];
        const auto& segment = sum.segments[i];
        Json records = Json::object();
        for (const auto& [kind, count] : segment.records) records[kNames.at(kind)] = count;
        const auto ns = [&](SessionTime time) {
            return segment.first ? Json(time.time_since_epoch().count()) : Json();
        };
        segments.push_back({{"number", info.number},
                            {"path", info.path.string()},
                            {"state", state_of(info, i + 1 == sum.segments.size(), sum)},
                            {"bytes", info.bytes},
                            {"from_ns", ns(segment.first.value_or(SessionTime()))},
                            {"to_ns", ns(segment.last)},
                            {"records", std::move(records)}});
    }
    Json damage = Json::array();
    for (const auto& one : sum.damage) damage.push_back(damage_json(one));
    return {{"session", reader.session_id()},
            {"state", state_of(sum)},
            {"clean", sum.damage.empty()},
            {"segments", std::move(segments)},
            {"damage", std::move(damage)}};
}

std::string segment_text(const journal::SegmentInfo& info, const SegmentSum& segment, const char* state) {
    std::string line = fmt::format("{:06}  {:<11} {:>11} bytes  ", info.number, state, info.bytes);
    line += segment.first ? clock_text(*segment.first) + " - " + clock_text(segment.last) : "no records";
    const char* between = "  ";
    for (const auto& [kind, count] : segment.records) {
        line += fmt::format("{}{} {}", std::exchange(between, ", "), count, kNames.at(kind));
    }
    return line + '\n';
}

std::string ending_text(const Sum& sum) {
    if (sum.end.locked) return "clean so far: the session is being recorded";
    if (sum.end.sealed) return "clean: the session was ended";
    return "clean: it stops at a whole record, but the session was never ended (`lestapenna recover` will)";
}

std::string verify_text(const journal::Reader& reader, const Sum& sum) {
    std::string text = "session " + reader.session_id() + '\n';
    for (std::size_t i = 0; i < sum.segments.size(); ++i) {
        const auto& info = reader.segments()[i];
        text += segment_text(info, sum.segments[i], state_of(info, i + 1 == sum.segments.size(), sum));
    }
    for (const auto& damage : sum.damage) text += "damage  " + damage_text(damage) + '\n';
    if (sum.damage.empty()) return text + ending_text(sum) + '\n';
    return text + fmt::format("damaged in {} {}; every other record can be read\n", sum.damage.size(),
                              sum.damage.size() == 1 ? "place" : "places");
}

void write_out(std::string_view text) {
    std::fwrite(text.data(), 1, text.size(), stdout);  // run() sees whether it arrived
}

}  // namespace

Result<Exit> journal_verify(const std::filesystem::path& path, Context& context) {
    auto reader = open(path);
    if (!reader) return reader.error();
    const Sum sum = sum_up(*reader);
    if (Context::stop()) return Error{ErrorKind::failed, "interrupted"};
    context.print(verify_json(*reader, sum), verify_text(*reader, sum));
    return sum.damage.empty() ? kDone : kDamaged;
}

// Printed as it is read: a journal of a long evening is a few million records.
Result<Exit> journal_dump(const std::filesystem::path& path, Context& context) {
    auto reader = open(path);
    if (!reader) return reader.error();
    Exit exit = kDone;
    std::string_view between = context.json() ? "[\n" : "";
    for (;;) {
        const auto outcome = Context::stop() ? journal::CleanEnd{} : reader->next();
        if (std::holds_alternative<journal::CleanEnd>(outcome)) break;
        const auto* const item = std::get_if<Item>(&outcome);
        Json json = item != nullptr ? record_json(*item, reader->segments().at(item->segment))
                                    : damage_json(std::get<Damage>(outcome));
        if (item == nullptr) {
            exit = kDamaged;
            json["type"] = "damage";
        }
        write_out(between);
        if (context.json()) {
            write_out(json.dump(-1, ' ', false, Json::error_handler_t::replace));
            between = ",\n";
        } else {
            write_out(
                (item != nullptr ? record_text(*item, json) : "damage  " + damage_text(std::get<Damage>(outcome))) +
                "\n");
        }
    }
    if (context.json()) write_out(between == "[\n" ? "[]\n" : "\n]\n");
    return Context::stop() ? kInterrupted : exit;
}

void add_journal(CLI::App& app, Context& context) {
    auto* const verb = app.add_subcommand("journal", "Shows what a journal holds and whether it is whole");
    verb->require_subcommand(1);
    using Reading = Result<Exit> (*)(const std::filesystem::path&, Context&);
    const auto add = [&](const char* name, const char* description, Reading work) {
        const auto path = std::make_shared<std::filesystem::path>();
        auto* const word =
            context.add_verb(*verb, name, description, [path, work, &context] { return work(*path, context); });
        word->add_option("PATH", *path, "A session's folder in the journal, or one .log file of it")->required();
    };
    add("verify", "Reads all of it; exit 4 when something in it can not be trusted", journal_verify);
    add("dump", "Prints its records, one a line", journal_dump);
}

}  // namespace lestapenna::cli
