#include "base/config.h"

#include <algorithm>
#include <sstream>

#include <fmt/format.h>
#include <toml++/toml.h>

#include "base/config_keys.h"
#include "base/nearest.h"
#include "base/text.h"

namespace lestapenna {

namespace {

using config::Key;
using config::RawValue;

constexpr std::string_view kPrefix = "LESTAPENNA_";
constexpr std::string_view kFileSuffix = "_FILE";
constexpr std::string_view kLogVariable = "LESTAPENNA_LOG";
constexpr std::string_view kTestDataVariable = "LESTAPENNA_TEST_DATA";
constexpr std::string_view kTokenVariable = "DISCORD_TOKEN";

Error usage(std::string message) {
    return {ErrorKind::usage, std::move(message)};
}

/// Gives `key` the value, or says in one sentence why not.
Status assign(const Key& key, const RawValue& raw, const std::string& origin, Config& config) {
    std::string accepted;
    if (!key.read(raw, config)) {
        accepted = key.accepts();
    } else if (key.check != nullptr) {
        accepted = key.check(config);
    }
    if (accepted.empty()) return Ok{};
    const bool shown = !key.secret && (raw.shape == RawValue::Shape::text || raw.shape == RawValue::Shape::bare);
    return usage(origin + ": " + key.path() + (shown ? " = " + in_quotes(raw.text) : std::string()) +
                 " is not possible: it takes " + accepted);
}

// ---- the file

std::optional<WordList> texts(const toml::array& array) {
    WordList list;
    for (const auto& element : array) {
        const auto* const text = element.as_string();
        if (text == nullptr) return std::nullopt;
        list.push_back(text->get());
    }
    return list;
}

std::optional<GuildAddresses> text_table(const toml::table& table) {
    GuildAddresses result;
    for (const auto& [name, node] : table) {
        auto& list = result[std::string(name.str())];
        if (const auto* const text = node.as_string()) {
            list.push_back(text->get());
        } else if (const auto* const array = node.as_array()) {
            auto elements = texts(*array);
            if (!elements) return std::nullopt;
            list = std::move(*elements);
        } else {
            return std::nullopt;
        }
    }
    return result;
}

RawValue raw_value(const toml::node& node) {
    using Shape = RawValue::Shape;
    RawValue raw;
    if (const auto* const text = node.as_string()) {
        raw = {.shape = Shape::text, .text = text->get(), .list = {}, .table = {}};
    } else if (const auto* const flag = node.as_boolean()) {
        raw = {.shape = Shape::bare, .text = flag->get() ? "true" : "false", .list = {}, .table = {}};
    } else if (const auto* const number = node.as_integer()) {
        raw = {.shape = Shape::bare, .text = std::to_string(number->get()), .list = {}, .table = {}};
    } else if (const auto* const array = node.as_array()) {
        if (auto list = texts(*array)) raw = {.shape = Shape::list, .text = {}, .list = std::move(*list), .table = {}};
    } else if (const auto* const table = node.as_table()) {
        if (auto entries = text_table(*table)) {
            raw = {.shape = Shape::table, .text = {}, .list = {}, .table = std::move(*entries)};
        }
    }
    return raw;
}

std::string at_line(const std::string& file, const toml::source_region& source) {
    return file + ":" + std::to_string(source.begin.line);
}

Status apply_section(const std::string& section, const toml::table& table, const std::string& file, Config& config) {
    std::vector<std::string_view> known;
    for (const auto& key : config::keys()) {
        if (key.section == section) known.push_back(key.name);
    }
    for (const auto& [name, node] : table) {
        const auto origin = at_line(file, name.source());
        const auto key = std::ranges::find_if(config::keys(), [&, wanted = name.str()](const Key& k) {
            return k.section == section && k.name == wanted;
        });
        if (key == config::keys().end()) {
            return usage(fmt::format("{}: {} is not a key of [{}]; did you mean \"{}\"?", origin, in_quotes(name.str()),
                                     section, nearest(name.str(), known)));
        }
        if (auto assigned = assign(*key, raw_value(node), origin, config); !assigned) return assigned;
    }
    return Ok{};
}

Status apply_file(const std::string& file, std::string_view text, Config& config) {
    toml::table root;
    try {
        root = toml::parse(text, std::string_view(file));
    } catch (const toml::parse_error& error) {
        return usage(fmt::format("{}:{}: this is not TOML: {}", at_line(file, error.source()),
                                 error.source().begin.column, one_line(error.description())));
    }
    for (const auto& [name, node] : root) {
        const auto origin = at_line(file, name.source());
        const std::string section(name.str());
        const bool known = std::ranges::find(config::sections(), section) != config::sections().end();
        if (known && node.is_table()) {
            if (auto applied = apply_section(section, *node.as_table(), file, config); !applied) return applied;
        } else if (known) {
            return usage(fmt::format("{0}: \"{1}\" is a section: write [{1}] on a line of its own", origin, section));
        } else {
            return usage(fmt::format("{}: {} is not a section; did you mean [{}]?", origin, in_quotes(section),
                                     nearest(section, config::sections())));
        }
    }
    return Ok{};
}

// ---- variables

std::string nearest_variable(const std::string& name) {
    std::vector<std::string> names{std::string(kLogVariable), std::string(kTestDataVariable)};
    for (const auto& key : config::keys()) {
        if (key.has_variable) names.push_back(key.variable());
        if (key.secret) names.push_back(key.variable().append(kFileSuffix));
    }
    const std::vector<std::string_view> views(names.begin(), names.end());
    return std::string(nearest(name, views));
}

/// The layers of variables, one after the other, into the configuration.
class Variables {
  public:
    Variables(LoadedConfig& loaded, const ReadSecret& read_secret) : loaded_(loaded), read_secret_(read_secret) {}

    Status apply(const std::vector<Variable>& layer) {
        const auto named = [&](std::string_view name) { return std::ranges::find(layer, name, &Variable::name); };
        // The general name first, so that ours beats it within a layer.
        if (const auto token = named(kTokenVariable); token != layer.end()) {
            if (auto applied = assign_text(config::keys().front(), *token); !applied) return applied;
        }
        for (const auto& variable : layer) {
            if (!variable.name.starts_with(kPrefix) || variable.value.empty()) continue;
            if (variable.name == kTestDataVariable) continue;
            if (variable.name == kLogVariable) {
                loaded_.log_level = variable.value;
                continue;
            }
            if (auto applied = apply_one(variable, layer); !applied) return applied;
        }
        return Ok{};
    }

  private:
    Status apply_one(const Variable& variable, const std::vector<Variable>& layer) {
        for (const auto& key : config::keys()) {
            const auto name = key.variable();
            if (key.has_variable && variable.name == name) return assign_text(key, variable);
            if (!key.secret || variable.name != name + std::string(kFileSuffix)) continue;
            const auto direct = std::ranges::find(layer, name, &Variable::name);
            if (direct != layer.end() && !direct->value.empty()) {
                return usage(variable.origin + ": both " + name + " and " + variable.name +
                             " are set: keep one of them");
            }
            return assign_from_file(key, variable);
        }
        loaded_.warnings.push_back(variable.origin + ": " + in_quotes(variable.name) + " is not known; did you mean " +
                                   nearest_variable(variable.name) + "?");
        return Ok{};
    }

    Status assign_text(const Key& key, const Variable& variable) {
        if (variable.value.empty()) return Ok{};
        const RawValue raw{.shape = RawValue::Shape::text, .text = variable.value, .list = {}, .table = {}};
        return assign(key, raw, variable.origin, loaded_.config);
    }

    Status assign_from_file(const Key& key, const Variable& variable) {
        auto content = read_secret_(variable.value);
        if (!content) return usage(variable.origin + ": " + variable.name + ": " + content.error().message);
        while (!content->empty() && (content->back() == '\n' || content->back() == '\r')) content->pop_back();
        return assign_text(key, {variable.name, std::move(*content), variable.origin});
    }

    LoadedConfig& loaded_;
    const ReadSecret& read_secret_;
};

}  // namespace

std::optional<std::filesystem::path> Config::store_folder() const {
    constexpr std::string_view kScheme = "file:";
    std::string_view folder = store.url;
    if (!folder.starts_with(kScheme)) return std::nullopt;
    folder.remove_prefix(kScheme.size());
    if (folder.starts_with("///")) folder.remove_prefix(2);  // file:///x, as browsers write it
    return folder.empty() ? data.dir / "store" : std::filesystem::path(folder);
}

bool Config::holds_secrets() const {
    const Config defaults;
    return std::ranges::any_of(config::keys(),
                               [&](const Key& key) { return key.secret && key.show(*this) != key.show(defaults); }) ||
           queue.url.reveal() != defaults.queue.url.reveal();
}

Result<LoadedConfig> parse_config(const ConfigSources& sources, const ReadSecret& read_secret) {
    LoadedConfig loaded;
    if (auto applied = apply_file(sources.file_name, sources.file_text, loaded.config); !applied)
        return applied.error();
    Variables variables(loaded, read_secret);
    for (const auto& layer : sources.variables) {
        if (auto applied = variables.apply(layer); !applied) return applied.error();
    }
    return loaded;
}

Status check_supported(const Config& config) {
    const auto later = [](std::string_view what, std::string_view instead) {
        return usage(std::string(what).append(" is not in this version yet: ").append(instead));
    };
    if (config.audio.stereo_table) return later("audio.stereo_table = true", "set it to false");
    if (config.audio.leveling != Switch::off) return later("audio.leveling", "set it to \"off\"");
    if (config.audio.denoise != Switch::off) return later("audio.denoise", "set it to \"off\"");
    return Ok{};
}

std::string config_reference() {
    const Config defaults;
    std::ostringstream text;
    std::string_view section;
    for (const auto& key : config::keys()) {
        if (key.section != section) {
            text << (section.empty() ? "" : "\n") << "[" << key.section << "]\n\n"
                 << "| key | default | takes | meaning | variable |\n|---|---|---|---|---|\n";
            section = key.section;
        }
        // Only queue.url has a secret type and a default that is no secret.
        const auto shown = key.secret && !key.show(defaults).empty() ? defaults.queue.url.reveal() : key.show(defaults);
        text << "| `" << key.name << "` | " << (shown.empty() ? "" : "`" + shown + "`") << " | " << key.accepts()
             << " | " << key.meaning << " | " << (key.has_variable ? "`" + key.variable() + "`" : "")
             << (key.secret ? ", `..." + std::string(kFileSuffix) + "`" : "") << " |\n";
    }
    return std::move(text).str();
}

}  // namespace lestapenna
