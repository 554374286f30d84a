#include "cli/import_capture.h"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <functional>
#include <system_error>

#include <fmt/format.h>
#include <sys/stat.h>

#include "base/files.h"
#include "cli/context.h"
#include "journal/writer.h"
#include "rtp/packet.h"
#include "sandbox/capture.h"
#include "timeline/timeline.h"
#include "workflows/ledger.h"

namespace lestapenna::cli {

namespace {

using sandbox::CaptureReader;
using sandbox::CaptureTime;

std::optional<std::uint32_t> parse_ssrc(std::string_view text) {
    const bool hex = text.starts_with("0x") || text.starts_with("0X");
    if (hex) text.remove_prefix(2);
    std::uint32_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, hex ? 16 : 10);
    if (error != std::errc{} || end != text.data() + text.size() || text.empty()) return std::nullopt;
    return value;
}

/// What one pass saw.
struct Pass {
    std::map<std::uint32_t, std::uint64_t> listed;
    std::map<std::uint32_t, std::uint64_t> unlisted;
    std::map<std::string, std::uint64_t> rejects;
    std::optional<Error> damage;
};

using OnPacket = std::function<Status(CaptureTime, const rtp::Parsed&)>;

/// Reads the capture once; `on_packet` sees the packets of the listed SSRCs.
Result<Pass> read_capture(const ImportOptions& options, const OnPacket& on_packet) {
    auto reader = CaptureReader::open(options.capture);
    if (!reader) return reader.error();
    Pass pass;
    std::optional<CaptureTime> first;
    for (;;) {
        if (Context::stop()) return Error{ErrorKind::interrupted, "stopped: nothing was imported"};
        auto outcome = reader->next();
        if (std::holds_alternative<sandbox::CaptureEnd>(outcome)) break;
        if (auto* error = std::get_if<Error>(&outcome)) {
            pass.damage = std::move(*error);
            continue;
        }
        const auto& datagram = std::get<sandbox::Datagram>(outcome);
        const rtp::Parsed parsed = rtp::parse(datagram.payload);
        if (parsed.reject != rtp::Reject::none || parsed.payload.size() > journal::kMaxPayloadBytes) {
            ++pass.rejects[parsed.reject != rtp::Reject::none ? rtp::to_string(parsed.reject) : "too long for Opus"];
        } else if (!options.users.contains(parsed.header.ssrc)) {
            ++pass.unlisted[parsed.header.ssrc];
        } else if (std::chrono::abs(datagram.time - first.emplace(first.value_or(datagram.time))) >
                   kLongestImport / 2) {
            ++pass.rejects["captured half a week or more from the first one"];
        } else {
            ++pass.listed[parsed.header.ssrc];
            if (auto status = on_packet(datagram.time, parsed); !status) return status.error();
        }
    }
    for (std::size_t i = 1; i < sandbox::kFrameRejects; ++i) {
        if (const auto count = reader->counts().rejects[i]; count > 0) {
            pass.rejects[sandbox::to_string(static_cast<sandbox::FrameReject>(i))] += count;
        }
    }
    return pass;
}

journal::Packet to_record(const rtp::Parsed& parsed, BootTime arrival) {
    journal::Packet packet;
    packet.ssrc = parsed.header.ssrc;
    packet.seq = parsed.header.seq;
    packet.rtp_timestamp = parsed.header.timestamp;
    packet.arrival = arrival;
    packet.payload_size = static_cast<std::uint16_t>(parsed.payload.size());
    packet.payload = parsed.payload;
    return packet;
}

/// What the first pass is for.
struct Survey {
    CaptureTime first_arrival;
    CaptureTime first_placed;
};

Error nothing_to_import(const ImportOptions& options, const Pass& pass) {
    if (pass.damage) {
        return {ErrorKind::damaged, pass.damage->message + ": nothing in it can be imported; copy or capture it again"};
    }
    std::string seen;
    for (const auto& [ssrc, count] : pass.unlisted)
        seen += fmt::format("{}{} ({} packets)", seen.empty() ? "" : ", ", ssrc, count);
    if (!seen.empty()) {
        return {ErrorKind::usage, fmt::format("{} holds no packet of the SSRCs in --users; it holds {}: name those",
                                              options.capture.string(), seen)};
    }
    return {ErrorKind::damaged, fmt::format("{} holds no Opus in clear RTP (UDP, payload type 120): nothing to import",
                                            options.capture.string())};
}

Result<Survey> survey(const ImportOptions& options, milliseconds rotation) {
    timeline::Builder builder(rotation, SamplePos::min() + seconds{86'400});
    std::optional<CaptureTime> origin;
    CaptureTime earliest = CaptureTime::max();
    const auto pass = read_capture(options, [&](CaptureTime time, const rtp::Parsed& parsed) -> Status {
        if (!origin) origin = time;
        earliest = std::min(earliest, time);
        builder.add(to_record(parsed, BootTime{}), SessionTime{time - *origin},
                    {0, 0, static_cast<std::uint16_t>(parsed.payload.size())});
        return Ok{};
    });
    if (!pass) return pass.error();
    if (!origin) return nothing_to_import(options, *pass);
    SamplePos first = SamplePos::max();
    const timeline::Timeline placed = builder.finish();
    for (const auto& connection : placed.connections) {
        for (const auto& stream : connection.streams) {
            if (!stream.packets.empty()) first = std::min(first, stream.packets.front().at);
        }
    }
    return Survey{earliest, *origin + std::chrono::floor<nanoseconds>(first.time_since_epoch())};
}

/// The second pass: everything into the journal.
class Importer {
  public:
    Importer(const ImportOptions& options, journal::Writer& writer, UnixTime start)
        : options_(options), writer_(writer), start_(start) {}

    Result<Imported> run(const SessionId& id) {
        auto pass =
            read_capture(options_, [this](CaptureTime time, const rtp::Parsed& parsed) { return write(time, parsed); });
        if (!pass) return pass.error();
        if (auto status = append(journal::End{last_}); !status) return status.error();
        if (auto status = writer_.flush(); !status) return status.error();
        return Imported{id, {}, packets_, std::move(pass->unlisted), std::move(pass->rejects), std::move(pass->damage)};
    }

  private:
    Status write(CaptureTime time, const rtp::Parsed& parsed) {
        // An import's CLOCK_BOOTTIME begins at its time zero.
        const BootTime arrival{time - start_};
        last_ = std::max(last_, arrival);
        if (auto status = bind(parsed.header.ssrc, arrival); !status) return status;
        ++packets_;
        return append(to_record(parsed, arrival));
    }

    /// Who speaks is said again each minute, so that the loss of one segment does not make the others anonymous.
    Status bind(std::uint32_t ssrc, BootTime at) {
        constexpr seconds kAgain{60};
        const auto [said, fresh] = bound_.try_emplace(ssrc, at);
        if (!fresh && at - said->second < kAgain) return Ok{};
        said->second = at;
        return append(journal::Binding{at, ssrc, options_.users.at(ssrc)});
    }

    Status append(const journal::Record& record) {
        constexpr std::uint64_t kRecordsPerWait = 256;  // 2 MB at the very most: the ring is half empty after each wait
        if (written_++ % kRecordsPerWait == 0) {
            if (auto status = writer_.wait_for_room(); !status) return status;
        }
        if (!writer_.append(record))
            return Error{ErrorKind::failed, "the journal does not take more records: the disk is too slow or full"};
        return Ok{};
    }

    const ImportOptions& options_;
    journal::Writer& writer_;
    UnixTime start_;
    BootTime last_{};
    std::map<std::uint32_t, BootTime> bound_;
    std::uint64_t packets_ = 0;
    std::uint64_t written_ = 0;
};

}  // namespace

Result<UserBySsrc> parse_users(std::string_view text) {
    UserBySsrc users;
    while (!text.empty()) {
        const auto comma = text.find(',');
        const std::string_view part = text.substr(0, comma);
        text = comma == std::string_view::npos ? std::string_view{} : text.substr(comma + 1);
        const auto equals = part.find('=');
        const auto ssrc = parse_ssrc(part.substr(0, equals));
        const auto user = equals == std::string_view::npos ? std::nullopt : UserId::parse(part.substr(equals + 1));
        if (!ssrc || !user) {
            return Error{
                ErrorKind::usage,
                fmt::format("--users: \"{}\" is not SSRC=USER (an SSRC like 1234 or 0x4d2, a user id of digits)",
                            part)};
        }
        if (!users.emplace(*ssrc, *user).second)
            return Error{ErrorKind::usage, fmt::format("--users: SSRC {} is named twice", *ssrc)};
    }
    if (users.empty())
        return Error{ErrorKind::usage, "--users is empty: name who spoke, like --users 1234=80351110224678912"};
    return users;
}

namespace {

Error session_exists(const SessionId& id) {
    return {ErrorKind::usage, "session " + id.text() + " exists: choose another --session or leave it out"};
}

/// Of an import that failed.
void remove_journal(const std::filesystem::path& folder) {
    std::error_code ignored;
    std::filesystem::remove_all(folder, ignored);
}

/// Time zero, as asked for or as found.
Result<UnixTime> time_zero(const std::optional<UnixTime>& asked, const Survey& found) {
    const auto first = std::chrono::floor<milliseconds>(found.first_arrival);
    const auto ms = [](UnixTime time) { return time.time_since_epoch().count(); };
    if (!asked) return std::chrono::floor<milliseconds>(found.first_placed);
    if (*asked > first) {
        return Error{ErrorKind::usage, fmt::format("--start {} is after the first packet ({}): the session would begin "
                                                   "too late",
                                                   ms(*asked), ms(first))};
    }
    if (first - *asked > kLongestImport) {
        return Error{ErrorKind::usage, fmt::format("--start {} is more than a week before the first packet ({}): is it "
                                                   "in milliseconds?",
                                                   ms(*asked), ms(first))};
    }
    return *asked;
}

/// The session's folder, made by us and nobody else: two imports of one id must not share it.
Status claim(const std::filesystem::path& folder, const SessionId& id) {
    if (auto made = make_folders(folder.parent_path()); !made) return made;
    if (::mkdir(folder.c_str(), 0700) == 0) return Ok{};
    if (errno == EEXIST) return session_exists(id);
    return io_error("make the folder", folder, errno);
}

Result<Imported> write_journal(const ImportOptions& options, const std::filesystem::path& journal_root,
                               const SessionId& id, UnixTime start) {
    journal::Committer committer(1);
    auto writer = journal::Writer::open(committer, journal_root, {id, start, BootTime{}, BootId{}});
    if (!writer) return writer.error();
    return Importer(options, *writer, start).run(id);
}

}  // namespace

Result<Imported> import_capture(const ImportOptions& options, const std::filesystem::path& journal_root,
                                milliseconds rotation) {
    const auto found = survey(options, rotation);
    if (!found) return found.error();
    const auto start = time_zero(options.start, *found);
    if (!start) return start.error();
    const SessionId id = options.session.value_or(SessionId::make());
    const auto folder = journal_root / id.text();
    if (auto ours = claim(folder, id); !ours) return ours.error();
    auto imported = write_journal(options, journal_root, id, *start);
    if (imported) {
        auto timeline = timeline::read(folder, rotation);
        if (timeline) imported->timeline = std::move(*timeline);
        if (!timeline) imported = timeline.error();
    }
    if (!imported) remove_journal(folder);
    return imported;
}

Result<Imported> import_session(const workflows::Tools& tools, const ImportOptions& options) {
    if (options.session && tools.catalog.session(*options.session)) return session_exists(*options.session);
    const auto root = workflows::journal_root(tools.config);
    auto imported = import_capture(options, root, tools.config.capture.rotation);
    if (!imported) return imported;
    const timeline::Timeline& timeline = imported->timeline;
    const auto listed = tools.catalog.together([&]() -> Status {
        const catalog::Session row{imported->session,
                                   {},
                                   {},
                                   timeline.start,
                                   timeline.unix_time(timeline.end()),
                                   catalog::SessionStatus::ending};
        if (auto status = tools.catalog.insert_session(row); !status) return status;
        return workflows::write_tracks(tools, row.id, timeline);
    });
    if (listed) return imported;
    remove_journal(root / imported->session.text());
    return listed.error();
}

}  // namespace lestapenna::cli
