// A deleter for std::unique_ptr of what a C library made: Free<its function>. Any thread.
#pragma once

namespace lestapenna {

template <auto Function>
struct Free {
    template <class T>
    void operator()(T* object) const noexcept {
        Function(object);
    }
};

}  // namespace lestapenna
