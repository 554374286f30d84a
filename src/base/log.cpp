#include "base/log.h"

#include <array>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include <spdlog/sinks/stdout_color_sinks.h>

namespace lestapenna {

namespace {

using Level = spdlog::level::level_enum;

std::optional<Level> level_by_name(std::string_view name) {
    static constexpr std::array<std::pair<std::string_view, Level>, 6> kLevels{{{"trace", Level::trace},
                                                                                {"debug", Level::debug},
                                                                                {"info", Level::info},
                                                                                {"warn", Level::warn},
                                                                                {"error", Level::err},
                                                                                {"off", Level::off}}};
    for (const auto& [known, level] : kLevels) {
        if (known == name) return level;
    }
    return std::nullopt;
}

spdlog::logger* make_logger() {
    auto sink = std::make_shared<spdlog::sinks::stderr_color_sink_mt>();  // colours on a terminal only
    auto* logger = new spdlog::logger("lestapenna", std::move(sink));  // never destroyed: threads may log until the end
    logger->set_pattern("%Y-%m-%d %H:%M:%S.%e %^%l%$ %v");
    logger->set_level(Level::info);
    const char* wanted = std::getenv("LESTAPENNA_LOG");  // NOLINT(concurrency-mt-unsafe): nobody calls setenv
    if (wanted != nullptr && *wanted != '\0') {
        if (const auto level = level_by_name(wanted)) {
            logger->set_level(*level);
        } else {
            logger->warn("LESTAPENNA_LOG={} is not a level: use trace, debug, info, warn, error or off", wanted);
        }
    }
    return logger;
}

}  // namespace

spdlog::logger& log() {
    static spdlog::logger* const logger = make_logger();
    return *logger;
}

bool set_log_level(std::string_view name) {
    const auto level = level_by_name(name);
    if (level) log().set_level(*level);
    return level.has_value();
}

}  // namespace lestapenna
