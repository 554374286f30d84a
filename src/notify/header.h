// What may stand in a mail's head, and in HTML, whatever the text is. Pure; any thread.
#pragma once

#include <string>
#include <string_view>

#include "base/time.h"

namespace lestapenna::notify {

/// Text for a header, on one line (control characters become '?'): as it is when it is plain ASCII, else encoded words
/// (RFC 2047: UTF-8, Q), each at most 75 characters, none with a part of a character.
std::string header_text(std::string_view text);

/// "Sun, 22 Nov 2026 21:04:05 +0000" (RFC 5322), in UTC.
std::string header_date(UnixTime time);

/// Text for an element or a quoted attribute.
std::string html_escaped(std::string_view text);

}  // namespace lestapenna::notify
