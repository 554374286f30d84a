// Where the configuration comes from: the only part of it that touches files.
#include <algorithm>
#include <system_error>

#include "base/config.h"
#include "base/files.h"
#include "base/text.h"

namespace lestapenna {

namespace {

constexpr std::size_t kMaxConfigBytes = 1U << 20;
constexpr std::size_t kMaxSecretBytes = 16U << 10;
constexpr std::string_view kDefaultFile = "lestapenna.toml";
constexpr std::string_view kDotenv = ".env";

bool is_variable_name(std::string_view name) {
    const auto allowed = [](char c) {
        return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
    };
    return !name.empty() && std::ranges::all_of(name, allowed);
}

/// Takes quotes off, or a comment that begins with a blank and '#'.
std::string_view unquoted(std::string_view value) {
    if (!value.empty() && (value.front() == '"' || value.front() == '\'')) {
        const auto closing = value.find(value.front(), 1);
        if (closing != std::string_view::npos) return value.substr(1, closing - 1);
    }
    const auto comment = std::min(value.find(" #"), value.find("\t#"));
    return trimmed(value.substr(0, comment));
}

Error as_usage(Error error) {
    error.kind = ErrorKind::usage;
    return error;
}

std::vector<Variable> environment_variables(const char* const* environment) {
    std::vector<Variable> layer;
    for (; environment != nullptr && *environment != nullptr; ++environment) {
        const std::string_view entry = *environment;
        const auto equals = entry.find('=');
        if (equals == std::string_view::npos) continue;
        layer.push_back(
            {std::string(entry.substr(0, equals)), std::string(entry.substr(equals + 1)), "the environment"});
    }
    return layer;
}

}  // namespace

std::vector<Variable> parse_dotenv(std::string_view text, std::string_view name, std::vector<std::string>& warnings) {
    std::vector<Variable> layer;
    for (std::size_t line_number = 1; !text.empty(); ++line_number) {
        const auto end = std::min(text.find('\n'), text.size());
        auto line = trimmed(text.substr(0, end));
        text.remove_prefix(std::min(end + 1, text.size()));
        if (line.empty() || line.front() == '#') continue;
        constexpr std::string_view kExport = "export ";
        if (line.starts_with(kExport)) line = trimmed(line.substr(kExport.size()));
        const auto equals = line.find('=');
        const auto variable = trimmed(line.substr(0, equals));
        const std::string origin = std::string(name).append(":").append(std::to_string(line_number));
        if (equals == std::string_view::npos || !is_variable_name(variable)) {
            // The line itself may hold a secret: it is not shown.
            warnings.push_back(origin + ": this line is skipped: it is not NAME=value");
            continue;
        }
        layer.push_back({std::string(variable), std::string(unquoted(trimmed(line.substr(equals + 1)))), origin});
    }
    return layer;
}

Result<LoadedConfig> load_config(const std::optional<std::filesystem::path>& file, const char* const* environment) {
    ConfigSources sources;
    const std::filesystem::path name = file.value_or(kDefaultFile);
    sources.file_name = one_line(name.native());
    auto text = read_text_file(name, kMaxConfigBytes);
    if (text) {
        sources.file_text = std::move(*text);
    } else if (file || text.error().kind != ErrorKind::not_found) {
        return as_usage(text.error());
    }

    std::vector<std::string> warnings;
    auto dotenv = read_text_file(kDotenv, kMaxConfigBytes);
    if (dotenv) {
        sources.variables.push_back(parse_dotenv(*dotenv, kDotenv, warnings));
    } else if (dotenv.error().kind != ErrorKind::not_found) {
        return as_usage(dotenv.error());
    }
    sources.variables.push_back(environment_variables(environment));

    auto loaded = parse_config(sources, [](const std::string& path) { return read_text_file(path, kMaxSecretBytes); });
    if (loaded) loaded->warnings.insert(loaded->warnings.begin(), warnings.begin(), warnings.end());
    return loaded;
}

}  // namespace lestapenna
