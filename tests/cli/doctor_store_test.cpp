// What doctor says of a bucket whose server shows a certificate of a private authority.
#include <map>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/files.h"
#include "cli/doctor_checks.h"
#include "net/loop_thread.h"
#include "net/server.h"
#include "support.h"

namespace lestapenna::cli {
namespace {

using ::testing::HasSubstr;

TEST(DoctorStore, APrivateAuthorityHasToBeNamed) {
    const test::TempDir folder;
    auto made = net::make_self_signed({"localhost"});
    ASSERT_TRUE(made);
    ASSERT_TRUE(write_file(folder / "ca.pem", made->certificate_pem));

    net::LoopThread thread;
    std::map<std::string, std::string> objects;  // the loop's
    std::optional<net::Server> server;
    thread.call([&] {
        net::ServerOptions options;
        options.tls = std::move(*made);
        net::Handlers handlers;
        handlers.request = [&objects](net::HttpRequest request) -> net::Task<net::Reply> {
            net::Reply reply;
            reply.response.status = 200;
            auto& object = objects[std::string(net::path_of(request.target))];
            if (request.method == "PUT") object = request.body;
            if (request.method == "GET") reply.response.body = object;
            co_return reply;
        };
        auto listening = net::Server::listen(thread.loop(), std::move(options), std::move(handlers));
        if (listening) server.emplace(std::move(*listening));
    });
    ASSERT_TRUE(server);

    Config config;
    config.data.dir = folder / "data";
    config.store.url = "s3://rec";
    config.store.endpoint = "https://localhost:" + std::to_string(server->port());
    config.store.region = "r";
    config.store.access_key = Secret("a");
    config.store.secret_key = Secret("s");
    const auto store_line = [&config] {
        for (const auto& check : check_machine(config)) {
            if (check.name == "store") return check;
        }
        return Check{};
    };
    EXPECT_FALSE(store_line().ok);
    EXPECT_THAT(store_line().message, HasSubstr("name that in store.ca_file"));
    config.store.ca_file = folder / "ca.pem";
    EXPECT_TRUE(store_line().ok) << store_line().message;
    EXPECT_THAT(store_line().message, HasSubstr("out by links"));
    thread.call([&] { server.reset(); });
}

}  // namespace
}  // namespace lestapenna::cli
