// What the workflows of one session share: where things are, the session's timeline, and its audio, decoded when it is
// first needed.
//
// Every workflow is idempotent: what is in the store already and was made by the same recipe is left alone, the rest is
// made under a temporary name in {data}/cache and put into the store; the row in the catalog comes first, so that a
// kill between any two steps is repaired by doing it again. Thread: one at a time per session; the work inside is
// spread over work.threads.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/config.h"
#include "base/result.h"
#include "catalog/catalog.h"
#include "render/decoded.h"
#include "render/work.h"
#include "store/store.h"
#include "timeline/timeline.h"
#include "workflows/scratch.h"

namespace lestapenna::workflows {

/// Where things are and how work is done; all of it outlives the workflow.
struct Tools {
    const Config& config;
    catalog::Catalog& catalog;
    store::ObjectStore& store;
    render::Work work;
};

std::filesystem::path journal_root(const Config& config);
std::filesystem::path journal_folder(const Config& config, const SessionId& id);

/// What one says who may not touch a session that is being recorded.
Error recorded_error(const SessionId& id);

/// Whether the store still holds `key`, as the catalog says it should.
Result<bool> in_store(const Tools& tools, const std::string& key);

/// How long a file of this machine is, and its SHA-256.
Result<catalog::Content> content_of(const std::filesystem::path& file);

/// Puts a finished file into the store and removes it here; what it was is for its row.
Result<catalog::Content> keep_file(const Tools& tools, const std::filesystem::path& file, const store::Key& key);

/// What to do with a session that is being recorded: who changes it refuses, who only reads it takes what is there.
enum class WhileRecording { refuse, read };

class Session {
  public:
    /// Reads the journal. Errors: not_found for an unknown id or a journal that is gone, locked while it is being
    /// recorded, damaged when nothing of the journal can be read.
    static Result<Session> open(Tools tools, const SessionId& id, WhileRecording recorded = WhileRecording::refuse);

    [[nodiscard]] const SessionId& id() const { return id_; }
    [[nodiscard]] const timeline::Timeline& timeline() const { return *timeline_; }
    [[nodiscard]] Tools& tools() { return tools_; }
    /// Decodes at the first call.
    Result<const std::vector<render::DecodedConnection>*> decoded();

    /// Is this file there, stored and made by `today`'s recipe? A damaged journal makes nothing better: what was made
    /// by another recipe is then as good. While it is recorded the catalog is believed: asking the store for each file
    /// at each window would cost the square of the session's length; the end asks.
    Result<bool> up_to_date(const std::string& key, const std::string& made_by, const std::string& today);
    /// A name for a file in the making. Errors: locked while another process makes this session's files.
    Result<std::filesystem::path> scratch(const std::string& name);
    /// keep_file().
    Result<catalog::Content> keep(const std::filesystem::path& file, const store::Key& key);

  private:
    Session(Tools tools, SessionId id, timeline::Timeline timeline, WhileRecording recorded);
    Tools tools_;
    SessionId id_;
    WhileRecording recorded_;
    std::unique_ptr<timeline::Timeline> timeline_;  // decoded connections point into it
    std::optional<std::vector<render::DecodedConnection>> decoded_;
    std::optional<Scratch> scratch_;
};

}  // namespace lestapenna::workflows
