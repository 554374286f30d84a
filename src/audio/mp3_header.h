// What encoder-free frames and the decoder both know of an MPEG 1 layer III header (ISO 11172-3 section 2.4.2.3).
#pragma once

#include <array>
#include <cstddef>

namespace lestapenna::audio {

/// Bit rates by their index in the header; 0 where there is none (index 0 is "free", 15 is forbidden).
inline constexpr std::array<std::size_t, 16> kMp3Kbps{0,   32,  40,  48,  56,  64,  80,  96,
                                                      112, 128, 160, 192, 224, 256, 320, 0};

}  // namespace lestapenna::audio
