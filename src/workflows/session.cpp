#include "workflows/session.h"

#include <system_error>

#include "base/files.h"
#include "journal/writer.h"

namespace lestapenna::workflows {

std::filesystem::path journal_root(const Config& config) {
    return config.data.dir / "journal";
}

std::filesystem::path journal_folder(const Config& config, const SessionId& id) {
    return journal_root(config) / id.text();
}

Result<bool> in_store(const Tools& tools, const std::string& text) {
    const auto key = store::Key::parse(text);
    if (!key) return false;
    const auto found = tools.store.find(*key);
    if (!found) return found.error();
    return found->has_value();
}

Session::Session(Tools tools, SessionId id, timeline::Timeline timeline)
    : tools_(std::move(tools)),
      id_(std::move(id)),
      timeline_(std::make_unique<timeline::Timeline>(std::move(timeline))) {}

Result<Session> Session::open(Tools tools, const SessionId& id, WhileRecording recorded) {
    const auto known = tools.catalog.session(id);
    if (!known) return known.error();
    const auto folder = journal_folder(tools.config, id);
    if (recorded == WhileRecording::refuse && journal::is_locked(folder)) {
        return Error{ErrorKind::locked, "session " + id.text() + " is being recorded: end it first"};
    }
    auto timeline = timeline::read(folder, tools.config.capture.rotation);
    if (!timeline && timeline.error().kind == ErrorKind::not_found) {
        return Error{ErrorKind::not_found, "the journal of session " + id.text() + " is not at " + folder.string() +
                                               " any more: bring it back there, or use what is in the store"};
    }
    if (!timeline) return timeline.error();
    return Session(std::move(tools), id, std::move(*timeline));
}

Result<const std::vector<render::DecodedConnection>*> Session::decoded() {
    if (!decoded_) {
        auto all = render::decode(*timeline_, tools_.work);
        if (!all) return all.error();
        decoded_ = std::move(*all);
    }
    return &*decoded_;
}

Result<bool> Session::up_to_date(const std::string& key, const std::string& made_by, const std::string& today) {
    if (made_by != today && timeline_->damages.empty()) return false;
    return in_store(tools_, key);
}

Result<std::filesystem::path> Session::scratch(const std::string& name) {
    if (!scratch_) {
        auto taken = Scratch::take(tools_.config.data.dir / "cache", id_);
        if (!taken) return taken.error();
        scratch_.emplace(std::move(*taken));
    }
    return *scratch_ / name;
}

Status Session::keep(const std::filesystem::path& file, const store::Key& key) {
    Status put = tools_.store.put(file, key);
    std::error_code ignored;  // a leftover in the cache costs space, not audio
    std::filesystem::remove(file, ignored);
    return put;
}

}  // namespace lestapenna::workflows
