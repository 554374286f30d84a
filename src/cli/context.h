// What every verb works with: the global options, and configuration, catalog and store, each opened when first asked
// for. Thread: one; a Context lives for one command.
#pragma once

#include <atomic>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <nlohmann/json_fwd.hpp>

#include "base/config.h"
#include "base/parallel.h"
#include "base/result.h"
#include "catalog/catalog.h"
#include "cli/cli.h"
#include "store/store.h"
#include "workflows/session.h"

namespace CLI {
class App;
}

namespace lestapenna::cli {

using Json = nlohmann::ordered_json;  ///< keys stay in the order of the contract

/// What a verb does once the line was understood.
using Work = std::function<Result<Exit>()>;

class Context {
  public:
    Context() = default;
    Context(const Context&) = delete;
    Context& operator=(const Context&) = delete;

    // ---- while the command line is described

    /// --config and --json.
    void add_global_options(CLI::App& app);
    /// As --json does; for a line that is not understood to its end.
    void want_json() { json_ = true; }
    /// Adds a verb; `work` is kept until the line was understood. The result belongs to `app`.
    CLI::App* add_verb(CLI::App& app, const std::string& name, const std::string& description, Work work);
    /// --threads N for a verb that renders.
    void add_threads(CLI::App& verb);
    /// The work of the verb that stood on the line; empty when none did.
    [[nodiscard]] const Work& chosen() const { return chosen_; }

    // ---- while a verb works

    [[nodiscard]] bool json() const { return json_; }
    [[nodiscard]] unsigned threads() const { return threads_; }
    /// Set by SIGINT and SIGTERM: long work polls it and returns an error soon.
    static const std::atomic<bool>& stop();

    /// The configuration, loaded and checked; warnings were logged. A verb may change it until it calls tools().
    Result<Config*> config();
    /// Configuration, catalog and store, opened; the data folder is made when it is missing. The Work in it has
    /// threads(), stop() and, on a terminal, a line of progress. What it refers to lives as long as the Context.
    Result<workflows::Tools> tools();

    /// The verb's one result on standard output: `value` with --json, else `text`.
    void print(const Json& value, std::string_view text) const;

  private:
    Status open();

    std::optional<std::filesystem::path> config_file_;
    bool json_ = false;
    unsigned threads_ = usable_cpus();
    Work chosen_;

    std::unique_ptr<Config> config_;
    std::unique_ptr<catalog::Catalog> catalog_;
    std::unique_ptr<store::ObjectStore> store_;
};

/// Ready to be called from any thread, one call at a time: draws one line on standard error, when that is a terminal,
/// and takes it away when a stage is done.
void show_progress(std::string_view stage, std::size_t done, std::size_t total);

/// `value` as text, whatever bytes its strings hold.
std::string dump(const Json& value);

/// Lets SIGINT and SIGTERM set Context::stop().
void catch_signals();

}  // namespace lestapenna::cli
