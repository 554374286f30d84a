#include "jobs/redis.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <optional>
#include <system_error>
#include <utility>

#include <hiredis/hiredis.h>
#include <poll.h>
#include <sys/socket.h>

#include "base/free.h"
#include "base/text.h"
#include "jobs/dial.h"
#include "net/tls.h"

namespace lestapenna::jobs {

namespace {

constexpr std::string_view kScheme = "redis://";
constexpr milliseconds kConnect{5'000};  ///< for each address

Error usage(std::string message) {
    return {ErrorKind::usage, std::move(message)};
}

Error malformed() {
    return usage(
        "queue.url is no address of a Redis: it has to look like \"redis://host:6379\" or "
        "\"redis://user:password@host:6379/0\"");
}

std::optional<std::string> percent_decoded(std::string_view text) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '%') {
            out += text[i];
            continue;
        }
        unsigned value = 0;
        const char* const begin = text.data() + i + 1;
        if (text.size() - i < 3 || std::from_chars(begin, begin + 2, value, 16).ptr != begin + 2) return std::nullopt;
        out += static_cast<char>(value);
        i += 2;
    }
    return out;
}

template <class Number>
bool read_number(std::string_view text, Number& out) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
    return error == std::errc() && end == text.data() + text.size();
}

/// host, host:port, [v6], [v6]:port
bool read_server(std::string_view text, RedisPlace& place) {
    const bool bracket = text.starts_with('[');
    const std::size_t end = bracket ? text.find(']') : std::min(text.find(':'), text.size());
    if (end == std::string_view::npos) return false;
    place.host = bracket ? text.substr(1, end - 1) : text.substr(0, end);
    text.remove_prefix(bracket ? end + 1 : end);
    const auto plain = [](char c) { return c > ' ' && c < 0x7f && c != '/' && c != '?' && c != '#'; };
    if (place.host.empty() || !std::ranges::all_of(place.host, plain)) return false;
    if (text.empty()) return true;
    return text.front() == ':' && read_number(text.substr(1), place.port) && place.port != 0;
}

bool read_user(std::string_view text, RedisPlace& place) {
    const auto colon = text.find(':');
    if (colon == std::string_view::npos) return false;  // a user alone opens nothing
    const auto user = percent_decoded(text.substr(0, colon));
    auto password = percent_decoded(text.substr(colon + 1));
    if (!user || !password) return false;
    place.user = *user;
    place.password = Secret(std::move(*password));
    return true;
}

Reply value_of(const redisReply& raw) {
    Reply reply;
    switch (raw.type) {
        case REDIS_REPLY_INTEGER:
            reply.kind = Reply::Kind::integer;
            reply.integer = raw.integer;
            break;
        case REDIS_REPLY_STRING:
        case REDIS_REPLY_STATUS:
            reply.kind = Reply::Kind::text;
            reply.text.assign(raw.str, raw.len);
            break;
        case REDIS_REPLY_ERROR:
            reply.kind = Reply::Kind::refused;
            reply.text.assign(raw.str, raw.len);
            break;
        case REDIS_REPLY_ARRAY:
            reply.kind = Reply::Kind::list;
            reply.list.reserve(raw.elements);
            for (std::size_t i = 0; i < raw.elements; ++i) reply.list.push_back(value_of(*raw.element[i]));
            break;
        default:
            break;
    }
    return reply;
}

/// As it goes over the wire.
Result<std::string> encoded(std::span<const RedisCommand> commands) {
    std::string bytes;
    std::vector<const char*> words;
    std::vector<std::size_t> lengths;
    for (const RedisCommand& command : commands) {
        words.clear();
        lengths.clear();
        for (const std::string& word : command) {
            words.push_back(word.data());
            lengths.push_back(word.size());
        }
        char* text = nullptr;
        const int length = redisFormatCommandArgv(&text, static_cast<int>(words.size()), words.data(), lengths.data());
        const std::unique_ptr<char, Free<redisFreeCommand>> owned(text);
        if (length < 0) return Error{ErrorKind::failed, "there is no memory for a command to Redis"};
        bytes.append(text, static_cast<std::size_t>(length));
    }
    return bytes;
}

}  // namespace

Result<RedisPlace> RedisPlace::of(const Config& config) {
    std::string_view text = config.queue.url.reveal();
    if (!text.starts_with(kScheme)) return malformed();
    text.remove_prefix(kScheme.size());
    const std::size_t at = text.rfind('@');
    const std::string_view user = at == std::string_view::npos ? "" : text.substr(0, at);
    if (at != std::string_view::npos) text.remove_prefix(at + 1);
    const std::size_t slash = std::min(text.find('/'), text.size());
    const std::string_view database = text.substr(slash).substr(slash < text.size() ? 1 : 0);

    RedisPlace place;
    if (!read_server(text.substr(0, slash), place)) return malformed();
    if (at != std::string_view::npos && !read_user(user, place)) return malformed();
    if (!database.empty() && (!read_number(database, place.database) || place.database < 0)) return malformed();
    if (!net::Url{"redis", place.host, place.port, "/"}.loopback() && !config.queue.allow_plaintext) {
        return usage(
            "queue.url leads to another machine without encryption, so everybody on the way could listen: "
            "use a tunnel to this machine, or set queue.allow_plaintext = true");
    }
    return place;
}

std::string RedisPlace::name() const {
    const bool v6 = host.find(':') != std::string::npos;
    return "Redis at " + (v6 ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

void Redis::Close::operator()(redisReader* reader) const noexcept {
    redisReaderFree(reader);
}

Result<Redis> Redis::connect(const RedisPlace& place, const std::atomic<bool>& stop) {
    auto socket = dial(place.host, place.port, kConnect, stop);
    if (!socket && socket.error().kind == ErrorKind::interrupted) return socket.error();
    if (!socket) {
        return Error{ErrorKind::failed, "no connection to " + place.name() + ": " + socket.error().message};
    }
    std::unique_ptr<redisReader, Close> reader(redisReaderCreate());
    if (!reader) return Error{ErrorKind::failed, "there is no memory for a connection to Redis"};
    Redis redis(std::move(*socket), std::move(reader), place.name(), stop);
    if (auto known = redis.introduce(place); !known) return known.error();
    return redis;
}

Status Redis::introduce(const RedisPlace& place) {
    if (auto known = authenticate(place); !known) return known;
    std::vector<RedisCommand> commands;
    if (place.database != 0) commands.push_back({"SELECT", std::to_string(place.database)});
    commands.push_back({"PING"});
    const auto answers = ask_all(commands);
    if (!answers) return answers.error();
    const Reply& last = answers->back();
    if (last.kind == Reply::Kind::text && last.text == "PONG") return Ok{};
    return Error{ErrorKind::failed, "what answers as " + name_ + " is no Redis"};
}

Status Redis::authenticate(const RedisPlace& place) {
    if (place.password.empty()) return Ok{};
    RedisCommand auth{"AUTH"};
    if (!place.user.empty()) auth.push_back(place.user);
    auth.push_back(place.password.reveal());
    const auto reply = run(auth);
    if (!reply) return reply.error();
    if (reply->kind != Reply::Kind::refused) return Ok{};
    for (const char* known : {"WRONGPASS", "NOAUTH", "ERR invalid password"}) {
        if (reply->text.starts_with(known)) return refused(*reply);
    }
    // Not its own words: "unknown command 'AUTH', with args beginning with: ..." goes on with the password.
    return Error{ErrorKind::failed, name_ +
                                        " refuses AUTH: it has no password, does not know that command, or takes "
                                        "nobody now; redis-cli says which"};
}

Result<Reply> Redis::run(const RedisCommand& command, milliseconds patience) {
    auto replies = run_all({&command, 1}, patience);
    if (!replies) return replies.error();
    return std::move(replies->front());
}

Result<Reply> Redis::ask(const RedisCommand& command, milliseconds patience) {
    auto reply = run(command, patience);
    if (reply && reply->kind == Reply::Kind::refused) return refused(*reply);
    return reply;
}

Result<std::vector<Reply>> Redis::ask_all(std::span<const RedisCommand> commands) {
    auto replies = run_all(commands);
    if (!replies) return replies;
    for (const Reply& reply : *replies) {
        if (reply.kind == Reply::Kind::refused) return refused(reply);
    }
    return replies;
}

Result<std::vector<Reply>> Redis::run_all(std::span<const RedisCommand> commands, milliseconds patience) {
    const auto bytes = encoded(commands);
    if (!bytes) return bytes.error();
    if (auto sent = send(*bytes, patience); !sent) return sent.error();
    std::vector<Reply> replies;
    replies.reserve(commands.size());
    while (replies.size() < commands.size()) {
        auto reply = receive(patience);
        if (!reply) return reply.error();
        replies.push_back(std::move(*reply));
    }
    return replies;
}

Status Redis::wait(short events, BootTime deadline) {
    const auto can = ready(socket_, events, deadline, *stop_);
    if (can && *can) return Ok{};
    if (can) return Error{ErrorKind::failed, name_ + " does not answer"};
    if (can.error().kind == ErrorKind::interrupted) return can.error();
    return Error{ErrorKind::failed, name_ + ": " + can.error().message};
}

Status Redis::send(std::string_view bytes, milliseconds patience) {
    while (!bytes.empty()) {
        const ssize_t sent = ::send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent >= 0) {
            bytes.remove_prefix(static_cast<std::size_t>(sent));
            continue;
        }
        if (errno == EINTR) continue;
        if (errno != EAGAIN) {
            return Error{ErrorKind::failed,
                         "the connection to " + name_ + " broke: " + std::generic_category().message(errno)};
        }
        if (auto can = wait(POLLOUT, BootClock::now() + patience); !can) return can;
    }
    return Ok{};
}

Result<Reply> Redis::receive(milliseconds patience) {
    std::size_t total = 0;
    std::array<char, 16384> piece{};
    for (;;) {
        void* raw = nullptr;
        if (redisReaderGetReply(reader_.get(), &raw) != REDIS_OK) {
            return Error{ErrorKind::failed, "what answers as " + name_ + " is no Redis"};
        }
        if (raw != nullptr) {
            const std::unique_ptr<void, Free<freeReplyObject>> owned(raw);
            return value_of(*static_cast<const redisReply*>(raw));
        }
        if (auto can = wait(POLLIN, BootClock::now() + patience); !can) return can.error();
        const ssize_t got = ::recv(socket_.get(), piece.data(), piece.size(), MSG_DONTWAIT);
        if (got < 0 && (errno == EINTR || errno == EAGAIN)) continue;
        if (got <= 0) {
            return Error{ErrorKind::failed,
                         "the connection to " + name_ + " broke: " +
                             (got == 0 ? std::string("it was closed there") : std::generic_category().message(errno))};
        }
        total += static_cast<std::size_t>(got);
        if (total > kMostAnswerBytes) {
            return Error{ErrorKind::failed,
                         name_ + " answers with more than " + std::to_string(kMostAnswerBytes >> 20) + " MiB"};
        }
        if (redisReaderFeed(reader_.get(), piece.data(), static_cast<std::size_t>(got)) != REDIS_OK) {
            return Error{ErrorKind::failed, "there is no memory for an answer of Redis"};
        }
    }
}

Error Redis::refused(const Reply& reply) const {
    const std::string_view words = reply.kind == Reply::Kind::refused ? std::string_view(reply.text) : "";
    if (words.starts_with("NOAUTH")) {
        return {ErrorKind::failed, name_ + " needs a password: put it into queue.url, redis://:password@host:port"};
    }
    if (words.starts_with("WRONGPASS") || words.find("invalid password") != std::string_view::npos) {
        return {ErrorKind::failed, name_ + " does not take the user and password of queue.url"};
    }
    if (words.starts_with("WRONGTYPE")) {
        return {ErrorKind::failed, name_ +
                                       " holds data of the wrong type where BullMQ's queue should be: give "
                                       "queue.name a name that nothing else uses, or remove that data"};
    }
    if (words.empty()) return {ErrorKind::failed, name_ + " answers with something else than was asked for"};
    return {ErrorKind::failed, name_ + " refuses: " + one_line(words, 200)};
}

}  // namespace lestapenna::jobs
