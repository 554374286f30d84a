#include "mls/codec.h"

#include <cassert>

namespace lestapenna::mls {

namespace {

// What the first two bits of a vector's header say: how many bytes it has, and the longest vector they can name.
constexpr std::uint32_t kMostIn1 = 63;
constexpr std::uint32_t kMostIn2 = 16'383;
[[maybe_unused]] constexpr std::uint32_t kMostIn4 = (1U << 30) - 1;

}  // namespace

// ---- Reader

View Reader::raw(std::size_t bytes) {
    if (bytes > rest_.size()) {
        fail();
        return {};
    }
    const View front = rest_.first(bytes);
    rest_ = rest_.subspan(bytes);
    return front;
}

std::uint64_t Reader::number(std::size_t bytes) {
    std::uint64_t value = 0;
    for (const std::uint8_t byte : raw(bytes)) value = value << 8 | byte;
    return value;
}

std::uint8_t Reader::u8() {
    return static_cast<std::uint8_t>(number(1));
}
std::uint16_t Reader::u16() {
    return static_cast<std::uint16_t>(number(2));
}
std::uint32_t Reader::u32() {
    return static_cast<std::uint32_t>(number(4));
}
std::uint64_t Reader::u64() {
    return number(8);
}

std::uint32_t Reader::length() {
    const std::uint32_t first = u8();
    const std::uint32_t high = first & kMostIn1;
    switch (first >> 6) {
        case 0:
            return high;
        case 1: {
            const std::uint32_t value = high << 8 | u8();
            if (value > kMostIn1) return value;
            break;
        }
        case 2: {
            const auto value = static_cast<std::uint32_t>(high << 24 | number(3));
            if (value > kMostIn2) return value;
            break;
        }
        default:
            break;
    }
    fail();
    return 0;
}

View Reader::vec() {
    const std::size_t bytes = length();
    if (bytes <= kMaxVectorBytes) return raw(bytes);
    fail();
    return {};
}

bool Reader::present() {
    const std::uint8_t flag = u8();
    if (flag > 1) fail();
    return ok_ && flag == 1;
}

// ---- Writer

void Writer::number(std::uint64_t value, std::size_t bytes) {
    for (std::size_t i = bytes; i-- > 0;) bytes_.push_back(static_cast<std::uint8_t>(value >> (8 * i)));
}

void Writer::u8(std::uint8_t value) {
    bytes_.push_back(value);
}
void Writer::u16(std::uint16_t value) {
    number(value, 2);
}
void Writer::u32(std::uint32_t value) {
    number(value, 4);
}
void Writer::u64(std::uint64_t value) {
    number(value, 8);
}

void Writer::raw(View bytes) {
    bytes_.insert(bytes_.end(), bytes.begin(), bytes.end());
}

void Writer::vec(View contents) {
    const std::size_t size = contents.size();
    assert(size <= kMostIn4);
    if (size <= kMostIn1) {
        number(size, 1);
    } else if (size <= kMostIn2) {
        number(size | 1U << 14, 2);
    } else {
        number(size | 2U << 30, 4);
    }
    raw(contents);
}

}  // namespace lestapenna::mls
