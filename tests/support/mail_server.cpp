#include "mail_server.h"

#include "base/files.h"

namespace lestapenna::test {

namespace {

constexpr std::size_t kMostBytes = 1U << 20;
constexpr const char* kPython = "/usr/bin/python3";  // the one that sees Debian's packages

std::string script() {
    return (std::filesystem::path(LESTAPENNA_TESTS_DIR) / "notify" / "mail_server.py").string();
}

std::string text_of(const std::filesystem::path& file) {
    auto text = read_text_file(file, kMostBytes);
    return text ? *text : std::string();
}

}  // namespace

CertificateFiles make_certificate(const std::filesystem::path& folder, const std::string& name,
                                  const std::string& names) {
    CertificateFiles files{folder / (name + ".pem"), folder / (name + ".key")};
    run_process({"openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days",
                 "2", "-subj", "/CN=" + name, "-addext", "subjectAltName=" + names, "-keyout", files.key.string(),
                 "-out", files.certificate.string()});
    return files;
}

std::unique_ptr<MailServer> MailServer::start(std::string& why, const std::vector<std::string>& words) {
    if (!has_program(kPython) || run_process({kPython, "-c", "import aiosmtpd"}).exit_code != 0) {
        return why = "no mail server: install python3-aiosmtpd", nullptr;
    }
    std::unique_ptr<MailServer> server(new MailServer);
    const auto& folder = server->folder_.path();
    std::vector<std::string> argv{kPython, script(), "serve", folder.string()};
    argv.insert(argv.end(), words.begin(), words.end());
    server->process_.emplace(argv, folder, folder / "out", folder / "err");
    if (!server->process_->until([&] { return text_of(folder / "out").ends_with('\n'); })) {
        return why = "the mail server did not start: " + text_of(folder / "err"), nullptr;
    }
    server->port_ = text_of(folder / "out");
    server->port_.pop_back();
    return server;
}

void MailServer::say(const std::string& line) const {
    const auto file = folder_ / "say";
    if (line.empty()) {
        std::filesystem::remove(file);
    } else {
        static_cast<void>(write_file(file, line + "\n"));
    }
}

std::filesystem::path MailServer::file(std::size_t n, const char* ending) const {
    return folder_ / (std::to_string(n) + ending);
}

std::size_t MailServer::mails() const {
    std::size_t n = 0;
    while (std::filesystem::exists(file(n + 1, ".eml"))) ++n;
    return n;
}

std::size_t MailServer::sessions() const {
    return text_of(folder_ / "sessions").size();
}

std::string MailServer::raw(std::size_t n) const {
    return text_of(file(n, ".eml"));
}

std::string MailServer::read(std::size_t n) const {
    return run_process({kPython, script(), "read", file(n, ".eml").string()}).out;
}

std::string MailServer::envelope(std::size_t n) const {
    return text_of(file(n, ".to"));
}

}  // namespace lestapenna::test
