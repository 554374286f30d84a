#include "cli/run.h"

#include <cstdio>

#include <nlohmann/json.hpp>

#include "base/log.h"
#include "cli/cli11.h"
#include "cli/service.h"

namespace lestapenna::cli {

namespace {

/// How soon a signal or the end of the connection is noticed.
constexpr milliseconds kLook{200};

Result<Exit> run_bot(const Context& context, const Config& config) {
    auto service = Service::open(config, {.threads = context.threads()});
    if (!service) return service.error();
    bool told = false;
    while (!Context::stop()) {
        if (auto broken = (*service)->broken_within(kLook)) return *broken;
        if (told || !(*service)->logged_in_within(milliseconds(0))) continue;
        told = true;
        log().info("logged in; type {}ascolta in a server of the bot's", config.discord.prefix);
        const Json ports{{"web_port", (*service)->web_port()}, {"admin_port", (*service)->admin_port()}};
        context.print(ports, "");
        std::fflush(stdout);  // whoever asked for port 0 waits for it
    }
    log().info("stopping: sessions being recorded go on when the bot is started again");
    return kDone;
}

}  // namespace

void add_run(CLI::App& app, Context& context) {
    auto* const verb = context.add_verb(app, "run", "Runs the bot until it is told to stop (SIGINT, SIGTERM)",
                                        [&context]() -> Result<Exit> {
                                            const auto config = context.config();
                                            if (!config) return config.error();
                                            return run_bot(context, **config);
                                        });
    context.add_threads(*verb);
}

}  // namespace lestapenna::cli
