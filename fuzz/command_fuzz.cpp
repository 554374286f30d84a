// The first line is a prefix, the rest what somebody typed: a command or none. Typed again as it was understood it is
// the same command; whatever it says, and whatever its author calls themselves, fits a message and formats nothing.
#include <cstdlib>
#include <string>
#include <string_view>

#include "bot/command.h"
#include "bot/text.h"
#include "bot/text_parts.h"

namespace {

using namespace lestapenna;
using namespace lestapenna::bot;

bool is_punctuation(char c) {
    return c > ' ' && c < 0x7F && !(c >= '0' && c <= '9') && !(c >= 'A' && c <= 'Z') && !(c >= 'a' && c <= 'z');
}

void check_name(std::string_view name) {
    const std::string escaped = text::escaped(name);
    if (escaped.empty() || escaped.size() > 2 * 64 + 3) std::abort();
    if (escaped != "?") {
        for (std::size_t i = 0; i < escaped.size(); ++i) {
            if (!is_punctuation(escaped[i])) continue;
            if (escaped[i] != '\\' || i + 1 == escaped.size() || !is_punctuation(escaped[i + 1])) std::abort();
            ++i;
        }
    }
    if (text::newcomer(Language::it, name).size() > text::kMaxBytes) std::abort();
    if (text::as_code(name, 100).find('`') != std::string::npos) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view input(reinterpret_cast<const char*>(data), size);
    const std::size_t end = std::min(input.find('\n'), input.size());
    const std::string_view prefix = input.substr(0, end);
    const std::string_view typed = input.substr(std::min(end + 1, size));
    check_name(typed);

    const auto command = parse_message(prefix, typed);
    if (!command) return 0;
    if (prefix.empty() || command->argument.size() > typed.size()) std::abort();
    const std::string plain = "$" + std::string(word(command->verb, command->language)) + ' ' + command->argument;
    const auto again = parse_message("$", plain);
    if (!again || again->verb != command->verb || again->language != command->language ||
        again->argument != command->argument) {
        std::abort();
    }
    discord::Interaction chosen;
    chosen.type = 2;
    chosen.command = word(command->verb, command->language);
    chosen.options["sessione"] = command->argument;
    const auto as_slash = parse_interaction(chosen);
    if (!as_slash || as_slash->verb != command->verb || as_slash->argument != command->argument) std::abort();
    return 0;
}
