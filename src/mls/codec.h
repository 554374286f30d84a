// The encoding of RFC 9420 section 2.1: big-endian integers, optionals of one byte, vectors behind a length of 1, 2 or
// 4 bytes that must be the shortest possible. Reading is total: a Reader that met something impossible stays failed and
// gives zeros and empty views from then on, so that a decoder reads on and asks once, at the end.
// Any thread; a View read points into the input.
#pragma once

#include <cstdint>

#include "mls/bytes.h"

namespace lestapenna::mls {

/// The most that one vector may hold; more is refused before anything is allocated for it.
inline constexpr std::size_t kMaxVectorBytes = 1U << 20;

class Reader {
  public:
    explicit Reader(View input) : rest_(input) {}

    std::uint8_t u8();
    std::uint16_t u16();
    std::uint32_t u32();
    std::uint64_t u64();
    View raw(std::size_t bytes);
    /// `opaque x<V>`: the contents.
    View vec();
    /// The same, to be read element by element; must be done() when it was all read. It starts failed when this one is.
    Reader sub();
    /// optional<T>: whether a T follows; any byte but 0 and 1 fails.
    bool present();
    void fail() { ok_ = false, rest_ = {}; }

    [[nodiscard]] bool ok() const { return ok_; }
    [[nodiscard]] bool at_end() const { return rest_.empty(); }
    /// Read to the end, and nothing was wrong.
    [[nodiscard]] bool done() const { return ok_ && rest_.empty(); }
    [[nodiscard]] View rest() const { return rest_; }

  private:
    View rest_;
    bool ok_ = true;
};

class Writer {
  public:
    void u8(std::uint8_t value);
    void u16(std::uint16_t value);
    void u32(std::uint32_t value);
    void u64(std::uint64_t value);
    void raw(View bytes);
    void vec(View contents);
    /// A vector of whatever `fill(Writer&)` writes.
    template <class Fill>
    void vec_of(const Fill& fill) {
        Writer inner;
        fill(inner);
        vec(inner.bytes_);
    }

    [[nodiscard]] const Bytes& bytes() const { return bytes_; }
    Bytes take() { return std::move(bytes_); }

  private:
    Bytes bytes_;
};

}  // namespace lestapenna::mls
