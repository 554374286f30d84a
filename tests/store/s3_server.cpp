#include "s3_server.h"

#include <sstream>

#include <gtest/gtest.h>
#include <unistd.h>

#include "base/files.h"
#include "store/s3_client.h"

namespace lestapenna::store {

namespace {

/// Each script takes up to 12 ports from its first one on; tests of other processes have others.
std::string first_port() {
    constexpr int kFirst = 20'000;
    constexpr int kBlocks = 800;
    constexpr int kBlock = 12;
    return std::to_string(kFirst + static_cast<int>(::getpid() % kBlocks) * kBlock);
}

}  // namespace

std::unique_ptr<S3Server> S3Server::start(const std::string& name, std::string& why) {
    const auto data = test::test_data();
    if (!data) return why = test::kNoTestData, nullptr;
    const auto script = *data / "tools" / ("s3-" + name + ".sh");
    if (!std::filesystem::exists(script)) return why = "no " + script.string(), nullptr;
    std::unique_ptr<S3Server> server(new S3Server(script.string()));
    const auto started = test::run_process({server->script_, "start", server->folder().string(), first_port()});
    constexpr int kNotHere = 3;  // not root, no packages, no free port
    EXPECT_TRUE(started.exit_code == 0 || started.exit_code == kNotHere) << name << ": " << started.err;
    if (started.exit_code != 0) return why = "the server " + name + " can not be had here: " + started.err, nullptr;
    std::istringstream lines(started.out);
    for (std::string line; std::getline(lines, line);) {
        const auto equals = line.find('=');
        if (equals == std::string::npos) continue;
        const auto value = line.substr(equals + 1);
        if (line.starts_with("S3_ENDPOINT=")) server->endpoint_ = value;
        if (line.starts_with("S3_ACCESS_KEY=")) server->access_key_ = value;
        if (line.starts_with("S3_SECRET_KEY=")) server->secret_key_ = value;
        if (line.starts_with("S3_REGION=")) server->region_ = value;
    }
    auto place = S3Place::of(server->config());
    if (!place) return why = place.error().message, nullptr;
    S3Client client(std::move(*place));
    const auto made = client.send(S3Request{"PUT", client.place().bucket_path()});
    if (!made) return why = made.error().error.message, nullptr;
    return server;
}

S3Server::~S3Server() {
    const auto stopped = test::run_process({script_, "stop", folder().string()});
    EXPECT_EQ(stopped.exit_code, 0) << stopped.err;
}

Config S3Server::config(const std::string& prefix) const {
    Config config;
    config.data.dir = folder() / "data";
    config.store.url = "s3://rec" + (prefix.empty() ? "" : "/" + prefix);
    config.store.endpoint = endpoint_;
    config.store.region = region_;
    config.store.access_key = Secret(access_key_);
    config.store.secret_key = Secret(secret_key_);
    return config;
}

Fetched fetch(const std::string& link, const std::string& range) {
    const test::TempDir folder;
    const auto head = (folder / "head").string();
    std::vector<std::string> argv{"curl", "-s", "-D", head, "-w", "\n%{http_code}", link};
    if (!range.empty()) argv.insert(argv.end(), {"-r", range});
    auto got = test::run_process(argv);
    const auto end = got.out.rfind('\n');
    if (end == std::string::npos) return {};
    return {got.out.substr(end + 1), read_text_file(head, 65536).value(), got.out.substr(0, end)};
}

}  // namespace lestapenna::store
