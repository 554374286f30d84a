#include "discord/rest_answers.h"

#include <charconv>
#include <cmath>

#include "base/text.h"

namespace lestapenna::discord {

namespace {

constexpr double kLongestWait = 86'400;  // seconds; Discord's own longest, an address banned, is an hour or two
constexpr double kBlindWait = 60;        // a 429 that does not say how long

nanoseconds to_wait(double wait_seconds) {
    // The comparisons are false for NaN, which std::from_chars reads.
    if (!(wait_seconds > 0)) return nanoseconds(0);
    const double cut = wait_seconds < kLongestWait ? wait_seconds : kLongestWait;
    return nanoseconds(std::llround(cut * 1e9));
}

std::optional<double> number_header(const net::Headers& headers, std::string_view name) {
    const auto text = headers.find(name);
    if (!text) return std::nullopt;
    double value = 0;
    const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), value);
    if (error != std::errc{} || end != text->data() + text->size()) return std::nullopt;
    return value;
}

/// The first complaint about a field: ".embeds.0.title: Must be 256 or fewer in length." Empty: none.
std::string first_complaint(const Json& errors) {
    if (const Json& complaints = json::array(errors, "_errors"); !complaints.empty()) {
        return ": " + json::text(complaints.front(), "message");
    }
    if (!errors.is_object()) return {};
    for (const auto& [key, inner] : errors.items()) {
        const std::string found = first_complaint(inner);
        if (!found.empty()) return std::string(".").append(key).append(found);
    }
    return {};
}

/// What to do about it; empty: what Discord says is clear.
std::string_view advice(int status, int code) {
    switch (code) {
        case 40333:
            return "; Discord's proxy did not like the User-Agent or the address";
        case 50001:
        case 50013:
            return "; give the bot that permission in the server or the channel";
        case 10015:
        case 10062:
        case 50027:  // a 401, but the bot's own token is fine
            return "; the slash command was given too long ago to be answered (3 s, then 15 minutes)";
        default:
            break;
    }
    if (status == 401) return "; the bot's token is wrong: copy it again from Discord's developer portal";
    if (status == 413) return "; the file is too large for this server";
    return "";
}

}  // namespace

LimitNews limits_of(const net::HttpResponse& answer) {
    LimitNews news;
    if (const auto bucket = answer.headers.find("X-RateLimit-Bucket")) news.bucket = *bucket;
    if (const auto remaining = number_header(answer.headers, "X-RateLimit-Remaining")) {
        news.remaining = *remaining >= 1 ? 1 : 0;  // one call at a time: more than one is as good as one
    }
    if (const auto after = number_header(answer.headers, "X-RateLimit-Reset-After")) news.reset_after = to_wait(*after);
    if (answer.status != 429) return news;

    const auto body = parse_json(answer.body);
    const auto header = number_header(answer.headers, "Retry-After");
    if (body && body->is_object()) {
        const auto exact = json::number(*body, "retry_after");
        news.blocked_for = to_wait(exact.value_or(header.value_or(kBlindWait)));
        news.blocked_globally = json::flag(*body, "global") || answer.headers.find("X-RateLimit-Global") == "true";
    } else {
        news.blocked_for = to_wait(header.value_or(kBlindWait));
        news.blocked_globally = true;
    }
    return news;
}

RestError error_of(std::string_view call, const net::HttpResponse& answer) {
    RestError error;
    error.status = answer.status;
    std::string says;
    if (const auto body = parse_json(answer.body)) {
        error.code = json::integer<int>(*body, "code").value_or(0);
        says = one_line(json::text(*body, "message"), 200);
        const std::string complaint = first_complaint(json::object(*body, "errors"));
        if (!complaint.empty()) says += " (" + one_line(complaint, 200).substr(1) + ")";
    }
    error.message = "Discord refused " + std::string(call) + " with status " + std::to_string(error.status);
    if (error.code != 0) error.message += ", code " + std::to_string(error.code);
    error.message += says.empty() ? " and no reason" : ": " + says;
    error.message += advice(error.status, error.code);
    return error;
}

RestError malformed_answer(std::string_view call, int status) {
    return {status, 0,
            "the answer to " + std::string(call) +
                " is not what Discord's API promises; is something "
                "between us and Discord answering in its place?"};
}

std::optional<GatewayInfo> parse_gateway_info(const Json& body) {
    GatewayInfo info;
    info.url = json::text(body, "url");
    if (info.url.empty()) return std::nullopt;
    const Json& limit = json::object(body, "session_start_limit");
    info.remaining_identifies = json::integer<int>(limit, "remaining").value_or(1);
    if (const auto ms = json::number(limit, "reset_after")) info.reset_after = to_wait(*ms / 1e3);
    return info;
}

std::optional<OwnApplication> parse_own_application(const Json& body) {
    const auto id = json::id<ApplicationId>(body, "id");
    if (!id) return std::nullopt;
    return OwnApplication{*id, json::text(body, "name"), json::integer<std::uint64_t>(body, "flags").value_or(0)};
}

std::optional<std::vector<OwnGuild>> parse_own_guilds(const Json& body) {
    if (!body.is_array()) return std::nullopt;
    std::vector<OwnGuild> guilds;
    for (const Json& one : body) {
        const auto id = json::id<GuildId>(one, "id");
        if (!id) continue;
        guilds.push_back({*id, json::text(one, "name"), json::decimal(one, "permissions").value_or(0)});
    }
    return guilds;
}

}  // namespace lestapenna::discord
