// A capture of RTP in the clear becomes a session's journal. It is read into memory and journaled in the
// order of time. See docs/architecture.md section 10, `import`.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "base/ids.h"
#include "base/result.h"
#include "base/time.h"
#include "timeline/timeline.h"
#include "workflows/session.h"

namespace lestapenna::cli {

using UserBySsrc = std::map<std::uint32_t, UserId>;

/// "SSRC=USER,SSRC=USER": SSRC decimal or 0x hexadecimal. Errors: usage, naming the part that is wrong.
Result<UserBySsrc> parse_users(std::string_view text);

struct ImportOptions {
    std::filesystem::path capture;
    UserBySsrc users;
    std::optional<UnixTime> start;     ///< time zero; not after the first packet, nor kLongestImport before it
    std::optional<SessionId> session;  ///< else a new one
};

/// No session of an import is longer, so that one packet with an absurd time does not make a file of years: its master
/// has 9.7 GB.
inline constexpr std::chrono::hours kLongestImport{7 * 24};

struct Imported {
    SessionId session;
    timeline::Timeline timeline;                      ///< as its journal says
    std::uint64_t packets = 0;                        ///< journaled
    std::map<std::uint32_t, std::uint64_t> unlisted;  ///< packets by SSRC that nobody named
    std::map<std::string, std::uint64_t> rejects;     ///< datagrams that are no RTP voice packet, by reason
    std::optional<Error> damage;                      ///< the capture is cut: what is here is what could be read
};

/// On return the journal is durable and its session ended. After an error nothing of it is left. Errors: not_found and
/// damaged for the capture (also when it holds no voice packet), usage when it holds none of these SSRCs, when `start`
/// can not be or the session exists; failed; interrupted.
Result<Imported> import_capture(const ImportOptions& options, const std::filesystem::path& journal_root,
                                milliseconds rotation);

/// The same, and the session stands in the catalog as one that has ended, with its ledger: from there on it is a
/// session like any other.
Result<Imported> import_session(const workflows::Tools& tools, const ImportOptions& options);

}  // namespace lestapenna::cli
