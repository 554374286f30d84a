#include "bot/summary.h"

#include <algorithm>
#include <map>

#include "base/files.h"
#include "workflows/master.h"
#include "workflows/recovery.h"

namespace lestapenna::bot {

namespace {

constexpr std::size_t kMostLookedAt = 1'000;  // of a guild; years of evenings

std::vector<text::Person> people_of(const std::vector<catalog::Track>& tracks,
                                    const std::vector<catalog::Recording>& recordings) {
    std::vector<text::Person> people;
    for (const auto& track : tracks) {
        if (track.user == UserId{} && track.received == 0) continue;
        text::Person person{track.name, track.received, track.lost};
        person.user = track.user;
        std::ranges::transform(track.closed, person.closed.begin(), [](std::int64_t count) {
            return static_cast<std::uint64_t>(std::max<std::int64_t>(count, 0));
        });
        for (const auto& recording : recordings) {
            if (recording.user != track.user || !recording.level_flag) continue;
            person.open_mic |= *recording.level_flag == "open_mic";
            person.capped |= *recording.level_flag == "capped";
        }
        people.push_back(std::move(person));
    }
    return people;
}

/// Until when each user's audio is in the store.
template <class File>
void note_ends(const std::vector<File>& files, std::map<UserId, UnixTime>& until) {
    for (const auto& file : files) {
        if (file.status != catalog::FileStatus::stored || !file.duration) continue;
        auto& end = until.try_emplace(file.user, file.start).first->second;
        end = std::max(end, file.start + *file.duration);
    }
}

/// Of a bucket the catalog's word is taken: the row has no content before the file is there, and nobody waits for a
/// server that hangs.
Result<std::optional<store::ObjectInfo>> find_master(const workflows::Tools& tools, const catalog::Master& master) {
    using Found = std::optional<store::ObjectInfo>;
    const auto key = store::Key::parse(master.key);
    if (!key) return Found();
    if (tools.store.local_path(*key)) return tools.store.find(*key);
    if (!master.content || master.expired) return Found();
    return Found({*key, static_cast<std::uint64_t>(master.content->bytes)});
}

std::optional<UnixTime> until_of_everybody(const std::vector<recorder::Heard>& heard,
                                           const std::map<UserId, UnixTime>& until) {
    std::optional<UnixTime> least;
    for (const auto& one : heard) {
        if (!one.present || one.packets == 0) continue;
        const auto end = until.find(one.user);
        if (end == until.end()) return std::nullopt;
        least = std::min(least.value_or(end->second), end->second);
    }
    return least;
}

}  // namespace

Result<Summary> summarise(const workflows::Tools& tools, const SessionId& id) {
    const auto row = tools.catalog.session(id);
    if (!row) return row.error();
    auto tracks = tools.catalog.tracks(id);
    if (!tracks) return tracks.error();
    const auto recordings = tools.catalog.recordings(id);
    if (!recordings) return recordings.error();
    const auto master = tools.catalog.master(id);
    if (!master) return master.error();

    Summary summary{*row, *tracks, {id, row->start, {}, false, people_of(*tracks, *recordings)}, {}};
    summary.finished.encryption = row->encryption;
    summary.finished.privacy_code = row->privacy_code;
    if (row->end) summary.finished.length = *row->end - row->start;
    if (!*master) return summary;
    if ((*master)->duration) summary.finished.length = *(*master)->duration;
    summary.finished.source = (*master)->source;
    summary.expired = (*master)->expired;
    const auto found = find_master(tools, **master);
    if (!found) return found.error();
    if (*found) {
        summary.master = (*found)->key;
        summary.bytes = (*found)->bytes;
        summary.finished.has_audio = true;
    }
    return summary;
}

std::string no_master(Language language, const Summary& summary) {
    return summary.expired ? text::audio_expired(language, summary.row.id) : text::no_audio(language, summary.row.id);
}

Result<bool> is_whole(const workflows::Tools& tools, const Summary& summary) {
    if (!summary.master || tools.store.local_path(*summary.master))
        return workflows::is_finished(tools, summary.row.id);
    if (summary.row.status != catalog::SessionStatus::complete) return false;
    const auto found = tools.store.find(*summary.master);
    if (!found) return found.error();
    return found->has_value();
}

Result<std::string> master_bytes(const workflows::Tools& tools, const Summary& summary, std::uint64_t limit) {
    const auto file = tools.store.local_path(*summary.master);
    if (!file) return Error{ErrorKind::not_found, "the master is not on this machine"};  // a bucket gives links
    return read_text_file(*file, limit);
}

Result<std::optional<catalog::Session>> find_session(const workflows::Tools& tools, GuildId guild,
                                                     const std::string& argument,
                                                     const std::vector<ChannelId>& channels) {
    using Found = std::optional<catalog::Session>;
    if (!argument.empty()) {
        if (!SessionId::parse(argument)) return Found();
        const auto id = tools.catalog.resolve_in(guild.text(), argument);
        if (!id) return id.error().kind == ErrorKind::not_found ? Result<Found>(Found()) : id.error();
        auto row = tools.catalog.session(*id);
        return row ? Result<Found>(std::move(*row)) : row.error();
    }
    const auto all = tools.catalog.sessions_of(guild.text(), kMostLookedAt);
    if (!all) return all.error();
    const auto is_here = [&](const catalog::Session& session) {
        return std::ranges::any_of(channels, [&](ChannelId channel) {
            return session.channel_id == channel.text() || session.text_channel_id == channel.text();
        });
    };
    const auto last = std::ranges::find_if(*all, [&](const catalog::Session& session) {
        return is_here(session) && session.status != catalog::SessionStatus::failed;
    });
    return last == all->end() ? Found() : Found(*last);
}

Result<text::Safety> safety_of(const workflows::Tools& tools, const SessionId& id,
                               const std::vector<recorder::Heard>& heard) {
    const auto chunks = tools.catalog.chunks(id);
    if (!chunks) return chunks.error();
    const auto recordings = tools.catalog.recordings(id);
    if (!recordings) return recordings.error();
    text::Safety safety;
    safety.other_device = !tools.store.same_device(workflows::journal_root(tools.config));
    safety.chunks = static_cast<std::size_t>(
        std::ranges::count(*chunks, catalog::FileStatus::stored, [](const auto& chunk) { return chunk.status; }));
    std::map<UserId, UnixTime> until;
    note_ends(*chunks, until);
    note_ends(*recordings, until);
    safety.chunks_until = until_of_everybody(heard, until);
    return safety;
}

Result<std::vector<text::Listed>> list_sessions(const workflows::Tools& tools, GuildId guild, std::size_t most) {
    auto rows = tools.catalog.sessions_of(guild.text(), most);
    if (!rows) return rows.error();
    std::vector<text::Listed> listed;
    for (auto& row : *rows) {
        const auto tracks = tools.catalog.tracks(row.id);
        if (!tracks) return tracks.error();
        const auto is_person = [](const catalog::Track& track) { return !track.bot && track.user != UserId{}; };
        const auto people = static_cast<std::size_t>(std::ranges::count_if(*tracks, is_person));
        listed.push_back({std::move(row), people});
    }
    return listed;
}

Result<std::optional<GoingOn>> to_go_on_with(const workflows::Tools& tools, GuildId guild, ChannelId voice) {
    using Found = std::optional<GoingOn>;
    const auto all = tools.catalog.sessions_of(guild.text(), kMostLookedAt);
    if (!all) return all.error();
    const auto last = std::ranges::find_if(*all, [&](const catalog::Session& session) {
        return session.channel_id == voice.text() && session.status != catalog::SessionStatus::failed;
    });
    if (last == all->end() || last->status == catalog::SessionStatus::ending) return Found();
    auto journal = workflows::to_go_on(tools, last->id);
    if (!journal) return Found();
    return Found(GoingOn{*last, std::move(*journal)});
}

}  // namespace lestapenna::bot
