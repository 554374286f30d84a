#include "cli/cli.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <exception>
#include <span>

#include <nlohmann/json.hpp>

#include "base/nearest.h"
#include "base/text.h"
#include "cli/cli11.h"
#include "cli/context.h"
#include "cli/demo.h"
#include "cli/doctor.h"
#include "cli/export.h"
#include "cli/forget.h"
#include "cli/import.h"
#include "cli/journal.h"
#include "cli/master.h"
#include "cli/recover.h"
#include "cli/retention.h"
#include "cli/run.h"
#include "cli/sandbox.h"
#include "cli/sessions.h"

namespace lestapenna::cli {

namespace {

/// Every verb, in the order of --help.
constexpr std::array<void (*)(CLI::App&, Context&), 12> kVerbs{add_demo,     add_run,    add_doctor,  add_sandbox,
                                                               add_sessions, add_master, add_recover, add_retention,
                                                               add_export,   add_import, add_journal, add_forget};

constexpr const char* kVersion = "lestapenna " LESTAPENNA_VERSION;

struct Kind {
    ErrorKind kind;
    const char* code;
    Exit exit;
};
constexpr std::array kKinds{Kind{ErrorKind::failed, "failed", kFailed}, Kind{ErrorKind::usage, "usage", kUsage},
                            Kind{ErrorKind::damaged, "damaged", kDamaged},
                            Kind{ErrorKind::not_found, "not_found", kFailed},
                            Kind{ErrorKind::locked, "locked", kFailed}};

Exit fail(const Context& context, const char* code, Exit exit, const std::string& message) {
    if (context.json()) {
        context.print({{"error", {{"code", code}, {"message", message}}}}, "");
    } else {
        const auto line = "lestapenna: " + message + "\n";
        std::fwrite(line.data(), 1, line.size(), stderr);
    }
    return exit;
}

Exit fail(const Context& context, const Error& error) {
    if (Context::stop()) return fail(context, "interrupted", kInterrupted, "interrupted");
    const auto* const kind = std::ranges::find(kKinds, error.kind, &Kind::kind);
    return fail(context, kind->code, kind->exit, error.message);
}

/// The verb on the line, or the program when there is none.
const CLI::App& chosen(const CLI::App& app) {
    const auto verbs = app.get_subcommands();
    return verbs.empty() ? app : chosen(*verbs.front());
}

std::string_view nearest_verb(const CLI::App& app, std::string_view word) {
    std::vector<std::string_view> names;
    for (const auto* verb : app.get_subcommands([](const CLI::App*) { return true; }))
        names.push_back(verb->get_name());
    return nearest(word, names);
}

std::string nearest_option(const CLI::App& app, std::string_view word) {
    std::vector<std::string> names;
    for (const auto* const level : {&app, &chosen(app)}) {
        for (const auto* option : level->get_options()) {
            for (const auto& name : option->get_lnames()) names.push_back("--" + name);
        }
    }
    const std::vector<std::string_view> views(names.begin(), names.end());
    return std::string(nearest(word, views));
}

/// One sentence for a line that was not understood.
std::string explain(const CLI::App& app, const CLI::ParseError& error) {
    const auto& verb = chosen(app);
    const auto help = std::string("`lestapenna ").append(&verb == &app ? "" : verb.get_name() + " ").append("--help`");
    const auto extra = app.remaining(true);
    if (!extra.empty() && extra.front().starts_with("-")) {
        const auto word = extra.front().substr(0, extra.front().find('='));
        return "unknown option " + in_quotes(word) + "; did you mean " + nearest_option(app, word) + "? " + help +
               " lists them";
    }
    if (!extra.empty() && app.get_subcommands().empty()) {
        return "unknown verb " + in_quotes(extra.front()) + "; did you mean " +
               std::string(nearest_verb(app, extra.front())) + "? " + help + " lists them";
    }
    if (!extra.empty()) return in_quotes(extra.front()) + " is one word too many; " + help + " shows what it takes";
    if (app.get_subcommands().empty()) return "say what to do: " + help + " lists the verbs";
    return one_line(error.what()) + "; " + help + " shows what it takes";
}

/// --json counts also on a line that could not be understood to its end.
bool asks_for_json(std::span<char*> arguments) {
    return std::ranges::any_of(arguments, [](const char* word) { return std::string_view(word) == "--json"; });
}

Exit run_line(std::span<char*> line, CLI::App& app, Context& context) {
    try {
        app.parse(static_cast<int>(line.size()), line.data());
    } catch (const CLI::CallForHelp&) {
        const auto text = app.help();
        context.print({{"help", text}}, text);
        return kDone;
    } catch (const CLI::CallForVersion& asked) {
        context.print({{"text", asked.what()}}, std::string(asked.what()) + "\n");
        return kDone;
    } catch (const CLI::ParseError& error) {
        return fail(context, {ErrorKind::usage, explain(app, error)});
    }
    auto done = context.chosen()();
    return done ? *done : fail(context, done.error());
}

void describe(CLI::App& app, Context& context) {
    app.require_subcommand(1);
    app.fallthrough();  // global options may stand after the verb
    app.set_version_flag("--version", kVersion);
    app.add_flag_callback(
        "--help-config", [] { throw CLI::CallForVersion(config_reference(), 0); },
        "Every key of the configuration, as Markdown");
    context.add_global_options(app);
    for (const auto add : kVerbs) add(app, context);
}

}  // namespace

int run(int argc, char** argv) {
    const std::span line(argv, static_cast<std::size_t>(argc));
    Context context;
    Exit exit = kFailed;
    try {
        CLI::App app("Lestapenna records the voices of a table.", "lestapenna");
        describe(app, context);
        if (asks_for_json(line)) context.want_json();
        catch_signals();
        exit = run_line(line, app, context);
    } catch (const std::exception& error) {
        exit = fail(context, {ErrorKind::failed, "this should not have happened: " + one_line(error.what())});
    }
    if (std::fflush(stdout) == 0 && std::ferror(stdout) == 0) return exit;
    std::fputs("lestapenna: can not write to standard output\n", stderr);
    return exit == kDone ? kFailed : exit;
}

}  // namespace lestapenna::cli
