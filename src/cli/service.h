// The whole program as one object: Discord's REST and gateway on a loop thread, the bot on it, the journals' committer,
// the jobs' runner with every handler, the web site. What `run` runs, and the demo.
//
// Thread: every method from one thread, not one of its own. Ownership: the configuration outlives it. Destroying it
// leaves every channel as by a kill, only that all is durable; the next Service on this data folder goes on. Errors:
// open() says in one sentence what to mend; one Service per data folder (a lock says so to the second). A Discord that
// is away is no error: it is waited for.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "base/config.h"
#include "base/result.h"
#include "base/time.h"

namespace lestapenna::cli {

struct ServiceOptions {
    std::string extra_ca_pem{};  ///< trusted besides the system's authorities and discord.ca_file
    unsigned threads = 1;        ///< that render, per job
    bool links_to_here = false;  ///< without web.public_url links lead to the port we listen on: for a demo
};

class Service {
  public:
    /// Opens everything and begins to log in.
    static Result<std::unique_ptr<Service>> open(const Config& config, const ServiceOptions& options);
    ~Service();
    Service(const Service&) = delete;
    Service& operator=(const Service&) = delete;

    /// True once Discord has accepted the token; waits for that at most so long.
    bool logged_in_within(milliseconds time);
    /// Why it can not go on (a bad token, say), once it can not; waits for that at most so long.
    std::optional<Error> broken_within(milliseconds time);

    struct Busy {
        std::size_t sessions = 0;  ///< being recorded
        std::size_t jobs = 0;      ///< that wait or run
    };
    Result<Busy> busy();
    [[nodiscard]] std::uint16_t web_port() const;
    [[nodiscard]] std::uint16_t admin_port() const;
    /// What the links that the bot gives begin with; empty: it gives none.
    [[nodiscard]] std::string links_begin() const;

  private:
    struct Impl;
    explicit Service(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

}  // namespace lestapenna::cli
