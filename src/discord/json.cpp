#include "discord/json.h"

namespace lestapenna::discord {

namespace {

constexpr int kMaxDepth = 64;

/// Counts brackets outside strings; whether they match is the parser's business.
bool nests_too_deep(std::string_view text) {
    int depth = 0;
    bool in_string = false;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        if (in_string) {
            if (c == '\\') ++i;
            if (c == '"') in_string = false;
        } else if (c == '"') {
            in_string = true;
        } else if (c == '{' || c == '[') {
            if (++depth > kMaxDepth) return true;
        } else if (c == '}' || c == ']') {
            --depth;
        }
    }
    return false;
}

}  // namespace

std::optional<Json> parse_json(std::string_view text) {
    if (nests_too_deep(text)) return std::nullopt;
    Json value = Json::parse(text, nullptr, false);
    if (value.is_discarded()) return std::nullopt;
    return value;
}

std::string print_json(const Json& value) {
    return value.dump(-1, ' ', false, Json::error_handler_t::replace);
}

namespace json {

const Json* field(const Json& from, const char* key) {
    if (!from.is_object()) return nullptr;
    const auto found = from.find(key);
    return found == from.end() || found->is_null() ? nullptr : &*found;
}

const std::string& text(const Json& from, const char* key) {
    static const std::string none;
    const Json* value = field(from, key);
    const auto* text = value != nullptr ? value->get_ptr<const Json::string_t*>() : nullptr;
    return text != nullptr ? *text : none;
}

bool flag(const Json& from, const char* key) {
    const Json* value = field(from, key);
    const auto* flag = value != nullptr ? value->get_ptr<const Json::boolean_t*>() : nullptr;
    return flag != nullptr && *flag;
}

std::optional<double> number(const Json& from, const char* key) {
    const Json* value = field(from, key);
    return value != nullptr && value->is_number() ? std::optional(value->get<double>()) : std::nullopt;
}

std::optional<std::uint64_t> decimal(const Json& from, const char* key) {
    return parse_snowflake(text(from, key));
}

const Json& object(const Json& from, const char* key) {
    static const Json none = Json::object();
    const Json* value = field(from, key);
    return value != nullptr && value->is_object() ? *value : none;
}

const Json& array(const Json& from, const char* key) {
    static const Json none = Json::array();
    const Json* value = field(from, key);
    return value != nullptr && value->is_array() ? *value : none;
}

}  // namespace json
}  // namespace lestapenna::discord
