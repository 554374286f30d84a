#include "net/tls.h"

#include <algorithm>
#include <charconv>
#include <memory>
#include <mutex>

#include <boost/asio/ip/address.hpp>
#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "base/files.h"
#include "base/free.h"
#include "base/loopback.h"
#include "base/text.h"
#include "net/random.h"
#include "net/trust_store.h"

namespace lestapenna::net {

namespace {

constexpr std::size_t kMaxCaBytes = 8u << 20;  // all of Debian's authorities are 0.2 MB

using Bio = std::unique_ptr<BIO, Free<BIO_free_all>>;
using Key = std::unique_ptr<EVP_PKEY, Free<EVP_PKEY_free>>;
using X509Ptr = std::unique_ptr<X509, Free<X509_free>>;

Error crypto_error(std::string_view what) {
    const unsigned long code = ERR_get_error();
    ERR_clear_error();
    const char* reason = code == 0 ? nullptr : ERR_reason_error_string(code);
    return {ErrorKind::failed, "OpenSSL could not " + std::string(what) + ": " + (reason ? reason : "no reason given")};
}

bool is_address(const std::string& host) {
    boost::system::error_code error;
    boost::asio::ip::make_address(host, error);
    return !error;
}

bool add_extension(X509* certificate, int id, const std::string& value) {
    X509V3_CTX context;
    X509V3_set_ctx_nodb(&context);
    X509V3_set_ctx(&context, certificate, certificate, nullptr, nullptr, 0);
    const std::unique_ptr<X509_EXTENSION, Free<X509_EXTENSION_free>> extension(
        X509V3_EXT_conf_nid(nullptr, &context, id, value.c_str()));
    return extension && X509_add_ext(certificate, extension.get(), -1) == 1;
}

std::string alternative_names(const std::vector<std::string>& names) {
    std::string list;
    for (const std::string& name : names) {
        if (!list.empty()) list += ",";
        list += (is_address(name) ? "IP:" : "DNS:") + name;
    }
    return list;
}

bool describe(X509* certificate, EVP_PKEY* key, const std::vector<std::string>& names) {
    // Positive, at most 20 bytes (RFC 5280 section 4.1.2.2), and new each time: browsers and node refuse two
    // certificates of one issuer with the same number. The name is new too: who trusts two authorities of one name may
    // check a signature with the wrong one's key.
    const std::string number = "4" + random_hex(16);
    const std::string issuer = "Lestapenna " + number;
    BIGNUM* parsed = nullptr;
    BN_hex2bn(&parsed, number.c_str());
    const std::unique_ptr<BIGNUM, Free<BN_free>> serial(parsed);
    if (!serial || !BN_to_ASN1_INTEGER(serial.get(), X509_get_serialNumber(certificate))) return false;

    constexpr long kDay = 24L * 60 * 60;
    X509_NAME* name = X509_get_subject_name(certificate);
    const auto* const utf8 = reinterpret_cast<const unsigned char*>(issuer.c_str());
    return X509_set_version(certificate, X509_VERSION_3) == 1 &&
           X509_gmtime_adj(X509_getm_notBefore(certificate), -kDay) != nullptr &&
           X509_gmtime_adj(X509_getm_notAfter(certificate), 3652 * kDay) != nullptr &&
           X509_NAME_add_entry_by_NID(name, NID_commonName, MBSTRING_UTF8, utf8, -1, -1, 0) == 1 &&
           X509_set_issuer_name(certificate, name) == 1 && X509_set_pubkey(certificate, key) == 1 &&
           add_extension(certificate, NID_basic_constraints, "critical,CA:TRUE") &&
           add_extension(certificate, NID_key_usage, "critical,digitalSignature,keyCertSign") &&
           add_extension(certificate, NID_ext_key_usage, "serverAuth") &&
           add_extension(certificate, NID_subject_key_identifier, "hash") &&
           add_extension(certificate, NID_subject_alt_name, alternative_names(names));
}

std::string contents(BIO* bio) {
    char* data = nullptr;
    const long size = BIO_get_mem_data(bio, &data);
    return {data, static_cast<std::size_t>(size)};
}

std::vector<X509Ptr> read_certificates(const std::string& pem) {
    std::vector<X509Ptr> certificates;
    const Bio bio(BIO_new_mem_buf(pem.data(), static_cast<int>(std::min<std::size_t>(pem.size(), 1u << 30))));
    while (X509* certificate = PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr)) {
        certificates.emplace_back(certificate);
    }
    ERR_clear_error();  // the end of the file is an error to OpenSSL
    return certificates;
}

std::uint16_t default_port(std::string_view scheme) {
    return scheme == "https" || scheme == "wss" ? 443 : 80;
}

Error bad_url(std::string_view text, std::string_view why) {
    // Neither the path nor a password: both may be secret.
    const std::size_t scheme = text.find("://");
    const std::size_t host = scheme == std::string_view::npos ? 0 : scheme + 3;
    const std::string_view shown = text.substr(0, text.find_first_of("/?#", host));
    const std::size_t at = shown.rfind('@');
    const std::string_view quoted = at == std::string_view::npos ? shown : shown.substr(at + 1);
    return {ErrorKind::usage, in_quotes(quoted) + " is no URL we can use: " + std::string(why)};
}

bool is_host_character(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '-' ||
           c == '_';
}

}  // namespace

Result<Trust> Trust::from_file(const std::filesystem::path& ca_file) {
    auto pem = read_text_file(ca_file, kMaxCaBytes);
    if (!pem) return pem.error();
    if (read_certificates(*pem).empty()) {
        return Error{ErrorKind::damaged, ca_file.string() + " holds no certificate (PEM is expected)"};
    }
    return Trust{std::move(*pem)};
}

Result<Certificate> make_self_signed(const std::vector<std::string>& names) {
    ERR_clear_error();
    const Key key(EVP_EC_gen("P-256"));
    const X509Ptr certificate(X509_new());
    if (!key || !certificate || !describe(certificate.get(), key.get(), names) ||
        X509_sign(certificate.get(), key.get(), EVP_sha256()) == 0) {
        return crypto_error("make a certificate");
    }
    const Bio certificate_pem(BIO_new(BIO_s_mem()));
    const Bio key_pem(BIO_new(BIO_s_mem()));
    if (PEM_write_bio_X509(certificate_pem.get(), certificate.get()) != 1 ||
        PEM_write_bio_PrivateKey(key_pem.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr) != 1) {
        return crypto_error("write a certificate");
    }
    return Certificate{contents(certificate_pem.get()), contents(key_pem.get())};
}

bool Url::loopback() const {
    return is_loopback(host);
}

Result<Url> Url::parse(std::string_view text) {
    const auto bad = [text](std::string_view why) { return bad_url(text, why); };
    const std::size_t colon = text.find("://");
    if (colon == std::string_view::npos) return bad("it begins with no scheme such as https://");
    Url url;
    url.scheme = text.substr(0, colon);
    if (url.scheme != "http" && url.scheme != "https" && url.scheme != "ws" && url.scheme != "wss") {
        return bad("the scheme is none of http, https, ws, wss");
    }
    const auto unfit = [](char c) { return c <= ' ' || c == '\x7F'; };
    if (std::any_of(text.begin(), text.end(),
                    [&](char c) { return static_cast<unsigned char>(c) < 0x80 && unfit(c); })) {
        return bad("it holds a blank or a control character");
    }
    std::string_view rest = text.substr(colon + 3);
    rest = rest.substr(0, rest.find('#'));
    const std::size_t end = std::min(rest.find_first_of("/?"), rest.size());
    std::string_view authority = rest.substr(0, end);
    const std::string_view target = rest.substr(end);
    url.target = target.starts_with('/') ? std::string(target) : "/" + std::string(target);

    if (authority.find('@') != std::string_view::npos) return bad("a user or password does not belong in it");
    if (authority.starts_with('[')) {
        const std::size_t bracket = authority.find(']');
        if (bracket == std::string_view::npos) return bad("a bracket is not closed");
        url.host = authority.substr(1, bracket - 1);
        authority.remove_prefix(bracket + 1);
        if (url.host.find(':') == std::string::npos || !is_address(url.host))
            return bad("in brackets is no IPv6 address");
    } else {
        url.host = authority.substr(0, authority.find(':'));
        authority.remove_prefix(url.host.size());
        if (url.host.empty()) return bad("it names no host");
        if (!std::all_of(url.host.begin(), url.host.end(), is_host_character)) return bad("the host is not a name");
    }
    url.port = default_port(url.scheme);
    if (authority.empty() || authority == ":") return url;
    authority.remove_prefix(1);
    const auto [stop, error] = std::from_chars(authority.data(), authority.data() + authority.size(), url.port);
    if (error != std::errc() || stop != authority.data() + authority.size() || url.port == 0) {
        return bad("the port is not a number from 1 to 65535");
    }
    return url;
}

Result<StorePtr> trust_store(const Trust& trust) {
    static std::mutex mutex;
    static std::string known_pem;
    static StorePtr known;
    const std::lock_guard lock(mutex);
    if (known && known_pem == trust.extra_ca_pem) return known;

    ERR_clear_error();
    StorePtr store(X509_STORE_new(), X509_STORE_free);
    // A machine without any certificates is no error: the extra ones may be all that is needed.
    if (store) X509_STORE_set_default_paths(store.get());
    if (!store) return crypto_error("make a store of certificates");
    if (!trust.extra_ca_pem.empty()) {
        const auto certificates = read_certificates(trust.extra_ca_pem);
        if (certificates.empty()) {
            return Error{ErrorKind::damaged, "the extra certificate authority holds no certificate (PEM is expected)"};
        }
        for (const auto& certificate : certificates) X509_STORE_add_cert(store.get(), certificate.get());
    }
    ERR_clear_error();
    known_pem = trust.extra_ca_pem;
    return known = store;
}

}  // namespace lestapenna::net
