// A capture of RTP in the clear becomes a session's journal. Two passes over the file: the first finds time zero, the
// second writes. See docs/architecture.md section 10, `import`.
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
#include "workflows/session.h"

namespace lestapenna::cli {

using UserBySsrc = std::map<std::uint32_t, UserId>;

/// "SSRC=USER,SSRC=USER": SSRC decimal or 0x hexadecimal. Errors: usage, naming the part that is wrong.
Result<UserBySsrc> parse_users(std::string_view text);

struct ImportOptions {
    std::filesystem::path capture;
    UserBySsrc users;
    std::optional<UnixTime> start;     ///< time zero; not after the first packet
    std::optional<SessionId> session;  ///< else a new one
};

struct Imported {
    SessionId session;
    UnixTime start;
    SamplePos end;                                    ///< of the last connection
    std::uint64_t packets = 0;                        ///< journaled
    std::map<std::uint32_t, std::uint64_t> unlisted;  ///< packets by SSRC that nobody named
    std::map<std::string, std::uint64_t> rejects;     ///< datagrams that are no RTP voice packet, by reason
    std::optional<Error> damage;                      ///< the capture is cut: what is here is what could be read
};

/// On return the journal is durable and its session ended. After an error nothing of it is left. Errors: not_found and
/// damaged for the capture (also when it holds no voice packet of these SSRCs), usage when `start` is too late or the
/// session exists, failed.
Result<Imported> import_capture(const ImportOptions& options, const std::filesystem::path& journal_root,
                                milliseconds rotation);

/// The same, and the session stands in the catalog as one that has ended: from there on it is a session like any other.
Result<Imported> import_session(const workflows::Tools& tools, const ImportOptions& options);

}  // namespace lestapenna::cli
