#include "bot/core.h"

#include "base/log.h"

namespace lestapenna::bot {

void Totals::add(const recorder::Report& report) {
    packets += report.packets;
    refused += report.refused;
    oversized += report.oversized;
    paused += report.paused;
    kernel_drops += report.voice.kernel_drops;
    for (std::size_t kind = 0; kind < discord::kDatagramKinds; ++kind)
        datagrams.by_kind[kind] += report.voice.datagrams.by_kind[kind];
    for (const auto& [code, count] : report.voice_closes) voice_closes[code] += count;
    parked += report.voice.parked;
    for (std::size_t why = 0; why < closed.size(); ++why) closed[why] += report.voice.closed[why];
    replayed += report.voice.replayed;
    epochs += report.voice.epochs;
    transitions += report.voice.transitions;
    refused_messages += report.voice.refused_messages;
    recoveries += report.voice.recoveries;
}

const Table* Core::table_of(const SessionId& session) const {
    for (const auto& [guild, table] : tables) {
        if (table.recorder && table.recorder->session() == session) return &table;
    }
    return nullptr;
}

bool is_stage(const discord::Guilds& guilds, GuildId guild, ChannelId channel) {
    const auto* const known = guilds.guild(guild);
    if (known == nullptr) return false;
    const auto found = known->channels.find(channel);
    return found != known->channels.end() && found->second.kind == discord::ChannelKind::stage;
}

Doing::Doing(CorePtr core) : core_(std::move(core)) {
    ++core_->doings;
    core_->quiet.reset();
}

Doing::~Doing() {
    if (--core_->doings == 0) core_->quiet.set();
}

Error shutting_down() {
    return {ErrorKind::interrupted, "the bot is shutting down"};
}

Error no_answer_yet() {
    return {ErrorKind::failed, "the store has not answered yet"};
}

net::Task<Status> add_jobs(CorePtr core, std::vector<catalog::NewJob> jobs) {
    const std::string first = jobs.front().name + " of " + jobs.front().subject;
    auto add = [jobs = std::move(jobs)](const workflows::Tools& tools) {
        return tools.catalog.together([&]() -> Status {
            for (const auto& job : jobs) {
                if (auto added = tools.catalog.add_job(job); !added) return added;
            }
            return Ok{};
        });
    };
    Status added = co_await off_loop(core, std::move(add));
    if (!added) log().error("job {} could not be noted: {}", first, added.error().message);
    if (added && !core->gone) core->tools.jobs.wake();
    co_return added;
}

net::Task<Status> add_job(CorePtr core, catalog::NewJob job) {
    std::vector<catalog::NewJob> jobs;
    jobs.push_back(std::move(job));
    Status added = co_await add_jobs(std::move(core), std::move(jobs));
    co_return added;
}

net::Task<discord::RestResult<MessageId>> post(CorePtr core, ChannelId channel, discord::OutgoingMessage message) {
    const discord::RestError closed{0, 0, "the bot is shutting down"};
    if (core->gone) co_return closed;
    auto posted = co_await core->tools.rest.create_message(channel, std::move(message));
    if (!posted) log().warn("a message to channel {} was not delivered: {}", channel.text(), posted.error().message);
    co_return posted;
}

net::Task<> tell(CorePtr core, ChannelId channel, std::string text) {
    discord::OutgoingMessage message;
    message.content = std::move(text);
    static_cast<void>(co_await post(std::move(core), channel, std::move(message)));
}

bool is_passing(const discord::RestError& error) {
    return error.status == 0 || error.status == 401 || error.status == 429 || error.status >= 500;
}

}  // namespace lestapenna::bot
