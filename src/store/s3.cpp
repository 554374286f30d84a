#include "store/s3.h"

#include <algorithm>
#include <charconv>

#include <unistd.h>

#include "base/files.h"
#include "store/s3_file.h"
#include "store/s3_multipart.h"
#include "store/s3_xml.h"

namespace lestapenna::store {

namespace {

constexpr std::uint64_t kLargestSinglePut = 64u << 20;
/// For questions that somebody waits for.
constexpr Patience kBrief{seconds(5), seconds(10), seconds(8), 2};
constexpr std::string_view kPageOf = "1000";  // the most that servers give

Error named(Error error, std::string_view doing, std::string_view key) {
    error.message = "can not " + std::string(doing) + " " + std::string(key) + ": " + error.message;
    return error;
}

std::optional<std::uint64_t> number(std::string_view text) {
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (text.empty() || error != std::errc() || end != text.data() + text.size()) return std::nullopt;
    return value;
}

Status put_whole(S3Client& client, const SourceFile& source, const Key& key) {
    const auto part = source.part(0, source.size());
    const auto hashes = source.hashes(part);
    if (!hashes) return hashes.error();
    if (auto same = source.unchanged(); !same) return same;
    S3Request request{"PUT", client.place().path_of(key)};
    request.headers = {{"content-type", std::string(content_type(key))}, {"content-md5", hashes->md5_base64}};
    request.file = part;
    request.payload_hash = hashes->sha256;
    const auto sent = client.send(request);
    return sent ? Status(Ok{}) : Status(sent.error().error);
}

/// An object on its way into a file, over as many connections as it takes.
class Download {
  public:
    Download(const S3Client& client, const Key& key, const PendingFile& file)
        : path_(client.place().path_of(key)), file_(file) {}

    [[nodiscard]] S3Request next() {
        S3Request request{"GET", path_};
        if (received_ > 0) {
            request.headers = {{"range", "bytes=" + std::to_string(received_) + "-"}, {"if-match", etag_}};
        }
        begun_ = false;
        request.sink = [this](const net::HttpResponse& head, std::span<const char> piece) { return take(head, piece); };
        return request;
    }
    [[nodiscard]] const std::optional<Error>& trouble() const { return trouble_; }

  private:
    bool take(const net::HttpResponse& head, std::span<const char> piece) {
        if (!begun_ && !begin(head)) return false;
        while (!piece.empty()) {
            const ssize_t written = ::pwrite(file_.fd(), piece.data(), piece.size(), static_cast<off_t>(received_));
            if (written < 0 && errno == EINTR) continue;
            if (written < 0) {
                trouble_ = io_error("write", file_.path(), errno);
                trouble_->kind = ErrorKind::failed;
                return false;
            }
            received_ += static_cast<std::uint64_t>(written);
            piece = piece.subspan(static_cast<std::size_t>(written));
        }
        return true;
    }

    bool begin(const net::HttpResponse& head) {
        begun_ = true;
        if (head.status == 200) {  // all of it, perhaps although we asked for the rest
            if (::ftruncate(file_.fd(), 0) != 0) return false;
            received_ = 0;
            etag_ = head.headers.find("etag").value_or("");
            return true;
        }
        const auto range = head.headers.find("content-range").value_or("");
        if (range.starts_with("bytes " + std::to_string(received_) + "-")) return true;
        trouble_ = Error{ErrorKind::failed, "the store gave another part than we asked for"};
        return false;
    }

    std::string path_;
    const PendingFile& file_;
    std::string etag_;
    std::uint64_t received_ = 0;
    bool begun_ = false;
    std::optional<Error> trouble_;
};

}  // namespace

Status S3Store::put(const std::filesystem::path& file, const Key& key) {
    const auto source = SourceFile::open(file);
    if (!source) return source.error();
    auto stored =
        source->size() > kLargestSinglePut ? put_in_parts(client_, *source, key) : put_whole(client_, *source, key);
    if (stored) stored = source->unchanged();
    if (!stored) {
        auto error = named(stored.error(), "store", key.text());
        if (error.kind != ErrorKind::interrupted) error.kind = ErrorKind::failed;
        return error;
    }
    return Ok{};
}

Status S3Store::get(const Key& key, const std::filesystem::path& file) {
    auto pending = PendingFile::create(file);
    if (!pending) {
        auto error = pending.error();
        error.kind = ErrorKind::failed;
        return error;
    }
    Download download(client_, key, *pending);
    const auto got = client_.send([&download] { return download.next(); });
    if (download.trouble()) return named(*download.trouble(), "fetch", key.text());
    if (!got) return named(got.error().error, "fetch", key.text());
    return pending->commit();
}

Result<std::optional<ObjectInfo>> S3Store::find(const Key& key) {
    S3Request request{"HEAD", client_.place().path_of(key)};
    request.patience = kBrief;
    const auto answer = client_.send(request);
    if (!answer && answer.error().error.kind == ErrorKind::not_found) return std::optional<ObjectInfo>{};
    if (!answer) return named(answer.error().error, "find", key.text());
    const auto bytes = number(answer->headers.find("content-length").value_or(""));
    if (!bytes) return client_.not_s3("find an object");
    return std::optional<ObjectInfo>{{key, *bytes}};
}

Status S3Store::remove(const Key& key) {
    const auto answer = client_.send(S3Request{"DELETE", client_.place().path_of(key)});
    if (answer || answer.error().code == "NoSuchKey") return Ok{};
    return named(answer.error().error, "remove", key.text());
}

Result<std::vector<ObjectInfo>> S3Store::list(std::string_view prefix) {
    std::vector<ObjectInfo> found;
    const std::string& ours = client_.place().prefix;
    S3Request request{"GET", client_.place().bucket_path()};
    for (std::string token;;) {
        request.query = {{"list-type", "2"},
                         {"prefix", ours + std::string(prefix)},
                         {"max-keys", std::string(kPageOf)},
                         {"encoding-type", "url"}};
        if (!token.empty()) request.query.emplace_back("continuation-token", token);
        const auto answer = client_.send(request);
        if (!answer) return named(answer.error().error, "list", prefix.empty() ? "everything" : prefix);
        auto page = parse_listing(answer->body);
        if (!page) return client_.not_s3("list");
        for (const auto& [name, bytes] : page->objects) {
            if (!name.starts_with(ours)) continue;
            if (auto key = Key::parse(std::string_view(name).substr(ours.size()))) found.push_back({*key, bytes});
        }
        if (page->next.empty()) break;
        if (page->next == token) return client_.not_s3("list");  // it would never end
        token = std::move(page->next);
    }
    std::ranges::sort(found, {}, &ObjectInfo::key);
    return found;
}

bool S3Store::same_device(const std::filesystem::path& /*path*/) const {
    return false;
}

}  // namespace lestapenna::store
