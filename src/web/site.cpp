#include "web/site.h"

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>

#include "net/blocking.h"
#include "net/loop_thread.h"
#include "net/server.h"
#include "web/audio.h"

namespace lestapenna::web {

namespace {

constexpr nanoseconds kAnswerTime = seconds(5);
constexpr nanoseconds kStoreWait = milliseconds(700);  // who asks whether we are ready gives up after a second
constexpr std::size_t kMaxBodyBytes = 4096;            // nobody has anything to send us
constexpr std::size_t kMaxClients = 512;               // each holds one file open, or none
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
    BootTime begun{};
    std::optional<T> latest{};
};

/// Answers on the public address, by status. Thread: any.
class Answers {
  public:
    void count(int status) {
        const std::scoped_lock lock(mutex_);
        ++by_status_[status];
    }
    std::map<int, std::uint64_t> so_far() const {
        const std::scoped_lock lock(mutex_);
        return by_status_;
    }

  private:
    mutable std::mutex mutex_;
    std::map<int, std::uint64_t> by_status_;
};

/// What coroutines share; it outlives them all. Thread: the admin loop's, but for tools and answers.
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
    Answers answers;
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

/// Waits so long; a question that thinks for less than kAnswerTime has the answer that it gave last. Nothing: none.
template <class T>
net::Task<std::optional<T>> answer_to(StatePtr state, Question<T>& question, nanoseconds wait) {
    if (!question.under_way) {
        question.under_way = true;
        question.begun = BootClock::now();
        question.answered.reset();
        net::spawn(state->loop, ask(state, question));
    }
    const bool in_time = co_await question.answered.wait_for(wait);
    if (!in_time && BootClock::now() - question.begun >= kAnswerTime) co_return std::nullopt;
    co_return question.latest;
}

net::Task<net::Reply> readiness(StatePtr state, const Health& health) {
    std::string reasons;
    for (const auto& reason : health.not_ready) reasons += reason + "\n";
    const auto store = co_await answer_to(state, state->store, kStoreWait);
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
    state->answers.count(reply.response.status);
    co_return reply;
}

net::Task<net::Reply> answer_admin(StatePtr state, net::HttpRequest request) {
    auto refused = refused_method(request);
    if (refused) co_return std::move(*refused);
    const std::string path(net::path_of(request.target));
    if (path != "/livez" && path != "/readyz" && path != "/metrics") co_return plain(404, "not found\n");
    auto told = co_await answer_to(state, state->program, kAnswerTime);
    if (!told) co_return plain(503, "the program does not answer\n");
    if (path == "/livez") co_return plain(200, "alive\n");
    if (path == "/metrics") co_return metrics(std::move(*told), state->answers.so_far());
    co_return co_await readiness(state, *told);
}

}  // namespace

/// A loop each, so that a disk that stalls a download does not stop the answer to "are you alive".
struct Site::Impl {
    explicit Impl(SiteTools tools)
        : state(std::make_shared<State>(std::move(tools), admin_thread.loop(), *for_program, *for_store)) {}
    Impl(const Impl&) = delete;
    Impl& operator=(const Impl&) = delete;
    /// Nobody is answered any more, then nothing is asked any more, then nothing runs any more. What runs on the loops
    /// does not throw.
    // NOLINTNEXTLINE(bugprone-exception-escape)
    ~Impl() {
        audio_thread.call([this] { audio.reset(); });
        admin_thread.call([this] {
            state->stopped = true;
            admin.reset();
        });
        for_program.reset();
        for_store.reset();
        audio_thread.stop();
        admin_thread.stop();
    }

    Status listen(const Config::Web& config);

    net::LoopThread audio_thread;
    net::LoopThread admin_thread;
    std::optional<net::Blocking> for_program{std::in_place};
    std::optional<net::Blocking> for_store{std::in_place};
    StatePtr state;
    std::optional<net::Server> audio;
    std::optional<net::Server> admin;
};

namespace {

Status serve(net::LoopThread& thread, std::optional<net::Server>& server, const char* key, net::ServerOptions options,
             std::function<net::Task<net::Reply>(net::HttpRequest)> answer) {
    auto listening = thread.call([&] {
        net::Handlers handlers;
        handlers.request = std::move(answer);
        return net::Server::listen(thread.loop(), std::move(options), std::move(handlers));
    });
    if (!listening) return Error{listening.error().kind, std::string(key) + ": " + listening.error().message};
    server.emplace(std::move(*listening));
    return Ok();
}

}  // namespace

Status Site::Impl::listen(const Config::Web& config) {
    auto done = serve(audio_thread, audio, "web.listen", options_of(config.listen, kMaxClients),
                      [state = state](net::HttpRequest request) { return answer_public(state, std::move(request)); });
    if (!done) return done;
    return serve(admin_thread, admin, "web.admin_listen", options_of(config.admin_listen, kMaxAdmins),
                 [state = state](net::HttpRequest request) { return answer_admin(state, std::move(request)); });
}

Site::Site(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Site::~Site() = default;

Result<std::unique_ptr<Site>> Site::open(SiteTools tools) {
    const Config::Web& config = tools.config.web;
    auto impl = std::make_unique<Impl>(std::move(tools));
    if (auto listening = impl->listen(config); !listening) return listening.error();
    return std::unique_ptr<Site>(new Site(std::move(impl)));
}

std::uint16_t Site::port() const {
    return impl_->audio_thread.call([this] { return impl_->audio->port(); });
}

std::uint16_t Site::admin_port() const {
    return impl_->admin_thread.call([this] { return impl_->admin->port(); });
}

}  // namespace lestapenna::web
