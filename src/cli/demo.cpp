#include "cli/demo.h"

#include <array>
#include <system_error>

#include <fmt/format.h>

#include "base/files.h"
#include "base/log.h"
#include "cli/finish.h"
#include "cli/import_capture.h"
#include "cli/session_json.h"
#include "cli/session_text.h"
#include "render/work.h"
#include "sandbox/line.h"
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

// Who sits at the table; from the thirteenth player on they have numbers.
constexpr std::array kNames{"Aldo", "Bice",  "Carlo", "Dora", "Elio",  "Fosca",
                            "Gino", "Hilde", "Ivo",   "Lia",  "Marco", "Nives"};

std::string name_of(std::size_t player) {
    return player < kNames.size() ? kNames[player] : fmt::format("Giocatore {}", player + 1);
}

/// Plays the table over the simulated line; `table.pcap` and `truth/` are then in the folder.
Result<sandbox::SimulatedTable> play(const Options& options) {
    const auto spoken = sandbox::spoken_table(
        {.speakers = options.speakers, .length = std::chrono::seconds{options.seconds}, .seed = options.seed});
    if (!spoken) return spoken.error();
    if (!spoken->spoken) log().warn("espeak-ng is not installed: a buzz stands in for each line");
    sandbox::LineOptions line;
    line.seed = options.seed;
    line.start_time = unix_now();
    line.loss = options.loss_percent / 100;
    line.jitter = milliseconds{options.jitter_ms};
    if (Context::stop()) return render::stopped_error();
    auto table = sandbox::simulate(spoken->script, line);
    if (Context::stop()) return render::stopped_error();
    if (auto written = sandbox::write_table(table, options.out); !written) return written.error();
    return table;
}

/// The names are known here, as the bot will know them.
Status name_players(const workflows::Tools& tools, const SessionId& id, const sandbox::SimulatedTable& table) {
    for (std::size_t i = 0; i < table.senders.size(); ++i) {
        catalog::Track row{id, table.senders[i].user, name_of(i)};
        if (auto status = tools.catalog.upsert_track(row); !status) return status;
    }
    return Ok{};
}

void add_truth(Json& object, const std::filesystem::path& folder) {
    for (Json& track : object["tracks"]) {
        track["truth"] =
            std::filesystem::absolute(folder / "truth" / (track["user_id"].get<std::string>() + ".wav")).string();
    }
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
    const auto table = play(options);
    if (!table) return table.error();
    ImportOptions capture{options.out / "table.pcap", {}, table->start_time, {}};
    for (const auto& sender : table->senders) capture.users.emplace(sender.ssrc, sender.user);
    const auto imported = import_session(*tools, capture);
    if (!imported) return imported.error();
    if (auto named = name_players(*tools, imported->session, *table); !named) return named.error();
    auto exit = finish(*tools, imported->session);
    if (!exit) return exit;

    auto object = session_json(tools->catalog, tools->store, imported->session.text());
    if (!object) return object.error();
    add_truth(*object, options.out);
    context.print(*object, session_text(*object));
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
    verb->add_option("--out", options->out, "Everything goes here: data/, truth/, table.pcap")
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
