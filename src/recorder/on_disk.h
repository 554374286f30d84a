// What a Recorder has done on the blocking thread: a session's row and its journal, always both.
//
// Thread: the blocking one's. Ownership: a value that is copied into the work; what it names outlives the Recorder.
// Errors: the catalog's and the disk's; locked when another process records the session.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "catalog/catalog.h"
#include "journal/writer.h"

namespace lestapenna::recorder {

struct OnDisk {
    catalog::Catalog& catalog;
    journal::Committer& committer;
    std::filesystem::path journal_root;
    journal::WriterOptions journal;

    struct Opened {
        journal::Writer writer;
        std::optional<catalog::Session> before{};  ///< the row of a session that goes on; a new one had none
        bool end_said = false;                     ///< the journal has accepted its End
    };
    /// A new session: its row, with time zero, then its journal. Where that can not be opened the row says failed.
    [[nodiscard]] Result<Opened> begin(const catalog::Session& row, const journal::SessionHead& head) const;
    /// One that goes on: its journal is ours, then the row says recording, and where by now.
    [[nodiscard]] Result<Opened> go_on(const catalog::Session& row, const journal::SessionHead& head) const;
    /// Nothing came of it: of a new session the row is left, failed; another is as it was found.
    [[nodiscard]] Status take_back(Opened opened, const SessionId& session) const;
    /// Ends the journal at `now`, and the row says so. Both are durable on return, and the journal is let go. After an
    /// error nothing is lost of what it holds in memory: call it again.
    /// `row`: what it has of the call's encryption is noted too.
    [[nodiscard]] Status end(Opened& opened, const catalog::Session& row, const journal::SessionHead& head,
                             BootTime now) const;
    /// We were moved.
    [[nodiscard]] Status note_place(const catalog::Session& row) const;
    [[nodiscard]] Status note_encryption(const catalog::Session& row) const;
    /// Who is recorded. What was counted of them stays.
    [[nodiscard]] Status name(const SessionId& session, UserId user, const std::string& name, bool bot) const;
};

}  // namespace lestapenna::recorder
