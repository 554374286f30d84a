#include "workflows/old_bucket.h"

#include <algorithm>
#include <charconv>

#include "store/keys.h"

namespace lestapenna::workflows {

namespace {

constexpr std::int64_t kBytesPerMs = 8;  // 64 kbit/s

std::vector<std::string_view> parts_of(std::string_view key) {
    std::vector<std::string_view> parts;
    for (;;) {
        const auto slash = key.find('/');
        parts.push_back(key.substr(0, slash));
        if (slash == std::string_view::npos) return parts;
        key.remove_prefix(slash + 1);
    }
}

bool is_tier(std::string_view folder) {
    return folder == "chunks" || folder == "full" || folder == "master";
}

/// {user}-{start}
std::optional<StoredName> read_stamp(NamedTier tier, std::string_view stem) {
    const auto dash = stem.find('-');
    if (dash == std::string_view::npos) return std::nullopt;
    const auto user = UserId::parse(stem.substr(0, dash));
    const auto digits = stem.substr(dash + 1);
    std::int64_t ms = 0;
    const auto read = std::from_chars(digits.data(), digits.data() + digits.size(), ms);
    if (!user || read.ec != std::errc{} || read.ptr != digits.data() + digits.size() || ms < 0) return std::nullopt;
    return StoredName{.tier = tier, .user = *user, .start = UnixTime{milliseconds{ms}}};
}

/// A file by its name, in whatever folder.
std::optional<StoredName> read_name(std::string_view name) {
    const auto take = [&name](std::string_view prefix, std::string_view ending) {
        if (!name.starts_with(prefix) || !name.ends_with(ending)) return false;
        if (name.size() < prefix.size() + ending.size()) return false;
        name = name.substr(prefix.size(), name.size() - prefix.size() - ending.size());
        return true;
    };
    const auto of_session = [&name](NamedTier tier) -> std::optional<StoredName> {
        auto session = SessionId::parse(name);
        return session ? std::optional(StoredName{.tier = tier, .session = std::move(session)}) : std::nullopt;
    };
    if (take("FULL-", ".mp3")) return read_stamp(NamedTier::fragment, name);
    if (take("MASTER-", ".mp3")) return of_session(NamedTier::master);
    if (take("transcript-", ".txt")) return of_session(NamedTier::transcript);
    if (take("", ".mp3")) return read_stamp(NamedTier::chunk, name);
    return std::nullopt;
}

struct Names {
    StoredName operator()(const store::ChunkKey& k) const { return {NamedTier::chunk, k.session, {}, k.user, k.start}; }
    StoredName operator()(const store::FragmentKey& k) const {
        return {NamedTier::fragment, k.session, {}, k.user, k.start};
    }
    StoredName operator()(const store::MasterKey& k) const { return {.tier = NamedTier::master, .session = k.session}; }
    StoredName operator()(const store::ManifestKey& k) const {
        return {.tier = NamedTier::manifest, .session = k.session};
    }
    StoredName operator()(const store::TranscriptKey& k) const {
        return {.tier = NamedTier::transcript, .session = k.session};
    }
    StoredName operator()(const store::SegmentKey& k) const {
        return {.tier = NamedTier::journal, .session = k.session};
    }
    StoredName operator()(const store::SegmentPartKey& k) const {
        return {.tier = NamedTier::journal, .session = k.session};
    }
};

}  // namespace

std::optional<StoredName> read_key(std::string_view key) {
    if (const auto ours = store::parse_tier_key(key)) return std::visit(Names{}, *ours);
    auto parts = parts_of(key);
    if (parts.size() < 2 || parts[0] != "recordings") return std::nullopt;
    auto name = read_name(parts.back());
    if (!name) return std::nullopt;
    parts.erase(parts.begin());
    parts.pop_back();
    if (!parts.empty() && is_tier(parts.back())) parts.pop_back();
    if (parts.size() > 2) return std::nullopt;
    if (parts.size() == 2) {
        if (!parse_snowflake(parts.front())) return std::nullopt;
        name->guild = parts.front();
    }
    if (parts.empty()) return name;
    const auto session = SessionId::parse(parts.back());
    if (!session || (name->session && name->session != session)) return std::nullopt;
    name->session = session;
    return name;
}

std::vector<std::vector<LooseFile>> evenings(std::vector<LooseFile> files, milliseconds pause) {
    std::ranges::sort(files, {}, [](const LooseFile& file) { return std::pair(file.name.start, file.key); });
    std::vector<std::vector<LooseFile>> all;
    UnixTime end{};
    for (LooseFile& file : files) {
        const UnixTime start = file.name.start;
        if (all.empty() || start - end > pause) {
            all.emplace_back();
            end = start;
        }
        const auto bytes = std::min<std::uint64_t>(file.bytes, std::uint64_t{1} << 40);
        end = std::max(end, start + milliseconds{static_cast<std::int64_t>(bytes) / kBytesPerMs});
        all.back().push_back(std::move(file));
    }
    return all;
}

std::optional<UnixTime> earliest_believable(std::vector<UnixTime> starts) {
    if (starts.empty()) return std::nullopt;
    std::ranges::sort(starts);
    const UnixTime middle = starts[starts.size() / 2];
    return *std::ranges::find_if(starts, [&](UnixTime start) { return middle - start <= kLongestSession; });
}

std::optional<UnixTime> time_of_ulid(const SessionId& id) {
    constexpr std::string_view kCrockford = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    constexpr std::size_t kLength = 26;
    constexpr std::size_t kTime = 10;  // 48 bits in 10 digits of 5
    const std::string& text = id.text();
    if (text.size() != kLength || text.find_first_not_of(kCrockford) != std::string::npos || text[0] > '7') {
        return std::nullopt;
    }
    std::int64_t ms = 0;
    for (const char c : text.substr(0, kTime)) ms = ms << 5 | static_cast<std::int64_t>(kCrockford.find(c));
    return UnixTime{milliseconds{ms}};
}

}  // namespace lestapenna::workflows
