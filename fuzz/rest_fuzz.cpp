// Any answer, status line to body, becomes limits and a value or an error of one line; and whatever limits answers ask
// for, each call leaves in the end or is hopeless.
#include <cstdlib>
#include <string>
#include <string_view>

#include "discord/rest_answers.h"
#include "discord/rest_calls.h"
#include "discord/rest_limits.h"

namespace {

using namespace lestapenna;
using namespace lestapenna::discord;

std::string_view next_line(std::string_view& text) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    return line;
}

/// The last digits of the first line are the status, then headers, an empty line, the body.
net::HttpResponse answer_of(std::string_view text) {
    net::HttpResponse answer;
    const std::string_view first = next_line(text);
    answer.status = 0;
    for (const char c : first.substr(0, 3)) answer.status = answer.status * 10 + (c >= '0' && c <= '9' ? c - '0' : 4);
    while (!text.empty()) {
        const std::string_view line = next_line(text);
        const auto colon = line.find(':');
        if (colon == std::string_view::npos) break;
        const std::string_view value = line.substr(colon + 1);
        answer.headers.emplace_back(line.substr(0, colon), value.starts_with(' ') ? value.substr(1) : value);
    }
    answer.body = text;
    return answer;
}

void drive_limits(const LimitNews& news) {
    RestLimits limits(2);
    BootTime now{seconds(1)};
    const BootTime deadline = now + seconds(100'000);
    for (int i = 0; i < 6; ++i) limits.enter({i % 2 == 0 ? "a" : "b", std::to_string(i % 3), i != 5}, now, deadline);
    for (int step = 0; limits.waiting() > 0; ++step) {
        if (step > 100) std::abort();
        const auto turn = limits.poll(now);
        for (std::size_t i = 0; i < turn.go.size(); ++i) {
            limits.answered(turn.go[i], news, now);
            if (step < 10 && i == 0) {
                limits.again(turn.go[i], now);
            } else {
                limits.leave(turn.go[i]);
            }
        }
        if (!turn.go.empty()) continue;
        if (turn.next && *turn.next <= now) std::abort();
        if (turn.next) now = *turn.next;
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string text(data, data + size);
    const net::HttpResponse answer = answer_of(text);
    const LimitNews news = limits_of(answer);
    if (news.blocked_for.has_value() != (answer.status == 429)) std::abort();
    for (const auto& wait : {news.blocked_for, news.reset_after}) {
        if (wait && (*wait < nanoseconds(0) || *wait > seconds(86'400))) std::abort();
    }
    drive_limits(news);

    const RestError error = error_of("GET /x", answer);
    if (error.status != answer.status || error.message.empty() || error.message.size() > 1'000) std::abort();
    for (const char c : error.message) {
        if (c >= 0 && c < ' ') std::abort();
    }
    if (const auto body = parse_json(answer.body)) {
        const auto info = parse_gateway_info(*body);
        if (info && (info->url.empty() || info->reset_after < nanoseconds(0))) std::abort();
        static_cast<void>(parse_user(*body));
        static_cast<void>(parse_created<MessageId>(*body));
    }
    for (const char c : percent_encode(answer.body)) {
        if (c <= ' ' || c == '/' || c == '?' || c == '#') std::abort();
    }
    return 0;
}
