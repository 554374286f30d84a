// What an S3 server may answer: every body that we read.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "store/s3_xml.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace lestapenna::store;
    const std::string_view body(reinterpret_cast<const char*>(data), size);
    if (const auto error = parse_s3_error(body)) {
        for (const char c : error->code + error->request_id + error->region) {
            if (c <= ' ' || c == 0x7f) std::abort();  // they go into messages
        }
    }
    static_cast<void>(parse_listing(body));
    static_cast<void>(parse_upload_id(body));
    static_cast<void>(parse_uploads(body));
    static_cast<void>(is_completed(body));
    if (const auto parts = parse_parts(body); parts && complete_body(parts->parts).empty()) std::abort();
    return 0;
}
