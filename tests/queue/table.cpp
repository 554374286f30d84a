// A table of five fragments that our transcriber hands to the Redis at argv[1]; ends once all of them are done or given
// up, and prints them: {"rows": [{"file", "status", "error", "attempts", "words"}], "jobs": [...], "files": how many of
// the store are still there}.
#include "../jobs/table.h"

#include <iostream>

#include <nlohmann/json.hpp>

int main(int argc, char** argv) {
    using namespace lestapenna;
    if (argc != 2) return 2;
    test::TranscribedTable table;
    table.config.queue.url = Secret(std::string("redis://127.0.0.1:") + argv[1]);
    table.session("one");
    std::vector<std::string> keys;
    for (std::uint64_t user = 1; user <= 5; ++user) {
        keys.push_back(table.fragment("one", user, seconds(user), "the audio"));
    }
    table.start();
    if (!table.transcriber) return 1;
    const auto over = [&] {
        for (const auto& key : keys) {
            const auto status = table.row(key).status;
            if (status != catalog::TranscriptionStatus::done && status != catalog::TranscriptionStatus::failed)
                return false;
        }
        return true;
    };
    const bool ended = test::eventually(over);
    table.transcriber.reset();
    nlohmann::json said{{"rows", nlohmann::json::array()}, {"jobs", table.jobs()}, {"files", 0}};
    for (const auto& key : keys) {
        const auto row = table.row(key);
        std::string words;
        const auto segments = *table.catalog().segments(key);
        for (const auto& segment : segments) {
            words += std::to_string(segment.start.count()) + " " + segment.text + ";";
        }
        said["rows"].push_back({{"file", row.job},
                                {"status", std::string(to_text(row.status))},
                                {"error", row.error},
                                {"attempts", row.attempts},
                                {"words", words}});
        said["files"] = said["files"].get<int>() + (exists(table.config.data.dir / "store" / key) ? 1 : 0);
    }
    std::cout << said.dump() << std::endl;
    return ended ? 0 : 1;
}
