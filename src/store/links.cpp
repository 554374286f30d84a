#include "store/links.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstdlib>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <unistd.h>

#include "base/files.h"
#include "base/hash.h"
#include "base/text.h"

namespace lestapenna::store {

namespace fs = std::filesystem;

namespace {

constexpr std::string_view kAudio = "/audio/";
constexpr std::string_view kExpires = "?expires=";
constexpr std::string_view kName = "&name=";
constexpr std::string_view kMac = "&mac=";
constexpr std::size_t kMaxNameBytes = 100;

constexpr const char* kSecretFile = "link-secret";
constexpr std::size_t kSecretBytes = 32;
constexpr std::size_t kMaxSecretFileBytes = 4096;

bool is_letter_or_digit(char c) {
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

/// A name that needs no escaping in a URL, a header or a shell, and is no hidden file.
std::string plain_name(std::string_view name) {
    std::string plain(name.substr(0, kMaxNameBytes));
    std::ranges::replace_if(
        plain, [](char c) { return !is_letter_or_digit(c) && c != '.' && c != '_' && c != '-'; }, '-');
    if (plain.empty() || plain.front() == '.') plain.insert(0, "audio");
    return plain;
}

/// Takes `rest` up to `mark`, and the mark.
std::optional<std::string_view> take_until(std::string_view& rest, std::string_view mark) {
    const auto at = rest.find(mark);
    if (at == std::string_view::npos) return std::nullopt;
    const auto taken = rest.substr(0, at);
    rest.remove_prefix(at + mark.size());
    return taken;
}

/// Unix seconds as we write them: digits, without a leading zero.
std::optional<std::int64_t> parse_seconds(std::string_view text) {
    std::int64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || value < 0 || std::to_string(value) != text) return std::nullopt;
    return value;
}

/// None of the fields can hold the line end that keeps them apart; the first line keeps these MACs apart from all
/// others that may once be made with the same secret.
std::string mac_of(const Secret& secret, const Key& key, std::int64_t expires, std::string_view name) {
    const std::string text = std::string("lestapenna audio link 1\n")
                                 .append(key.text())
                                 .append("\n")
                                 .append(std::to_string(expires))
                                 .append("\n")
                                 .append(name);
    const std::string& by = secret.reveal();
    Digest mac{};
    const unsigned char* const done =
        HMAC(EVP_sha256(), by.data(), static_cast<int>(by.size()), reinterpret_cast<const unsigned char*>(text.data()),
             text.size(), mac.data(), nullptr);
    if (done == nullptr) std::abort();  // memory is gone
    return hex(mac);
}

/// The MAC is made before anything is compared, and every byte of it is looked at.
bool same_mac(std::string_view a, std::string_view b) {
    return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

Result<Secret> read_secret(const fs::path& file) {
    auto text = read_text_file(file, kMaxSecretFileBytes);
    if (!text) return text.error();
    const auto secret = trimmed(*text);
    if (secret.size() < 2 * kSecretBytes) {
        return Error{ErrorKind::failed, one_line(file.native()) +
                                            " is cut short: remove it, and a new one is made (links that were given "
                                            "out before stop working)"};
    }
    return Secret(std::string(secret));
}

/// Under its name at once and whole; whoever comes second takes what the first one made.
Status make_secret(const fs::path& file) {
    std::array<std::uint8_t, kSecretBytes> random{};
    if (getentropy(random.data(), random.size()) != 0) std::abort();  // as for ids: no safe way to go on
    const std::string text = hex(random) + "\n";
    auto pending = PendingFile::create(file);  // mode 0600
    if (!pending) return pending.error();
    const auto bytes = std::span(reinterpret_cast<const std::uint8_t*>(text.data()), text.size());
    if (auto written = pending->write(bytes); !written) return written;
    if (::fsync(pending->fd()) != 0) return io_error("write", file, errno);
    if (::link(pending->path().c_str(), file.c_str()) == 0 || errno == EEXIST) return sync_folder(file.parent_path());
    return pending->commit();  // a filesystem without links
}

Result<Secret> kept_secret(const fs::path& folder) {
    const fs::path file = folder / kSecretFile;
    auto secret = read_secret(file);
    if (secret || secret.error().kind != ErrorKind::not_found) return secret;
    if (auto made = make_folders(folder); !made) return made.error();
    if (auto made = make_secret(file); !made) return made.error();
    return read_secret(file);
}

/// http or https, a host, perhaps a path: what a link can be appended to.
bool is_base(std::string_view url) {
    const auto scheme = url.find("://");
    if (scheme == std::string_view::npos) return false;
    if (!same_word(url.substr(0, scheme), "http") && !same_word(url.substr(0, scheme), "https")) return false;
    url.remove_prefix(scheme + 3);
    return !url.empty() && (is_letter_or_digit(url.front()) || url.front() == '[') &&
           std::ranges::all_of(url, [](char c) {
               return is_letter_or_digit(c) || std::string_view("-._~:/[]%").find(c) != std::string_view::npos;
           });
}

/// "/lestapenna" of "https://example.org/lestapenna".
std::string_view path_of_base(std::string_view base) {
    const auto scheme = base.find("://");
    if (scheme == std::string_view::npos) return {};
    return base.substr(std::min(base.find('/', scheme + 3), base.size()));
}

}  // namespace

Result<Links> Links::open(const Config& config) {
    std::string_view base = config.web.public_url;
    if (!base.empty() && !is_base(base)) {
        return Error{ErrorKind::usage, "web.public_url is " + in_quotes(base) +
                                           ", which is no address to build links on; it has to look like "
                                           "\"https://example.org\" or \"https://example.org/lestapenna\""};
    }
    while (base.ends_with('/')) base.remove_suffix(1);
    Secret secret = config.web.link_secret;
    if (secret.empty()) {
        auto kept = kept_secret(config.data.dir);
        if (!kept) {
            Error error = kept.error();
            error.kind = ErrorKind::failed;
            return error;
        }
        secret = std::move(*kept);
    }
    Links links(std::move(secret), std::string(base), config.store.link_ttl);
    if (!config.store_folder()) {
        auto place = S3Place::of(config);
        if (!place) return place.error();
        links.remote_ = std::move(*place);
    }
    return links;
}

bool Links::given_out(const Config& config) {
    return !config.web.public_url.empty() || !config.store_folder();
}

Links::Links(Secret secret, std::string base, milliseconds lifetime)
    : secret_(std::move(secret)), base_(std::move(base)), path_(path_of_base(base_)), lifetime_(lifetime) {}

void Links::lead_to(std::string base_url) {
    base_ = std::move(base_url);
}

std::optional<std::string> Links::make(const Key& key, std::string_view name, UnixTime now) const {
    if (remote_) return remote_->link(key, plain_name(name), lifetime_, now);
    if (base_.empty()) return std::nullopt;
    const auto expires = std::chrono::ceil<seconds>((now + lifetime_).time_since_epoch()).count();
    const std::string plain = plain_name(name);
    std::string link = base_;
    link.append(kAudio).append(key.text()).append(kExpires).append(std::to_string(expires)).append(kName);
    return link.append(plain).append(kMac).append(mac_of(secret_, key, expires, plain));
}

Result<Links::Target, BadLink> Links::check(std::string_view target, UnixTime now) const {
    // A proxy may have taken public_url's own path away, or not.
    if (target.starts_with(path_) && target.substr(path_.size()).starts_with(kAudio)) {
        target.remove_prefix(path_.size());
    }
    if (!target.starts_with(kAudio)) return BadLink::malformed;
    target.remove_prefix(kAudio.size());
    const auto key_text = take_until(target, kExpires);
    const auto expires_text = take_until(target, kName);
    const auto name = take_until(target, kMac);
    if (!key_text || !expires_text || !name) return BadLink::malformed;
    const auto key = Key::parse(*key_text);
    const auto expires = parse_seconds(*expires_text);
    if (!key || !expires || plain_name(*name) != *name) return BadLink::malformed;
    if (!same_mac(mac_of(secret_, *key, *expires, *name), target)) return BadLink::forged;
    if (std::chrono::floor<seconds>(now).time_since_epoch().count() >= *expires) return BadLink::expired;
    return Target{*key, std::string(*name)};
}

std::string master_name(const SessionId& session, UnixTime start) {
    const std::chrono::year_month_day day(std::chrono::floor<std::chrono::days>(start));
    std::array<char, 32> date{};
    std::snprintf(date.data(), date.size(), "%04d-%02u-%02u", static_cast<int>(day.year()),
                  static_cast<unsigned>(day.month()), static_cast<unsigned>(day.day()));
    return std::string(date.data()).append("-lestapenna-").append(session.ending()).append(".mp3");
}

}  // namespace lestapenna::store
