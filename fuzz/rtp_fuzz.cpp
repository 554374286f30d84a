// Any datagram is a packet or a named reject, and what was read writes back to the same header and payload.
#include <cstdlib>

#include "rtp/packet.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace lestapenna::rtp;
    const Parsed parsed = parse({data, size});
    if (parsed.payload.empty() != (parsed.reject != Reject::none)) std::abort();
    if (parsed.reject != Reject::none) return 0;

    std::vector<std::uint8_t> bytes;
    write(parsed.header, parsed.payload, bytes);
    const Parsed again = parse(bytes);
    const bool same = again.reject == Reject::none && again.header.seq == parsed.header.seq &&
                      again.header.timestamp == parsed.header.timestamp && again.header.ssrc == parsed.header.ssrc &&
                      again.header.marker == parsed.header.marker && again.payload.size() == parsed.payload.size();
    if (!same) std::abort();
    return 0;
}
