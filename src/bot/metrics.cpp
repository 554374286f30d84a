#include "bot/metrics.h"

#include <algorithm>

#include "journal/record.h"

namespace lestapenna::bot {

namespace {

double in_seconds(nanoseconds time) {
    return std::chrono::duration<double>(time).count();
}

struct List {
    std::vector<Metric> all;
    void add(std::string name, std::string help, MetricKind kind, std::string label, std::string value, double sample) {
        Metric metric{std::move(name), std::move(help), kind, {}, sample};
        if (!label.empty()) metric.labels.emplace_back(std::move(label), std::move(value));
        all.push_back(std::move(metric));
    }
    void packets(const std::string& outcome, std::uint64_t count) {
        add("lestapenna_packets_total", "Datagrams of voice sockets, by what became of them.", MetricKind::counter,
            "outcome", outcome, static_cast<double>(count));
    }
    void answers(const std::string& outcome, std::uint64_t count) {
        add("lestapenna_discord_answers_total", "Answers of Discord's REST that were none, by kind.",
            MetricKind::counter, "outcome", outcome, static_cast<double>(count));
    }
    void gauge(std::string name, std::string help, double value) {
        add(std::move(name), std::move(help), MetricKind::gauge, "", "", value);
    }
};

void add_packets(List& list, const Totals& totals) {
    list.packets("accepted", totals.packets);
    list.packets("refused", totals.refused);
    list.packets("oversized", totals.oversized);
    list.packets("paused", totals.paused);
    list.packets("dropped_by_kernel", totals.kernel_drops);
    for (std::size_t kind = 0; kind < discord::kDatagramKinds; ++kind) {
        const auto what = static_cast<discord::Datagram>(kind);
        if (what != discord::Datagram::voice) list.packets(to_string(what), totals.datagrams.by_kind[kind]);
    }
}

void add_encryption(List& list, const Totals& totals) {
    for (std::size_t why = 1; why < totals.closed.size(); ++why) {
        // The numbers of journal::ClosedReason are those of discord::Closed (recorder/capture.cpp).
        const auto reason = static_cast<journal::ClosedReason>(why);
        list.add("lestapenna_packets_undecryptable_total", "Packets of encrypted calls that stayed closed, by reason.",
                 MetricKind::counter, "reason", std::string(to_text(reason)), static_cast<double>(totals.closed[why]));
    }
    const auto counter = [&list](std::string name, std::string help, std::uint64_t count) {
        list.add(std::move(name), std::move(help), MetricKind::counter, "", "", static_cast<double>(count));
    };
    counter("lestapenna_packets_parked_total", "Packets of encrypted calls that had to wait for a key or a user.",
            totals.parked);
    counter("lestapenna_packets_replayed_total", "Packets of encrypted calls that came again, and were dropped.",
            totals.replayed);
    counter("lestapenna_dave_epochs_total", "Epochs of encrypted calls' groups that were followed.", totals.epochs);
    counter("lestapenna_dave_transitions_total", "Transitions of encrypted calls that were executed.",
            totals.transitions);
    counter("lestapenna_dave_recoveries_total", "Times that frames did not open and a group was entered anew.",
            totals.recoveries);
    counter("lestapenna_dave_messages_refused_total", "Messages of encrypted calls' groups that were not accepted.",
            totals.refused_messages);
}

}  // namespace

std::vector<Metric> metrics_of(const Core& core) {
    Totals totals = core.totals;
    nanoseconds lag{0};
    nanoseconds sync{0};
    std::size_t paused = 0;
    std::size_t recording = 0;
    for (const auto& [guild, table] : core.tables) {
        if (table.state != Table::State::recording) continue;
        const auto report = table.recorder->report();
        totals.add(report);
        lag = std::max(lag, report.not_durable);
        sync = std::max(sync, report.last_sync);
        ++recording;
        if (report.is_paused) ++paused;
    }
    List list;
    add_packets(list, totals);
    add_encryption(list, totals);
    list.gauge("lestapenna_durable_lag_seconds", "Age of the oldest record that is not durable yet.", in_seconds(lag));
    list.gauge("lestapenna_sync_seconds", "How long the last fdatasync of the slowest journal took.", in_seconds(sync));
    list.gauge("lestapenna_sessions", "Sessions being recorded.", static_cast<double>(recording));
    list.gauge("lestapenna_sessions_paused", "Sessions being recorded that are paused.", static_cast<double>(paused));
    for (const auto& [code, count] : totals.voice_closes) {
        list.add("lestapenna_voice_reconnects_total", "Voice connections that were lost, by close code (0: none came).",
                 MetricKind::counter, "code", std::to_string(code), static_cast<double>(count));
    }
    const auto& rest = core.tools.rest.counts();
    list.add("lestapenna_discord_requests_total", "Requests to Discord's REST, repeats included.", MetricKind::counter,
             "", "", static_cast<double>(rest.requests));
    list.answers("rate_limited", rest.rate_limited);
    list.answers("server_error", rest.server_errors);
    list.answers("no_answer", rest.no_answer);
    list.answers("malformed", rest.malformed);
    return list.all;
}

}  // namespace lestapenna::bot
