#include "recorder/on_disk.h"

#include <algorithm>
#include <system_error>
#include <utility>

#include "base/log.h"

namespace lestapenna::recorder {

using catalog::SessionStatus;

Result<OnDisk::Opened> OnDisk::begin(const catalog::Session& row, const journal::SessionHead& head) const {
    if (auto listed = catalog.insert_session(row); !listed) return listed.error();
    auto opened = journal::Writer::open(committer, journal_root, head, journal);
    if (opened) return Opened{std::move(*opened)};
    if (auto marked = catalog.set_status(row.id, SessionStatus::failed); !marked)
        log().warn("session {}: {}", row.id.text(), marked.error().message);
    return opened.error();
}

Result<OnDisk::Opened> OnDisk::go_on(const catalog::Session& row, const journal::SessionHead& head) const {
    auto opened = journal::Writer::open(committer, journal_root, head, journal);
    if (!opened) return opened.error();
    auto before = catalog.session(head.id);
    if (!before) return before.error();
    const auto reopen = [&]() -> Status {
        Status reopened = catalog.reopen_session(head.id);
        return reopened ? catalog.set_place(row) : reopened;
    };
    if (auto reopened = catalog.together(reopen); !reopened) return reopened.error();
    return Opened{std::move(*opened), std::move(*before)};
}

Status OnDisk::take_back(Opened opened, const SessionId& session) const {
    const auto before = std::move(opened.before);
    if (!before) {
        { const auto closed = std::move(opened.writer); }
        std::error_code ignored;
        std::filesystem::remove_all(journal_root / session.text(), ignored);
        return catalog.set_status(session, SessionStatus::failed);
    }
    return catalog.together([&]() -> Status {
        Status put_back = catalog.set_status(session, before->status);
        if (put_back && before->end) put_back = catalog.set_end(session, *before->end);
        return put_back ? catalog.set_place(*before) : put_back;
    });
}

Status OnDisk::end(Opened& opened, const catalog::Session& row, const journal::SessionHead& head, BootTime now) const {
    if (auto room = opened.writer.wait_for_room(); !room) return room;
    if (!opened.end_said) opened.end_said = opened.writer.append(journal::End{now});
    if (!opened.end_said) return Error{ErrorKind::failed, "the journal has no room for its end: the disk is too slow"};
    if (auto durable = opened.writer.flush(); !durable) return durable;
    const auto end = head.start + std::chrono::floor<milliseconds>(now - head.anchor);
    Status listed = catalog.together([&]() -> Status {
        Status set = catalog.set_end(head.id, end);
        if (set) set = catalog.set_status(head.id, SessionStatus::ending);
        if (set) set = catalog.set_encryption(row);
        return set;
    });
    if (listed) const auto unlocked = std::move(opened.writer);
    return listed;
}

Status OnDisk::note_place(const catalog::Session& row) const {
    return catalog.set_place(row);
}

Status OnDisk::note_encryption(const catalog::Session& row) const {
    return catalog.set_encryption(row);
}

Status OnDisk::name(const SessionId& session, UserId user, const std::string& name, bool bot) const {
    return catalog.together([&]() -> Status {
        const auto rows = catalog.tracks(session);
        if (!rows) return rows.error();
        catalog::Track row{session, user};
        const auto known = std::ranges::find(*rows, user, &catalog::Track::user);
        if (known != rows->end()) row = *known;
        row.name = name;
        row.bot = bot;
        return catalog.upsert_track(row);
    });
}

}  // namespace lestapenna::recorder
