#include "cli/recover.h"

#include <algorithm>
#include <optional>
#include <vector>

#include "base/log.h"
#include "cli/after_end.h"
#include "cli/cli11.h"
#include "cli/finish.h"
#include "cli/session_json.h"
#include "cli/session_text.h"
#include "workflows/recovery.h"
#include "workflows/scan_store.h"

namespace lestapenna::cli {

namespace {

using catalog::SessionStatus;

constexpr std::size_t kMostNamed = 20;  // of foreign keys

/// kDone, kGaps or kDamaged.
Result<Exit> recover(const workflows::Tools& tools, journal::Committer& committer, const SessionId& id) {
    const auto before = tools.catalog.session(id);
    if (!before) return before.error();
    if (auto finished = workflows::finish_orphan(tools, committer, id); !finished) return finished.error();
    if (auto again = tools.catalog.retry_transcriptions(id); !again) return again.error();
    if (auto added = add_jobs_after_end(tools.config, tools.catalog, *before); !added) return added.error();
    const auto after = tools.catalog.session(id);
    if (!after) return after.error();
    return after->status == SessionStatus::complete ? exit_of_session(tools, id) : kDone;
}

/// Those that nobody ended, or the one that is meant.
Result<std::vector<SessionId>> meant(const workflows::Tools& tools, const std::string& text) {
    std::vector<SessionId> ids;
    if (!text.empty()) {
        auto id = tools.catalog.resolve(text);
        if (!id) return id.error();
        ids.push_back(std::move(*id));
        return ids;
    }
    const auto orphans = workflows::find_orphans(tools);
    if (!orphans) return orphans.error();
    for (const auto& orphan : *orphans) ids.push_back(orphan.session.id);
    return ids;
}

Result<Exit> recover(const std::string& text, Context& context) {
    const auto tools = context.tools();
    if (!tools) return tools.error();
    const auto ids = meant(*tools, text);
    if (!ids) return ids.error();
    journal::Committer committer(1);
    Exit worst = kDone;
    std::optional<Error> failure;
    for (const SessionId& id : *ids) {
        const auto exit = recover(*tools, committer, id);
        if (exit) {
            worst = std::max(worst, *exit);
            continue;
        }
        // One that can not be finished holds up no other.
        if (Context::stop() || ids->size() == 1) return exit.error();
        log().error("session {} is not recovered: {}", id.text(), exit.error().message);
        if (!failure) failure = exit.error();
    }
    if (failure) return *failure;
    const auto objects = sessions_json(*tools, *ids);
    if (!objects) return objects.error();
    context.print(*objects, ids->empty() ? "nothing to recover: every session was ended\n" : sessions_text(*objects));
    return worst;
}

void warn_of(const std::vector<std::string>& sentences) {
    for (const std::string& sentence : sentences) log().warn("{}", sentence);
}

void warn_of_foreign(const std::vector<std::string>& keys) {
    const auto named = std::min(keys.size(), kMostNamed);
    for (std::size_t i = 0; i < named; ++i) log().warn("{} is none of ours: it is left alone", keys[i]);
    if (named < keys.size()) log().warn("so are {} others", keys.size() - named);
}

/// Prints what the store holds, when the catalog knows it all again.
Result<Exit> scan(Context& context) {
    const auto tools = context.tools();
    if (!tools) return tools.error();
    const auto scan = workflows::scan_store(*tools);
    if (!scan) return scan.error();
    warn_of_foreign(scan->foreign);
    warn_of(scan->damaged);
    warn_of(scan->lost);
    const auto objects = sessions_json(*tools, scan->sessions);
    if (!objects) return objects.error();
    context.print(*objects, scan->sessions.empty() ? "the store holds no session\n" : sessions_text(*objects));
    if (!scan->damaged.empty()) return kDamaged;
    return scan->lost.empty() ? kDone : kGaps;
}

struct Options {
    std::string id;
    bool scan_store = false;
};

}  // namespace

void add_recover(CLI::App& app, Context& context) {
    const auto options = std::make_shared<Options>();
    auto* const verb = context.add_verb(
        app, "recover", "Finishes the sessions that nobody ended, or one of them",
        [options, &context] { return options->scan_store ? scan(context) : recover(options->id, context); });
    auto* const id = verb->add_option("ID", options->id,
                                      "A session: its id, or the last six characters of it or more; none: all of them");
    verb->add_flag("--scan-store", options->scan_store,
                   "Instead: bring a lost catalog back from what the store holds; nothing is rendered")
        ->excludes(id);
    context.add_threads(*verb);
}

}  // namespace lestapenna::cli
