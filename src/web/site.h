// What the program shows over HTTP: on web.listen the audio behind signed links, on web.admin_listen health and
// metrics.
//
//   GET, HEAD /audio/{key}?...  store/links.h; byte ranges (RFC 9110 section 14), ETag, a name to save it under
//   /livez    200 while `ask` returns, else 503: the event loop that records does not answer
//   /readyz   200 when `ask` names nothing (bot logged in, catalog answers) and the store answers, else 503 with one
//             line per reason. The store is waited for 0.7 s; what it said last counts while it thinks, for 5 s
//   /metrics  Prometheus
// All else is 404; audio never appears on the admin address, nor metrics on the public one.
//
// Thread: two loops of its own: files are read on the one for audio, so a disk that stalls does not make the program
// look dead; the recorder's loop is only asked through `ask`. Ownership: what the tools refer to outlives it;
// destroying it cuts downloads and waits for the `ask` under way. Errors: open() says which address is taken;
// afterwards a client's mistakes are its own 4xx.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/config.h"
#include "base/metrics.h"
#include "base/result.h"
#include "store/links.h"
#include "store/store.h"

namespace lestapenna::web {

struct Health {
    std::vector<std::string> not_ready{};  ///< one sentence each; empty: ready
    std::vector<Metric> metrics{};
};

struct SiteTools {
    const Config& config;
    const store::Links& links;
    store::ObjectStore& store;
    /// Asks the running program; called on a thread of the site's own and may block. When it does not return within 5 s
    /// the program counts as not alive.
    std::function<Health()> ask;
};

class Site {
  public:
    /// Listens on both addresses; port 0: the kernel chooses.
    static Result<std::unique_ptr<Site>> open(SiteTools tools);
    ~Site();
    Site(const Site&) = delete;
    Site& operator=(const Site&) = delete;

    [[nodiscard]] std::uint16_t port() const;
    [[nodiscard]] std::uint16_t admin_port() const;

  private:
    struct Impl;
    explicit Site(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

}  // namespace lestapenna::web
