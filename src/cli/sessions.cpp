#include "cli/sessions.h"

#include "cli/cli11.h"
#include "cli/session_json.h"
#include "cli/session_text.h"

namespace lestapenna::cli {

namespace {

Result<Exit> list(const workflows::Tools& tools, const Context& context) {
    const auto objects = sessions_json(tools);
    if (!objects) return objects.error();
    context.print(*objects, sessions_text(*objects));
    return kDone;
}

Result<Exit> sessions(const std::string& id, Context& context) {
    auto tools = context.tools();
    if (!tools) return tools.error();
    if (id.empty()) return list(*tools, context);
    const auto object = session_json(*tools, id);
    if (!object) return object.error();
    context.print(*object, session_text(*object));
    return kDone;
}

}  // namespace

void add_sessions(CLI::App& app, Context& context) {
    const auto id = std::make_shared<std::string>();
    auto* const verb = context.add_verb(app, "sessions", "Lists the sessions, or shows one",
                                        [id, &context] { return sessions(*id, context); });
    verb->add_option("ID", *id, "A session: its id, or the last six characters of it or more");
}

}  // namespace lestapenna::cli
