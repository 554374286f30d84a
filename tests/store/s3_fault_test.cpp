// The S3 store against a server that misbehaves as it is told to: raw sockets, so that it can.
#include <array>
#include <atomic>
#include <functional>
#include <future>
#include <mutex>
#include <thread>

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/files.h"
#include "fault_proxy.h"
#include "hanging_names.h"
#include "net/http.h"
#include "store/s3.h"
#include "support.h"

namespace lestapenna::store {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

struct Asked {
    std::string head;
    std::string body;
};

/// Answers each request with what `script` says, as raw bytes, and hangs up; "" hangs until the server goes.
class FaultServer {
  public:
    using Script = std::function<std::string(const Asked& asked, int count)>;

    explicit FaultServer(Script script) : script_(std::move(script)), socket_(::socket(AF_INET, SOCK_STREAM, 0)) {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        socklen_t size = sizeof address;
        auto* const raw = reinterpret_cast<sockaddr*>(&address);
        EXPECT_EQ(::bind(socket_.get(), raw, size), 0);
        EXPECT_EQ(::listen(socket_.get(), 16), 0);
        EXPECT_EQ(::getsockname(socket_.get(), raw, &size), 0);
        port_ = ntohs(address.sin_port);
        thread_ = std::thread([this] { serve(); });
    }
    FaultServer(const FaultServer&) = delete;
    FaultServer& operator=(const FaultServer&) = delete;
    ~FaultServer() {
        stopped_ = true;
        thread_.join();
    }

    [[nodiscard]] Config config() const {
        Config config;
        config.store.url = "s3://rec/p";
        config.store.endpoint = "http://127.0.0.1:" + std::to_string(port_);
        config.store.region = "r";
        config.store.access_key = Secret("THEACCESSKEY");
        config.store.secret_key = Secret("THESECRETKEY");
        return config;
    }
    [[nodiscard]] std::vector<Asked> asked() {
        const std::lock_guard lock(mutex_);
        return asked_;
    }

  private:
    void serve() {
        std::vector<Fd> hanging;
        while (!stopped_) {
            pollfd waiting{socket_.get(), POLLIN, 0};
            if (::poll(&waiting, 1, 20) != 1) continue;
            Fd client(::accept(socket_.get(), nullptr, nullptr));
            auto asked = read(client.get());
            int count = 0;
            {
                const std::lock_guard lock(mutex_);
                asked_.push_back(asked);
                count = static_cast<int>(asked_.size());
            }
            const auto answer = script_(asked, count);
            if (answer.empty()) {
                hanging.push_back(std::move(client));
                continue;
            }
            EXPECT_GE(::send(client.get(), answer.data(), answer.size(), MSG_NOSIGNAL), 0);
            ::shutdown(client.get(), SHUT_WR);
            std::array<char, 4096> rest{};
            while (::recv(client.get(), rest.data(), rest.size(), 0) > 0) continue;
        }
    }

    static Asked read(int fd) {
        std::string all;
        std::array<char, 65536> piece{};
        for (std::size_t wanted = std::string::npos; all.size() < wanted;) {
            const auto got = ::recv(fd, piece.data(), piece.size(), 0);
            if (got <= 0) break;
            all.append(piece.data(), static_cast<std::size_t>(got));
            if (all.front() < 'A') break;  // TLS begins
            const auto end = all.find("\r\n\r\n");
            if (end == std::string::npos) continue;
            const auto length = all.find("Content-Length: ");
            wanted = end + 4 + (length < end ? std::stoul(all.substr(length + 16)) : 0);
        }
        const auto end = all.find("\r\n\r\n");
        if (end == std::string::npos) return {all, ""};
        return {all.substr(0, end + 4), all.substr(end + 4)};
    }

    Script script_;
    Fd socket_;
    std::uint16_t port_ = 0;
    std::atomic<bool> stopped_ = false;
    std::mutex mutex_;
    std::vector<Asked> asked_;
    std::thread thread_;
};

std::string answer(const std::string& status, const std::string& body, const std::string& headers = "") {
    return "HTTP/1.1 " + status + "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n" + headers + "\r\n" +
           body;
}

std::string error(const std::string& status, const std::string& code, const std::string& more = "") {
    return answer(status, "<Error><Code>" + code + "</Code><RequestId>id-1</RequestId>" + more + "</Error>");
}

class S3Faults : public testing::Test {
  protected:
    S3Faults() { EXPECT_TRUE(write_file(file_, std::string_view("0123456789"))); }

    static std::unique_ptr<ObjectStore> open(const Config& config) {
        auto store = open_store(config);
        EXPECT_TRUE(store) << store.error().message;
        return std::move(*store);
    }
    [[nodiscard]] Status put(FaultServer& server) const { return open(server.config())->put(file_, key_); }

    test::TempDir folder_;
    std::filesystem::path file_ = folder_ / "f";
    Key key_ = *Key::parse("recordings/x.mp3");
};

TEST_F(S3Faults, APutHoldsTheHashesOfItsBody) {
    FaultServer server([](const Asked&, int) { return answer("200 OK", ""); });
    ASSERT_TRUE(put(server));
    const auto asked = server.asked().at(0);
    EXPECT_TRUE(asked.head.starts_with("PUT /rec/p/recordings/x.mp3 HTTP/1.1\r\n"));
    EXPECT_EQ(asked.body, "0123456789");
    EXPECT_THAT(asked.head, AllOf(HasSubstr("content-md5: eB5eJF1ptWaXm4bijSPyxw=="),
                                  HasSubstr("x-amz-content-sha256: 84d89877f0d4041efb6bf91a16f0248f"),
                                  HasSubstr("content-type: audio/mpeg"), Not(HasSubstr("Expect")),
                                  Not(HasSubstr("chunked")), Not(HasSubstr("checksum"))));
}

TEST_F(S3Faults, TroubleThatPassesIsTriedAgain) {
    FaultServer server([](const Asked&, int count) {
        if (count == 1) return error("503 Slow", "SlowDown");
        if (count == 2) return std::string("HTTP/1.1 200 OK\r\nContent-Le");
        return count == 3 ? error("500 Oops", "InternalError") : answer("200 OK", "");
    });
    const auto done = put(server);
    EXPECT_TRUE(done) << done.error().message;
    EXPECT_EQ(server.asked().size(), 4U);
}

TEST_F(S3Faults, TroubleThatStaysIsAnErrorWithoutSecrets) {
    FaultServer server([](const Asked& asked, int) {
        return error("503 Slow", "SlowDown", "<Message>" + asked.head + "THESECRETKEY" + "</Message>");
    });
    const auto done = put(server);
    ASSERT_FALSE(done);
    EXPECT_EQ(done.error().kind, ErrorKind::failed);
    EXPECT_THAT(done.error().message, AllOf(HasSubstr("is in trouble (503)"), Not(HasSubstr("SECRET")),
                                            Not(HasSubstr("Signature")), Not(HasSubstr("THEACCESSKEY"))));
    EXPECT_EQ(server.asked().size(), 4U);
}

TEST_F(S3Faults, RefusalsAreNotTriedAgain) {
    for (const auto& [status, code, words] :
         {std::tuple{"403 Forbidden", "AccessDenied", "the right to read, write, list and delete"},
          std::tuple{"403 Forbidden", "InvalidAccessKeyId", "check store.access_key"},
          std::tuple{"404 Not Found", "NoSuchBucket", "has no bucket \"rec\""},
          std::tuple{"501 Not Implemented", "NotImplemented", "refuses: 501 NotImplemented"},
          std::tuple{"400 Bad", "EntityTooLarge", "refuses: 400 EntityTooLarge"}}) {
        FaultServer server([&](const Asked&, int) { return error(status, code); });
        const auto done = put(server);
        ASSERT_FALSE(done) << code;
        EXPECT_THAT(done.error().message, HasSubstr(words));
        EXPECT_EQ(server.asked().size(), 1U) << code;
    }
}

TEST_F(S3Faults, AnotherRegionIsNamed) {
    FaultServer server([](const Asked&, int) {
        return error("400 Bad", "AuthorizationHeaderMalformed", "<Region>eu-milan-1</Region>");
    });
    EXPECT_THAT(put(server).error().message, HasSubstr("set store.region to \"eu-milan-1\""));
}

TEST_F(S3Faults, RedirectsAreNotFollowed) {
    FaultServer server(
        [](const Asked&, int) { return answer("307 Temporary Redirect", "", "Location: http://127.0.0.1:1/rec\r\n"); });
    EXPECT_THAT(put(server).error().message, HasSubstr("another region or address"));
    EXPECT_EQ(server.asked().size(), 1U);
}

TEST_F(S3Faults, AWrongClockIsCorrectedOnceByTheServersDate) {
    const auto server_time = unix_now() + std::chrono::hours(5);
    FaultServer server([&](const Asked& asked, int) {
        if (asked.head.find("x-amz-date: " + amz_date(server_time).substr(0, 11)) != std::string::npos)
            return answer("200 OK", "");
        return answer("403 Forbidden", "<Error><Code>RequestTimeTooSkewed</Code></Error>",
                      "Date: " + net::http_date(server_time) + "\r\n");
    });
    const auto store = open(server.config());
    EXPECT_TRUE(store->put(file_, key_));
    EXPECT_TRUE(store->put(file_, key_));
    EXPECT_EQ(server.asked().size(), 3U) << "the second one knows";
}

TEST_F(S3Faults, AServerThatDisagreesWithItselfIsNotAskedForever) {
    FaultServer server([](const Asked&, int) {
        return answer("403 Forbidden", "<Error><Code>RequestTimeTooSkewed</Code></Error>",
                      "Date: " + net::http_date(unix_now() + std::chrono::hours(5)) + "\r\n");
    });
    EXPECT_THAT(put(server).error().message, HasSubstr("clock is wrong"));
    EXPECT_EQ(server.asked().size(), 2U);
}

TEST_F(S3Faults, ABrokenDownloadGoesOnWhereItWas) {
    const std::string all = "abcdefghijklmnopqrstuvwxyz";
    FaultServer server([&](const Asked& asked, int count) {
        if (count == 1) return "HTTP/1.1 200 OK\r\nContent-Length: 26\r\nETag: \"e\"\r\n\r\n" + all.substr(0, 10);
        EXPECT_THAT(asked.head, AllOf(HasSubstr("range: bytes=10-\r\n"), HasSubstr("if-match: \"e\"\r\n")));
        return answer("206 Partial Content", all.substr(10), "Content-Range: bytes 10-25/26\r\n");
    });
    const auto got = open(server.config())->get(key_, file_);
    ASSERT_TRUE(got) << got.error().message;
    EXPECT_EQ(read_text_file(file_, 100).value(), all);
    EXPECT_EQ(server.asked().size(), 2U);
}

TEST_F(S3Faults, AnotherPartThanAskedForIsRefusedAndTheFileStays) {
    FaultServer server([](const Asked&, int count) {
        if (count == 1) return std::string("HTTP/1.1 200 OK\r\nContent-Length: 26\r\nETag: \"e\"\r\n\r\nabcdef");
        return answer("206 Partial Content", "xyz", "Content-Range: bytes 23-25/26\r\n");
    });
    EXPECT_FALSE(open(server.config())->get(key_, file_));
    EXPECT_EQ(read_text_file(file_, 100).value(), "0123456789");
}

TEST_F(S3Faults, AWholeAnswerToAQuestionForTheRestBeginsAnew) {
    FaultServer server([](const Asked&, int count) {
        if (count == 1) return std::string("HTTP/1.1 200 OK\r\nContent-Length: 26\r\nETag: \"e\"\r\n\r\nabcdef");
        return answer("200 OK", "new");
    });
    ASSERT_TRUE(open(server.config())->get(key_, file_));
    EXPECT_EQ(read_text_file(file_, 100).value(), "new");
}

TEST_F(S3Faults, AnswersThatAreNotS3AreErrors) {
    for (const auto& body :
         {std::string("<html>hello</html>"), std::string(), std::string(100'000, '<'), std::string(9u << 20, 'x')}) {
        FaultServer server([&](const Asked&, int) { return answer("200 OK", body); });
        const auto listed = open(server.config())->list("recordings/");
        ASSERT_FALSE(listed);
    }
}

TEST_F(S3Faults, AListThatNeverEndsIsAnError) {
    FaultServer server([](const Asked&, int) {
        return answer(
            "200 OK",
            "<ListBucketResult><IsTruncated>true</IsTruncated><NextContinuationToken>t</NextContinuationToken>"
            "</ListBucketResult>");
    });
    EXPECT_THAT(open(server.config())->list("").error().message, HasSubstr("does not answer as S3 does"));
    EXPECT_EQ(server.asked().size(), 2U);
}

TEST_F(S3Faults, AQuestionToAServerThatHangsEnds) {
    FaultServer server([](const Asked&, int) { return std::string(); });
    const auto before = BootClock::now();
    const auto found = open(server.config())->find(key_);
    ASSERT_FALSE(found);
    EXPECT_THAT(found.error().message, HasSubstr("does not answer in time"));
    EXPECT_LT(BootClock::now() - before, seconds(60));
}

/// Of a program that ends while four uploads wait for a server and two callers wait for their turn.
TEST_F(S3Faults, WhoWaitsForAServerThatHangsIsSentHome) {
    test::FaultProxy line(1);
    line.set(test::Fault::hangs);
    auto config = FaultServer([](const Asked&, int) { return std::string(); }).config();
    config.store.endpoint = "http://127.0.0.1:" + std::to_string(line.port());
    ASSERT_TRUE(write_file(file_, std::string(100'000, 'x')));
    const auto store = open(config);
    constexpr std::size_t kCallers = 6;
    std::vector<std::future<Status>> callers;
    callers.reserve(kCallers);
    for (std::size_t i = 0; i < kCallers; ++i) {
        callers.push_back(std::async(std::launch::async, [&] { return store->put(file_, key_); }));
    }
    const auto give_up = BootClock::now() + seconds(60);
    while (line.most_uploads() < 4) ASSERT_LT(BootClock::now(), give_up);
    EXPECT_THAT(store->find(key_).error().message, HasSubstr("in time")) << "a question does not wait behind files";
    const auto before = BootClock::now();
    store->stop();
    for (auto& caller : callers) EXPECT_EQ(caller.get().error().kind, ErrorKind::interrupted);
    EXPECT_EQ(store->find(key_).error().kind, ErrorKind::interrupted);
    EXPECT_LT(BootClock::now() - before, seconds(15)) << "not the 20 s and more of who is patient";
    EXPECT_EQ(line.most_uploads(), 4U) << "capture's network comes first";
}

TEST_F(S3Faults, StopWaitsForNoNameLookup) {
    FaultServer server([](const Asked&, int) { return std::string(); });
    auto config = server.config();
    config.store.endpoint = "https://storage.example.org";
    const auto store = open(config);
    std::future<Result<std::optional<ObjectInfo>>> found;
    const test::HangingNames hanging;
    found = std::async(std::launch::async, [&] { return store->find(key_); });
    ASSERT_TRUE(hanging.is_asked());
    store->stop();
    ASSERT_EQ(found.wait_for(seconds(30)), std::future_status::ready) << "libcurl waits for its resolver";
    EXPECT_EQ(found.get().error().kind, ErrorKind::interrupted);
}

TEST_F(S3Faults, NobodyThereAndNoTls) {
    Config config;
    {
        FaultServer server([](const Asked&, int) { return std::string("no TLS here\r\n"); });
        config = server.config();
        auto encrypted = config;
        encrypted.store.endpoint.replace(0, 4, "https");
        EXPECT_THAT(open(encrypted)->find(key_).error().message, HasSubstr("does not speak TLS"));
    }
    EXPECT_THAT(open(config)->find(key_).error().message, HasSubstr("can not be reached"));
    config.store.endpoint = "https://no-such-host.invalid";
    EXPECT_THAT(open(config)->find(key_).error().message, HasSubstr("no server is called no-such-host.invalid"));
}

TEST_F(S3Faults, AMissingFileIsNoMissingObject) {
    FaultServer server([](const Asked&, int) { return answer("200 OK", ""); });
    EXPECT_EQ(open(server.config())->put(folder_ / "none", key_).error().kind, ErrorKind::failed);
    EXPECT_EQ(server.asked().size(), 0U);
}

TEST(S3Settings, WhatIsWrongIsNamed) {
    const auto why = [](auto change) {
        Config config;
        config.store.url = "s3://rec";
        config.store.region = "eu-milan-1";
        config.store.access_key = Secret("a");
        config.store.secret_key = Secret("s");
        change(config.store);
        const auto store = open_store(config);
        if (store) return std::string();
        EXPECT_EQ(store.error().kind, ErrorKind::usage);
        return store.error().message;
    };
    EXPECT_EQ(why([](auto&) {}), "");
    EXPECT_EQ(why([](auto& s) { s.url = "s3://rec/a/b/"; }), "");
    EXPECT_THAT(why([](auto& s) { s.url = "s3://x"; }), HasSubstr("store.url"));
    EXPECT_THAT(why([](auto& s) { s.url = "s3://rec/../x"; }), HasSubstr("store.url"));
    EXPECT_THAT(why([](auto& s) { s.region = ""; }), HasSubstr("store.region"));
    EXPECT_THAT(why([](auto& s) { s.region = "a\r\nb"; }), HasSubstr("store.region"));
    EXPECT_THAT(why([](auto& s) { s.access_key = Secret(); }), HasSubstr("store.access_key"));
    EXPECT_THAT(why([](auto& s) { s.secret_key = Secret(); }), HasSubstr("store.secret_key"));
    EXPECT_THAT(why([](auto& s) { s.endpoint = "host.example"; }), HasSubstr("store.endpoint"));
    EXPECT_THAT(why([](auto& s) { s.endpoint = "https://h.example/path"; }), HasSubstr("store.endpoint"));
    EXPECT_THAT(why([](auto& s) { s.endpoint = "http://h.example"; }), HasSubstr("store.allow_plaintext"));
    EXPECT_EQ(why([](auto& s) {
                  s.endpoint = "http://h.example";
                  s.allow_plaintext = true;
              }),
              "");
    EXPECT_THAT(why([](auto& s) { s.link_ttl = std::chrono::days(8); }), HasSubstr("store.link_ttl"));
}

}  // namespace
}  // namespace lestapenna::store
