#include "dave/codes.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <cstdlib>

#include <openssl/evp.h>

#include "mls/codec.h"

namespace lestapenna::dave {
namespace {

constexpr std::size_t kGroup = 5;  // digits, of all codes that are shown
constexpr std::size_t kPrivacyDigits = 30;
constexpr std::size_t kVerificationDigits = 45;

constexpr std::uint16_t kFingerprintVersion = 0;
constexpr std::size_t kFingerprintBytes = 64;
constexpr std::array<std::uint8_t, 16> kSalt{0x24, 0xca, 0xb1, 0x7a, 0x7a, 0xf8, 0xec, 0x2b,
                                             0x82, 0xb4, 0x12, 0xb9, 0x2d, 0xab, 0x19, 0x2e};
constexpr std::uint64_t kScryptN = 16'384;
constexpr std::uint64_t kScryptR = 8;
constexpr std::uint64_t kScryptP = 2;
constexpr std::uint64_t kScryptMostMemory = 64U << 20;  // it takes 16 MB

mls::Bytes fingerprint_of_one(UserId user, mls::View key) {
    mls::Writer writer;
    writer.u16(kFingerprintVersion);
    writer.raw(key);
    writer.u64(user.value);
    return mls::to_bytes(writer.bytes());
}

}  // namespace

std::string displayable_code(mls::View data, std::size_t digits, std::size_t group) {
    assert(group > 0 && group < 8 && digits % group == 0 && digits <= data.size());
    std::uint64_t modulus = 1;
    for (std::size_t i = 0; i < group; ++i) modulus *= 10;
    std::string code;
    for (std::size_t at = 0; at < digits; at += group) {
        std::uint64_t value = 0;
        for (const std::uint8_t byte : data.subspan(at, group)) value = value << 8 | byte;
        const std::string text = std::to_string(value % modulus);
        code.append(group - text.size(), '0').append(text);
    }
    return code;
}

std::string privacy_code(mls::View epoch_authenticator) {
    return displayable_code(epoch_authenticator, kPrivacyDigits, kGroup);
}

mls::Bytes pairwise_fingerprint(UserId a, mls::View key_a, UserId b, mls::View key_b) {
    mls::Bytes first = fingerprint_of_one(a, key_a);
    mls::Bytes second = fingerprint_of_one(b, key_b);
    if (second < first) first.swap(second);
    first.insert(first.end(), second.begin(), second.end());
    mls::Bytes fingerprint(kFingerprintBytes);
    // The password is public, and taken as bytes.
    if (EVP_PBE_scrypt(reinterpret_cast<const char*>(first.data()), first.size(), kSalt.data(), kSalt.size(), kScryptN,
                       kScryptR, kScryptP, kScryptMostMemory, fingerprint.data(), fingerprint.size()) != 1) {
        std::abort();  // fails only without memory
    }
    return fingerprint;
}

std::string verification_code(mls::View fingerprint) {
    return displayable_code(fingerprint, kVerificationDigits, kGroup);
}

std::string in_groups_of_five(std::string_view code) {
    std::string shown;
    for (std::size_t at = 0; at < code.size(); at += kGroup) {
        if (at > 0) shown += ' ';
        shown += code.substr(at, kGroup);
    }
    return shown;
}

}  // namespace lestapenna::dave
