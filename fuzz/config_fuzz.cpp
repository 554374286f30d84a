// The configuration's parsers on any bytes: TOML, then .env, told apart by the first byte so that one corpus feeds
// both.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "base/config.h"

namespace {

using namespace lestapenna;  // NOLINT(google-build-using-namespace)

Result<std::string> read_secret(const std::string& path) {
    if (path.size() % 2 == 0) return path;
    return Error{ErrorKind::not_found, "no such file"};
}

/// Every message is one line, and what was accepted can be used.
void check(const Result<LoadedConfig>& loaded) {
    if (!loaded) {
        if (loaded.error().kind != ErrorKind::usage || loaded.error().message.find('\n') != std::string::npos)
            std::abort();
        return;
    }
    const auto& config = loaded->config;
    if (config.capture.rotation <= milliseconds(0) || config.capture.rotation % seconds(30) != milliseconds(0))
        std::abort();
    for (const auto& warning : loaded->warnings) {
        if (warning.find('\n') != std::string::npos) std::abort();
    }
    (void)check_supported(config).ok();
    (void)config.store_folder();
    (void)config.holds_secrets();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    if (!text.empty() && text.front() == '=') {  // no TOML begins like this
        std::vector<std::string> warnings;
        auto layer = parse_dotenv(text.substr(1), ".env", warnings);
        check(parse_config({".env", "", {std::move(layer)}}, read_secret));
    } else {
        check(parse_config({"lestapenna.toml", std::string(text), {}}, read_secret));
    }
    return 0;
}
