// The S3 store against servers that people use. One test a server, because starting one takes seconds.
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <random>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/files.h"
#include "base/hash.h"
#include "s3_server.h"
#include "store/links.h"
#include "store/s3.h"
#include "store/s3_multipart.h"
#include "store/s3_xml.h"

namespace lestapenna::store {
namespace {

using testing::HasSubstr;

Key k(std::string_view text) {
    auto parsed = Key::parse(text);
    EXPECT_TRUE(parsed) << text;
    return *parsed;
}

std::unique_ptr<ObjectStore> store_of(const Config& config) {
    auto opened = open_store(config);
    EXPECT_TRUE(opened) << opened.error().message;
    return std::move(*opened);
}

/// A message, empty for Ok.
template <class T>
std::string why(const Result<T>& result) {
    return result ? "" : result.error().message;
}

class Bucket {
  public:
    explicit Bucket(const S3Server& server) : server_(server), store_(store_of(server.config("table/one"))) {}

    void round_trip() {
        SCOPED_TRACE("round trip");
        for (const std::string& content : {std::string("hello"), std::string(), std::string(3'000'001, 'x')}) {
            ASSERT_TRUE(write_file(file_, content));
            ASSERT_EQ(why(store_->put(file_, k("a/b.mp3"))), "");
            const auto found = store_->find(k("a/b.mp3"));
            ASSERT_EQ(why(found), "");
            ASSERT_TRUE(*found);
            EXPECT_EQ((*found)->bytes, content.size());
            ASSERT_TRUE(write_file(file_, std::string_view("other")));
            ASSERT_EQ(why(store_->get(k("a/b.mp3"), file_)), "");
            EXPECT_EQ(read_text_file(file_, 4u << 20).value(), content);
        }
        ASSERT_EQ(why(store_->remove(k("a/b.mp3"))), "");
        EXPECT_EQ(why(store_->remove(k("a/b.mp3"))), "");
        EXPECT_FALSE(store_->find(k("a/b.mp3")).value());
        EXPECT_EQ(store_->get(k("a/b.mp3"), file_).error().kind, ErrorKind::not_found);
        EXPECT_FALSE(store_->local_path(k("a/b.mp3")));
        EXPECT_FALSE(store_->same_device("/"));
    }

    /// 1,005 objects in two pages; others' are not seen.
    void listing() {
        SCOPED_TRACE("listing");
        constexpr std::size_t kObjects = 1005;
        ASSERT_TRUE(write_file(file_, std::string_view("x")));
        std::vector<std::thread> threads;
        for (std::size_t from = 0; from < 4; ++from) {
            threads.emplace_back([this, from] {
                for (std::size_t i = from; i < kObjects; i += 4) {
                    EXPECT_EQ(why(store_->put(file_, k("list/" + std::to_string(10'000 + i)))), "");
                }
            });
        }
        for (auto& thread : threads) thread.join();
        put_foreign("/rec/table/one/list/not ours %&=+\xC3\xA8");
        put_foreign("/rec/table/one/list/.hidden");
        put_foreign("/rec/table/onelist/12345");
        const auto listed = store_->list("list/");
        ASSERT_EQ(why(listed), "");
        ASSERT_EQ(listed->size(), kObjects);
        EXPECT_EQ(listed->front(), (ObjectInfo{k("list/10000"), 1}));
        EXPECT_EQ(listed->back(), (ObjectInfo{k("list/11004"), 1}));
        EXPECT_EQ(store_->list("list/1100").value().size(), 5U);
        EXPECT_EQ(store_->list("nothing/").value().size(), 0U);
    }

    void links() {
        SCOPED_TRACE("links");
        ASSERT_TRUE(write_file(file_, std::string_view("0123456789")));
        ASSERT_EQ(why(store_->put(file_, k("m.mp3"))), "");
        auto config = server_.config("table/one");
        auto links = Links::open(config).value();
        const auto link = *links.make(k("m.mp3"), "2026-11-22 table.mp3", unix_now());
        EXPECT_TRUE(link.starts_with(links.begin()));
        const auto all = fetch(link);
        EXPECT_EQ(all.status, "200");
        EXPECT_EQ(all.body, "0123456789");
        EXPECT_THAT(all.headers, HasSubstr("inline; filename=\"2026-11-22-table.mp3\""));
        EXPECT_THAT(all.headers, HasSubstr("audio/mpeg"));
        const auto part = fetch(link, "3-5");
        EXPECT_EQ(part.status, "206");
        EXPECT_EQ(part.body, "345");
        auto altered = link;
        altered.back() = altered.back() == '0' ? '1' : '0';
        EXPECT_EQ(fetch(altered).status, "403");
        auto elsewhere = link;
        elsewhere.replace(elsewhere.find("m.mp3"), 5, "n.mp3");
        EXPECT_EQ(fetch(elsewhere).status, "403");
        auto longer = link;
        longer.replace(longer.find("Expires=604800"), 14, "Expires=604799");
        EXPECT_EQ(fetch(longer).status, "403");
        EXPECT_EQ(fetch(*links.make(k("m.mp3"), "a", unix_now() - std::chrono::days(8))).status, "403");
        config.store.secret_key = Secret("another secret altogether");
        EXPECT_EQ(fetch(*Links::open(config).value().make(k("m.mp3"), "a", unix_now())).status, "403");
    }

    /// 70 MiB: five parts. A first try left two of them, and one that is not ours.
    void parts() {
        SCOPED_TRACE("parts");
        constexpr std::size_t kBytes = 70u << 20;
        std::string content(kBytes, '\0');
        std::mt19937 random(7);
        for (std::size_t i = 0; i < content.size(); i += 64) content[i] = static_cast<char>(random());
        ASSERT_TRUE(write_file(file_, content));
        const auto name = k("recordings/01J0ABCDEFGHJKMNPQRS7F3K2A/master/MASTER-01J0ABCDEFGHJKMNPQRS7F3K2A.mp3");
        S3Client client(S3Place::of(server_.config("table/one")).value());
        const auto path = client.place().path_of(name);
        S3Request begin{"POST", path};
        begin.query = {{"uploads", ""}};
        const auto id = parse_upload_id(client.send(begin).value().body).value();
        const auto source = SourceFile::open(file_).value();
        for (const std::uint64_t number : {1U, 2U, 3U}) {
            const auto part = source.part((number == 3 ? 3 : number - 1) * (16u << 20), 16u << 20);
            const auto hashes = source.hashes(part).value();
            S3Request put{"PUT", path};
            put.query = {{"partNumber", std::to_string(number)}, {"uploadId", id}};
            put.headers = {{"content-md5", hashes.md5_base64}};
            put.file = part;
            put.payload_hash = hashes.sha256;
            ASSERT_TRUE(client.send(put));
        }
        ASSERT_EQ(why(store_->put(file_, name)), "");
        ASSERT_EQ(why(store_->get(name, file_)), "");
        EXPECT_TRUE(read_text_file(file_, kBytes).value() == content);
        S3Request uploads{"GET", client.place().bucket_path()};
        uploads.query = {{"uploads", ""}};
        EXPECT_EQ(parse_uploads(client.send(uploads).value().body).value().uploads.size(), 0U);
        EXPECT_EQ(why(store_->remove(name)), "");
    }

    /// One clear sentence each.
    void wrong_settings() {
        SCOPED_TRACE("wrong settings");
        ASSERT_TRUE(write_file(file_, std::string_view("x")));
        const auto put = [&](auto change) {
            auto config = server_.config();
            change(config.store);
            const auto done = store_of(config)->put(file_, k("x"));
            EXPECT_FALSE(done);
            return why(done);
        };
        EXPECT_THAT(put([](auto& s) { s.secret_key = Secret("wrong"); }), HasSubstr("store.secret_key"));
        EXPECT_THAT(put([](auto& s) { s.access_key = Secret("NOBODY"); }), HasSubstr("store.access_key"));
        EXPECT_THAT(put([](auto& s) { s.url = "s3://no-such-bucket"; }), HasSubstr("has no bucket \"no-such-bucket\""));
    }

    [[nodiscard]] const std::filesystem::path& file() const { return file_; }
    ObjectStore& store() { return *store_; }

  private:
    void put_foreign(const std::string& path) {
        S3Client client(S3Place::of(server_.config()).value());
        const auto source = SourceFile::open(file_).value();
        const auto part = source.part(0, source.size());
        S3Request put{"PUT", path};
        put.file = part;
        put.payload_hash = source.hashes(part).value().sha256;
        const auto done = client.send(put);
        ASSERT_TRUE(done) << done.error().error.message;
    }

    const S3Server& server_;
    std::unique_ptr<ObjectStore> store_;
    test::TempDir folder_;
    std::filesystem::path file_ = folder_ / "file";
};

void works_with(const std::string& name) {
    std::string reason;
    const auto server = S3Server::start(name, reason);
    if (!server) GTEST_SKIP() << reason;
    Bucket bucket(*server);
    bucket.round_trip();
    bucket.links();
    bucket.parts();
    bucket.wrong_settings();
    bucket.listing();
    if (name != "swift") return;  // Ceph looks at no region
    auto config = server->config();
    config.store.region = "mars-1";
    const auto put = store_of(config)->put(bucket.file(), k("x"));
    EXPECT_THAT(why(put), HasSubstr("set store.region to \"us-east-1\""));
}

TEST(S3Real, Ceph) {
    works_with("ceph");
}
TEST(S3Real, Swift) {
    works_with("swift");
}

/// Peak resident memory of this process since forget_peak(), MB.
long peak_mb() {
    std::ifstream status("/proc/self/status");
    for (std::string line; std::getline(status, line);) {
        if (line.starts_with("VmHWM:")) return std::stol(line.substr(6)) / 1024;
    }
    return -1;
}
void forget_peak() {
    std::ofstream("/proc/self/clear_refs") << "5";
}

/// Text that differs everywhere; its SHA-256.
std::string write_megabytes(const std::filesystem::path& file, int megabytes) {
    std::ofstream out(file, std::ios::binary);
    std::string piece(1u << 20, 'x');
    Sha256 hash;
    for (int i = 0; i < megabytes; ++i) {
        for (std::size_t at = 0; at < piece.size(); at += 4096) piece.replace(at, 8, std::to_string(10'000'000 + i));
        hash.update({reinterpret_cast<const std::uint8_t*>(piece.data()), piece.size()});
        out << piece;
    }
    return hex(hash.digest());
}

std::vector<S3Part> parts_there(S3Client& client, const Key& name) {
    S3Request uploads{"GET", client.place().bucket_path()};
    uploads.query = {{"uploads", ""}};
    const auto found = parse_uploads(client.send(uploads).value().body).value().uploads;
    if (found.empty()) return {};
    S3Request parts{"GET", client.place().path_of(name)};
    parts.query = {{"uploadId", found.front().id}};
    const auto listed = client.send(parts);
    return listed ? parse_parts(listed->body).value().parts : std::vector<S3Part>{};
}

/// The process is killed in the middle of the parts of 16 MiB; the next one sends only the rest. A whole gibibyte,
/// which takes a minute, with LESTAPENNA_LONG=1.
TEST(S3Real, ALargeFileGoesOnAfterAKill) {
    const int megabytes = std::getenv("LESTAPENNA_LONG") == nullptr ? 320 : 1024;
    std::string reason;
    const auto server = S3Server::start("ceph", reason);
    if (!server) GTEST_SKIP() << reason;
    const test::TempDir folder;
    const auto file = folder / "f";
    const auto hash = write_megabytes(file, megabytes);
    const auto name = k("recordings/01J0ABCDEFGHJKMNPQRS7F3K2A/master/MASTER-01J0ABCDEFGHJKMNPQRS7F3K2A.mp3");
    const auto config = server->config();
    const auto child = fork();
    if (child == 0) {
        const auto done = store_of(config)->put(file, name);
        _exit(done ? 0 : 1);
    }
    S3Client client(S3Place::of(config).value());
    const auto give_up = BootClock::now() + std::chrono::minutes(5);
    while (parts_there(client, name).size() < 4) ASSERT_LT(BootClock::now(), give_up);
    kill(child, SIGKILL);
    int status = 0;
    waitpid(child, &status, 0);
    ASSERT_TRUE(WIFSIGNALED(status)) << "it was over too early";
    const auto before = parts_there(client, name).size();

    forget_peak();
    const auto before_mb = peak_mb();
    const auto start = BootClock::now();
    ASSERT_EQ(why(store_of(config)->put(file, name)), "");
    const std::chrono::duration<double> took = BootClock::now() - start;
    std::filesystem::remove(file);
    ASSERT_EQ(why(store_of(config)->get(name, file)), "");
    Sha256 back;
    std::ifstream in(file, std::ios::binary);
    for (std::string piece(1u << 20, ' '); in.read(piece.data(), 1 << 20);) {
        back.update({reinterpret_cast<const std::uint8_t*>(piece.data()), piece.size()});
    }
    EXPECT_EQ(hex(back.digest()), hash);
    EXPECT_LT(peak_mb(), before_mb + 32);
    std::printf("%zu of %d parts were there; the rest took %.1f s; memory grew from %ld MB to %ld MB\n", before,
                megabytes / 16, took.count(), before_mb, peak_mb());
}

}  // namespace
}  // namespace lestapenna::store
