#include "cli/live_table.h"

#include <algorithm>
#include <functional>
#include <thread>
#include <utility>

#include "base/log.h"
#include "jobs/transcriber.h"
#include "net/http_client.h"
#include "net/loop_thread.h"

namespace lestapenna::cli {

namespace {

constexpr milliseconds kLook{50};
/// For what takes the bot a second: to log in, to join, to answer.
constexpr seconds kPatience{60};
/// For who transcribes, from one fragment to the next: there may be nobody.
constexpr seconds kNobodyWorks{60};
/// After the last packet was said.
constexpr seconds kStillUnderWay{2};

/// The bot is the sandbox's, and its web server ours alone.
void send_to_sandbox(Config& config, const sandbox::Stage& stage) {
    config.discord.token = Secret(stage.bot.token);
    config.discord.api_base = stage.addresses.api_base;
    config.web.listen = {"127.0.0.1", 0};
    config.web.admin_listen = {"127.0.0.1", 0};
}

/// Who plays, who records, and what is seen of both.
class Evening {
  public:
    Evening(sandbox::Show& show, Service& service, const workflows::Tools& tools)
        : show_(show), service_(service), tools_(tools) {}

    /// Waits until `holds`; what ends it otherwise is an error.
    Status until(std::string_view what, const std::function<bool()>& holds, std::optional<seconds> patience) {
        const BootTime begun = BootClock::now();
        while (!holds()) {
            if (tools_.work.stopped()) return Error{ErrorKind::interrupted, "interrupted"};
            if (auto broken = service_.broken_within(kLook)) return *broken;
            if (patience && BootClock::now() - begun > *patience)
                return Error{ErrorKind::failed, "the bot takes too long " + std::string(what)};
        }
        return Ok{};
    }

    /// The first player comes to the table and types.
    void type(const std::string& text) {
        const auto& stage = show_.stage();
        show_.direct([&](sandbox::Loopback& discord) { discord.type(stage.players.front(), stage.text, text); });
    }
    void sit_down() {
        const auto& stage = show_.stage();
        show_.direct([&](sandbox::Loopback& discord) {
            discord.set_voice(
                stage.guild, stage.players.front(), stage.voice, [](const discord::Event&) {}, true);
        });
    }
    [[nodiscard]] bool bot_is_at_the_table() const {
        const auto& stage = show_.stage();
        bool there = false;
        show_.direct([&](sandbox::Loopback& discord) {
            there = discord.voice_server(stage.voice).ssrc(stage.guild, stage.bot.user).has_value();
        });
        return there;
    }
    /// The session that is being recorded.
    [[nodiscard]] std::optional<catalog::Session> session() const {
        const auto sessions = tools_.catalog.sessions();
        if (!sessions || sessions->empty()) return std::nullopt;
        const auto& last = sessions->back();
        return last.status == catalog::SessionStatus::recording ? std::optional(last) : std::nullopt;
    }
    /// What the bot wrote and holds `part`; empty: nothing yet.
    [[nodiscard]] std::string written(std::string_view part) const {
        std::string found;
        show_.direct([&](sandbox::Loopback& discord) {
            for (const auto& message : discord.posted()) {
                if (message.content.find(part) != std::string::npos) found = message.content;
            }
        });
        return found;
    }
    /// How many fragments of the session have their words still to come.
    [[nodiscard]] Result<std::size_t> without_words(const SessionId& id) const {
        const auto rows = tools_.catalog.transcriptions(id);
        if (!rows) return rows.error();
        using enum catalog::TranscriptionStatus;
        return static_cast<std::size_t>(std::ranges::count_if(
            *rows, [](const auto& row) { return row.status == waiting || row.status == queued; }));
    }
    [[nodiscard]] bool idle() const {
        const auto busy = service_.busy();
        return busy && busy->sessions == 0 && busy->jobs == 0;
    }

  private:
    sandbox::Show& show_;
    Service& service_;
    const workflows::Tools& tools_;
};

/// Waits for the end of the play; true when it was stopped.
bool watch(sandbox::Show& show, Service& service, seconds length, const render::Work& work) {
    const BootTime begun = BootClock::now();
    while (!show.over_within(kLook)) {
        if (work.stopped() || service.broken_within(milliseconds(0))) {
            show.stop();
            return work.stopped();
        }
        const auto played = std::chrono::floor<seconds>(BootClock::now() - begun);
        if (work.progress) {
            work.progress("playing", static_cast<std::size_t>(std::min(played, length).count()),
                          static_cast<std::size_t>(length.count()) + 1);
        }
    }
    if (work.progress) work.progress("playing", 1, 1);
    return false;
}

/// What the line still holds back is sent before the session ends; what was sent has arrived, over a loopback.
void wait_for_the_last(const sandbox::Show& show, milliseconds longest_delay) {
    const BootTime until = BootClock::now() + longest_delay + kStillUnderWay;
    while (BootClock::now() < until && !show.sent_to_bot()) std::this_thread::sleep_for(kLook);
}

/// "https://…" within a sentence.
std::string link_in(const std::string& text) {
    const auto from = text.find("http");
    if (from == std::string::npos) return {};
    return text.substr(from, text.find_first_of(" \n<>)", from) - from);
}

/// What a browser would get.
Result<std::string> download(const std::string& link) {
    net::LoopThread thread;
    constexpr std::size_t kMost = std::size_t{1} << 30;
    std::unique_ptr<net::HttpClient> client;
    thread.call([&] {
        net::HttpClientOptions options;
        options.max_body_bytes = kMost;
        client = std::make_unique<net::HttpClient>(thread.loop(), std::move(options));
    });
    net::HttpRequest request;
    request.method = "GET";
    request.target = link;
    auto answer = thread.wait(client->send(std::move(request), kPatience));
    thread.call([&] { client.reset(); });
    if (!answer) return answer.error();
    if (answer->status != 200)
        return Error{ErrorKind::failed, "the link is answered with " + std::to_string(answer->status)};
    return std::move(answer->body);
}

Status follow(const std::string& link, const workflows::Tools& tools, const SessionId& session) {
    const auto body = download(link);
    if (!body) return body.error();
    const auto stored = tools.store.find(store::key(store::MasterKey{session}));
    if (!stored) return stored.error();
    if (!*stored || (*stored)->bytes != body->size())
        return Error{ErrorKind::failed, "the link leads to something else than the master in the store"};
    log().info("the link in the bot's answer was followed: {} bytes", body->size());
    return Ok{};
}

/// $ascolta, until the bot is at the table.
Result<catalog::Session> begin(Evening& evening, Service& service, const Config& config) {
    if (auto in = evening.until(
            "to log in", [&] { return service.logged_in_within(milliseconds(0)); }, kPatience);
        !in)
        return in.error();
    evening.sit_down();
    evening.type(config.discord.prefix + "ascolta");
    const auto there = [&] { return evening.session() && evening.bot_is_at_the_table(); };
    if (auto joined = evening.until("to join", there, kPatience); !joined) return joined.error();
    return *evening.session();
}

/// Where somebody transcribes: until all words have come, or nobody seems to work.
Status wait_for_words(Evening& evening, const SessionId& session) {
    auto left = evening.without_words(session);
    if (left && *left > 0) log().info("{} fragments are being transcribed", *left);
    BootTime since = BootClock::now();
    const auto done = [&] {
        auto now = evening.without_words(session);
        if (!now || !left || *now != *left) since = BootClock::now();
        left = std::move(now);
        return !left || (*left == 0 && evening.idle()) || BootClock::now() - since > kNobodyWorks;
    };
    if (auto waited = evening.until("to transcribe", done, std::nullopt); !waited) return waited;
    if (!left) return left.error();
    if (*left > 0) log().info("{} fragments still wait for their words; nobody has done one for a minute", *left);
    return Ok{};
}

/// $termina, until the link has come and all work is done.
Result<std::string> end(Evening& evening, const Config& config, std::string_view links_begin) {
    evening.type(config.discord.prefix + "termina");
    const BootTime asked = BootClock::now();
    std::string link;
    const auto linked = [&] { return !(link = link_in(evening.written(links_begin))).empty(); };
    if (auto sent = evening.until("to send the link", linked, std::nullopt); !sent) return sent.error();
    const std::chrono::duration<double> took = BootClock::now() - asked;
    log().info("{:.1f} s from {}termina to the link", took.count(), config.discord.prefix);
    if (auto done = evening.until(
            "to end", [&] { return evening.idle(); }, std::nullopt);
        !done)
        return done.error();
    return link;
}

}  // namespace

Result<LiveTable> record_live(sandbox::ShowOptions options, Config& config, const workflows::Tools& tools,
                              const std::filesystem::path& truth) {
    const auto length = std::chrono::ceil<seconds>(options.script.length);
    const auto longest_delay = options.line.delay + options.line.jitter;
    auto show = sandbox::Show::open(std::move(options));
    if (!show) return show.error();
    const sandbox::Stage& stage = (*show)->stage();
    send_to_sandbox(config, stage);
    ServiceOptions how;
    how.extra_ca_pem = stage.addresses.ca_pem;
    how.threads = tools.work.threads;
    how.links_to_here = true;
    auto service = Service::open(config, how);
    if (!service) return service.error();
    Evening evening(**show, **service, tools);
    const auto session = begin(evening, **service, config);
    if (!session) return session.error();
    if (auto begun = (*show)->begin(BootClock::now() + sandbox::kEarly, session->start, truth); !begun)
        return begun.error();

    const bool stopped = watch(**show, **service, length, tools.work);
    wait_for_the_last(**show, longest_delay);
    const auto session_length = std::chrono::duration_cast<Samples>(unix_now() - session->start);
    std::string link;
    if (!stopped) {
        const auto base = (*service)->links_begin();
        auto ended = end(evening, config, base);
        if (!ended) return ended.error();
        if (jobs::transcribes(config)) {
            if (auto waited = wait_for_words(evening, session->id); !waited) return waited.error();
        }
        if (auto followed = follow(*ended, tools, session->id); !followed) return followed.error();
        link = std::move(*ended);
        config.web.public_url = base;  // links made from here on lead there too
    }
    if (auto written = (*show)->finish(session_length); !written) return written.error();
    return LiveTable{session->id, stopped, std::move(link), std::move(*show), std::move(*service)};
}

}  // namespace lestapenna::cli
