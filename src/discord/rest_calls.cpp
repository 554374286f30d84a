#include "discord/rest_calls.h"

#include <utility>

#include "net/http.h"

namespace lestapenna::discord {

std::string percent_encode(std::string_view text) {
    constexpr std::string_view kHex = "0123456789ABCDEF";
    std::string out;
    for (const char c : text) {
        const bool plain = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' ||
                           c == '.' || c == '_' || c == '~';
        if (plain) {
            out += c;
        } else {
            const auto byte = static_cast<unsigned char>(c);
            out += {'%', kHex[byte >> 4], kHex[byte & 15]};
        }
    }
    return out;
}

Call make_call(std::string_view method, std::string_view path, std::initializer_list<std::string_view> values) {
    Call call;
    call.method = method;
    const auto* value = values.begin();
    for (std::size_t at = 0; at < path.size();) {
        const std::size_t open = path.find('{', at);
        call.path += path.substr(at, open - at);
        if (open == std::string_view::npos) break;
        call.path += percent_encode(value != values.end() ? *value++ : std::string_view());
        at = path.find('}', open) + 1;
    }
    call.limited_by.route = std::string(method) + ' ' + std::string(path);
    if (values.size() > 0) call.limited_by.major = *values.begin();
    return call;
}

Call with_json(Call call, const Json& body) {
    call.body = print_json(body);
    call.content_type = "application/json";
    return call;
}

Call with_files(Call call, const Json& body, const std::vector<File>& files) {
    if (files.empty()) return with_json(std::move(call), body);
    std::vector<net::FormPart> parts;
    parts.push_back({"payload_json", "", "application/json", print_json(body)});
    for (std::size_t i = 0; i < files.size(); ++i) {
        const File& file = files[i];
        parts.push_back({"files[" + std::to_string(i) + "]", file.name, file.content_type, file.bytes});
    }
    std::tie(call.body, call.content_type) = net::encode_form(parts);
    return call;
}

Json message_json(const OutgoingMessage& message) {
    constexpr int kEphemeral = 64;
    Json body = {{"content", message.content}, {"allowed_mentions", {{"parse", Json::array()}}}};
    if (message.ephemeral) body["flags"] = kEphemeral;
    if (message.reply_to) {
        // The message may be gone by now; the answer matters more than what it answers.
        body["message_reference"] = {{"message_id", message.reply_to->text()}, {"fail_if_not_exists", false}};
    }
    if (!message.files.empty()) {
        Json attachments = Json::array();
        for (std::size_t i = 0; i < message.files.size(); ++i) {
            attachments.push_back({{"id", i}, {"filename", message.files[i].name}});
        }
        body["attachments"] = std::move(attachments);
    }
    return body;
}

}  // namespace lestapenna::discord
