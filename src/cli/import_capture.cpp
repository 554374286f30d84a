#include "cli/import_capture.h"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <optional>
#include <span>
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

Error stopped() {
    return {ErrorKind::interrupted, "stopped: nothing was imported"};
}

/// A voice packet of somebody in --users.
struct Captured {
    CaptureTime time;
    rtp::Header header;
    std::size_t payload = 0;  ///< where it begins in Capture::payloads
    std::uint16_t size = 0;
};

/// What a capture holds, in the order of time: a file that was merged from several is not in order, and what stands
/// late in it did not arrive late.
struct Capture {
    std::vector<Captured> packets;
    std::vector<std::uint8_t> payloads;
    std::map<std::uint32_t, std::uint64_t> unlisted;
    std::map<std::string, std::uint64_t> rejects;
    std::optional<Error> damage;

    [[nodiscard]] journal::Packet record(const Captured& captured, BootTime arrival) const {
        journal::Packet packet;
        packet.ssrc = captured.header.ssrc;
        packet.seq = captured.header.seq;
        packet.rtp_timestamp = captured.header.timestamp;
        packet.arrival = arrival;
        packet.payload_size = captured.size;
        packet.payload = std::span(payloads).subspan(captured.payload, captured.size);
        return packet;
    }
};

void take(Capture& capture, const ImportOptions& options, const sandbox::Datagram& datagram) {
    const rtp::Parsed parsed = rtp::parse(datagram.payload);
    if (parsed.reject != rtp::Reject::none || parsed.payload.size() > journal::kMaxPayloadBytes) {
        ++capture.rejects[parsed.reject != rtp::Reject::none ? rtp::to_string(parsed.reject) : "too long for Opus"];
    } else if (!options.users.contains(parsed.header.ssrc)) {
        ++capture.unlisted[parsed.header.ssrc];
    } else if (!capture.packets.empty() &&
               std::chrono::abs(datagram.time - capture.packets.front().time) > kLongestImport / 2) {
        ++capture.rejects["captured half a week or more from the first one"];
    } else {
        capture.packets.push_back(
            {datagram.time, parsed.header, capture.payloads.size(), static_cast<std::uint16_t>(parsed.payload.size())});
        capture.payloads.insert(capture.payloads.end(), parsed.payload.begin(), parsed.payload.end());
    }
}

Result<Capture> read_capture(const ImportOptions& options) {
    auto reader = CaptureReader::open(options.capture);
    if (!reader) return reader.error();
    Capture capture;
    for (;;) {
        if (Context::stop()) return stopped();
        auto outcome = reader->next();
        if (std::holds_alternative<sandbox::CaptureEnd>(outcome)) break;
        if (auto* error = std::get_if<Error>(&outcome)) {
            capture.damage = std::move(*error);
        } else {
            take(capture, options, std::get<sandbox::Datagram>(outcome));
        }
    }
    for (std::size_t i = 1; i < sandbox::kFrameRejects; ++i) {
        if (const auto count = reader->counts().rejects[i]; count > 0) {
            capture.rejects[sandbox::to_string(static_cast<sandbox::FrameReject>(i))] += count;
        }
    }
    std::ranges::stable_sort(capture.packets, {}, &Captured::time);
    return capture;
}

Error nothing_to_import(const ImportOptions& options, const Capture& capture) {
    if (capture.damage) {
        return {ErrorKind::damaged,
                capture.damage->message + ": nothing in it can be imported; copy or capture it again"};
    }
    std::string seen;
    for (const auto& [ssrc, count] : capture.unlisted)
        seen += fmt::format("{}{} ({} packets)", seen.empty() ? "" : ", ", ssrc, count);
    if (!seen.empty()) {
        return {ErrorKind::usage, fmt::format("{} holds no packet of the SSRCs in --users; it holds {}: name those",
                                              options.capture.string(), seen)};
    }
    return {ErrorKind::damaged, fmt::format("{} holds no Opus in clear RTP (UDP, payload type 120): nothing to import",
                                            options.capture.string())};
}

/// Where the first packet belongs, before there is a time zero.
CaptureTime first_placed(const Capture& capture, milliseconds rotation) {
    const CaptureTime origin = capture.packets.front().time;
    timeline::Builder builder(rotation, SamplePos{} - kLongestImport);
    for (const Captured& captured : capture.packets) {
        builder.add(capture.record(captured, BootTime{}), SessionTime{captured.time - origin}, {0, 0, captured.size});
    }
    std::optional<SamplePos> first;
    const timeline::Timeline placed = builder.finish();
    for (const auto& connection : placed.connections) {
        for (const auto& stream : connection.streams) {
            if (stream.packets.empty()) continue;
            first = std::min(first.value_or(SamplePos::max()), stream.packets.front().at);
        }
    }
    // What is placed later than it arrived is nobody's packet.
    const SamplePos earliest = std::min(first.value_or(SamplePos{}), SamplePos{});
    return origin + std::chrono::floor<nanoseconds>(earliest.time_since_epoch());
}

/// Everything into the journal.
class Importer {
  public:
    Importer(const ImportOptions& options, const Capture& capture, journal::Writer& writer, UnixTime start)
        : options_(options), capture_(capture), writer_(writer), start_(start) {}

    Status run() {
        for (const Captured& captured : capture_.packets) {
            if (Context::stop()) return stopped();
            if (auto status = write(captured); !status) return status;
        }
        if (auto status = append(journal::End{last_}); !status) return status;
        return writer_.flush();
    }

  private:
    Status write(const Captured& captured) {
        // An import's CLOCK_BOOTTIME begins at its time zero.
        last_ = BootTime{captured.time - start_};
        if (auto status = bind(captured.header.ssrc, last_); !status) return status;
        return append(capture_.record(captured, last_));
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
    const Capture& capture_;
    journal::Writer& writer_;
    UnixTime start_;
    BootTime last_{};
    std::map<std::uint32_t, BootTime> bound_;
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
Result<UnixTime> time_zero(const std::optional<UnixTime>& asked, const Capture& capture, milliseconds rotation) {
    if (!asked) return std::chrono::floor<milliseconds>(first_placed(capture, rotation));
    const auto first = std::chrono::floor<milliseconds>(capture.packets.front().time);
    const auto ms = [](UnixTime time) { return time.time_since_epoch().count(); };
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

Status write_journal(const ImportOptions& options, const Capture& capture, const std::filesystem::path& journal_root,
                     const SessionId& id, UnixTime start) {
    journal::Committer committer(1);
    auto writer = journal::Writer::open(committer, journal_root, {id, start, BootTime{}, BootId{}});
    if (!writer) return writer.error();
    return Importer(options, capture, *writer, start).run();
}

}  // namespace

Result<Imported> import_capture(const ImportOptions& options, const std::filesystem::path& journal_root,
                                milliseconds rotation) {
    auto capture = read_capture(options);
    if (!capture) return capture.error();
    if (capture->packets.empty()) return nothing_to_import(options, *capture);
    const auto start = time_zero(options.start, *capture, rotation);
    if (!start) return start.error();
    const SessionId id = options.session.value_or(SessionId::make());
    const auto folder = journal_root / id.text();
    if (auto ours = claim(folder, id); !ours) return ours.error();
    if (auto written = write_journal(options, *capture, journal_root, id, *start); !written) {
        remove_journal(folder);
        return written.error();
    }
    auto timeline = timeline::read(folder, rotation);
    if (!timeline) {
        remove_journal(folder);
        return timeline.error();
    }
    return Imported{id,
                    std::move(*timeline),
                    capture->packets.size(),
                    std::move(capture->unlisted),
                    std::move(capture->rejects),
                    std::move(capture->damage)};
}

Result<Imported> import_session(const workflows::Tools& tools, const ImportOptions& options) {
    if (options.session && tools.catalog.session(*options.session)) return session_exists(*options.session);
    const auto root = workflows::journal_root(tools.config);
    auto imported = import_capture(options, root, tools.config.capture.rotation);
    if (!imported) return imported;
    const timeline::Timeline& timeline = imported->timeline;
    const auto listed = tools.catalog.together([&]() -> Status {
        if (Context::stop()) return stopped();
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
