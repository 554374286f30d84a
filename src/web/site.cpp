#include "web/site.h"

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <utility>

#include "net/blocking.h"
#include "net/loop_thread.h"
#include "net/server.h"
#include "web/audio.h"

namespace lestapenna::web {

namespace {

constexpr nanoseconds kAnswerTime = seconds(5);
constexpr std::size_t kMaxBodyBytes = 4096;  // nobody has anything to send us
constexpr std::size_t kMaxClients = 512;     // each holds one file open, or none
constexpr std::size_t kMaxAdmins = 64;

net::Reply plain(int status, std::string text) {
    net::Reply reply;
    reply.response.status = status;
    reply.response.headers = {{"Content-Type", "text/plain; charset=utf-8"}, {"Cache-Control", "no-store"}};
    reply.response.body = std::move(text);
    return reply;
}

/// Only these are answered; nothing when it is one of them.
std::optional<net::Reply> refused_method(const net::HttpRequest& request) {
    if (request.method == "GET" || request.method == "HEAD") return std::nullopt;
    net::Reply reply = plain(405, "only GET and HEAD\n");
    reply.response.headers.emplace_back("Allow", "GET, HEAD");
    return reply;
}

net::ServerOptions options_of(const Listen& listen, std::size_t connections) {
    net::ServerOptions options;
    options.address = listen.host == "localhost" ? "127.0.0.1" : listen.host;
    options.port = listen.port;
    options.max_body_bytes = kMaxBodyBytes;
    options.max_connections = connections;
    return options;
}

/// Something that may hang is asked on a thread of its own, one question at a time, however many want to know.
template <class T>
struct Question {
    Question(net::Loop& loop, net::Blocking& on, std::function<T()> what)
        : thread(on), ask(std::move(what)), answered(loop) {}
    net::Blocking& thread;
    std::function<T()> ask;
    net::Signal answered;
    bool under_way = false;
    std::optional<T> latest{};
};

/// What coroutines share; it outlives them all. Thread: the site's loop.
struct State {
    State(SiteTools given, net::Loop& on, net::Blocking& for_program, net::Blocking& for_store)
        : tools(std::move(given)),
          loop(on),
          program(on, for_program, tools.ask),
          store(on, for_store, [this]() { return store_answers(tools.store); }) {}

    static Status store_answers(store::ObjectStore& store) {
        const auto found = store.find(*store::Key::parse("recordings/health"));
        return found ? Status(Ok()) : found.error();
    }

    SiteTools tools;
    net::Loop& loop;
    Question<Health> program;
    Question<Status> store;
    bool stopped = false;
    std::map<int, std::uint64_t> answers{};  ///< on the public address, by status
};
using StatePtr = std::shared_ptr<State>;

template <class T>
net::Task<> ask(StatePtr state, Question<T>& question) {
    if (state->stopped) co_return;  // the thread is gone
    auto work = question.ask;
    question.latest = co_await question.thread.run(std::move(work));
    question.under_way = false;
    question.answered.set();
}

/// Nothing: no answer in time.
template <class T>
net::Task<std::optional<T>> answer_to(StatePtr state, Question<T>& question) {
    if (!question.under_way) {
        question.under_way = true;
        question.answered.reset();
        net::spawn(state->loop, ask(state, question));
    }
    const bool in_time = co_await question.answered.wait_for(kAnswerTime);
    if (!in_time) co_return std::nullopt;
    co_return question.latest;
}

net::Task<net::Reply> readiness(StatePtr state, const Health& health) {
    std::string reasons;
    for (const auto& reason : health.not_ready) reasons += reason + "\n";
    const auto store = co_await answer_to(state, state->store);
    if (!store) reasons += "the store does not answer\n";
    if (store && !*store) reasons += "the store does not answer: " + store->error().message + "\n";
    co_return reasons.empty() ? plain(200, "ready\n") : plain(503, reasons);
}

net::Reply metrics(Health health, const std::map<int, std::uint64_t>& answers) {
    for (const auto& [status, count] : answers) {
        health.metrics.push_back({"lestapenna_audio_requests_total",
                                  "Requests on the public address by the status of their answer.",
                                  MetricKind::counter,
                                  {{"status", std::to_string(status)}},
                                  static_cast<double>(count)});
    }
    net::Reply reply = plain(200, prometheus_text(health.metrics));
    reply.response.headers.front().second = "text/plain; version=0.0.4; charset=utf-8";
    return reply;
}

net::Task<net::Reply> answer_public(StatePtr state, net::HttpRequest request) {
    auto refused = refused_method(request);
    net::Reply reply =
        refused ? std::move(*refused) : answer_audio(request, state->tools.links, state->tools.store, unix_now());
    ++state->answers[reply.response.status];
    co_return reply;
}

net::Task<net::Reply> answer_admin(StatePtr state, net::HttpRequest request) {
    auto refused = refused_method(request);
    if (refused) co_return std::move(*refused);
    const std::string path(net::path_of(request.target));
    if (path != "/livez" && path != "/readyz" && path != "/metrics") co_return plain(404, "not found\n");
    auto told = co_await answer_to(state, state->program);
    if (!told) co_return plain(503, "the program does not answer\n");
    if (path == "/livez") co_return plain(200, "alive\n");
    if (path == "/metrics") co_return metrics(std::move(*told), state->answers);
    co_return co_await readiness(state, *told);
}

}  // namespace

struct Site::Impl {
    explicit Impl(SiteTools tools)
        : state(std::make_shared<State>(std::move(tools), thread.loop(), *for_program, *for_store)) {}
    Impl(const Impl&) = delete;
    Impl& operator=(const Impl&) = delete;
    /// Nobody is answered any more, then nothing is asked any more, then nothing runs any more. What runs on the loop
    /// does not throw.
    // NOLINTNEXTLINE(bugprone-exception-escape)
    ~Impl() {
        thread.call([this] { stop(); });
        for_program.reset();
        for_store.reset();
        thread.stop();
    }

    void stop() {
        state->stopped = true;
        admin.reset();
        audio.reset();
    }
    Status listen(const Config::Web& config);

    net::LoopThread thread;
    std::optional<net::Blocking> for_program{std::in_place};
    std::optional<net::Blocking> for_store{std::in_place};
    StatePtr state;
    std::optional<net::Server> audio;
    std::optional<net::Server> admin;
};

Status Site::Impl::listen(const Config::Web& config) {
    net::Handlers to_public;
    to_public.request = [state = state](net::HttpRequest request) { return answer_public(state, std::move(request)); };
    net::Handlers to_admin;
    to_admin.request = [state = state](net::HttpRequest request) { return answer_admin(state, std::move(request)); };
    auto first = net::Server::listen(thread.loop(), options_of(config.listen, kMaxClients), std::move(to_public));
    if (!first) return Error{first.error().kind, "web.listen: " + first.error().message};
    audio.emplace(std::move(*first));
    auto second = net::Server::listen(thread.loop(), options_of(config.admin_listen, kMaxAdmins), std::move(to_admin));
    if (!second) return Error{second.error().kind, "web.admin_listen: " + second.error().message};
    admin.emplace(std::move(*second));
    return Ok();
}

Site::Site(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Site::~Site() = default;

Result<std::unique_ptr<Site>> Site::open(SiteTools tools) {
    const Config::Web& config = tools.config.web;
    auto impl = std::make_unique<Impl>(std::move(tools));
    auto listening = impl->thread.call([&] { return impl->listen(config); });
    if (!listening) return listening.error();
    return std::unique_ptr<Site>(new Site(std::move(impl)));
}

std::uint16_t Site::port() const {
    return impl_->thread.call([this] { return impl_->audio->port(); });
}

std::uint16_t Site::admin_port() const {
    return impl_->thread.call([this] { return impl_->admin->port(); });
}

}  // namespace lestapenna::web
