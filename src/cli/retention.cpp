#include "cli/retention.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "cli/cli11.h"
#include "workflows/retention.h"

namespace lestapenna::cli {

namespace {

Json removal_json(const workflows::Removal& removal) {
    return {{"session", removal.session.text()},
            {"tier", to_text(removal.tier)},
            {"objects", removal.keys.size()},
            {"bytes", removal.bytes},
            {"why", removal.why},
            {"keys", removal.keys}};
}

Json kept_json(const workflows::Kept& kept) {
    return {{"session", kept.session.text()}, {"tier", to_text(kept.tier)}, {"objects", kept.files}, {"why", kept.why}};
}

/// {"dry_run", "doubt", "removals": [...], "kept": [...], "objects", "bytes"}
Json report_json(const workflows::SweepReport& report, bool dry_run) {
    auto removals = Json::array();
    auto kept = Json::array();
    std::size_t objects = 0;
    std::int64_t bytes = 0;
    for (const auto& removal : report.removals) {
        removals.push_back(removal_json(removal));
        objects += removal.keys.size();
        bytes += removal.bytes;
    }
    for (const auto& one : report.kept) kept.push_back(kept_json(one));
    return {{"dry_run", dry_run},
            {"doubt", report.doubt ? Json(*report.doubt) : Json(nullptr)},
            {"removals", std::move(removals)},
            {"kept", std::move(kept)},
            {"objects", objects},
            {"bytes", bytes}};
}

std::string report_text(const Json& report) {
    const bool dry_run = report["dry_run"].get<bool>();
    std::string text;
    for (const auto& one : report["removals"]) {
        text += fmt::format("{}  {}: {} {}, {:.1f} MB: {}\n", one["session"].get<std::string>(),
                            one["tier"].get<std::string>(), one["objects"].get<std::size_t>(),
                            dry_run ? "would go" : "removed", one["bytes"].get<double>() / 1e6,
                            one["why"].get<std::string>());
    }
    for (const auto& one : report["kept"]) {
        text += fmt::format("{}  {}: {} kept: {}\n", one["session"].get<std::string>(), one["tier"].get<std::string>(),
                            one["objects"].get<std::size_t>(), one["why"].get<std::string>());
    }
    return text + fmt::format("{} {}, {:.1f} MB\n", report["objects"].get<std::size_t>(),
                              dry_run ? "would be removed" : "removed", report["bytes"].get<double>() / 1e6);
}

Result<Exit> retention(bool dry_run, Context& context) {
    const auto tools = context.tools();
    if (!tools) return tools.error();
    const auto report = workflows::sweep(*tools, {dry_run, workflows::this_moment()});
    if (!report) return report.error();
    if (report->doubt) return Error{ErrorKind::failed, *report->doubt};
    if (!report->failures.empty()) return report->failures.front();
    const Json object = report_json(*report, dry_run);
    context.print(object, report_text(object));
    return kDone;
}

}  // namespace

void add_retention(CLI::App& app, Context& context) {
    const auto dry_run = std::make_shared<bool>(false);
    auto* const verb =
        context.add_verb(app, "retention", "Removes what is older than [retention] says and not needed any more",
                         [dry_run, &context] { return retention(*dry_run, context); });
    verb->add_flag("--dry-run", *dry_run, "Say what would go, and remove nothing");
}

}  // namespace lestapenna::cli
