// Any first line is a request's target, any second a Range of a file as long as the input, any third a list of entity
// tags. A target that is good is the one that we would make; a part lies within its file.
#include <cstdlib>
#include <string>
#include <string_view>

#include "store/links.h"
#include "web/range.h"

namespace {

using namespace lestapenna;

store::Links fuzz_links() {
    Config config;
    config.web.public_url = "https://x";
    config.web.link_secret = Secret("fuzz");
    auto links = store::Links::open(config);
    if (!links) std::abort();
    return std::move(*links);
}

std::string_view take_line(std::string_view& text) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const auto line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    return line;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static const store::Links links = fuzz_links();
    std::string_view text(reinterpret_cast<const char*>(data), size);
    const auto target = take_line(text);
    const auto good = links.check(target, UnixTime());
    if (good) {
        const auto expires = target.substr(target.find("?expires=") + 9);
        const seconds at(std::atoll(std::string(expires.substr(0, expires.find('&'))).c_str()));
        const auto made = links.make(good->key, good->name, UnixTime(at) - Config().store.link_ttl);
        if (made != "https://x" + std::string(target)) std::abort();
    }
    const auto part = web::part_of(take_line(text), size);
    if (part.kind == web::Part::range) {
        if (part.length == 0 || part.offset >= size || part.length > size - part.offset) std::abort();
    }
    if (web::names(text, "\"1-2\"", false) && !web::names(text, "\"1-2\"", true)) std::abort();
    return 0;
}
