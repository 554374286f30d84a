#include "sandbox/loopback_rest.h"

#include <algorithm>
#include <chrono>

#include "discord/json.h"

namespace lestapenna::sandbox {

namespace rest_answers {

net::HttpResponse ok(const nlohmann::json& body) {
    return {200, {{"Content-Type", "application/json"}}, discord::print_json(body)};
}

net::HttpResponse nothing() {
    return {204, {}, ""};
}

net::HttpResponse error(int status, int code, std::string_view message) {
    return {
        status, {{"Content-Type", "application/json"}}, discord::print_json({{"message", message}, {"code", code}})};
}

}  // namespace rest_answers

namespace {

using rest_answers::error;

constexpr std::ptrdiff_t kMostRemembered = 10'000;
constexpr std::size_t kMostBodyRemembered = 64U << 10;

// The path after /api or /api/v10; nothing when it does not begin like that.
std::optional<std::string_view> below_api(std::string_view path) {
    constexpr std::string_view kApi = "/api";
    if (!path.starts_with(kApi)) return std::nullopt;
    path.remove_prefix(kApi.size());
    for (const std::string_view version : {"/v10", "/v9"}) {
        if (path.starts_with(version)) return path.substr(version.size());
    }
    return path;
}

std::vector<std::string_view> segments(std::string_view path) {
    std::vector<std::string_view> parts;
    while (path.starts_with('/')) {
        path.remove_prefix(1);
        parts.push_back(path.substr(0, path.find('/')));
        path.remove_prefix(parts.back().size());
    }
    return parts;
}

int hex_digit(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    const char lower = static_cast<char>(c | 0x20);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

// discord.js writes @me as %40me. What is no escape stays as it is.
std::string unescaped(std::string_view text) {
    std::string plain;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const bool escape = text[i] == '%' && i + 2 < text.size();
        const int high = escape ? hex_digit(text[i + 1]) : -1;
        const int low = escape ? hex_digit(text[i + 2]) : -1;
        plain.push_back(high < 0 || low < 0 ? text[i] : static_cast<char>(16 * high + low));
        if (high >= 0 && low >= 0) i += 2;
    }
    return plain;
}

// What stands at the *; nothing when the path is another one.
std::optional<std::vector<std::string>> match(std::string_view pattern, std::string_view path) {
    const auto wanted = segments(pattern);
    const auto given = segments(path);
    if (wanted.size() != given.size()) return std::nullopt;
    std::vector<std::string> words;
    for (std::size_t i = 0; i < wanted.size(); ++i) {
        auto word = unescaped(given[i]);
        if (wanted[i] == "*") {
            words.push_back(std::move(word));
        } else if (wanted[i] != word) {
            return std::nullopt;
        }
    }
    return words;
}

std::string_view bot_token(const net::HttpRequest& request) {
    constexpr std::string_view kBot = "Bot ";
    const auto header = request.headers.find("Authorization").value_or("");
    return header.starts_with(kBot) ? header.substr(kBot.size()) : std::string_view();
}

// JSON, or a form whose payload_json is the JSON; the form's other parts are files. False: neither.
bool read_body(const net::HttpRequest& request, nlohmann::json& body, std::vector<net::FormPart>& files) {
    if (request.body.empty()) return true;
    const auto type = request.headers.find("Content-Type").value_or("application/json");
    std::string text;
    if (type.starts_with("multipart/")) {
        auto parts = net::decode_form(type, request.body);
        if (!parts) return false;
        text = "{}";
        for (auto& part : *parts) {
            if (part.name == "payload_json") {
                text = std::move(part.body);
            } else {
                files.push_back(std::move(part));
            }
        }
    }
    auto parsed = discord::parse_json(type.starts_with("multipart/") ? text : request.body);
    if (parsed) body = std::move(*parsed);
    return parsed.has_value();
}

template <class T>
void keep_latest(std::vector<T>& list) {
    if (std::ssize(list) >= 2 * kMostRemembered) list.erase(list.begin(), list.end() - kMostRemembered);
}

}  // namespace

RestFault RestFault::rate_limit(std::string path, seconds retry_after, bool global) {
    auto response = too_many_requests(retry_after, global);
    RestFault fault;
    fault.path = std::move(path);
    fault.status = response.status;
    fault.body = std::move(response.body);
    fault.headers = std::move(response.headers);
    return fault;
}

RestApi::RestApi(net::Loop& loop, World& world, const LoopbackOptions& options, Hooks hooks)
    : world_(world), options_(options), hooks_(std::move(hooks)), stopping_(loop) {}

std::optional<RestFault> RestApi::next_fault(const net::HttpRequest& request) {
    const auto applies = [&](const RestFault& fault) {
        return (fault.method.empty() || fault.method == request.method) &&
               net::path_of(request.target).find(fault.path) != std::string_view::npos;
    };
    const auto found = std::ranges::find_if(faults_, applies);
    if (found == faults_.end()) return std::nullopt;
    auto fault = *found;
    if (--found->times <= 0) faults_.erase(found);
    return fault;
}

net::Task<net::Reply> RestApi::serve(net::HttpRequest request) {
    const auto self = shared_from_this();
    net::Reply reply;
    reply.delivery = net::Delivery::reset;
    const auto fault = next_fault(request);
    if (fault && fault->delay > milliseconds(0)) co_await stopping_.wait_for(fault->delay);
    if (stopping_.is_set()) co_return reply;
    reply.delivery = net::Delivery::whole;
    if (fault && fault->status != 0) {
        reply.response = {fault->status, fault->headers, fault->body};
    } else {
        reply.response = answer(request);
    }
    if (fault && fault->cut == RestFault::Cut::half) reply.delivery = net::Delivery::half;
    if (fault && fault->cut == RestFault::Cut::reset) reply.delivery = net::Delivery::reset;
    remember(request, reply.response.status);
    co_return reply;
}

void RestApi::remember(const net::HttpRequest& request, int status) {
    keep_latest(requests_);
    requests_.push_back({request.method, std::string(net::path_of(request.target)),
                         request.body.substr(0, kMostBodyRemembered), status});
}

RestApi::Answer RestApi::answer(const net::HttpRequest& request) {
    const auto path = below_api(net::path_of(request.target));
    bool other_method = false;
    for (const auto& route : routes()) {
        auto words = path ? match(route.pattern, *path) : std::nullopt;
        if (!words) continue;
        if (request.method == route.method) return answer(route, std::move(*words), request);
        other_method = true;
    }
    return other_method ? error(405, 0, "405: Method Not Allowed") : error(404, 0, "404: Not Found");
}

RestApi::Answer RestApi::answer(const Route& route, std::vector<std::string> words, const net::HttpRequest& request) {
    const auto now = std::chrono::steady_clock::now();
    Call call;
    call.words = std::move(words);
    call.in_guild = std::string_view(route.pattern).find("/guilds/") != std::string_view::npos;
    const std::string_view target = request.target;
    call.query = target.substr(net::path_of(target).size());
    if (!route.open) {
        call.bot = world_.bot_by_token(bot_token(request));
        if (call.bot == nullptr) return error(401, 0, "401: Unauthorized");
        if (auto refusal = limits_.count_global(call.bot->id.text(), now)) return *refusal;
    }
    net::Headers limit_headers;
    if (route.limit != nullptr) {
        auto verdict = limits_.count(*route.limit, call.bot->id.text(), call.words.front(), now);
        limit_headers = std::move(verdict.headers);
        if (verdict.refusal) {
            verdict.refusal->headers.insert(verdict.refusal->headers.end(), limit_headers.begin(), limit_headers.end());
            return *verdict.refusal;
        }
    }
    auto response = read_body(request, call.body, call.files)
                        ? (this->*route.answer)(call)
                        : error(400, 50109, "The request body contains invalid JSON.");
    response.headers.insert(response.headers.end(), limit_headers.begin(), limit_headers.end());
    return response;
}

void RestApi::note_posted(const WorldMessage& message) {
    PostedMessage note{message.id, message.channel, message.author, message.content};
    note.ephemeral = (message.flags & WorldMessage::kEphemeral) != 0;
    note.answers = message.answers;
    note.interaction = message.interaction;
    note.edited = message.edited.has_value();
    note.embeds = message.embeds;
    for (const auto& file : message.attachments) {
        note.file_names.push_back(file.name);
        note.file_bytes.push_back(file.bytes);
    }
    if (const auto* const place = world_.channel(message.channel)) {
        const auto other = std::ranges::find_if(place->recipients, [&](UserId who) { return who != message.author; });
        if (other != place->recipients.end()) note.direct_to = *other;
    }
    const auto same = std::ranges::find(posted_, message.id, &PostedMessage::id);
    if (same != posted_.end()) {
        *same = std::move(note);
        return;
    }
    keep_latest(posted_);
    posted_.push_back(std::move(note));
}

}  // namespace lestapenna::sandbox
