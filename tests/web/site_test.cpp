#include "web/site.h"

#include <future>
#include <random>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/files.h"
#include "net/http_client.h"
#include "net/loop_thread.h"
#include "support.h"

namespace lestapenna::web {
namespace {

using testing::HasSubstr;
using testing::Not;

const SessionId kSession = *SessionId::parse("01J0ABCDEFGHJKMNPQRS7F3K2A");
const store::Key kMaster = key(store::MasterKey{kSession});

std::string noise(std::size_t bytes) {
    std::mt19937 random(6);
    std::string text(bytes, '\0');
    for (char& byte : text) byte = static_cast<char>(random());
    return text;
}

/// A site on ports of the kernel's choice, with a store in a folder; and a client.
class SiteTest : public testing::Test {
  protected:
    void SetUp() override {
        config.data.dir = folder / "data";
        config.web.listen = {"127.0.0.1", 0};
        config.web.admin_listen = {"localhost", 0};
        config.web.public_url = "https://example.org";
        auto opened_store = store::open_store(config);
        ASSERT_TRUE(opened_store) << opened_store.error().message;
        store = std::move(*opened_store);
        auto opened_links = store::Links::open(config);
        ASSERT_TRUE(opened_links) << opened_links.error().message;
        links.emplace(std::move(*opened_links));
        client =
            thread.call([this] { return std::make_unique<net::HttpClient>(thread.loop(), net::HttpClientOptions{}); });
        open([] { return Health{}; });
    }
    void TearDown() override {
        if (client) thread.call([this] { client.reset(); });
    }

    void open(std::function<Health()> ask) {
        site.reset();
        auto opened = Site::open({config, *links, *store, std::move(ask)});
        ASSERT_TRUE(opened) << opened.error().message;
        site = std::move(*opened);
    }

    void put(const store::Key& key, std::string_view bytes) {
        ASSERT_TRUE(write_file(folder / "file", bytes));
        ASSERT_TRUE(store->put(folder / "file", key));
    }

    /// Path and query of a link to the master.
    std::string link(std::string_view name = "evening.mp3", UnixTime now = unix_now()) const {
        return links->make(kMaster, name, now)->substr(std::string("https://example.org").size());
    }

    net::HttpResponse ask(const std::string& method, std::uint16_t port, const std::string& target,
                          net::Headers headers = {}) {
        net::HttpRequest request{method, "http://127.0.0.1:" + std::to_string(port) + target, std::move(headers), {}};
        auto answer = thread.wait(client->send(std::move(request), seconds(60)));
        EXPECT_TRUE(answer) << answer.error().message;
        return answer ? std::move(*answer) : net::HttpResponse{0, {}, {}};
    }
    net::HttpResponse get(const std::string& target, net::Headers headers = {}) {
        return ask("GET", site->port(), target, std::move(headers));
    }
    net::HttpResponse admin(const std::string& target) { return ask("GET", site->admin_port(), target); }

    static std::string header(const net::HttpResponse& response, std::string_view name) {
        return std::string(response.headers.find(name).value_or("none"));
    }

    test::TempDir folder;
    Config config;
    std::unique_ptr<store::ObjectStore> store;
    std::optional<store::Links> links;
    net::LoopThread thread;
    std::unique_ptr<net::HttpClient> client;
    std::unique_ptr<Site> site;
};

TEST_F(SiteTest, WhoHasTheLinkGetsTheFile) {
    const std::string text = noise(2'000'000);
    put(kMaster, text);
    const auto got = get(link("2026-11-22-lestapenna-7F3K2A.mp3"));
    EXPECT_EQ(got.status, 200);
    EXPECT_TRUE(got.body == text);
    EXPECT_EQ(header(got, "Content-Type"), "audio/mpeg");
    EXPECT_EQ(header(got, "Content-Disposition"), "inline; filename=\"2026-11-22-lestapenna-7F3K2A.mp3\"");
    EXPECT_EQ(header(got, "Accept-Ranges"), "bytes");
    EXPECT_EQ(header(got, "Cache-Control"), "private");
    EXPECT_EQ(header(got, "X-Content-Type-Options"), "nosniff");
    EXPECT_THAT(header(got, "ETag"), testing::MatchesRegex("\"[0-9a-f-]+\""));

    const auto head = ask("HEAD", site->port(), link(), {{"Range", "bytes=0-0"}});
    EXPECT_EQ(head.status, 200) << "ranges are defined for GET alone";
    EXPECT_EQ(header(head, "Content-Length"), "2000000");
    EXPECT_TRUE(head.body.empty());

    for (const auto* method : {"POST", "PUT", "DELETE", "OPTIONS"}) {
        const auto refused = ask(method, site->port(), link());
        EXPECT_EQ(refused.status, 405) << method;
        EXPECT_EQ(header(refused, "Allow"), "GET, HEAD");
    }
}

TEST_F(SiteTest, PartsOfIt) {
    const std::string text = noise(100'000);
    put(kMaster, text);
    struct Case {
        std::string range, content_range;
        std::size_t offset, length;
    };
    for (const auto& c :
         {Case{"bytes=0-99", "bytes 0-99/100000", 0, 100}, Case{"bytes=500-", "bytes 500-99999/100000", 500, 99'500},
          Case{"bytes=-1", "bytes 99999-99999/100000", 99'999, 1},
          Case{"bytes=-1000000", "bytes 0-99999/100000", 0, 100'000}}) {
        const auto got = get(link(), {{"Range", c.range}});
        EXPECT_EQ(got.status, 206) << c.range;
        EXPECT_EQ(header(got, "Content-Range"), c.content_range);
        EXPECT_TRUE(got.body == text.substr(c.offset, c.length)) << c.range;
    }
    const auto beyond = get(link(), {{"Range", "bytes=100000-"}});
    EXPECT_EQ(beyond.status, 416);
    EXPECT_EQ(header(beyond, "Content-Range"), "bytes */100000");
    EXPECT_EQ(beyond.body, "");
    EXPECT_EQ(get(link(), {{"Range", "bytes=0-1,5-6"}}).body.size(), 100'000U);
    EXPECT_EQ(get(link(), {{"Range", "nonsense"}}).status, 200);
}

TEST_F(SiteTest, APartIsOnlyGivenOfTheSameFile) {
    put(kMaster, "first");
    const auto first = get(link());
    const std::string etag = header(first, "ETag");
    EXPECT_EQ(get(link(), {{"Range", "bytes=1-2"}, {"If-Range", etag}}).body, "ir");
    EXPECT_EQ(get(link(), {{"If-None-Match", "\"x\", W/" + etag}}).status, 304);
    EXPECT_EQ(header(get(link(), {{"If-None-Match", etag}}), "ETag"), etag);
    EXPECT_EQ(get(link(), {{"If-Match", etag}}).status, 200);

    put(kMaster, "other");  // as long as the first
    EXPECT_NE(header(get(link()), "ETag"), etag);
    const auto whole = get(link(), {{"Range", "bytes=1-2"}, {"If-Range", etag}});
    EXPECT_EQ(whole.status, 200);
    EXPECT_EQ(whole.body, "other");
    EXPECT_EQ(get(link(), {{"Range", "bytes=1-2"}, {"If-Range", "Sun, 22 Nov 2026 15:00:00 GMT"}}).status, 200);
    EXPECT_EQ(get(link(), {{"If-None-Match", etag}}).status, 200);
    EXPECT_EQ(get(link(), {{"If-Match", etag}}).status, 412);
}

TEST_F(SiteTest, WhoHasNoneGetsASentenceInBothLanguages) {
    put(kMaster, "secret audio");
    const std::string good = link();
    std::string forged = good;
    forged.back() = forged.back() == '0' ? '1' : '0';
    const std::string expired = link("evening.mp3", unix_now() - config.store.link_ttl - std::chrono::minutes(1));
    for (const auto& [target, status] :
         std::vector<std::pair<std::string, int>>{{forged, 403},
                                                  {expired, 403},
                                                  {"/", 404},
                                                  {"/audio/", 404},
                                                  {"/audio/recordings/", 404},
                                                  {"/audio/" + kMaster.text(), 404},
                                                  {"/audio/../catalog.sqlite", 404},
                                                  {"/audio/%2e%2e/catalog.sqlite" + good.substr(good.find('?')), 404},
                                                  {"/metrics", 404},
                                                  {"/livez", 404},
                                                  {"/readyz", 404}}) {
        const auto got = get(target);
        EXPECT_EQ(got.status, status) << target;
        EXPECT_THAT(got.body, HasSubstr("lang=\"en\"")) << target;
        EXPECT_THAT(got.body, Not(HasSubstr("secret audio"))) << target;
        EXPECT_EQ(header(got, "Content-Type"), "text/html; charset=utf-8");
        EXPECT_EQ(header(got, "ETag"), "none");
    }
    EXPECT_THAT(get(expired).body, HasSubstr("scaduto"));
    EXPECT_THAT(get(expired).body, HasSubstr("expired"));
}

TEST_F(SiteTest, WhatTheStoreHasNoLongerIsSaid) {
    const auto none = get(link());
    EXPECT_EQ(none.status, 404);
    EXPECT_THAT(none.body, HasSubstr("no longer here"));
    std::filesystem::create_directories(*store->local_path(kMaster));  // a folder of that name: nothing is listed
    EXPECT_EQ(get(link()).status, 404);
    std::filesystem::remove_all(folder / "data" / "store");
    EXPECT_EQ(get(link()).status, 404);
}

TEST_F(SiteTest, TheAdminAddressTellsHowTheProgramIs) {
    Health health;
    health.metrics.push_back({"lestapenna_sessions", "Sessions being recorded.", MetricKind::gauge, {}, 3});
    open([&] { return health; });
    EXPECT_EQ(admin("/livez").status, 200);
    EXPECT_EQ(admin("/readyz").status, 200);
    EXPECT_EQ(ask("HEAD", site->admin_port(), "/livez").status, 200);
    EXPECT_EQ(ask("POST", site->admin_port(), "/livez").status, 405);
    get("/nothing");
    const auto metrics = admin("/metrics");
    EXPECT_EQ(metrics.status, 200);
    EXPECT_EQ(header(metrics, "Content-Type"), "text/plain; version=0.0.4; charset=utf-8");
    EXPECT_THAT(metrics.body, HasSubstr("\nlestapenna_sessions 3\n"));
    EXPECT_THAT(metrics.body, HasSubstr("\nlestapenna_audio_requests_total{status=\"404\"} 1\n"));
    put(kMaster, "audio");
    EXPECT_EQ(admin(link()).status, 404) << "no audio here";
    EXPECT_EQ(admin("/").status, 404);

    health.not_ready = {"Discord does not answer", "the catalog is full"};
    const auto unready = admin("/readyz");
    EXPECT_EQ(unready.status, 503);
    EXPECT_EQ(unready.body, "Discord does not answer\nthe catalog is full\n");
    EXPECT_EQ(admin("/livez").status, 200) << "alive, but not ready";
}

TEST_F(SiteTest, AProgramThatHangsIsNotAlive) {
    std::promise<void> go_on;
    std::atomic<int> asked = 0;
    auto gate = go_on.get_future().share();
    open([&, gate] {
        ++asked;
        gate.wait();
        return Health{};
    });
    put(kMaster, "audio");
    const auto began = std::chrono::steady_clock::now();
    EXPECT_EQ(admin("/livez").status, 503);
    EXPECT_GE(std::chrono::steady_clock::now() - began, seconds(5));
    EXPECT_EQ(get(link()).body, "audio") << "links do not need the program";
    EXPECT_EQ(admin("/metrics").status, 503);
    EXPECT_EQ(asked, 1) << "and it is not asked again while it hangs";
    go_on.set_value();
    // The answer to the old question may be what the next one gets: both are true.
    EXPECT_EQ(admin("/livez").status, 200);
}

/// A store on the other side of the world: nothing is known of it before the gate opens.
class HangingStore final : public store::ObjectStore {
  public:
    explicit HangingStore(std::shared_future<void> gate) : gate_(std::move(gate)) {}
    Result<std::optional<store::ObjectInfo>> find(const store::Key&) override {
        if (hang) gate_.wait();
        return std::optional<store::ObjectInfo>();
    }
    Status put(const std::filesystem::path&, const store::Key&) override { return no(); }
    Status get(const store::Key&, const std::filesystem::path&) override { return no(); }
    Status remove(const store::Key&) override { return no(); }
    Result<std::vector<store::ObjectInfo>> list(std::string_view) override { return no(); }
    std::optional<std::filesystem::path> local_path(const store::Key&) const override { return std::nullopt; }
    bool same_device(const std::filesystem::path&) const override { return false; }

    std::atomic<bool> hang = false;

  private:
    static Error no() { return {ErrorKind::failed, "not asked for here"}; }
    std::shared_future<void> gate_;
};

TEST_F(SiteTest, AStoreThatHangsHoldsNobodyUp) {
    std::promise<void> go_on;
    auto hanging = std::make_unique<HangingStore>(go_on.get_future().share());
    auto& hang = hanging->hang;
    store = std::move(hanging);
    open([] { return Health{}; });
    EXPECT_EQ(admin("/readyz").status, 200);
    hang = true;
    const auto began = BootClock::now();
    EXPECT_EQ(admin("/readyz").status, 200) << "what it said last counts for a while";
    EXPECT_EQ(admin("/livez").status, 200);
    EXPECT_LT(BootClock::now() - began, seconds(4)) << "0.7 s, and what a busy machine adds";
    net::HttpResponse answer{200, {}, {}};
    while (answer.status == 200 && BootClock::now() - began < seconds(60)) answer = admin("/readyz");
    EXPECT_EQ(answer.status, 503);
    EXPECT_EQ(answer.body, "the store does not answer\n");
    EXPECT_EQ(admin("/livez").status, 200);
    hang = false;
    go_on.set_value();
    while (answer.status != 200 && BootClock::now() - began < seconds(60)) answer = admin("/readyz");
    EXPECT_EQ(answer.status, 200);
    site.reset();  // it is asked no more
}

TEST_F(SiteTest, ItsEndWaitsForTheQuestionUnderWay) {
    std::promise<void> begun;
    std::atomic<bool> over = false;
    open([&] {
        begun.set_value();
        std::this_thread::sleep_for(milliseconds(50));  // the question, not the test
        over = true;
        return Health{};
    });
    const auto asking = [](net::HttpClient& by, std::string url) -> net::Task<> {
        net::HttpRequest request{"GET", std::move(url), {}, {}};
        auto ignored = co_await by.send(std::move(request), seconds(60));
    };
    net::spawn(thread.loop(), asking(*client, "http://127.0.0.1:" + std::to_string(site->admin_port()) + "/livez"));
    begun.get_future().wait();
    site.reset();
    EXPECT_TRUE(over);
}

TEST_F(SiteTest, ATakenAddressIsNamed) {
    Config same = config;
    same.web.listen.port = site->port();
    auto second = Site::open({same, *links, *store, [] { return Health{}; }});
    ASSERT_FALSE(second);
    EXPECT_THAT(second.error().message, HasSubstr("web.listen"));
    EXPECT_THAT(second.error().message, HasSubstr(std::to_string(site->port())));
    same.web.listen.port = 0;
    same.web.admin_listen.port = site->admin_port();
    second = Site::open({same, *links, *store, [] { return Health{}; }});
    ASSERT_FALSE(second);
    EXPECT_THAT(second.error().message, HasSubstr("web.admin_listen"));
}

// ---- other people's clients

TEST_F(SiteTest, CurlGoesOnWhereItWasCut) {
    if (!test::has_program("curl")) GTEST_SKIP() << "no curl";
    const std::string text = noise(3'000'000);
    put(kMaster, text);
    const std::string url = "http://127.0.0.1:" + std::to_string(site->port()) + link("sera.mp3");
    ASSERT_TRUE(write_file(folder / "sera.mp3", text.substr(0, 1'234'567)));
    auto curl = test::run_process({"curl", "-sS", "-f", "-C", "-", "-o", (folder / "sera.mp3").string(), url});
    EXPECT_EQ(curl.exit_code, 0) << curl.err;
    EXPECT_TRUE(read_text_file(folder / "sera.mp3", 4'000'000).value() == text);
    std::filesystem::remove(folder / "sera.mp3");
    curl = test::run_process({"curl", "-sS", "-f", "-O", "-J", url}, {}, folder.path());
    EXPECT_EQ(curl.exit_code, 0) << curl.err;
    EXPECT_TRUE(read_text_file(folder / "sera.mp3", 4'000'000).value() == text) << "under the link's name";
}

TEST_F(SiteTest, FfmpegSeeksInIt) {
    if (!test::has_program("ffmpeg") || !test::has_program("ffprobe")) GTEST_SKIP() << "no ffmpeg";
    const auto made = folder / "hour.mp3";
    const auto encoded =
        test::run_process({"ffmpeg", "-v", "error", "-f", "lavfi", "-i", "aevalsrc=sin(2*PI*(200+t/8)*t):s=48000:d=600",
                           "-b:a", "64k", made.string()});
    ASSERT_EQ(encoded.exit_code, 0) << encoded.err;
    ASSERT_TRUE(store->put(made, kMaster));
    const std::string url = "http://127.0.0.1:" + std::to_string(site->port()) + link();
    const auto probed =
        test::run_process({"ffprobe", "-v", "error", "-show_entries", "format=duration,size", "-of", "csv=p=0", url});
    EXPECT_EQ(probed.exit_code, 0) << probed.err;
    const auto size = std::filesystem::file_size(made);
    EXPECT_THAT(probed.out, testing::StartsWith("600.0"));
    EXPECT_THAT(probed.out, HasSubstr("," + std::to_string(size)));
    const auto second_at = [](const std::string& from, const std::string& input) {
        const auto played = test::run_process(
            {"ffmpeg", "-v", "error", "-ss", from, "-i", input, "-t", "1", "-f", "s16le", "-ac", "1", "-"});
        EXPECT_EQ(played.exit_code, 0) << played.err;
        return played.out;
    };
    for (const auto* from : {"10", "300", "590"}) {
        const auto heard = second_at(from, url);
        EXPECT_EQ(heard.size(), 96'000U) << from;
        EXPECT_TRUE(heard == second_at(from, made.string())) << from;
    }
    EXPECT_THAT(admin("/metrics").body, HasSubstr("lestapenna_audio_requests_total{status=\"206\"}"));
}

}  // namespace
}  // namespace lestapenna::web
