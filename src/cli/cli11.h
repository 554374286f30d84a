// CLI11, without a false alarm: at -O2 g++ 12 sees a null pointer in its vector of strings (split() in
// StringTools.hpp), and does not count an inlined function as one of a system header. Include this one.
#pragma once

#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wnull-dereference"
#endif
#include <CLI/CLI.hpp>
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic pop
#endif
