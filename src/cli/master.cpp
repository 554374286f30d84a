#include "cli/master.h"

#include "cli/after_end.h"
#include "cli/cli11.h"
#include "cli/finish.h"
#include "cli/session_json.h"
#include "cli/session_text.h"

namespace lestapenna::cli {

namespace {

struct Options {
    std::string id;
    std::filesystem::path out;
};

Status copy_out(const workflows::Tools& tools, const SessionId& id, const std::filesystem::path& out) {
    const auto master = tools.catalog.master(id);
    if (!master) return master.error();
    if (!*master) return Error{ErrorKind::failed, "nobody spoke in session " + id.text() + ": there is no master"};
    return tools.store.get(store::key(store::MasterKey{id}), out);
}

Result<Exit> master(const Options& options, Context& context) {
    const auto tools = context.tools();
    if (!tools) return tools.error();
    const auto id = tools->catalog.resolve(options.id);
    if (!id) return id.error();
    const auto before = tools->catalog.session(*id);
    if (!before) return before.error();
    auto exit = finish(*tools, *id);
    if (!exit) return exit;
    if (auto added = add_jobs_after_end(tools->config, tools->catalog, *before); !added) return added.error();
    if (!options.out.empty()) {
        if (auto copied = copy_out(*tools, *id, options.out); !copied) return copied.error();
    }
    const auto object = session_json(*tools, id->text());
    if (!object) return object.error();
    context.print(*object, session_text(*object));
    return exit;
}

}  // namespace

void add_master(CLI::App& app, Context& context) {
    const auto options = std::make_shared<Options>();
    auto* const verb =
        context.add_verb(app, "master", "Renders what is missing of a session: chunks, fragments, master",
                         [options, &context] { return master(*options, context); });
    verb->add_option("ID", options->id, "A session: its id, or the last six characters of it or more")->required();
    verb->add_option("--out", options->out, "Copy the master to this file")->type_name("FILE");
    context.add_threads(*verb);
}

}  // namespace lestapenna::cli
