#include "workflows/session.h"

#include <cerrno>
#include <span>
#include <system_error>

#include <fcntl.h>
#include <unistd.h>

#include "base/files.h"
#include "base/hash.h"
#include "journal/writer.h"

namespace lestapenna::workflows {

std::filesystem::path journal_root(const Config& config) {
    return config.data.dir / "journal";
}

std::filesystem::path journal_folder(const Config& config, const SessionId& id) {
    return journal_root(config) / id.text();
}

Error recorded_error(const SessionId& id) {
    return {ErrorKind::locked, "session " + id.text() + " is being recorded: end it first"};
}

Result<bool> in_store(const Tools& tools, const std::string& text) {
    const auto key = store::Key::parse(text);
    if (!key) return false;
    const auto found = tools.store.find(*key);
    if (!found) return found.error();
    return found->has_value();
}

// By pieces: a fragment of four hours is 115 MB.
Result<catalog::Content> content_of(const std::filesystem::path& file) {
    const Fd fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
    if (!fd) return io_error("open", file, errno);
    std::vector<std::uint8_t> piece(std::size_t{1} << 18);
    catalog::Content content;
    Sha256 sum;
    for (;;) {
        const ssize_t got = ::read(fd.get(), piece.data(), piece.size());
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return io_error("read", file, errno);
        if (got == 0) break;
        content.bytes += got;
        sum.update(std::span(piece).first(static_cast<std::size_t>(got)));
    }
    content.sha256 = hex(sum.digest());
    return content;
}

Result<catalog::Content> keep_file(const Tools& tools, const std::filesystem::path& file, const store::Key& key) {
    auto content = content_of(file);
    if (!content) return content;
    const Status put = tools.store.put(file, key);
    std::error_code ignored;  // a leftover in the cache costs space, not audio
    std::filesystem::remove(file, ignored);
    return put ? content : put.error();
}

Session::Session(Tools tools, SessionId id, timeline::Timeline timeline, WhileRecording recorded)
    : tools_(std::move(tools)),
      id_(std::move(id)),
      recorded_(recorded),
      timeline_(std::make_unique<timeline::Timeline>(std::move(timeline))) {}

Result<Session> Session::open(Tools tools, const SessionId& id, WhileRecording recorded) {
    const auto known = tools.catalog.session(id);
    if (!known) return known.error();
    const auto folder = journal_folder(tools.config, id);
    if (recorded == WhileRecording::refuse && journal::is_locked(folder)) {
        return recorded_error(id);
    }
    auto timeline = timeline::read(folder, tools.config.capture.rotation);
    if (!timeline && timeline.error().kind == ErrorKind::not_found) {
        return Error{ErrorKind::not_found, "the journal of session " + id.text() + " is not at " + folder.string() +
                                               " any more: bring it back there, or use what is in the store"};
    }
    if (!timeline) return timeline.error();
    return Session(std::move(tools), id, std::move(*timeline), recorded);
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
    if (recorded_ == WhileRecording::read) return true;
    return in_store(tools_, key);
}

Result<std::filesystem::path> Session::scratch(const std::string& name) {
    if (!scratch_) {
        auto taken = Scratch::take(tools_.config.data.dir / "cache", id_);
        if (!taken) return taken.error();
        // While we waited a person may have been forgotten (journal/without.h), or a sweep may have come by.
        std::error_code gone;
        if (!timeline_->segments.empty() && !std::filesystem::exists(timeline_->segments.front().path, gone)) {
            return Error{ErrorKind::locked,
                         "the journal of session " + id_.text() + " was written anew meanwhile: try again"};
        }
        scratch_.emplace(std::move(*taken));
    }
    return *scratch_ / name;
}

Result<catalog::Content> Session::keep(const std::filesystem::path& file, const store::Key& key) {
    return keep_file(tools_, file, key);
}

}  // namespace lestapenna::workflows
