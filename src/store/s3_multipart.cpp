#include "store/s3_multipart.h"

#include <algorithm>
#include <future>
#include <map>

#include "base/log.h"
#include "base/text.h"
#include "store/s3_errors.h"
#include "store/s3_xml.h"

namespace lestapenna::store {

namespace {

constexpr std::uint64_t kPart = 16u << 20;
constexpr std::uint64_t kMostParts = 10'000;               // S3's and Oracle's
constexpr seconds kPuttingTogether{180};                   // a server may say nothing while it does
constexpr milliseconds kAbandoned = std::chrono::days(2);  // longer than any outage that jobs sit out

Result<std::vector<S3Upload>> list_uploads(S3Client& client, const std::string& prefix) {
    std::vector<S3Upload> all;
    S3Request page_of{"GET", client.place().bucket_path()};
    for (std::string key, id;;) {
        page_of.query = {{"uploads", ""}, {"prefix", prefix}, {"encoding-type", "url"}};
        if (!key.empty()) page_of.query.emplace_back("key-marker", key);
        if (!id.empty()) page_of.query.emplace_back("upload-id-marker", id);
        const auto answer = client.send(page_of);
        if (!answer) return answer.error().error;
        auto page = parse_uploads(answer->body);
        if (!page) return client.not_s3("list uploads");
        std::ranges::move(page->uploads, std::back_inserter(all));
        const bool last = page->next_key.empty() || (page->next_key == key && page->next_id == id);
        if (last) return all;
        key = std::move(page->next_key);
        id = std::move(page->next_id);
    }
}

/// One upload of one file.
class Upload {
  public:
    Upload(S3Client& client, const SourceFile& source, const Key& key)
        : client_(client), source_(source), key_(key), path_(client.place().path_of(key)) {}

    Status run() {
        if (auto found = find_or_begin(); !found) return found;
        auto next = hashes_of(0);
        for (std::uint64_t offset = 0; offset < source_.size(); offset += kPart) {
            const auto hashes = next.get();
            if (!hashes) return hashes.error();
            // While a part is sent the next one is hashed: alone, hashing takes a third of the time (bench_store).
            if (offset + kPart < source_.size()) next = hashes_of(offset + kPart);
            if (auto sent = send_part(source_.part(offset, kPart), *hashes); !sent) return sent;
        }
        if (auto same = source_.unchanged(); !same) return same;
        return complete();
    }

  private:
    [[nodiscard]] S3Request request(const char* method, Parameters query) const {
        S3Request made{method, path_};
        made.query = std::move(query);
        return made;
    }

    Status find_or_begin() {
        const auto uploads = list_uploads(client_, client_.place().prefix + key_.text());
        if (!uploads) return uploads.error();
        const std::string name = client_.place().prefix + key_.text();
        for (const auto& upload : *uploads) {
            if (upload.name == name && upload.initiated >= begun_) {
                begun_ = upload.initiated;
                id_ = upload.id;
            }
        }
        return id_.empty() ? begin() : list_parts();
    }

    Status begin() {
        auto initiate = request("POST", {{"uploads", ""}});
        initiate.headers = {{"content-type", std::string(content_type(key_))}};
        const auto answer = client_.send(initiate);
        if (!answer) return answer.error().error;
        auto id = parse_upload_id(answer->body);
        if (!id) return client_.not_s3("begin an upload");
        id_ = std::move(*id);
        return Ok{};
    }

    Status list_parts() {
        for (std::string after;;) {
            Parameters query{{"uploadId", id_}};
            if (!after.empty()) query.emplace_back("part-number-marker", after);
            const auto answer = client_.send(request("GET", std::move(query)));
            if (!answer) return answer.error().error;
            auto page = parse_parts(answer->body);
            if (!page) return client_.not_s3("list parts");
            for (auto& part : page->parts) there_.insert_or_assign(part.number, std::move(part));
            if (page->next.empty() || page->next == after) break;
            after = std::move(page->next);
        }
        log().info("store: the upload of {} goes on; {} parts are there", key_.text(), there_.size());
        return Ok{};
    }

    [[nodiscard]] std::future<Result<PartHashes>> hashes_of(std::uint64_t offset) const {
        return std::async(std::launch::async, [this, offset] { return source_.hashes(source_.part(offset, kPart)); });
    }

    Status send_part(const FilePart& part, const PartHashes& hashes) {
        const auto number = static_cast<std::uint32_t>(part.offset / kPart + 1);
        const auto before = there_.find(number);
        if (before != there_.end() && before->second.bytes == part.length &&
            same_word(trimmed(before->second.etag, "\""), hashes.md5)) {
            parts_.push_back(before->second);
            return Ok{};
        }
        auto put = request("PUT", {{"partNumber", std::to_string(number)}, {"uploadId", id_}});
        put.headers = {{"content-md5", hashes.md5_base64}};
        put.file = part;
        put.payload_hash = hashes.sha256;
        const auto answer = client_.send(put);
        if (!answer) return answer.error().error;
        const auto etag = answer->headers.find("etag");
        if (!etag || etag->empty()) return client_.not_s3("store a part");
        parts_.push_back({number, std::string(*etag), part.length});
        return Ok{};
    }

    Status complete() {
        auto post = request("POST", {{"uploadId", id_}});
        post.headers = {{"content-type", "application/xml"}};
        post.body = complete_body(parts_);
        post.patience.stalled = kPuttingTogether;
        const auto answer = client_.send(post);
        Status done = Ok{};
        if (!answer) {
            done = answer.error().error;
            // Perhaps the answer to an earlier try was lost.
            if (answer.error().code != "NoSuchUpload") return done;
        } else if (!is_completed(answer->body)) {
            return failure_of(client_.place(), "POST", *answer).error;
        }
        const auto head = client_.send(request("HEAD", {}));
        const bool whole = head && head->headers.find("content-length") == std::to_string(source_.size());
        if (whole) return Ok{};
        if (!done) return done;
        if (!head) return head.error().error;
        return Error{ErrorKind::failed, "the store put the parts together wrongly; it is tried again"};
    }

    S3Client& client_;
    const SourceFile& source_;
    const Key& key_;
    std::string path_;
    std::string id_;
    std::string begun_;
    std::map<std::uint32_t, S3Part> there_;
    std::vector<S3Part> parts_;
};

/// "20261122T070000" of "2026-11-22T07:00:00.000Z" and of amz_date(): sorts by time.
std::string comparable(std::string text) {
    constexpr std::size_t kToTheSecond = 15;
    std::erase_if(text, [](char c) { return c == '-' || c == ':'; });
    return text.substr(0, kToTheSecond);
}

/// What fails here is tried again after the next large file.
void abort_orphans(S3Client& client, const Key& done) {
    const std::string& ours = client.place().prefix;
    const auto uploads = list_uploads(client, ours);
    if (!uploads) return;
    const auto oldest = comparable(amz_date(unix_now() - kAbandoned));
    for (const auto& upload : *uploads) {
        if (!upload.name.starts_with(ours)) continue;
        const auto name = std::string_view(upload.name).substr(ours.size());
        const bool abandoned = parse_tier_key(name) && comparable(upload.initiated) < oldest;
        if (name != done.text() && !abandoned) continue;
        S3Request abort{"DELETE", "/" + client.place().bucket + "/" + upload.name};
        abort.query = {{"uploadId", upload.id}};
        static_cast<void>(client.send(abort));
    }
}

}  // namespace

Status put_in_parts(S3Client& client, const SourceFile& source, const Key& key) {
    if (source.size() > kPart * kMostParts) {
        return Error{ErrorKind::failed, "it is larger than 10,000 parts of 16 MiB, the most that S3 takes"};
    }
    auto stored = Upload(client, source, key).run();
    if (stored) abort_orphans(client, key);
    return stored;
}

}  // namespace lestapenna::store
