#include <opus.h>

#include "audio/opus.h"

namespace lestapenna::audio {

bool has_fec(std::span<const std::uint8_t> packet) {
    if (packet.empty() || (packet[0] & 0x80) != 0)
        return false;  // CELT only: configurations 16 to 31 have no SILK layer
    unsigned char toc = 0;
    const unsigned char* frames[48];
    opus_int16 sizes[48];
    int offset = 0;
    const auto length = static_cast<opus_int32>(packet.size());
    if (opus_packet_parse(packet.data(), length, &toc, frames, sizes, &offset) < 1 || sizes[0] < 1) return false;
    // The frame begins with one bit per 20 ms of speech activity and one for LBRR, for the mid and then for the side
    // channel.
    const int frame_samples = opus_packet_get_samples_per_frame(packet.data(), 48'000);
    const int silk_frames = frame_samples <= 960 ? 1 : frame_samples / 960;
    const int channels = opus_packet_get_nb_channels(packet.data());
    for (int channel = 1; channel <= channels; ++channel) {
        if ((frames[0][0] & (0x80 >> (channel * (silk_frames + 1) - 1))) != 0) return true;
    }
    return false;
}

}  // namespace lestapenna::audio
