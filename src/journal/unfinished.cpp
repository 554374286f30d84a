#include "journal/unfinished.h"

#include <algorithm>
#include <utility>
#include <variant>

#include "journal/must.h"
#include "journal/reader.h"

namespace lestapenna::journal {

namespace {

/// One overload per record that changes how the journal stands; the rest ignores.
struct Fold {
    Unfinished& into;

    void operator()(const Join& join) const {
        into.present.insert(join.user);
        into.known.insert(join.user);
    }
    void operator()(const Leave& leave) const { into.present.erase(leave.user); }
    void operator()(const Binding& binding) const { into.bound[binding.ssrc] = binding.user; }
    void operator()(const Pause&) const { into.paused = true; }
    void operator()(const Resume&) const { into.paused = false; }
    void operator()(const End&) const { into.ended = true; }
    void operator()(const Packet&) const {}
    void operator()(const Gap&) const {}
    void operator()(const Clock&) const {}
    void operator()(const Marker&) const {}
};

/// Two boots whose ids are not known may well be different ones.
bool same_boot(const BootId& one, const BootId& other) {
    return one == other && one != BootId{};
}

/// read_unfinished() gives no other.
SessionId id_of(const Unfinished& journal) {
    auto id = SessionId::parse(journal.session_id);
    must(id.has_value());
    return *std::move(id);
}

}  // namespace

UnixTime Unfinished::last_alive() const {
    return start + std::chrono::floor<milliseconds>(until.time_since_epoch());
}

nanoseconds Unfinished::silent_for(const ClockReading& now, const BootId& now_boot) const {
    if (same_boot(boot, now_boot)) return now.boot - (anchor + until.time_since_epoch());
    return now.wall - (start + until.time_since_epoch());
}

Result<Unfinished> read_unfinished(const std::filesystem::path& session_folder) {
    auto reader = Reader::open(session_folder);
    if (!reader) return reader.error();
    Unfinished found;
    for (;;) {
        const auto outcome = reader->next();
        if (std::holds_alternative<CleanEnd>(outcome)) break;
        const auto* const item = std::get_if<Item>(&outcome);
        if (item == nullptr) continue;
        found.until = std::max(found.until, item->time);
        std::visit(Fold{found}, item->record);
    }
    found.session_id = reader->session_id();
    if (reader->segments().empty() || !SessionId::parse(found.session_id)) {
        return Error{ErrorKind::damaged, "nothing in " + session_folder.string() + " can be read as a journal"};
    }
    const SegmentInfo& last = reader->segments().back();
    found.start = last.session_start;
    found.anchor = last.anchor;
    found.boot = last.boot;
    return found;
}

SessionHead head_to_go_on(const Unfinished& journal, const ClockReading& now, const BootId& boot) {
    if (same_boot(boot, journal.boot)) return {id_of(journal), journal.start, journal.anchor, boot};
    const nanoseconds by_wall = now.wall - journal.start;
    const nanoseconds session_now = std::max(by_wall, journal.until.time_since_epoch());
    return {id_of(journal), journal.start, now.boot - session_now, boot};
}

Status close_connections(Committer& committer, const std::filesystem::path& journal_root, const Unfinished& journal) {
    if (journal.present.empty()) return Ok{};
    // On the clock of whoever recorded it last: what is said here happened then.
    const SessionHead head{id_of(journal), journal.start, journal.anchor, journal.boot};
    auto writer = Writer::open(committer, journal_root, head);
    if (!writer) return writer.error();
    for (const UserId user : journal.present) {
        if (auto room = writer->wait_for_room(); !room) return room;
        if (!writer->append(Leave{journal.anchor + journal.until.time_since_epoch(), user}))
            return Error{ErrorKind::failed, "the journal of " + journal.session_id + " has no room: the disk is full"};
    }
    return writer->flush();
}

}  // namespace lestapenna::journal
