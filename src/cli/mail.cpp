#include "cli/mail.h"

#include <algorithm>
#include <span>
#include <utility>

#include "base/hash.h"
#include "base/log.h"
#include "base/text.h"
#include "cli/mail_report.h"
#include "notify/address.h"
#include "workflows/job_names.h"

namespace lestapenna::cli {

namespace {

using jobs::Done;

constexpr milliseconds kTriedFor = std::chrono::hours(24);
constexpr milliseconds kFirstWait = std::chrono::minutes(1);  // what makes a server say "later" has passed by then
constexpr milliseconds kLongestWait = std::chrono::minutes(15);

milliseconds wait_after(int attempts) {
    milliseconds wait = kFirstWait;
    for (int i = 1; i < attempts && wait < kLongestWait; ++i) wait *= 2;
    return std::min(wait, kLongestWait);
}

std::optional<std::pair<SessionId, std::string>> parse_subject(const std::string& subject) {
    const auto slash = std::min(subject.find('/'), subject.size());
    auto session = SessionId::parse(std::string_view(subject).substr(0, slash));
    if (!session || slash == subject.size()) return std::nullopt;
    return std::pair(std::move(*session), subject.substr(slash + 1));
}

/// One that is going on is reported at its end, which makes a new job.
bool is_over(const catalog::Session& session) {
    return session.end && session.status == catalog::SessionStatus::complete;
}

/// Nothing: nobody is to get this mail, because of what happened since the job was made.
Result<std::optional<catalog::Session>> to_report(const catalog::Catalog& catalog, const SessionId& id) {
    auto session = catalog.session(id);
    if (!session && session.error().kind == ErrorKind::not_found) return std::optional<catalog::Session>();
    if (!session) return session.error();
    if (!session->guild_id || !is_over(*session)) return std::optional<catalog::Session>();
    return std::optional(std::move(*session));
}

bool is_news(const catalog::Session& session, UnixTime now) {
    return session.end && *session.end >= now - kNews;
}

std::vector<notify::Recipient> recipients_of(const Config& config, const catalog::Session& session) {
    const auto guild = GuildId::parse(session.guild_id.value_or(""));
    return guild ? notify::recipients(config, *guild) : std::vector<notify::Recipient>();
}

}  // namespace

std::vector<catalog::NewJob> mail_jobs(const Config& config, const catalog::Session& session, UnixTime now) {
    std::vector<catalog::NewJob> all;
    if (!is_news(session, now)) return all;
    const auto addressed = recipients_of(config, session);
    all.reserve(addressed.size());
    for (const auto& recipient : addressed) {
        all.push_back(workflows::mail_job(session.id, recipient.address));
    }
    return all;
}

Status try_mails_again(catalog::Catalog& catalog, UnixTime now) {
    const auto open = catalog.open_jobs(std::nullopt);
    if (!open) return open.error();
    for (const auto& [job, status] : *open) {
        if (job.name != workflows::kMailJob || status != catalog::JobStatus::failed) continue;
        const auto subject = parse_subject(job.subject);
        if (!subject) continue;
        const auto session = to_report(catalog, subject->first);
        if (!session) return session.error();
        if (!*session || !is_news(**session, now)) continue;
        if (auto added = catalog.add_job(workflows::mail_job(subject->first, subject->second)); !added) return added;
    }
    return Ok{};
}

Mailer::Mailer(const Config& config, notify::Server server, const store::Links& links)
    : config_(config), server_(std::move(server)), links_(links) {}

/// Of the session, its end and the address: the same whenever this mail is sent.
std::string Mailer::message_id(const catalog::Mail& row) const {
    constexpr std::size_t kDigits = 16;
    const std::span to(reinterpret_cast<const std::uint8_t*>(row.address.data()), row.address.size());
    return row.session.text() + "." + std::to_string(row.end.time_since_epoch().count()) + "." +
           hex(Sha256::of(to)).substr(0, kDigits) + server_.from().substr(server_.from().rfind('@'));
}

void Mailer::remember(const std::string& message_id) {
    const std::lock_guard lock(mutex_);
    message_ids_.insert(message_id);
}

bool Mailer::remembers(const std::string& message_id) const {
    const std::lock_guard lock(mutex_);
    return message_ids_.contains(message_id);
}

Result<Done> Mailer::send(const catalog::Job& job, const workflows::Tools& tools, const std::atomic<bool>& stop) {
    const auto subject = parse_subject(job.subject);
    if (!subject) return Error{ErrorKind::usage, "the mail " + in_quotes(job.subject) + " is of no session"};
    const auto& [id, address] = *subject;
    const auto session = to_report(tools.catalog, id);
    if (!session) return session.error();
    if (!*session) return Done{};
    const auto all = recipients_of(config_, **session);
    const auto recipient = std::ranges::find(all, address, &notify::Recipient::address);
    if (recipient == all.end()) return Done{};  // [mail] was changed since

    const auto known = tools.catalog.mail(id, address);
    if (!known) return known.error();
    const UnixTime now = unix_now();
    catalog::Mail row{id, address, *(*session)->end, now};
    if (*known && (*known)->end == row.end) row = **known;
    if (row.attempts == 0) row.since = now;
    const auto name = message_id(row);
    if (!row.sent && remembers(name)) row.sent = now;
    if (row.sent) {
        if (auto kept = tools.catalog.upsert_mail(row); !kept) return kept.error();
        return Done{};
    }
    auto report = mail_report(tools, id, recipient->links ? &links_ : nullptr, now);
    if (!report) return report.error();
    auto content = notify::content(*report);
    ++row.attempts;
    if (auto kept = tools.catalog.upsert_mail(row); !kept) return kept.error();
    const auto reply = server_.send(
        {address, name, now, std::move(content.subject), std::move(content.text), std::move(content.html)}, stop);
    if (reply.verdict == notify::Reply::Verdict::accepted) remember(name);
    return settle(std::move(row), reply, tools.catalog);
}

Result<Done> Mailer::settle(catalog::Mail row, const notify::Reply& reply, catalog::Catalog& catalog) {
    using Verdict = notify::Reply::Verdict;
    const UnixTime now = unix_now();
    row.reply = reply.message;
    if (reply.perhaps) row.reply += " (all of it was sent: it may arrive twice)";
    Result<Done> outcome = Done{};
    switch (reply.verdict) {
        case Verdict::accepted:
            row.sent = now;
            ++sent_;
            break;
        case Verdict::interrupted:
            outcome = Error{ErrorKind::interrupted, "stopped"};
            break;
        case Verdict::later:
            ++deferred_;
            outcome = Done{{}, now + wait_after(row.attempts)};
            break;
        case Verdict::refused:
            ++refused_;
            outcome = Error{ErrorKind::usage, row.reply};
            break;
    }
    const bool too_late = reply.verdict == Verdict::later && now - row.since >= kTriedFor;
    if (too_late) {
        outcome = Error{ErrorKind::usage, "given up after a day: " + row.reply};
    } else if (reply.verdict == Verdict::later) {
        log().warn("the mail of session {} to {} is tried again, attempt {}: {}", row.session.text(), row.address,
                   row.attempts, row.reply);
    }
    // Whoever has it tried again, by a start or by hand, gives it a day anew.
    if (too_late || reply.verdict == Verdict::refused) row.attempts = 0;
    if (auto kept = catalog.upsert_mail(row); !kept) return kept.error();
    return outcome;
}

std::vector<Metric> Mailer::metrics() const {
    std::vector<Metric> all;
    const auto add = [&all](const char* outcome, const std::atomic<std::uint64_t>& count) {
        all.push_back({"lestapenna_mails_total",
                       "Attempts to send a report by mail, by outcome (deferred: tried again for a day; refused: given "
                       "up).",
                       MetricKind::counter,
                       {{"outcome", outcome}},
                       static_cast<double>(count.load())});
    };
    add("sent", sent_);
    add("deferred", deferred_);
    add("refused", refused_);
    return all;
}

}  // namespace lestapenna::cli
