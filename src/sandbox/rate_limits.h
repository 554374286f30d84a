// Discord's rate limits as its REST API enforces them: fixed windows by bucket and major resource, and 50 requests a
// second for everything of one bot. A value with rules; the caller brings the time.
#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <string>

#include "base/time.h"
#include "net/http.h"

namespace lestapenna::sandbox {

struct RateLimit {
    const char* bucket = "";  ///< the hash that clients see
    int requests = 0;         ///< within `window`
    milliseconds window{0};
};

class RateLimits {
  public:
    using Time = std::chrono::steady_clock::time_point;

    struct Verdict {
        net::Headers headers;                      ///< X-RateLimit-*; belong on the answer either way
        std::optional<net::HttpResponse> refusal;  ///< the 429
    };
    /// Counts one request of `bot` against a limit; `resource` is its channel, guild or webhook.
    Verdict count(const RateLimit& limit, const std::string& bot, const std::string& resource, Time now);
    /// The same for the global limit; nothing: go on.
    std::optional<net::HttpResponse> count_global(const std::string& bot, Time now);

  private:
    struct Window {
        Time end{};
        int used = 0;
    };
    Window& window(const std::string& key, milliseconds length, Time now);

    std::map<std::string, Window> windows_;
};

/// A 429 as Discord writes it: the exact time in the body, the header rounded up.
net::HttpResponse too_many_requests(std::chrono::duration<double> retry_after, bool global);

}  // namespace lestapenna::sandbox
