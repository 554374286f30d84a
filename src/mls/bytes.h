// Bytes, and bytes that are secret: the second kind is overwritten when its memory is given back, however that comes
// about. Pure value types; any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include <openssl/crypto.h>

namespace lestapenna::mls {

template <class T>
struct WipingAllocator {
    using value_type = T;
    WipingAllocator() = default;
    template <class U>
    WipingAllocator(const WipingAllocator<U>& /*stateless*/) {}  // NOLINT(google-explicit-constructor)
    T* allocate(std::size_t n) { return std::allocator<T>{}.allocate(n); }
    void deallocate(T* p, std::size_t n) noexcept {
        OPENSSL_cleanse(p, n * sizeof(T));
        std::allocator<T>{}.deallocate(p, n);
    }
    friend bool operator==(const WipingAllocator& /*a*/, const WipingAllocator& /*b*/) { return true; }
};

using View = std::span<const std::uint8_t>;
using Bytes = std::vector<std::uint8_t>;
using Secret = std::vector<std::uint8_t, WipingAllocator<std::uint8_t>>;

inline Bytes to_bytes(View view) {
    return {view.begin(), view.end()};
}

}  // namespace lestapenna::mls
