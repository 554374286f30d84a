// Any bytes are a capture file that gives datagrams and counts, or one error; never a crash, never an endless loop.
#include <cstdio>
#include <cstdlib>

#include "rtp/packet.h"
#include "sandbox/capture.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace lestapenna;
    using namespace lestapenna::sandbox;
    // The first byte also chooses a link, so that the pure part sees every one of them without a file around it.
    if (size > 0) static_cast<void>(parse_frame(static_cast<LinkType>(data[0] % 5), {data + 1, size - 1}));

    if (size == 0) return 0;  // fmemopen refuses an empty buffer
    std::FILE* stream = fmemopen(const_cast<std::uint8_t*>(data), size, "rb");
    if (stream == nullptr) std::abort();
    auto reader = CaptureReader::read(stream, "fuzz");
    if (!reader) return 0;

    std::uint64_t datagrams = 0;
    bool damaged = false;
    for (;;) {
        const CaptureOutcome outcome = reader->next();
        if (std::holds_alternative<CaptureEnd>(outcome)) break;
        if (damaged) std::abort();  // nothing follows damage
        if (const auto* datagram = std::get_if<Datagram>(&outcome)) {
            static_cast<void>(rtp::parse(datagram->payload));
            ++datagrams;
        } else {
            damaged = true;
        }
    }
    std::uint64_t rejected = 0;
    for (const std::uint64_t count : reader->counts().rejects) rejected += count;
    if (reader->counts().datagrams != datagrams || reader->counts().packets != datagrams + rejected) std::abort();
    return 0;
}
