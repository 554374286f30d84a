#include "workflows/store_files.h"

#include <algorithm>

#include "workflows/old_bucket.h"

namespace lestapenna::workflows {

Result<Held> Held::look(const Tools& tools, const SessionId& id, const std::vector<std::string>& keys) {
    const std::string prefix = store::session_prefix(id);
    const auto listed = tools.store.list(prefix);
    if (!listed) return listed.error();
    Held held;
    for (const auto& object : *listed) held.bytes_.emplace(object.key.text(), object.bytes);
    for (const std::string& text : keys) {
        const auto key = store::Key::parse(text);
        if (!key || text.starts_with(prefix)) continue;
        const auto found = tools.store.find(*key);
        if (!found) return found.error();
        if (*found) held.bytes_.emplace(text, (*found)->bytes);
    }
    return held;
}

std::optional<std::uint64_t> Held::bytes(const std::string& key) const {
    const auto found = bytes_.find(key);
    return found == bytes_.end() ? std::nullopt : std::optional(found->second);
}

bool reaches(const catalog::Session& session, const catalog::Master& master, UnixTime start,
             std::optional<milliseconds> duration) {
    constexpr seconds kRounding{1};  // a length is floored, and so is each file's start
    if (!master.duration) return true;
    // No sum overflows, whatever a manifest said.
    const auto end = session.start + std::min<milliseconds>(*master.duration, kLongestSession) + kRounding;
    const auto length = std::min<milliseconds>(duration.value_or(milliseconds{}), kLongestSession);
    return start >= session.start - kLongestSession && start <= end && start + length <= end;
}

namespace {

/// Is it another file than the catalog says? What is not known does not differ.
bool differs(const catalog::Content& there, const std::optional<catalog::Content>& expected) {
    if (!expected) return false;
    if (there.bytes != expected->bytes) return true;
    return !expected->sha256.empty() && there.sha256 != expected->sha256;
}

Result<std::optional<HeardFile>> open_file(const Tools& tools, const Scratch& scratch, const NamedFile& named,
                                           std::size_t index) {
    const auto key = store::Key::parse(named.key);
    if (!key) return std::optional<HeardFile>();
    auto path = tools.store.local_path(*key);
    if (!path) {
        path = scratch / (std::to_string(index) + "-" + key->filename());
        if (auto fetched = tools.store.get(*key, *path); !fetched) {
            if (fetched.error().kind == ErrorKind::not_found) return std::optional<HeardFile>();
            return fetched.error();
        }
    }
    const auto content = content_of(*path);
    if (!content) {
        if (content.error().kind == ErrorKind::not_found) return std::optional<HeardFile>();
        return content.error();
    }
    auto file = audio::Mp3File::open(*path);
    if (!file && file.error().kind == ErrorKind::damaged) return std::optional<HeardFile>();
    if (!file) return file.error();
    const bool damaged = !file->whole() || differs(*content, named.content);
    return std::optional(HeardFile{named, std::move(*file), content->sha256, damaged});
}

}  // namespace

Result<std::vector<std::optional<HeardFile>>> open_files(const Tools& tools, Scratch& scratch,
                                                         const std::vector<NamedFile>& files) {
    std::vector<std::optional<HeardFile>> heard(files.size());
    const Status status = tools.work.each("fetching", files.size(), [&](std::size_t i) -> Status {
        auto one = open_file(tools, scratch, files[i], i);
        if (!one) return one.error();
        heard[i] = std::move(*one);
        return Ok{};
    });
    if (!status) return status.error();
    return heard;
}

}  // namespace lestapenna::workflows
