// The whole program as one object: Discord's gateway and REST on a loop thread, the bot, the journals' committer, the
// jobs' runner with every handler, the web site. What `run` runs, and the demo.
//
// Thread: every method from one thread, not one of its own. Ownership: the configuration outlives it. Destroying it
// leaves every channel as by a kill, only that all is durable; the next Service on this data folder goes on. Errors:
// open() says in one sentence what to mend; one Service per data folder (a lock says so to the second).
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "base/config.h"
#include "base/result.h"
#include "store/store.h"

namespace lestapenna::cli {

struct ServiceOptions {
    std::string extra_ca_pem{};  ///< trusted besides the system's authorities and discord.ca_file
    unsigned threads = 1;        ///< that render, per job
};

class Service {
  public:
    /// Opens everything and logs in; returns once Discord has accepted the token.
    static Result<std::unique_ptr<Service>> open(const Config& config, ServiceOptions options);
    ~Service();
    Service(const Service&) = delete;
    Service& operator=(const Service&) = delete;

    /// Why it can not go on (Discord has thrown the bot out), once it can not; waits for that at most so long.
    std::optional<Error> broken_within(milliseconds time);
    /// Sessions being recorded, and jobs that wait or run.
    struct Busy {
        std::size_t sessions = 0;
        std::size_t jobs = 0;
    };
    Result<Busy> busy();
    [[nodiscard]] std::uint16_t web_port() const;
    [[nodiscard]] std::uint16_t admin_port() const;

  private:
    struct Impl;
    explicit Service(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

}  // namespace lestapenna::cli
