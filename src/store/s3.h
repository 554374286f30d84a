// The object store that is a bucket of an S3 server: Amazon's, Oracle's, Ceph, Swift. See store.h for promises.
//
// put(): Content-MD5 and SHA-256 of the very bytes that are sent, so the server refuses what was damaged on the way; a
// single PUT up to 64 MiB, else parts of 16 MiB, of which those that got there before a crash are not sent again. get()
// goes on by ranges where a connection broke. Nothing relies on conditional PUTs, chunked signing or checksum trailers:
// Oracle has none. What is not a key of ours under our prefix is never listed nor touched.
// Blocks, find() for at most about 20 s, the rest for as long as bytes move; so never on the network's loop, nor on the
// thread that people's commands wait for.
#pragma once

#include <memory>

#include "store/s3_client.h"
#include "store/store.h"

namespace lestapenna::store {

class S3Store final : public ObjectStore {
  public:
    explicit S3Store(S3Place place) : client_(std::move(place)) {}

    Status put(const std::filesystem::path& file, const Key& key) override;
    Status get(const Key& key, const std::filesystem::path& file) override;
    Result<std::optional<ObjectInfo>> find(const Key& key) override;
    Status remove(const Key& key) override;
    Result<std::vector<ObjectInfo>> list(std::string_view prefix) override;
    [[nodiscard]] std::optional<std::filesystem::path> local_path(const Key& /*key*/) const override {
        return std::nullopt;
    }
    [[nodiscard]] bool same_device(const std::filesystem::path& path) const override;
    void stop() override { client_.stop(); }

  private:
    S3Client client_;
};

}  // namespace lestapenna::store
