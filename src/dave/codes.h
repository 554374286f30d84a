// Codes that people compare to know that nobody is between them (dave.md section 8). Pure; any thread.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "base/ids.h"
#include "mls/bytes.h"

namespace lestapenna::dave {

/// `digits` digits of `data` in groups of `group` (< 8, a divisor of digits, and at most data.size()), as one run.
std::string displayable_code(mls::View data, std::size_t digits, std::size_t group);
/// Of a call: 30 digits of the epoch authenticator; the same for all members, another in each epoch.
std::string privacy_code(mls::View epoch_authenticator);
/// Of two users and their signature keys: 64 bytes by scrypt (50 ms: not on a loop), the same from both sides.
mls::Bytes pairwise_fingerprint(UserId a, mls::View key_a, UserId b, mls::View key_b);
/// 45 digits of it.
std::string verification_code(mls::View fingerprint);
/// As Discord shows it: "09060 60585 ...".
std::string in_groups_of_five(std::string_view code);

}  // namespace lestapenna::dave
