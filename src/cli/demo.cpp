#include "cli/demo.h"

#include <cstdio>
#include <system_error>
#include <utility>

#include <unistd.h>

#include "base/files.h"
#include "base/log.h"
#include "cli/cli11.h"
#include "cli/finish.h"
#include "cli/live_table.h"
#include "cli/names.h"
#include "cli/session_json.h"
#include "cli/session_text.h"
#include "render/work.h"
#include "sandbox/script.h"

namespace lestapenna::cli {

namespace {

struct Options {
    int speakers = 4;
    int seconds = 60;
    std::filesystem::path out = "demo";
    std::uint64_t seed = 0;
    double loss_percent = 0;
    int jitter_ms = 3;
};

/// The table, and the line between it and the bot.
Result<sandbox::ShowOptions> show_of(const Options& options) {
    auto spoken = sandbox::spoken_table(
        {.speakers = options.speakers, .length = std::chrono::seconds{options.seconds}, .seed = options.seed});
    if (!spoken) return spoken.error();
    if (!spoken->spoken) log().warn("espeak-ng is not installed: a buzz stands in for each line");
    sandbox::ShowOptions show;
    show.script = std::move(spoken->script);
    for (std::size_t i = 0; i < show.script.players.size(); ++i) show.names.push_back(player_name(i));
    show.line.loss = options.loss_percent / 100;
    show.line.jitter = milliseconds{options.jitter_ms};
    show.discord.seed = options.seed;
    return show;
}

void add_truth(Json& object, const std::filesystem::path& folder) {
    for (Json& track : object["tracks"]) {
        track["truth"] =
            std::filesystem::absolute(folder / "truth" / (track["user_id"].get<std::string>() + ".wav")).string();
    }
}

/// On a terminal the link leads somewhere until the reader has had enough.
void serve(LiveTable& table) {
    std::fflush(stdout);
    std::fprintf(stderr, "\nListen to it: %s\nCtrl-C ends the demo.\n", table.link.c_str());
    while (!Context::stop() && !table.service->broken_within(milliseconds(200))) continue;
}

Result<Exit> demo(const Options& options, Context& context) {
    auto config = context.config();
    if (!config) return config.error();
    (*config)->data.dir = options.out / "data";
    std::error_code error;
    std::filesystem::create_directories(options.out, error);
    if (error) return io_error("make", options.out, error.value());
    const auto tools = context.tools();
    if (!tools) return tools.error();

    log().info("{} players, {} s, seed {}", options.speakers, options.seconds, options.seed);
    auto show = show_of(options);
    if (!show) return show.error();
    if (Context::stop()) return render::stopped_error();
    auto table = record_live(std::move(*show), **config, *tools, options.out / "truth");
    if (!table) return table.error();
    if (table->stopped) {
        table->service.reset();  // lets the session go
        log().info("session {} holds what was said; LESTAPENNA_DATA_DIR={} lestapenna master {} renders it",
                   table->session.text(), (*config)->data.dir.string(), table->session.text());
        return render::stopped_error();
    }
    auto exit = finish(*tools, table->session);
    if (!exit) return exit;

    auto object = session_json(*tools, table->session.text());
    if (!object) return object.error();
    add_truth(*object, options.out);
    context.print(*object, session_text(*object));
    if (!context.json() && isatty(STDOUT_FILENO) != 0) serve(*table);
    return exit;
}

}  // namespace

void add_demo(CLI::App& app, Context& context) {
    const auto options = std::make_shared<Options>();
    options->seed = static_cast<std::uint64_t>(unix_now().time_since_epoch().count());
    auto* const verb =
        context.add_verb(app, "demo", "Records a short table of simulated players and shows where the files are",
                         [options, &context] { return demo(*options, context); });
    verb->add_option("--speakers", options->speakers, "Players at the table")
        ->check(CLI::Range(1, 100))
        ->type_name("N")
        ->capture_default_str();
    verb->add_option("--seconds", options->seconds, "How long they play")
        ->check(CLI::Range(1, 86'400))
        ->type_name("S")
        ->capture_default_str();
    verb->add_option("--out", options->out, "Everything goes here: data/, truth/")
        ->type_name("DIR")
        ->capture_default_str();
    verb->add_option("--seed", options->seed, "The same seed plays the same table (default: the clock, printed)")
        ->type_name("N");
    verb->add_option("--loss", options->loss_percent, "Packets the line loses")
        ->check(CLI::Range(0.0, 90.0))
        ->type_name("PERCENT")
        ->capture_default_str();
    verb->add_option("--jitter", options->jitter_ms, "The line's jitter")
        ->check(CLI::Range(0, 5'000))
        ->type_name("MS")
        ->capture_default_str();
    context.add_threads(*verb);
}

}  // namespace lestapenna::cli
