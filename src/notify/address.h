// Mail addresses, checked before they touch an envelope or a header. Pure; any thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/config.h"
#include "base/ids.h"
#include "base/result.h"

namespace lestapenna::notify {

/// Ok for "name@example.org": ASCII, one @, letters and digits and what RFC 5321 allows without quotes. Not for line
/// breaks, blanks, brackets, commas, or a name beside the address. Errors: usage, naming `key` and the address.
Status check_address(std::string_view key, std::string_view address);

/// Somebody who gets a session's report.
struct Recipient {
    std::string address;
    bool links = false;  ///< the report has links for them
    bool operator==(const Recipient&) const = default;
};
/// Of a session of `guild`: the table's addresses and the operator's (docs/architecture.md section 10), each once,
/// never another guild's. None when no mail server is configured.
std::vector<Recipient> recipients(const Config& config, GuildId guild);

}  // namespace lestapenna::notify
