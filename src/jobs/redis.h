// A connection to Redis: commands there, answers back, in order. Over hiredis, of which only the protocol is used; the
// socket is our own, so that nothing waits for longer than it may, nor for a name, a connection or a byte once it is to
// stop.
//
// Arguments are binary-safe. An answer of more than kMostAnswerBytes is refused, whatever its length claims.
// Thread: one at a time; every call blocks, so never on the network's loop. After an error that is not a refusal the
// connection is of no use any more: make another. Errors are one sentence that names the server: usage for a wrong
// configuration, interrupted when `stop` was set, failed for all else. No password is in any of them.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/config.h"
#include "base/files.h"
#include "base/result.h"
#include "base/time.h"

struct redisReader;

namespace lestapenna::jobs {

/// A transcript of four hours is 1 MB of JSON; an answer may hold some of them.
inline constexpr std::size_t kMostAnswerBytes = std::size_t{64} << 20;

struct RedisPlace {
    std::string host;
    std::uint16_t port = 6379;
    std::string user{};  ///< empty: the default one
    Secret password{};
    int database = 0;

    /// Of queue.url, redis://[user:password@]host[:port][/database]; what of user and password has %XX is decoded.
    /// Errors: usage; also for a server beyond this machine without queue.allow_plaintext.
    static Result<RedisPlace> of(const Config& config);
    /// "Redis at host:port", to begin a sentence with.
    [[nodiscard]] std::string name() const;
};

struct Reply {
    enum class Kind { nil, integer, text, list, refused };
    Kind kind = Kind::nil;
    std::int64_t integer = 0;
    std::string text{};  ///< of refused: the server's words, like "WRONGTYPE Operation against ..."
    std::vector<Reply> list{};
};

using RedisCommand = std::vector<std::string>;

class Redis {
  public:
    /// Connects, says who we are, and chooses the database; a server that does not answer as Redis does is an error.
    /// `stop` outlives the connection.
    static Result<Redis> connect(const RedisPlace& place, const std::atomic<bool>& stop);

    /// A refusal is a reply. `patience`: without a byte for so long the connection is given up.
    Result<Reply> run(const RedisCommand& command, milliseconds patience = seconds(10));
    /// One after the other, in one go.
    Result<std::vector<Reply>> run_all(std::span<const RedisCommand> commands, milliseconds patience = seconds(10));
    /// The same, but a refusal is an error.
    Result<Reply> ask(const RedisCommand& command, milliseconds patience = seconds(10));
    Result<std::vector<Reply>> ask_all(std::span<const RedisCommand> commands);

    /// The sentence for a reply that is not what was asked for.
    [[nodiscard]] Error refused(const Reply& reply) const;

  private:
    struct Close {
        void operator()(redisReader* reader) const noexcept;
    };
    Redis(Fd socket, std::unique_ptr<redisReader, Close> reader, std::string name, const std::atomic<bool>& stop)
        : socket_(std::move(socket)), reader_(std::move(reader)), name_(std::move(name)), stop_(&stop) {}
    Status introduce(const RedisPlace& place);
    Status authenticate(const RedisPlace& place);
    Status wait(short events, BootTime deadline);
    Status send(std::string_view bytes, milliseconds patience);
    Result<Reply> receive(milliseconds patience);

    Fd socket_;
    std::unique_ptr<redisReader, Close> reader_;
    std::string name_;
    const std::atomic<bool>* stop_;
};

}  // namespace lestapenna::jobs
