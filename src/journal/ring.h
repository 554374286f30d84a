// A ring of encoded records between the thread that appends and the one that writes. A record stays in it until it is
// durable, so that the ring is also the window that is written again after a failed sync.
//
// Threads: reserve() and commit() from the producer; at() from the consumer, for positions in [released(), head());
// release() from whoever made these records durable, one at a time. No locks, no allocation after construction.
// Positions count bytes for ever (2^64 are never reached) and are multiples of 8; a record never wraps.
#pragma once

#include <atomic>
#include <bit>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <vector>

#include "journal/format.h"
#include "journal/must.h"

namespace lestapenna::journal {

class Ring {
  public:
    explicit Ring(std::size_t bytes) : bytes_(std::bit_ceil(std::max<std::size_t>(bytes, 4 * kMaxRecordBytes))) {}

    /// Room for an encoded record of `size` bytes, or an empty span when there is none. Nothing is seen until commit().
    std::span<std::uint8_t> reserve(std::size_t size) noexcept {
        std::uint64_t at = head_.load(std::memory_order_relaxed);
        const std::size_t to_end = bytes_.size() - index(at);
        const std::size_t need = rounded(size);
        const std::size_t skip = need > to_end ? to_end : 0;
        if (at + skip + need - tail_seen_ > bytes_.size()) {
            tail_seen_ = tail_.load(std::memory_order_acquire);  // the consumer has finished reading what it released
            if (at + skip + need - tail_seen_ > bytes_.size()) return {};
        }
        if (skip > 0) std::memset(bytes_.data() + index(at), 0, kRecordHeaderBytes);  // type 0: go on at the beginning
        at += skip;
        reserved_end_ = at + need;
        return std::span(bytes_).subspan(index(at), size);
    }
    /// `counted`: one of those that accepted(), stored() and durable() count.
    void commit(std::span<std::uint8_t> reserved, bool counted) noexcept {
        reserved[0] = counted ? 1 : 0;  // the place of the checksum, which is not known before the record has a place
        head_.store(reserved_end_, std::memory_order_release);
    }

    struct Entry {
        std::span<const std::uint8_t> record;
        bool counted = false;
        std::uint64_t next = 0;  ///< position after it
    };
    [[nodiscard]] std::optional<Entry> at(std::uint64_t position) const noexcept {
        if (position == head_.load(std::memory_order_acquire)) return std::nullopt;
        if (read_head(from(position)).type == kPaddingType) position += bytes_.size() - index(position);
        const auto bytes = from(position);
        const std::size_t size = read_head(bytes).bytes();
        return Entry{bytes.first(size), bytes[0] != 0, position + rounded(size)};
    }

    void release(std::uint64_t position) noexcept { tail_.store(position, std::memory_order_release); }

    [[nodiscard]] std::uint64_t head() const noexcept { return head_.load(std::memory_order_acquire); }
    [[nodiscard]] std::uint64_t released() const noexcept { return tail_.load(std::memory_order_acquire); }
    [[nodiscard]] std::size_t capacity() const noexcept { return bytes_.size(); }

  private:
    static std::size_t rounded(std::size_t size) { return (size + 7) & ~std::size_t{7}; }
    [[nodiscard]] std::size_t index(std::uint64_t position) const {
        return static_cast<std::size_t>(position) & (bytes_.size() - 1);
    }
    [[nodiscard]] std::span<const std::uint8_t> from(std::uint64_t position) const {
        return std::span(bytes_).subspan(index(position));
    }

    std::vector<std::uint8_t> bytes_;
    alignas(64) std::atomic<std::uint64_t> head_{0};  // written by the producer
    std::uint64_t tail_seen_ = 0;                     // the producer's copy, so that it seldom reads the other's line
    std::uint64_t reserved_end_ = 0;
    alignas(64) std::atomic<std::uint64_t> tail_{0};
};

}  // namespace lestapenna::journal
