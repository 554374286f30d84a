#include "cli/forget.h"

#include <array>
#include <cstdio>
#include <thread>

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <unistd.h>

#include "base/log.h"
#include "base/text.h"
#include "cli/cli11.h"
#include "workflows/forget.h"

namespace lestapenna::cli {

namespace {

using workflows::Forgotten;
using workflows::MasterWithout;

/// For the files of one session to be made by somebody else: an evening of fifty people takes minutes.
constexpr std::chrono::hours kPatience{1};
constexpr milliseconds kLook{200};

struct Options {
    std::string user;
    bool yes = false;
};

Result<UserId> parse(const std::string& text) {
    const auto user = UserId::parse(text);
    if (!user) return Error{ErrorKind::usage, in_quotes(text) + " is no user id: it is a number of 17 to 20 digits"};
    if (*user == UserId{})
        return Error{ErrorKind::usage,
                     "user 0 is nobody: whose voice that was was never known, so nobody can be forgotten"};
    return *user;
}

/// The person's id once more, typed by whoever sits there.
Status confirm(UserId user) {
    if (isatty(STDIN_FILENO) == 0) {
        return Error{ErrorKind::usage,
                     "what is forgotten does not come back: say --yes, or answer the question on a terminal"};
    }
    const auto question = "All that " + user.text() +
                          " said is erased from journals, store and catalog. It does not come back.\n"
                          "Type the id again to go on: ";
    std::fwrite(question.data(), 1, question.size(), stderr);
    std::array<char, 64> line{};
    const bool answered = std::fgets(line.data(), static_cast<int>(line.size()), stdin) != nullptr;
    if (answered && trimmed(line.data()) == user.text()) return Ok{};
    return Error{ErrorKind::failed, "that is not the id: nothing was erased"};
}

/// One at a time: somebody else may be forgotten at this moment.
Result<workflows::Wishes> open_wishes(const std::filesystem::path& data) {
    bool told = false;
    for (;;) {
        auto wishes = workflows::Wishes::open(data);
        if (wishes || wishes.error().kind != ErrorKind::locked || Context::stop()) return wishes;
        if (!told) log().info("{}", wishes.error().message);
        told = true;
        std::this_thread::sleep_for(kLook);
    }
}

Json json_of(UserId user, const Forgotten& gone) {
    Json json{{"user", user.text()},   {"sessions", Json::array()}, {"jobs", gone.jobs},
              {"queued", gone.queued}, {"recorded", Json::array()}, {"undone", Json::array()}};
    for (const auto& one : gone.sessions) {
        json["sessions"].push_back({{"session", one.session.text()},
                                    {"packets", one.packets},
                                    {"events", one.events},
                                    {"files", one.files},
                                    {"bytes", one.bytes},
                                    {"master", to_text(one.master)}});
    }
    for (const SessionId& id : gone.recorded) json["recorded"].push_back(id.text());
    for (const auto& one : gone.undone)
        json["undone"].push_back({{"session", one.session.text()}, {"message", one.why}});
    return json;
}

std::string of_master(MasterWithout master) {
    switch (master) {
        case MasterWithout::untouched:
            return "";
        case MasterWithout::remade:
            return "; master mixed again without them";
        case MasterWithout::removed:
            return "; master removed";
    }
    return "";
}

std::string text_of(UserId user, const Forgotten& gone) {
    std::string text =
        fmt::format("{} {}: {} session(s), {} job(s)\n", user.text(),
                    gone.complete() ? "is forgotten" : "is not forgotten everywhere", gone.sessions.size(), gone.jobs);
    for (const auto& one : gone.sessions) {
        text += fmt::format("  {}: {} packets and {} events of the journal, {} files ({} bytes) of the store{}\n",
                            one.session.text(), one.packets, one.events, one.files, one.bytes, of_master(one.master));
    }
    for (const SessionId& id : gone.recorded)
        text += fmt::format("  {}: is being recorded: nothing of it was erased; end it, then ask again\n", id.text());
    for (const auto& one : gone.undone) text += fmt::format("  {}: not done: {}\n", one.session.text(), one.why);
    for (const std::string& job : gone.queued)
        text += fmt::format("  the queue on Redis may still know {}: remove it there\n", job);
    return text;
}

Result<Exit> forget(const Options& options, Context& context) {
    const auto user = parse(options.user);
    if (!user) return user.error();
    if (!options.yes) {
        if (auto sure = confirm(*user); !sure) return sure.error();
    }
    const auto tools = context.tools();
    if (!tools) return tools.error();
    auto wishes = open_wishes(tools->config.data.dir);
    if (!wishes) return wishes.error();
    const auto gone = workflows::forget(*tools, *wishes, *user, {.patience = kPatience});
    if (!gone) return gone.error();
    context.print(json_of(*user, *gone), text_of(*user, *gone));
    return gone->complete() ? kDone : kFailed;
}

}  // namespace

void add_forget(CLI::App& app, Context& context) {
    const auto options = std::make_shared<Options>();
    auto* const verb = context.add_verb(app, "forget", "Erases a person's audio everywhere, and that they were there",
                                        [options, &context] { return forget(*options, context); });
    verb->add_option("--user", options->user, "The person's Discord id")->required()->type_name("U");
    verb->add_flag("--yes", options->yes, "Do not ask");
    context.add_threads(*verb);
}

}  // namespace lestapenna::cli
