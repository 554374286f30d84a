// What a REST call sends: where to, and the body. Pure; any thread.
#pragma once

#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>

#include "discord/json.h"
#include "discord/rest.h"
#include "discord/rest_limits.h"

namespace lestapenna::discord {

/// May it be sent again when nobody knows what became of it?
enum class Repeat : std::uint8_t {
    safe,   ///< the second time changes nothing
    never,  ///< each time counts
};

struct Call {
    std::string method;
    std::string path;        ///< below the API's base, with a leading slash; holds a secret for interactions
    LimitedBy limited_by;    ///< its route names the call in messages: no secret
    bool authorized = true;  ///< with the bot's token; interactions carry their own in the path
    std::string secret{};    ///< what must not appear in messages
    std::string body{};      ///< empty: none
    std::string content_type{};
    Repeat repeat = Repeat::safe;
    bool wait_when_limited = true;  ///< a 429 is waited for; else it is an error
    /// An error that means "already so" when an earlier try may have arrived. 0: none.
    int done_code = 0;
    std::optional<nanoseconds> try_within{};  ///< no further try after that
};

/// `path` is a template whose {names} are replaced by `values` in their order, percent-encoded (RFC 3986: all but
/// unreserved characters). What it is about (`major`) is the first value.
Call make_call(std::string_view method, std::string_view path, std::initializer_list<std::string_view> values);

/// The call with a body of JSON.
Call with_json(Call call, const Json& body);
/// The same with files (multipart/form-data, payload_json first), or without when there are none.
Call with_files(Call call, const Json& body, const std::vector<File>& files);

/// A message as Discord wants it, pinging nobody; `files` are announced as its attachments.
Json message_json(const OutgoingMessage& message);

/// Everything but A-Z a-z 0-9 - . _ ~ as %XX.
std::string percent_encode(std::string_view text);

}  // namespace lestapenna::discord
