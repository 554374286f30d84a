// A real mail server for tests (python3-aiosmtpd, driven by tests/notify/mail_server.py), and what came to it.
// Thread: one. It stops when the object goes.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "background.h"
#include "support.h"

namespace lestapenna::test {

/// A certificate and its key, made for `names` ("DNS:localhost,IP:127.0.0.1").
struct CertificateFiles {
    std::filesystem::path certificate;
    std::filesystem::path key;
};
CertificateFiles make_certificate(const std::filesystem::path& folder, const std::string& name,
                                  const std::string& names);

class MailServer {
  public:
    /// `words`: as the script's, after the folder. Null: it can not be had here, and `why` says why.
    static std::unique_ptr<MailServer> start(std::string& why, const std::vector<std::string>& words = {});

    [[nodiscard]] const std::string& port() const { return port_; }
    /// What it answers from now on, as the script's "say"; empty: yes to everything.
    void say(const std::string& line) const;
    /// How many mails it took so far.
    [[nodiscard]] std::size_t mails() const;
    /// How many connections it had so far.
    [[nodiscard]] std::size_t sessions() const;
    /// Mail number `n`, from 1 on: as it came, and as Python's email module reads it (JSON).
    [[nodiscard]] std::string raw(std::size_t n) const;
    [[nodiscard]] std::string read(std::size_t n) const;
    /// Its envelope: from, then to.
    [[nodiscard]] std::string envelope(std::size_t n) const;

  private:
    MailServer() = default;
    [[nodiscard]] std::filesystem::path file(std::size_t n, const char* ending) const;
    TempDir folder_;
    std::string port_;
    std::optional<Background> process_;
};

}  // namespace lestapenna::test
