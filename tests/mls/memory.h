// What this program gives back to the heap, looked at before it goes, and how much it takes. Thread: the one that
// watches.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace lestapenna::test {

/// From its making to its end, on this thread. One at a time.
class HeapWatch {
  public:
    /// `pattern`: bytes that no freed memory should hold (none: does not look), as long as this lives.
    explicit HeapWatch(std::span<const std::uint8_t> pattern);
    HeapWatch(const HeapWatch&) = delete;
    HeapWatch& operator=(const HeapWatch&) = delete;
    ~HeapWatch();

    [[nodiscard]] std::size_t leaked() const { return leaked_; }    ///< freed blocks that held the pattern
    [[nodiscard]] std::size_t largest() const { return largest_; }  ///< bytes of the largest block taken
    void taken(std::size_t bytes);
    void freed(const void* block, std::size_t bytes);

  private:
    std::span<const std::uint8_t> pattern_;
    std::size_t leaked_ = 0;
    std::size_t largest_ = 0;
};

}  // namespace lestapenna::test
