// The configuration: one sub-struct per section of lestapenna.toml, its member initialisers are the defaults
// (docs/architecture.md section 10). What each key is called, accepts and means is the table in config.cpp, and only
// there.
//
// Sources, the later wins: the TOML file, `.env` in the working folder, the environment. Variables are
// LESTAPENNA_<SECTION>_<KEY>; a secret may also be ..._FILE, the name of a file that holds it; DISCORD_TOKEN is
// discord.token. An empty variable counts as not set. A wrong key, unit or value is one `usage` error that names the
// place, the key, the value (never of a secret) and what is accepted; nothing is half loaded.
// Pure values; any thread. parse_config() touches no file but through the function it is given.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "base/time.h"

namespace lestapenna {

/// Text that does not print itself: whoever needs it says reveal().
class Secret {
  public:
    Secret() = default;
    explicit Secret(std::string text) : text_(std::move(text)) {}
    [[nodiscard]] const std::string& reveal() const { return text_; }
    [[nodiscard]] bool empty() const { return text_.empty(); }

  private:
    std::string text_;
};

/// How long something is kept; nothing: forever.
using Age = std::optional<milliseconds>;
/// Words: a TOML array of strings, or one text with blanks between the words.
using WordList = std::vector<std::string>;
/// Guild id to mail addresses.
using GuildAddresses = std::map<std::string, WordList>;

/// Where a server listens: host:port, [v6]:port.
struct Listen {
    std::string host;
    std::uint16_t port = 0;
    bool operator==(const Listen&) const = default;
};

enum class Locale { it, en };
enum class Links { private_message, channel };
enum class LoudnessPreset { ebu_r128, podcast, streaming };
enum class BotTracks { mix, exclude };
enum class Switch { off, on };

struct Config {
    struct Discord {
        Secret token;
        std::string api_base = "https://discord.com/api/v10";
        std::filesystem::path ca_file;
        std::string prefix = "$";
        Locale locale = Locale::it;
        Links links = Links::private_message;
        std::string start_role = "any";
        bool allow_plaintext = false;
    } discord;

    struct Data {
        std::filesystem::path dir = "./data";
    } data;

    struct Capture {
        milliseconds rotation = std::chrono::minutes(5);  ///< a multiple of 30 s, the length of a slice
        milliseconds write_interval{10};
        milliseconds sync_interval{100};
        milliseconds ship_interval = seconds(10);
        milliseconds empty_end = std::chrono::minutes(5);
        milliseconds resume_within = std::chrono::minutes(30);
    } capture;

    struct Audio {
        LoudnessPreset loudness = LoudnessPreset::ebu_r128;
        BotTracks bots = BotTracks::mix;
        bool stereo_table = false;
        Switch leveling = Switch::off;
        Switch denoise = Switch::off;
    } audio;

    struct Store {
        std::string url = "file:";  ///< the store folder under data.dir
        std::string endpoint;
        std::string region;
        Secret access_key;
        Secret secret_key;
        std::filesystem::path ca_file;
        milliseconds link_ttl = std::chrono::days(7);
        bool allow_plaintext = false;
    } store;

    struct Queue {
        Secret url{"embedded"};  ///< secret, because redis:// may carry a password
        std::string name = "audio-processing";
        WordList command;
        bool allow_plaintext = false;
    } queue;

    struct Retention {
        Age chunks = std::chrono::days(7);
        Age fragments = std::chrono::days(90);
        Age masters;
        Age journals = std::chrono::days(30);
    } retention;

    struct Mail {
        Secret smtp_url;
        std::string username;
        Secret password;
        std::filesystem::path ca_file;
        std::string from;
        WordList to;
        bool links = false;
        GuildAddresses guilds;
        bool allow_plaintext = false;
    } mail;

    struct Web {
        Listen listen{"127.0.0.1", 8080};
        Listen admin_listen{"127.0.0.1", 8081};
        std::string public_url;
        Secret link_secret;
    } web;

    /// Where a `file:` store keeps its files; nothing when store.url names another kind.
    [[nodiscard]] std::optional<std::filesystem::path> store_folder() const;
    [[nodiscard]] bool holds_secrets() const;
};

/// A variable and where it stood: "the environment" or ".env:3".
struct Variable {
    std::string name;
    std::string value;
    std::string origin;
};

struct ConfigSources {
    std::string file_name;                         ///< for messages
    std::string file_text;                         ///< TOML; empty: all defaults
    std::vector<std::vector<Variable>> variables;  ///< layers, the later wins
};

struct LoadedConfig {
    Config config;
    std::vector<std::string> warnings;  ///< one sentence each
    std::string log_level;              ///< LESTAPENNA_LOG, wherever it stood; empty: nowhere
};

using ReadSecret = std::function<Result<std::string>(const std::string& path)>;

/// The parser without a world around it.
Result<LoadedConfig> parse_config(const ConfigSources& sources, const ReadSecret& read_secret);

/// `NAME=value` lines; `export ` before, quotes around and `#` comments are understood. What is no such line becomes a
/// warning. `name` is the file's, for messages.
std::vector<Variable> parse_dotenv(std::string_view text, std::string_view name, std::vector<std::string>& warnings);

/// Reads `file`, or lestapenna.toml in the working folder when there is one, `.env` in the working folder, and the
/// environment
/// (`environment`: like ::environ). A named file that can not be read is a usage error.
Result<LoadedConfig> load_config(const std::optional<std::filesystem::path>& file, const char* const* environment);

/// The contract has keys that this version does not act on yet: one clear sentence for the first that is set.
Status check_supported(const Config& config);

/// All keys with what they accept, their default and their variable, as Markdown tables: for docs and for people.
std::string config_reference();

}  // namespace lestapenna
