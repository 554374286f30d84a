// What recognisers and workers say: any bytes give segments that can stand on a line each, or one sentence.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include <nlohmann/json.hpp>

#include "jobs/recognised.h"

namespace {

using lestapenna::catalog::Segment;

void check(const std::vector<Segment>& segments) {
    if (segments.size() > lestapenna::jobs::kMostSegments) std::abort();
    for (const Segment& segment : segments) {
        if (segment.start.count() < 0 || segment.end < segment.start || segment.text.empty()) std::abort();
        for (const char c : segment.text) {
            if (static_cast<unsigned char>(c) < ' ' || c == '\x7f') std::abort();
        }
        static_cast<void>(nlohmann::json(segment.text).dump());  // throws where it is no UTF-8
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    if (const auto read = lestapenna::jobs::read_transcript(text)) {
        check(*read);
    } else if (read.error().message.empty()) {
        std::abort();
    }
    if (const auto returned = lestapenna::jobs::read_returned(text)) {
        if (returned->segments) check(*returned->segments);
    } else if (returned.error().message.empty()) {
        std::abort();
    }
    return 0;
}
