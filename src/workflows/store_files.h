// The files of a session as the catalog names them and the store holds them, heard without its journal. Private to
// workflows/. Thread: one.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "render/clips.h"
#include "workflows/session.h"

namespace lestapenna::workflows {

/// A fragment or a chunk.
struct NamedFile {
    std::string key;
    UserId user{};
    UnixTime start{};
    std::optional<milliseconds> duration{};
    catalog::FileStatus status = catalog::FileStatus::pending;
    std::optional<catalog::Content> content{};
};
/// By user, then start; of two of one user and start the first that is in the store, without the files of `without`.
struct NamedFiles {
    std::vector<NamedFile> fragments;
    std::vector<NamedFile> chunks;
};

/// What the store holds of a session: one listing, and a look at each key of an older layout.
class Held {
  public:
    static Result<Held> look(const Tools& tools, const SessionId& id, const std::vector<std::string>& keys);
    [[nodiscard]] std::optional<std::uint64_t> bytes(const std::string& key) const;
    [[nodiscard]] bool has(const std::string& key) const { return bytes(key).has_value(); }

  private:
    std::map<std::string, std::uint64_t, std::less<>> bytes_;
};

/// Is a fragment or chunk that begins at `start` in this master, as far as their times say? Not what was heard after it
/// was made: a session that goes on after its end has, until its next one, the master of its first half. True where the
/// master's length is not known.
bool reaches(const catalog::Session& session, const catalog::Master& master, UnixTime start,
             std::optional<milliseconds> duration);

/// One that can be heard.
struct HeardFile {
    NamedFile named;
    audio::Mp3File file;
    std::string sha256;    ///< of what is there
    bool damaged = false;  ///< not what was stored, or cut off: it is heard as far as it goes
};

/// Fetches and opens those of `files` that are there, over the threads; nothing for one that is no MP3 file. Copies are
/// made below `scratch`.
Result<std::vector<std::optional<HeardFile>>> open_files(const Tools& tools, Scratch& scratch,
                                                         const std::vector<NamedFile>& files);

}  // namespace lestapenna::workflows
