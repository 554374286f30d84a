#include "base/config_keys.h"

#include <algorithm>
#include <array>
#include <type_traits>
#include <utility>
#include <vector>

namespace lestapenna::config {

namespace {

using C = Config;
using Check = std::string_view (*)(const Config&);

/// Binds a row to a member: key<&Config::section, &Config::Section::member>(...).
template <auto Section, auto Member>
constexpr Key key(std::string_view section, std::string_view name, std::string_view meaning, Check check = nullptr) {
    using Value = std::remove_cvref_t<decltype(std::declval<Config&>().*Section.*Member)>;
    return {.section = section,
            .name = name,
            .meaning = meaning,
            .secret = std::is_same_v<Value, Secret>,
            .has_variable = !std::is_same_v<Value, GuildAddresses>,
            .read = [](const RawValue& raw, Config& out) { return config::read(raw, out.*Section.*Member); },
            .show = [](const Config& config) { return config::show(config.*Section.*Member); },
            .accepts = [] { return config::accepts(Value{}); },
            .check = check};
}

constexpr seconds kSlice{30};  // what every file is made of (docs/architecture.md section 7)

std::string_view whole_slices(const Config& config) {
    return config.capture.rotation % kSlice == milliseconds(0) ? "" : "a multiple of 30s, the length of a slice";
}

std::string_view store_url(const Config& config) {
    const std::string_view url = config.store.url;
    constexpr std::string_view kS3 = "s3://";
    const bool s3 = url.starts_with(kS3) && url.size() > kS3.size() && url[kS3.size()] != '/';
    const bool file = url.starts_with("file:") && url.find('\0') == std::string_view::npos;
    return s3 || file ? "" : "\"file:\", \"file:/a/folder\" or \"s3://bucket/prefix\"";
}

std::string_view queue_url(const Config& config) {
    const std::string_view url = config.queue.url.reveal();
    if (url.starts_with("rediss://")) return "redis:// without TLS: the Redis client we link has none, use a tunnel";
    return url == "embedded" || url.starts_with("redis://") ? ""
                                                            : "\"embedded\" or \"redis://[user:pass@]host:port/db\"";
}

std::string_view not_empty(const Config& config) {
    return config.discord.prefix.empty() || config.data.dir.empty() ? "something, not nothing" : "";
}

constexpr std::array kKeys{
    key<&C::discord, &C::Discord::token>("discord", "token", "the bot's token; `DISCORD_TOKEN` is accepted too"),
    key<&C::discord, &C::Discord::api_base>("discord", "api_base", "Discord's REST interface"),
    key<&C::discord, &C::Discord::ca_file>("discord", "ca_file", "certificates to trust besides the system's"),
    key<&C::discord, &C::Discord::prefix>("discord", "prefix", "what text commands begin with", not_empty),
    key<&C::discord, &C::Discord::locale>("discord", "locale", "the language of replies"),
    key<&C::discord, &C::Discord::links>("discord", "links", "where links to recordings are shown"),
    key<&C::discord, &C::Discord::start_role>("discord", "start_role", "the role that may start a session, or `any`"),
    key<&C::discord, &C::Discord::allow_plaintext>("discord", "allow_plaintext", "plain HTTP beyond this machine"),

    key<&C::data, &C::Data::dir>("data", "dir", "journals, catalog, store and cache", not_empty),

    key<&C::capture, &C::Capture::rotation>("capture", "rotation", "length of a chunk, a multiple of 30s",
                                            whole_slices),
    key<&C::capture, &C::Capture::write_interval>("capture", "write_interval", "how often the journal is written"),
    key<&C::capture, &C::Capture::sync_interval>("capture", "sync_interval", "how often the journal is synced to disk"),
    key<&C::capture, &C::Capture::ship_interval>("capture", "ship_interval", "how often the journal goes to the store"),
    key<&C::capture, &C::Capture::empty_end>("capture", "empty_end", "a session ends when nobody is left for so long"),
    key<&C::capture, &C::Capture::resume_within>("capture", "resume_within",
                                                 "an interrupted session is resumed up to this age"),

    key<&C::audio, &C::Audio::loudness>("audio", "loudness", "of the master: -23, -16 or -14 LUFS"),
    key<&C::audio, &C::Audio::bots>("audio", "bots", "music bots: in the master below speech, or not in it"),
    key<&C::audio, &C::Audio::stereo_table>("audio", "stereo_table", "players spread over a stereo master"),
    key<&C::audio, &C::Audio::leveling>("audio", "leveling", "slow levelling within a track"),
    key<&C::audio, &C::Audio::denoise>("audio", "denoise", "noise reduction"),

    key<&C::store, &C::Store::url>("store", "url",
                                   "`file:` is the folder `store` under `data.dir`; `s3://bucket/prefix`", store_url),
    key<&C::store, &C::Store::endpoint>("store", "endpoint", "the S3 server, when it is not Amazon's"),
    key<&C::store, &C::Store::region>("store", "region", "the S3 region"),
    key<&C::store, &C::Store::access_key>("store", "access_key", "the S3 access key"),
    key<&C::store, &C::Store::secret_key>("store", "secret_key", "the S3 secret key"),
    key<&C::store, &C::Store::ca_file>("store", "ca_file", "certificates to trust besides the system's"),
    key<&C::store, &C::Store::link_ttl>("store", "link_ttl", "how long a link lives"),
    key<&C::store, &C::Store::allow_plaintext>("store", "allow_plaintext", "plain HTTP beyond this machine"),

    key<&C::queue, &C::Queue::url>("queue", "url", "the transcription queue: embedded, or a BullMQ queue on Redis",
                                   queue_url),
    key<&C::queue, &C::Queue::name>("queue", "name", "the BullMQ queue's name"),
    key<&C::queue, &C::Queue::command>("queue", "command", "the embedded queue runs this program for each fragment"),
    key<&C::queue, &C::Queue::allow_plaintext>("queue", "allow_plaintext", "Redis beyond this machine"),

    key<&C::retention, &C::Retention::chunks>("retention", "chunks", "how long chunks are kept"),
    key<&C::retention, &C::Retention::fragments>("retention", "fragments", "how long fragments are kept"),
    key<&C::retention, &C::Retention::masters>("retention", "masters", "how long masters are kept"),
    key<&C::retention, &C::Retention::journals>("retention", "journals", "how long journals are kept"),

    key<&C::mail, &C::Mail::smtp_url>("mail", "smtp_url", "the mail server, `smtps://host:465` or `smtp://host:587`"),
    key<&C::mail, &C::Mail::username>("mail", "username", "the account on the mail server"),
    key<&C::mail, &C::Mail::password>("mail", "password", "its password"),
    key<&C::mail, &C::Mail::ca_file>("mail", "ca_file", "certificates to trust instead of the system's"),
    key<&C::mail, &C::Mail::from>("mail", "from", "the sender's address"),
    key<&C::mail, &C::Mail::to>("mail", "to", "addresses of the operator's copy"),
    key<&C::mail, &C::Mail::links>("mail", "links", "links in the operator's copy"),
    key<&C::mail, &C::Mail::guilds>("mail", "guilds", "a table: guild id = addresses of its report"),
    key<&C::mail, &C::Mail::allow_plaintext>("mail", "allow_plaintext", "plain SMTP beyond this machine"),

    key<&C::web, &C::Web::listen>("web", "listen", "where links are served"),
    key<&C::web, &C::Web::admin_listen>("web", "admin_listen", "where metrics and readiness are served"),
    key<&C::web, &C::Web::public_url>("web", "public_url", "how the world reaches `listen`"),
    key<&C::web, &C::Web::link_secret>("web", "link_secret", "signs links; unset: made once, kept in the data folder"),
};

}  // namespace

std::string Key::path() const {
    return std::string(section).append(".").append(name);
}

std::string Key::variable() const {
    std::string text = "LESTAPENNA_" + std::string(section).append("_").append(name);
    std::ranges::transform(text, text.begin(),
                           [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c; });
    return text;
}

std::span<const Key> keys() {
    return kKeys;
}

std::span<const std::string_view> sections() {
    static const auto kSections = [] {
        std::vector<std::string_view> names;
        for (const auto& key : kKeys) {
            if (names.empty() || names.back() != key.section) names.push_back(key.section);
        }
        return names;
    }();
    return kSections;
}

}  // namespace lestapenna::config
