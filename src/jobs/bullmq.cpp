#include "jobs/bullmq.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <utility>

#include <nlohmann/json.hpp>

namespace lestapenna::jobs {

namespace {

// What Queue.add of BullMQ 5.81.5 and 6.7.0 does, compared key by key with both (tests/queue): a job, its place in the
// queue and the marker that wakes a worker, all or nothing.
constexpr const char* kAddScript = R"lua(
-- KEYS: 1 id  2 meta  3 wait  4 paused  5 active  6 delayed  7 prioritized  8 pc  9 events  10 marker
-- ARGV: 1 key prefix ("bull:NAME:")  2 job id ("" = number it)  3 job name  4 data JSON  5 options JSON
--       6 timestamp ms  7 delay ms  8 priority  9 "1" = put at the head
--       10 "5" or "6": which paused rule to follow when meta holds no version
-- returns {id, 1} added, {id, 0} a job of that id exists and was left alone
local call = redis.call
local seq = call('INCR', KEYS[1])
local cap = call('HGET', KEYS[2], 'opts.maxLenEvents')
if not cap then
  cap = '10000'
  call('HSET', KEYS[2], 'opts.maxLenEvents', cap)
end
local function emit(...) return call('XADD', KEYS[9], 'MAXLEN', '~', cap, '*', 'event', ...) end

local id = ARGV[2]
if id == '' then id = string.format('%.0f', seq) end
local key = ARGV[1] .. id
if call('EXISTS', key) == 1 then
  emit('duplicated', 'jobId', id)
  return {id, 0}
end

call('HSET', key, 'name', ARGV[3], 'data', ARGV[4], 'opts', ARGV[5],
     'timestamp', ARGV[6], 'delay', ARGV[7], 'priority', ARGV[8])
call('XADD', KEYS[9], '*', 'event', 'added', 'jobId', id, 'name', ARGV[3])

local delay, prio = tonumber(ARGV[7]), tonumber(ARGV[8])
if delay > 0 then
  local due = tonumber(ARGV[6]) + delay
  local lo, hi = due * 4096, due * 4096 + 4095
  local last = call('ZREVRANGEBYSCORE', KEYS[6], hi, lo, 'WITHSCORES', 'LIMIT', 0, 1)
  local score = lo
  if last[2] then score = math.min(tonumber(last[2]) + 1, hi) end
  call('ZADD', KEYS[6], score, id)
  emit('delayed', 'jobId', id, 'delay', due)
  local first = call('ZRANGE', KEYS[6], 0, 0, 'WITHSCORES')
  call('ZADD', KEYS[10], tonumber(first[2]) / 4096, '1')
  return {id, 1}
end

local m = call('HMGET', KEYS[2], 'paused', 'concurrency', 'version')
local idle = not m[1] and not (m[2] and call('LLEN', KEYS[5]) >= tonumber(m[2]))
if prio > 0 then
  local n = call('INCR', KEYS[8])
  call('ZADD', KEYS[7], prio * 4294967296 + n % 4294967296, id)
else
  local list = KEYS[3]
  if m[1] then
    local major = m[3] and string.match(m[3], ':(%d+)%.') or ARGV[10]
    if tonumber(major) < 6 then list = KEYS[4] end
  end
  call(ARGV[9] == '1' and 'RPUSH' or 'LPUSH', list, id)
end
if idle then call('ZADD', KEYS[10], 0, '0') end
emit('waiting', 'jobId', id)
return {id, 1}
)lua";
constexpr std::array kScriptKeys{"id",      "meta",        "wait", "paused", "active",
                                 "delayed", "prioritized", "pc",   "events", "marker"};

// Keys of a queue itself: a job of such a name would overwrite one.
constexpr std::array<std::string_view, 20> kOwnKeys{
    "",       "id",        "meta",   "wait",   "paused",  "active",  "delayed",       "prioritized",      "pc",
    "marker", "completed", "failed", "events", "limiter", "stalled", "stalled-check", "waiting-children", "repeat",
    "de",     "metrics"};

constexpr int kEventsAtOnce = 50;
constexpr milliseconds kAnswer{10'000};  ///< on top of what a command waits by itself

bool is_digits(std::string_view text) {
    return !text.empty() && std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
}

/// Of seconds and microseconds, as TIME gives them.
std::int64_t unix_ms_of(const Reply& time) {
    constexpr std::int64_t kThousand = 1000;
    return std::strtoll(time.list[0].text.c_str(), nullptr, 10) * kThousand +
           std::strtoll(time.list[1].text.c_str(), nullptr, 10) / kThousand;
}

std::string options_of(const std::string& id) {
    constexpr auto kWeekSeconds = std::chrono::seconds(std::chrono::days(7)).count();
    return nlohmann::ordered_json{{"attempts", 5},
                                  {"backoff", {{"type", "exponential"}, {"delay", 2000}}},
                                  {"removeOnComplete", {{"age", kWeekSeconds}}},
                                  {"removeOnFail", false},
                                  {"jobId", id}}
        .dump();
}

}  // namespace

bool is_job_id(std::string_view id) {
    const std::string_view number = id.starts_with('-') ? id.substr(1) : id;
    return id.find(':') == std::string_view::npos && !is_digits(number) && std::ranges::count(kOwnKeys, id) == 0;
}

bool is_queue_name(std::string_view name) {
    return !name.empty() && name.find(':') == std::string_view::npos;
}

Result<BullQueue> BullQueue::connect(const RedisPlace& place, std::string_view queue, const std::atomic<bool>& stop) {
    auto redis = Redis::connect(place, stop);
    if (!redis) return redis.error();
    const auto time = redis->ask({"TIME"});
    if (!time) return time.error();
    if (time->list.size() != 2) return redis->refused(*time);
    const auto sha = redis->ask({"SCRIPT", "LOAD", kAddScript});
    if (!sha) return sha.error();

    BullQueue connected(std::move(*redis), "bull:" + std::string(queue) + ":");
    // Entries are named by the server's clock: {milliseconds}-{number}. (Set back, it makes us read some once more.)
    connected.last_ = std::to_string(unix_ms_of(*time));
    connected.script_sha_ = sha->text;
    // Before anything is added: a script that fails half way leaves a job that no worker ever sees.
    if (auto fit = connected.fits(); !fit) return fit.error();
    return connected;
}

Status BullQueue::fits() {
    constexpr std::array<std::pair<const char*, std::string_view>, 9> kTypes{{{"id", "string"},
                                                                              {"meta", "hash"},
                                                                              {"wait", "list"},
                                                                              {"paused", "list"},
                                                                              {"active", "list"},
                                                                              {"events", "stream"},
                                                                              {"marker", "zset"},
                                                                              {"completed", "zset"},
                                                                              {"failed", "zset"}}};
    std::vector<RedisCommand> commands;
    commands.reserve(kTypes.size());
    for (const auto& [key, type] : kTypes) commands.push_back({"TYPE", prefix_ + key});
    const auto types = redis_.ask_all(commands);
    if (!types) return types.error();
    for (std::size_t i = 0; i < kTypes.size(); ++i) {
        const std::string& type = (*types)[i].text;
        if (type != "none" && type != kTypes[i].second) {
            return redis_.refused({Reply::Kind::refused, 0, "WRONGTYPE", {}});
        }
    }
    return Ok{};
}

Status BullQueue::check_memory() {
    const auto memory = redis_.ask({"INFO", "memory"});
    if (!memory) return memory.error();
    const bool bounded = memory->text.find("\nmaxmemory:0\r") == std::string::npos &&
                         memory->text.find("\nmaxmemory:") != std::string::npos;
    if (bounded && memory->text.find("maxmemory_policy:noeviction") == std::string::npos) {
        return Error{
            ErrorKind::failed,
            "Redis throws data away when its memory is full, and with it jobs: set maxmemory-policy noeviction"};
    }
    return Ok{};
}

Result<bool> BullQueue::add(const BullJob& job, UnixTime now) {
    RedisCommand command{"EVALSHA", script_sha_, std::to_string(kScriptKeys.size())};
    for (const char* key : kScriptKeys) command.push_back(prefix_ + key);
    command.insert(command.end(), {prefix_, job.id, job.name, job.data, options_of(job.id),
                                   std::to_string(now.time_since_epoch().count()), "0", "0", "0", "5"});
    auto reply = redis_.run(command);
    if (reply && reply->kind == Reply::Kind::refused && reply->text.starts_with("NOSCRIPT")) {
        command[0] = "EVAL";
        command[1] = kAddScript;
        reply = redis_.run(command);
    }
    if (!reply) return reply.error();
    if (reply->list.size() != 2) return redis_.refused(*reply);
    return reply->list[1].integer == 1;
}

Result<std::string> BullQueue::data(const std::string& id) {
    return field(id, "data");
}
Result<std::string> BullQueue::returned(const std::string& id) {
    return field(id, "returnvalue");
}
Result<std::string> BullQueue::reason(const std::string& id) {
    return field(id, "failedReason");
}

Result<std::string> BullQueue::field(const std::string& id, const char* name) {
    auto reply = redis_.ask({"HGET", prefix_ + id, name});
    if (!reply) return reply.error();
    return std::move(reply->text);
}

Result<std::vector<BullLook>> BullQueue::look(const std::vector<std::string>& ids) {
    std::vector<RedisCommand> commands;
    for (const std::string& id : ids) {
        commands.push_back({"ZSCORE", prefix_ + "completed", id});
        commands.push_back({"ZSCORE", prefix_ + "failed", id});
        commands.push_back({"EXISTS", prefix_ + id});
        commands.push_back({"HSTRLEN", prefix_ + id, "returnvalue"});
        commands.push_back({"HSTRLEN", prefix_ + id, "failedReason"});
    }
    const auto replies = redis_.ask_all(commands);
    if (!replies) return replies.error();
    std::vector<BullLook> looks;
    looks.reserve(ids.size());
    for (auto reply = replies->begin(); reply != replies->end(); reply += 5) {
        const bool exists = reply[2].integer == 1;
        // A job that failed once and then completed keeps its failedReason: where it stands decides.
        if (reply[0].kind != Reply::Kind::nil && exists) {
            looks.push_back({BullState::completed, static_cast<std::uint64_t>(reply[3].integer)});
        } else if (reply[1].kind != Reply::Kind::nil && exists) {
            looks.push_back({BullState::failed, static_cast<std::uint64_t>(reply[4].integer)});
        } else {
            looks.push_back({exists ? BullState::open : BullState::gone});
        }
    }
    return looks;
}

Result<std::vector<std::string>> BullQueue::ended(milliseconds wait) {
    const auto reply =
        redis_.ask({"XREAD", "COUNT", std::to_string(kEventsAtOnce), "BLOCK",
                    std::to_string(std::max<std::int64_t>(1, wait.count())), "STREAMS", prefix_ + "events", last_},
                   wait + kAnswer);
    if (!reply) return reply.error();
    std::vector<std::string> ids;
    if (reply->kind == Reply::Kind::nil) return ids;
    if (reply->list.size() != 1 || reply->list[0].list.size() != 2) return redis_.refused(*reply);
    for (const Reply& entry : reply->list[0].list[1].list) {
        if (auto noted = note(entry, ids); !noted) return noted.error();
    }
    return ids;
}

/// An entry is its id, and names and values in turn.
Status BullQueue::note(const Reply& entry, std::vector<std::string>& ids) {
    if (entry.list.size() != 2) return redis_.refused(entry);
    last_ = entry.list[0].text;
    std::string_view event;
    std::string_view job;
    const auto& fields = entry.list[1].list;
    for (std::size_t i = 0; i + 1 < fields.size(); i += 2) {
        if (fields[i].text == "event") event = fields[i + 1].text;
        if (fields[i].text == "jobId") job = fields[i + 1].text;
    }
    if ((event == "completed" || event == "failed") && std::ranges::count(ids, job) == 0) ids.emplace_back(job);
    return Ok{};
}

}  // namespace lestapenna::jobs
