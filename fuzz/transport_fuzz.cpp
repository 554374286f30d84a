// Any datagram of a voice socket is voice or a named reject; a payload lies inside the datagram. The first byte of the
// input chooses: as it is, or with everything behind its clear part sealed with the session's key, so that padding,
// extension and payload of what verifies are read too.
#include <algorithm>
#include <cstdlib>

#include "discord/datagram.h"

namespace {

using namespace lestapenna;
using namespace lestapenna::discord;

void must(bool held) {
    if (!held) std::abort();
}

Transport& transport(TransportMode mode) {
    static constexpr std::array<std::uint8_t, kTransportKeyBytes> kKey{1, 2, 3};
    static Transport gcm(TransportMode::aes256_gcm, kKey);
    static Transport chacha(TransportMode::xchacha20_poly1305, kKey);
    return mode == TransportMode::aes256_gcm ? gcm : chacha;
}

void check(std::vector<std::uint8_t>& datagram, Transport& with, bool sealed) {
    const std::span<std::uint8_t> all(datagram);
    const OpenedDatagram opened = open_datagram(all, &with);
    must(static_cast<std::size_t>(opened.kind) < kDatagramKinds);
    must(opened.payload.empty() == (opened.kind != Datagram::voice));
    must(!sealed || opened.kind != Datagram::forged);
    if (opened.kind != Datagram::voice) return;
    must(sealed);  // nobody guesses a tag
    must(opened.payload.data() >= all.data() + 12);
    must(opened.payload.data() + opened.payload.size() + kTransportOverhead <= all.data() + all.size());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    const std::uint8_t choice = data[0];
    const std::span<const std::uint8_t> input(data + 1, size - 1);
    Transport& with = transport((choice & 1) != 0 ? TransportMode::aes256_gcm : TransportMode::xchacha20_poly1305);

    std::vector<std::uint8_t> datagram(input.begin(), input.end());
    const rtp::Front front = rtp::parse_front(input);
    const bool sealed = (choice & 2) != 0 && front.reject == rtp::Reject::none &&
                        input.size() + kTransportOverhead <= kMaxDatagramBytes;
    if (sealed) {
        datagram.resize(front.bytes);
        must(with.seal(input.subspan(front.bytes), datagram));
    }
    check(datagram, with, sealed);

    std::vector<std::uint8_t> again(input.begin(), input.end());
    must(open_datagram(again, nullptr).kind != Datagram::voice);
    return 0;
}
