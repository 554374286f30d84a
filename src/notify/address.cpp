#include "notify/address.h"

#include <algorithm>

#include "base/text.h"

namespace lestapenna::notify {

namespace {

// RFC 5321 section 4.5.3.1.
constexpr std::size_t kLongestLocal = 64;
constexpr std::size_t kLongestDomain = 255;

bool is_letter_or_digit(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

/// "a.b": parts of what `fits`, none of them empty.
template <class Fits>
bool is_dotted(std::string_view text, std::size_t most, Fits fits) {
    return !text.empty() && text.size() <= most && text.front() != '.' && text.back() != '.' &&
           text.find("..") == std::string_view::npos &&
           std::ranges::all_of(text, [&](char c) { return c == '.' || fits(c); });
}

bool is_local(std::string_view text) {
    return is_dotted(text, kLongestLocal, [](char c) {
        return is_letter_or_digit(c) || std::string_view("!#$%&'*+-/=?^_`{|}~").find(c) != std::string_view::npos;
    });
}

bool is_domain(std::string_view text) {
    return is_dotted(text, kLongestDomain, [](char c) { return is_letter_or_digit(c) || c == '-'; });
}

}  // namespace

Status check_address(std::string_view key, std::string_view address) {
    const auto at = std::min(address.rfind('@'), address.size());
    if (at < address.size() && is_local(address.substr(0, at)) && is_domain(address.substr(at + 1))) return Ok{};
    const auto bare = [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; };
    const std::string why = std::ranges::any_of(address, bare)
                                ? "holds a line break or another control character"
                                : "is no mail address; it has to look like \"name@example.org\", nothing beside it";
    return Error{ErrorKind::usage, std::string(key) + ": " + in_quotes(address) + " " + why};
}

std::vector<Recipient> recipients(const Config& config, GuildId guild) {
    std::vector<Recipient> all;
    if (config.mail.smtp_url.empty()) return all;
    const auto add = [&all](const WordList& addresses, bool links) {
        for (const auto& address : addresses) {
            const auto known = std::ranges::find(all, address, &Recipient::address);
            if (known == all.end()) {
                all.push_back({address, links});
            } else {
                known->links = known->links || links;
            }
        }
    };
    const auto table = config.mail.guilds.find(guild.text());
    if (table != config.mail.guilds.end()) add(table->second, true);
    add(config.mail.to, config.mail.links);
    return all;
}

}  // namespace lestapenna::notify
