// The encoding of RFC 9420 section 2.1: big-endian integers, optionals of one byte, vectors behind a length of 1, 2 or
// 4 bytes that must be the shortest possible. Reading is total: a Reader that met something impossible stays failed and
// gives zeros and empty views from then on, so that a decoder reads on and asks once, at the end.
// Any thread; a View read points into the input.
#pragma once

#include <cstddef>
#include <cstdint>

#include "mls/bytes.h"

namespace lestapenna::mls {

/// The most that one vector may hold; more is refused before anything is allocated for it.
inline constexpr std::size_t kMaxVectorBytes = 1U << 20;
/// And the most elements: a blank node of a tree takes one byte on the wire and some hundred here. 2,048 members fit.
inline constexpr std::size_t kMaxElements = 4096;

class Reader {
  public:
    explicit Reader(View input) : rest_(input) {}

    std::uint8_t u8();
    std::uint16_t u16();
    std::uint32_t u32();
    std::uint64_t u64();
    View raw(std::size_t bytes);
    /// The header of a vector: how many bytes follow, below 2^30. Fails when it is longer than it need be.
    std::uint32_t length();
    /// `opaque x<V>`: the contents.
    View vec();
    /// The same, element by element: `each(Reader&)` until the vector is used up.
    template <class Each>
    void list(const Each& each);
    /// optional<T>: whether a T follows; any byte but 0 and 1 fails.
    bool present();
    void fail() { ok_ = false, rest_ = {}; }

    [[nodiscard]] bool ok() const { return ok_; }
    [[nodiscard]] bool at_end() const { return rest_.empty(); }
    /// Read to the end, and nothing was wrong.
    [[nodiscard]] bool done() const { return ok_ && rest_.empty(); }
    [[nodiscard]] View rest() const { return rest_; }

  private:
    std::uint64_t number(std::size_t bytes);

    View rest_;
    bool ok_ = true;
};

template <class Each>
void Reader::list(const Each& each) {
    Reader inner(vec());
    for (std::size_t count = 0; !inner.at_end(); ++count) {
        if (count == kMaxElements) return fail();
        each(inner);
    }
    if (!inner.ok()) fail();
}

/// What it wrote is wiped when it dies: it may be a secret.
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

    [[nodiscard]] const Secret& bytes() const { return bytes_; }
    Secret take() { return std::move(bytes_); }

  private:
    void number(std::uint64_t value, std::size_t bytes);

    Secret bytes_;
};

}  // namespace lestapenna::mls
