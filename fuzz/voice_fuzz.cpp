// Any message of a voice server is one of those we use or named otherwise, and so is any answer of IP discovery. The
// first byte chooses which.
#include <cstdlib>

#include "discord/voice_messages.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace lestapenna::discord;
    if (size == 0) return 0;
    const auto must = [](bool held) {
        if (!held) std::abort();
    };
    const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
    if (data[0] % 4 == 0) {
        const voice::Message message = voice::parse_binary(bytes);
        must(message.seq.has_value() == (bytes.size() >= 3));
        const auto* const dave = std::get_if<voice::Dave>(&message.body);
        const auto* const commit = dave != nullptr ? std::get_if<voice::Commit>(dave) : nullptr;
        if (commit != nullptr) must(commit->message.size() + 5 == bytes.size());
        return 0;
    }
    if (data[0] % 4 == 1) {
        const auto address = voice::parse_discovery({data + 1, size - 1});
        if (!address) return 0;
        must(address->port != 0);
        must(UdpAddress::parse(address->ip_text(), address->port) == address);
        return 0;
    }
    const voice::Message message = voice::parse_text(bytes);
    if (const auto* ready = std::get_if<voice::Ready>(&message.body)) must(ready->server.port != 0);
    if (const auto* hello = std::get_if<voice::Hello>(&message.body)) {
        must(hello->heartbeat_interval >= lestapenna::milliseconds(50));
    }
    return 0;
}
