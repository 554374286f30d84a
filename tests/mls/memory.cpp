#include "memory.h"

#include <algorithm>
#include <cstdlib>
#include <new>

#include <malloc.h>

namespace lestapenna::test {

namespace {
thread_local HeapWatch* watching = nullptr;
}

HeapWatch::HeapWatch(std::span<const std::uint8_t> pattern) : pattern_(pattern) {
    watching = this;
}
HeapWatch::~HeapWatch() {
    watching = nullptr;
}
void HeapWatch::taken(std::size_t bytes) {
    largest_ = std::max(largest_, bytes);
}
void HeapWatch::freed(const void* block, std::size_t bytes) {
    const std::span held(static_cast<const std::uint8_t*>(block), bytes);
    const auto found = std::search(held.begin(), held.end(), pattern_.begin(), pattern_.end());
    if (!pattern_.empty() && found != held.end()) ++leaked_;
}

}  // namespace lestapenna::test

void* operator new(std::size_t bytes) {
    void* block = std::malloc(bytes);
    if (block == nullptr) throw std::bad_alloc();
    if (lestapenna::test::watching != nullptr) lestapenna::test::watching->taken(bytes);
    return block;
}
void operator delete(void* block) noexcept {
    if (block != nullptr && lestapenna::test::watching != nullptr) {
        lestapenna::test::watching->freed(block, malloc_usable_size(block));
    }
    std::free(block);
}
void operator delete(void* block, std::size_t /*bytes*/) noexcept {
    operator delete(block);
}
