// Any first line is a Content-Type and a URL or none, any rest a form or none; a form that was read and written reads
// the same again.
#include <cstdlib>
#include <string_view>

#include "net/http.h"
#include "net/tls.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace lestapenna::net;
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    const auto url = Url::parse(line);
    if (url && (url->host.empty() || url->port == 0 || !url->target.starts_with('/'))) std::abort();

    const auto form = decode_form(line, text.substr(std::min(end + 1, size)));
    if (!form) return 0;
    for (const FormPart& part : *form) {
        if (!well_formed({{"Content-Type", part.content_type}})) return 0;  // nobody may send that
        // What browsers do to names says both "%22" and a quote as "%22"; curl's backslash is a backslash of theirs.
        if ((part.name + part.filename).find_first_of("%\\") != std::string::npos) return 0;
    }
    const auto [body, type] = encode_form(*form);
    const auto again = decode_form(type, body);
    if (!again || again->size() != form->size()) std::abort();
    for (std::size_t i = 0; i < form->size(); ++i) {
        if ((*form)[i].name != (*again)[i].name || (*form)[i].filename != (*again)[i].filename ||
            (*form)[i].content_type != (*again)[i].content_type || (*form)[i].body != (*again)[i].body) {
            std::abort();
        }
    }
    return 0;
}
