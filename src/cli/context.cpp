#include "cli/context.h"

#include <algorithm>
#include <cstdio>

#include <nlohmann/json.hpp>
#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/files.h"
#include "base/log.h"
#include "cli/cli11.h"

namespace lestapenna::cli {

namespace {

std::atomic<bool> stop_requested{false};  // NOLINT: a signal handler reaches nothing else
static_assert(std::atomic<bool>::is_always_lock_free);

}  // namespace

void catch_signals() {
    struct sigaction action {};
    action.sa_handler = [](int) { stop_requested.store(true, std::memory_order_relaxed); };
    action.sa_flags = static_cast<int>(SA_RESETHAND);  // who asks twice does not want to wait
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, nullptr);
    sigaction(SIGTERM, &action, nullptr);
}

const std::atomic<bool>& Context::stop() {
    return stop_requested;
}

void Context::add_global_options(CLI::App& app) {
    app.add_option("--config", config_file_, "The configuration (default: lestapenna.toml, when it is there)")
        ->type_name("PATH");
    app.add_flag("--json", json_, "One JSON value and nothing else on standard output");
}

CLI::App* Context::add_verb(CLI::App& app, const std::string& name, const std::string& description, Work work) {
    auto* const verb = app.add_subcommand(name, description);
    verb->footer("Also: --json, --config PATH (lestapenna --help).");
    verb->final_callback([this, work = std::move(work)] { chosen_ = work; });
    return verb;
}

void Context::add_threads(CLI::App& verb) {
    constexpr unsigned kMost = 1024;
    verb.add_option("--threads", threads_, "How many threads render (default: the CPUs this process may use)")
        ->check(CLI::Range(1U, kMost))
        ->type_name("N");
}

Result<Config*> Context::config() {
    if (config_) return config_.get();
    auto loaded = load_config(config_file_, environ);
    if (!loaded) return loaded.error();
    if (!loaded->log_level.empty() && !set_log_level(loaded->log_level)) {
        loaded->warnings.push_back("LESTAPENNA_LOG is none of trace, debug, info, warn, error, off");
    }
    for (const auto& warning : loaded->warnings) log().warn("{}", warning);
    if (auto supported = check_supported(loaded->config); !supported) return supported.error();
    // A core dump would write them to disk.
    if (loaded->config.holds_secrets()) prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    config_ = std::make_unique<Config>(std::move(loaded->config));
    return config_.get();
}

Status Context::open() {
    auto configured = config();
    if (!configured) return configured.error();
    if (auto made = make_folders(config_->data.dir); !made) {
        return Error{ErrorKind::failed, made.error().message + " (data.dir in the configuration says where)"};
    }
    auto catalog = catalog::Catalog::open(config_->data.dir / "catalog.sqlite");
    if (!catalog) return catalog.error();
    auto opened = store::open_store(*config_);
    if (!opened) return opened.error();
    catalog_ = std::make_unique<catalog::Catalog>(std::move(*catalog));
    store_ = std::move(*opened);
    return Ok{};
}

Result<workflows::Tools> Context::tools() {
    if (!store_) {
        if (auto opened = open(); !opened) return opened.error();
    }
    render::Work work;
    work.threads = threads_;
    work.stop = &stop_requested;
    if (isatty(STDERR_FILENO) != 0) work.progress = show_progress;
    return workflows::Tools{*config_, *catalog_, *store_, std::move(work)};
}

std::string dump(const Json& value) {
    return value.dump(2, ' ', false, Json::error_handler_t::replace);
}

void Context::print(const Json& value, std::string_view text) const {
    const auto shown = json_ ? dump(value) + "\n" : std::string(text);
    std::fwrite(shown.data(), 1, shown.size(), stdout);  // run() sees whether it arrived
}

void show_progress(std::string_view stage, std::size_t done, std::size_t total) {
    constexpr std::size_t kWidth = 30;
    const std::size_t filled = total == 0 ? kWidth : std::min(done, total) * kWidth / total;
    std::string line = "\r\x1b[K";
    if (done < total) {
        line.append(stage).append(" [").append(filled, '#').append(kWidth - filled, ' ').append("] ");
        line.append(std::to_string(done)).append("/").append(std::to_string(total));
    }
    std::fwrite(line.data(), 1, line.size(), stderr);
}

}  // namespace lestapenna::cli
