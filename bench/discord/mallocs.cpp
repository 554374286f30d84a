#include "mallocs.h"

#include <atomic>
#include <cstddef>

namespace {

std::atomic<std::uint64_t> count{0};

}  // namespace

std::uint64_t lestapenna::bench::mallocs() {
    return count.load(std::memory_order_relaxed);
}

// glibc's own, under the names that it keeps for who replaces the usual ones.
extern "C" {
void* __libc_malloc(std::size_t bytes);                      // NOLINT(bugprone-reserved-identifier)
void* __libc_calloc(std::size_t number, std::size_t bytes);  // NOLINT(bugprone-reserved-identifier)
void* __libc_realloc(void* memory, std::size_t bytes);       // NOLINT(bugprone-reserved-identifier)

void* malloc(std::size_t bytes) noexcept {
    count.fetch_add(1, std::memory_order_relaxed);
    return __libc_malloc(bytes);
}
void* calloc(std::size_t number, std::size_t bytes) noexcept {
    count.fetch_add(1, std::memory_order_relaxed);
    return __libc_calloc(number, bytes);
}
void* realloc(void* memory, std::size_t bytes) noexcept {
    count.fetch_add(1, std::memory_order_relaxed);
    return __libc_realloc(memory, bytes);
}
}
