#include "cli/doctor.h"

#include <algorithm>
#include <iterator>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "cli/cli11.h"
#include "cli/doctor_checks.h"

namespace lestapenna::cli {

namespace {

Result<Exit> doctor(Context& context) {
    const auto config = context.config();
    if (!config) return config.error();
    std::vector<Check> checks{{"configuration", true, "all of it is understood"}};
    std::ranges::move(check_discord(**config), std::back_inserter(checks));
    std::ranges::move(check_machine(**config), std::back_inserter(checks));
    std::ranges::move(check_mail(**config), std::back_inserter(checks));

    auto array = Json::array();
    std::string lines;
    for (const Check& check : checks) {
        const auto message = one_line(check.message);
        array.push_back({{"check", check.name}, {"ok", check.ok}, {"message", message}});
        lines += fmt::format("{:5} {:13} {}\n", check.ok ? "ok" : "WRONG", check.name, message);
    }
    context.print(array, lines);
    return std::ranges::all_of(checks, &Check::ok) ? kDone : kFailed;
}

}  // namespace

void add_doctor(CLI::App& app, Context& context) {
    context.add_verb(app, "doctor", "Looks at everything the bot needs, and says what to do",
                     [&context] { return doctor(context); });
}

}  // namespace lestapenna::cli
