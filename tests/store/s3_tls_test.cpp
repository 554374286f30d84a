// Whom the S3 store believes to be its server: certificates of private authorities, of other names, of nobody.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/files.h"
#include "net/loop_thread.h"
#include "net/server.h"
#include "store/s3.h"
#include "support.h"

namespace lestapenna::store {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

/// A server that has every object there is, with a certificate that is its own authority.
class TlsStore : public testing::Test {
  protected:
    void open(const std::vector<std::string>& names) {
        auto made = net::make_self_signed(names);
        ASSERT_TRUE(made) << made.error().message;
        ASSERT_TRUE(write_file(ca_file, made->certificate_pem));
        server.reset();
        thread.call([&] {
            net::ServerOptions options;
            options.tls = std::move(*made);
            net::Handlers handlers;
            handlers.request = [](net::HttpRequest) -> net::Task<net::Reply> {
                net::Reply reply;
                reply.response.status = 200;
                reply.response.body = "0123456789";
                co_return reply;
            };
            auto listening = net::Server::listen(thread.loop(), std::move(options), std::move(handlers));
            EXPECT_TRUE(listening);
            if (listening) server.emplace(std::move(*listening));
        });
        ASSERT_TRUE(server);
        config.store.url = "s3://rec";
        config.store.endpoint = "https://localhost:" + std::to_string(server->port());
        config.store.region = "r";
        config.store.access_key = Secret("a");
        config.store.secret_key = Secret("s");
    }
    void TearDown() override {
        thread.call([this] { server.reset(); });
    }

    /// What asking for an object, and then sending one, says; empty: all is well.
    std::string trouble() const {
        auto store = open_store(config);
        if (!store) return store.error().message;
        const Key key = *Key::parse("recordings/x.mp3");
        const auto found = (*store)->find(key);
        const auto stored = (*store)->put(ca_file, key);
        EXPECT_EQ(found.ok(), stored.ok());
        if (!found) return found.error().message;
        EXPECT_TRUE(*found);
        return stored ? "" : stored.error().message;
    }

    test::TempDir folder;
    std::filesystem::path ca_file = folder / "ca.pem";
    Config config;
    net::LoopThread thread;
    std::optional<net::Server> server;
};

TEST_F(TlsStore, APrivateAuthorityIsTrustedWhenItIsNamed) {
    open({"localhost"});
    EXPECT_THAT(trouble(), AllOf(HasSubstr("certificate that nobody we trust has signed"), HasSubstr("store.ca_file")));
    config.store.ca_file = ca_file;
    EXPECT_EQ(trouble(), "");
}

TEST_F(TlsStore, ACertificateForAnotherNameIsRefused) {
    open({"another.example"});
    config.store.ca_file = ca_file;
    EXPECT_THAT(trouble(), AllOf(HasSubstr("certificate that is for another name: check store.endpoint"),
                                 Not(HasSubstr("ca_file"))));
}

TEST_F(TlsStore, AnotherAuthorityIsNotThisOne) {
    open({"localhost"});
    const auto first = folder / "first.pem";
    std::filesystem::copy_file(ca_file, first);
    open({"localhost"});
    config.store.ca_file = first;
    EXPECT_THAT(trouble(), HasSubstr("certificate that nobody we trust has signed"));
}

TEST_F(TlsStore, AFileWithoutACertificateIsNamed) {
    open({"localhost"});
    config.store.ca_file = folder / "none.pem";
    EXPECT_THAT(trouble(), AllOf(HasSubstr("store.ca_file: "), HasSubstr("none.pem")));
    ASSERT_TRUE(write_file(folder / "none.pem", std::string_view("-----BEGIN CERTIFICATE-----\nnot one\n")));
    EXPECT_THAT(trouble(), AllOf(HasSubstr("store.ca_file: "), HasSubstr("holds no certificate")));
}

}  // namespace
}  // namespace lestapenna::store
