#include "dave/frame.h"

#include <algorithm>
#include <array>

namespace lestapenna::dave {
namespace {

constexpr std::uint8_t kMarker = 0xFA;
constexpr std::size_t kTrailer = 3;       // size, marker, marker
constexpr std::size_t kMostUleb128 = 10;  // as libdave reads them: up to 64 bits, of which 32 count

struct Uleb128 {
    std::uint32_t value = 0;
    std::size_t bytes = 0;
};

std::optional<Uleb128> read_uleb128(std::span<const std::uint8_t> from) {
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < from.size() && i < kMostUleb128; ++i) {
        value |= static_cast<std::uint64_t>(from[i] & 0x7FU) << (7 * i);  // of the tenth byte only one bit stays
        if ((from[i] & 0x80U) == 0) return Uleb128{static_cast<std::uint32_t>(value), i + 1};
    }
    return std::nullopt;
}

}  // namespace

std::optional<Frame> parse_frame(std::span<const std::uint8_t> bytes) {
    if (bytes.size() < kLeastSupplement || bytes.back() != kMarker || bytes[bytes.size() - 2] != kMarker) return {};
    const std::size_t supplement = bytes[bytes.size() - kTrailer];
    if (supplement < kLeastSupplement || supplement > bytes.size()) return {};
    const auto media = bytes.first(bytes.size() - supplement);
    const auto tag = bytes.subspan(media.size(), kTagBytes);
    const auto rest = bytes.subspan(media.size() + kTagBytes, supplement - kTagBytes - kTrailer);
    const auto nonce = read_uleb128(rest);
    if (!nonce || nonce->bytes != rest.size()) return {};  // what is left would be ranges
    return Frame{.media = media, .tag = tag, .nonce = nonce->value};
}

void append_supplement(std::vector<std::uint8_t>& to, std::span<const std::uint8_t, kTagBytes> tag,
                       std::uint32_t nonce) {
    const std::size_t before = to.size();
    to.insert(to.end(), tag.begin(), tag.end());
    for (; nonce >= 0x80; nonce >>= 7) to.push_back(static_cast<std::uint8_t>(nonce | 0x80U));
    to.push_back(static_cast<std::uint8_t>(nonce));
    const auto supplement = static_cast<std::uint8_t>(to.size() - before + kTrailer);
    to.insert(to.end(), {supplement, kMarker, kMarker});
}

bool is_silence(std::span<const std::uint8_t> payload) {
    static constexpr std::array<std::uint8_t, 3> kSilence{0xF8, 0xFF, 0xFE};
    return std::equal(payload.begin(), payload.end(), kSilence.begin(), kSilence.end());
}

}  // namespace lestapenna::dave
