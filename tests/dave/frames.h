// Frames for tests: sealed with any nonce of any generation, which a Sender would need years for. Thread: any.
#pragma once

#include <cstdint>

#include "dave/frame.h"
#include "dave/gcm.h"
#include "dave/keys.h"

namespace lestapenna::test {

/// Of the sender whose secret this is, as its `count`th frame of the epoch.
inline mls::Bytes sealed(const mls::Secret& base, std::uint64_t count, mls::View text) {
    dave::Ratchet ratchet(base);
    dave::Gcm gcm(ratchet.key(static_cast<std::uint32_t>(count >> dave::kGenerationShift)).value(),
                  dave::Gcm::Use::seal);
    mls::Bytes frame(text.size());
    std::array<std::uint8_t, dave::kTagBytes> tag{};
    gcm.seal(static_cast<std::uint32_t>(count), text, frame.data(), tag);
    dave::append_supplement(frame, tag, static_cast<std::uint32_t>(count));
    return frame;
}

inline mls::Secret secret_of(std::uint8_t n) {
    mls::Secret secret(16);
    secret.assign(16, n);
    return secret;
}

}  // namespace lestapenna::test
