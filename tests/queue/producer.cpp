// Our producer alone, for tests that speak JavaScript: producer PORT QUEUE, then one JSON line per job on standard
// input,
// {"id", "name", "data" (JSON text), "timestamp" (Unix ms)}; answers each with "added" or "there", or with a sentence.
#include <atomic>
#include <iostream>
#include <string>

#include <nlohmann/json.hpp>

#include "jobs/bullmq.h"

int main(int argc, char** argv) {
    using namespace lestapenna;
    if (argc != 3) return 2;
    const std::atomic<bool> stop{false};
    Config config;
    config.queue.url = Secret(std::string("redis://127.0.0.1:") + argv[1]);
    const auto place = jobs::RedisPlace::of(config);
    if (!place) return 2;
    auto queue = jobs::BullQueue::connect(*place, argv[2], stop);
    if (!queue) {
        std::cerr << queue.error().message << '\n';
        return 1;
    }
    for (std::string line; std::getline(std::cin, line);) {
        const auto job = nlohmann::json::parse(line);
        const auto added = queue->add({job["id"], job["name"], job["data"]},
                                      UnixTime{milliseconds(job["timestamp"].get<std::int64_t>())});
        std::cout << (added ? (*added ? "added" : "there") : added.error().message) << std::endl;
    }
}
