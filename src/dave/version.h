// The newest version of DAVE that we speak; 0 is a call without encryption.
#pragma once

namespace lestapenna::dave {

inline constexpr int kProtocolVersion = 1;

}  // namespace lestapenna::dave
