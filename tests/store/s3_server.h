// Real S3 servers for tests, started by the workshop's scripts (tools/s3-NAME.sh; they install what is missing as
// root).
#pragma once

#include <chrono>
#include <filesystem>
#include <memory>
#include <string>

#include "base/config.h"
#include "support.h"

namespace lestapenna::store {

/// A server that stops when the object goes; each has an empty bucket "rec".
class S3Server {
  public:
    /// `name`: "ceph" or "swift". Null: it can not be had here, and `why` says why.
    static std::unique_ptr<S3Server> start(const std::string& name, std::string& why);
    S3Server(const S3Server&) = delete;
    S3Server& operator=(const S3Server&) = delete;
    ~S3Server();

    /// [store] for this server: "s3://rec" and `prefix`.
    [[nodiscard]] Config config(const std::string& prefix = "") const;
    [[nodiscard]] const std::filesystem::path& folder() const { return folder_.path(); }

  private:
    explicit S3Server(std::string script) : script_(std::move(script)) {}
    test::TempDir folder_;
    std::string script_;
    std::string endpoint_;
    std::string access_key_;
    std::string secret_key_;
    std::string region_;
};

/// Status and body of a GET by whoever has only the link; "range" as in a Range header, when not empty.
struct Fetched {
    std::string status;
    std::string headers;
    std::string body;
};
Fetched fetch(const std::string& link, const std::string& range = "");

}  // namespace lestapenna::store
