#include "workflows/rebuild.h"

#include <algorithm>
#include <iterator>
#include <map>

#include <fmt/format.h>

#include "base/log.h"
#include "render/clips.h"
#include "workflows/ledger.h"
#include "workflows/manifest.h"
#include "workflows/master.h"
#include "workflows/mixdown.h"
#include "workflows/old_bucket.h"
#include "workflows/store_files.h"

namespace lestapenna::workflows {

namespace {

using catalog::FileStatus;
using catalog::MasterSource;

/// Chunks of one connection follow each other; timestamps of others than us are a second off at most.
constexpr seconds kSameConnection{1};

template <class Row>
NamedFile named(const Row& row) {
    return {row.key, row.user, row.start, row.duration, row.status, row.content};
}

/// What the catalog names of those who are heard. Of two of one user and start the first that is there.
template <class Row>
std::vector<NamedFile> names_of(const std::vector<Row>& rows, const std::set<UserId>& without, const Held& held) {
    std::vector<NamedFile> files;
    for (const Row& row : rows) {
        if (without.contains(row.user)) continue;
        const bool twice = !files.empty() && files.back().user == row.user && files.back().start == row.start;
        if (twice && !held.has(files.back().key)) files.back() = named(row);
        if (!twice) files.push_back(named(row));
    }
    return files;
}

/// Everything a mix is made of, and what is not there for it.
struct Parts {
    std::vector<HeardFile> fragments;
    std::vector<HeardFile> chunks;  ///< of connections whose fragment is not among them
    std::vector<std::string> lost;
};

class Gathering {
  public:
    Gathering(const Tools& tools, const catalog::Session& session, Scratch& scratch)
        : tools_(tools), session_(session), scratch_(scratch) {}

    Result<Parts> gather(const std::set<UserId>& without) {
        const auto recordings = tools_.catalog.recordings(session_.id);
        if (!recordings) return recordings.error();
        const auto chunk_rows = tools_.catalog.chunks(session_.id);
        if (!chunk_rows) return chunk_rows.error();
        std::vector<std::string> keys;
        for (const auto& row : *recordings) keys.push_back(row.key);
        for (const auto& row : *chunk_rows) keys.push_back(row.key);
        auto held = Held::look(tools_, session_.id, keys);
        if (!held) return held.error();
        held_ = std::move(*held);

        const auto fragments = believable(names_of(*recordings, without, held_));
        auto opened = open(fragments);
        if (!opened) return opened.error();
        std::vector<HeardFile> harmed;
        for (std::size_t i = 0; i < fragments.size(); ++i) {
            auto& one = (*opened)[i];
            if (one && !one->damaged) {
                cover(*one);
                parts_.fragments.push_back(std::move(*one));
            } else if (one) {
                harmed.push_back(std::move(*one));
            } else if (fragments[i].status != FileStatus::expired) {
                gone_.push_back(fragments[i]);
            }
        }
        if (auto taken = take_chunks(believable(names_of(*chunk_rows, without, held_))); !taken) return taken.error();
        for (auto& one : harmed) {
            if (in_chunks(one.named, one.file.length())) continue;
            lose(one.named, "is damaged");
            parts_.fragments.push_back(std::move(one));
        }
        for (const auto& one : gone_) {
            const auto length = one.duration ? std::chrono::ceil<Samples>(*one.duration) : Samples{};
            if (!in_chunks(one, length)) lose(one, held_.has(one.key) ? "is no MP3 file" : "is not in the store");
        }
        return std::move(parts_);
    }

  private:
    std::vector<NamedFile> believable(std::vector<NamedFile> files) {
        std::erase_if(files, [this](const NamedFile& file) {
            const bool of_it = may_be_of(session_.start, file.start);
            if (!of_it) lose(file, "has a timestamp that is not of this session");
            return !of_it;
        });
        return files;
    }

    /// Those that are there; the others are nothing.
    Result<std::vector<std::optional<HeardFile>>> open(const std::vector<NamedFile>& files) {
        std::vector<NamedFile> there;
        std::vector<std::size_t> places;
        for (std::size_t i = 0; i < files.size(); ++i) {
            if (!held_.has(files[i].key)) continue;
            there.push_back(files[i]);
            places.push_back(i);
        }
        auto opened = open_files(tools_, scratch_, there);
        if (!opened) return opened.error();
        std::vector<std::optional<HeardFile>> all(files.size());
        for (std::size_t i = 0; i < places.size(); ++i) all[places[i]] = std::move((*opened)[i]);
        return all;
    }

    void lose(const NamedFile& file, std::string_view why) {
        parts_.lost.push_back(fmt::format("{} {}", file.key, why));
    }

    void cover(const HeardFile& fragment) {
        const auto end = fragment.named.start + std::chrono::ceil<milliseconds>(fragment.file.length());
        covered_[fragment.named.user].emplace_back(fragment.named.start, end);
    }
    [[nodiscard]] bool is_covered(const NamedFile& chunk) const {
        const auto of = covered_.find(chunk.user);
        return of != covered_.end() && std::ranges::any_of(of->second, [&](const auto& stretch) {
                   return stretch.first <= chunk.start && chunk.start < stretch.second;
               });
    }

    Status take_chunks(const std::vector<NamedFile>& all) {
        std::vector<NamedFile> wanted;
        std::ranges::copy_if(all, std::back_inserter(wanted), [this](const auto& chunk) { return !is_covered(chunk); });
        auto opened = open(wanted);
        if (!opened) return opened.error();
        for (std::size_t i = 0; i < wanted.size(); ++i) {
            auto& one = (*opened)[i];
            if (one && one->damaged) lose(wanted[i], "is damaged");
            if (one) parts_.chunks.push_back(std::move(*one));
            if (!one && wanted[i].status != FileStatus::expired) {
                lose(wanted[i], held_.has(wanted[i].key) ? "is no MP3 file" : "is not in the store");
            }
        }
        return Ok{};
    }

    /// Does any chunk stand in for this fragment? That one is missing where nobody was heard is nothing.
    [[nodiscard]] bool in_chunks(const NamedFile& fragment, Samples length) const {
        const auto end = fragment.start + std::chrono::ceil<milliseconds>(length);
        return std::ranges::any_of(parts_.chunks, [&](const HeardFile& chunk) {
            const auto start = chunk.named.start;
            return chunk.named.user == fragment.user && start >= fragment.start && (start < end || length == Samples{});
        });
    }

    const Tools& tools_;
    const catalog::Session& session_;
    Scratch& scratch_;
    Held held_;
    Parts parts_;
    std::vector<NamedFile> gone_;
    std::map<UserId, std::vector<std::pair<UnixTime, UnixTime>>> covered_;
};

render::Clip clip_of(const HeardFile& heard, UnixTime zero) {
    return {heard.file, SamplePos{heard.named.start - zero}, heard.file.length()};
}

/// The connections that the chunks are of, each at the gain that brings it to where its fragment would have been.
Result<std::vector<render::Clip>> level_chunks(const Tools& tools, const std::vector<HeardFile>& chunks,
                                               UnixTime zero) {
    std::vector<render::Clip> clips;
    clips.reserve(chunks.size());
    std::vector<std::size_t> begins;  // of the connections
    for (std::size_t i = 0; i < chunks.size(); ++i) {
        clips.push_back(clip_of(chunks[i], zero));
        const bool same_user = i > 0 && chunks[i - 1].named.user == chunks[i].named.user;
        // Others than us let a chunk run on, silent, behind the beginning of the next one.
        if (same_user) clips[i - 1].length = std::min(clips[i - 1].length, clips[i].start - clips[i - 1].start);
        if (!same_user || clips[i].start - clips[i - 1].end() > kSameConnection) begins.push_back(i);
    }
    begins.push_back(clips.size());
    const Status status = tools.work.each("listening", begins.size() - 1, [&](std::size_t i) -> Status {
        const auto connection = std::span(clips).subspan(begins[i], begins[i + 1] - begins[i]);
        const auto levels = render::measure_clips(connection, tools.work);
        if (!levels) return levels.error();
        const double gain = render::choose_gain(*levels, render::kTrackTarget).gain_db;
        for (render::Clip& clip : connection) clip.gain_db = gain;
        return Ok{};
    });
    if (!status) return status.error();
    return clips;
}

/// What the mix is made of and how, as text.
std::string recipe_of(const Tools& tools, const Parts& parts, const std::set<UserId>& bots) {
    std::string text = fmt::format("rebuilt at {} LUFS, bots at {} dB", master_target(tools.config.audio.loudness),
                                   bots_in_mix_db(tools.config));
    for (const auto* files : {&parts.fragments, &parts.chunks}) {
        for (const HeardFile& one : *files) {
            text += fmt::format("\n{} {}{}", one.named.key, one.sha256.substr(0, 16),
                                bots.contains(one.named.user) ? " bot" : "");
        }
    }
    return text;
}

/// Whether the master is there, made from just this.
Result<bool> is_made(const Tools& tools, const SessionId& id, const std::string& recipe) {
    const auto before = tools.catalog.master(id);
    if (!before) return before.error();
    if (!*before || (*before)->recipe != recipe) return false;
    return in_store(tools, (*before)->key);
}

Error nothing_to_mix(const SessionId& id, const std::vector<std::string>& lost) {
    std::string text = "the store has no fragment and no chunk of session " + id.text() + " to mix";
    constexpr std::size_t kNamed = 3;
    for (std::size_t i = 0; i < std::min(kNamed, lost.size()); ++i) text += (i == 0 ? ": " : ", ") + lost[i];
    if (lost.size() > kNamed) text += fmt::format(" and {} more", lost.size() - kNamed);
    return {ErrorKind::not_found, text};
}

}  // namespace

Result<Rebuilt> rebuild_master(const Tools& tools, const SessionId& id, const std::set<UserId>& without) {
    const auto session = tools.catalog.session(id);
    if (!session) return session.error();
    const auto bots = bots_of(tools, id);
    if (!bots) return bots.error();
    std::set<UserId> unheard = without;
    if (bots_in_mix_db(tools.config) == kLeftOut) unheard.insert(bots->begin(), bots->end());
    auto scratch = Scratch::take(tools.config.data.dir / "cache", id);
    if (!scratch) return scratch.error();
    auto parts = Gathering(tools, *session, *scratch).gather(unheard);
    if (!parts) return parts.error();
    if (parts->fragments.empty() && parts->chunks.empty()) return nothing_to_mix(id, parts->lost);
    Rebuilt rebuilt{parts->chunks.empty() ? MasterSource::fragments : MasterSource::chunks, std::move(parts->lost)};
    catalog::Master row{id};
    row.recipe = recipe_of(tools, *parts, *bots);
    row.source = rebuilt.source;
    const auto made = is_made(tools, id, row.recipe);
    if (!made) return made.error();
    if (*made) return rebuilt;

    auto clips = level_chunks(tools, parts->chunks, session->start);
    if (!clips) return clips.error();
    for (std::size_t i = 0; i < clips->size(); ++i) {
        if (bots->contains(parts->chunks[i].named.user)) (*clips)[i].gain_db += bots_in_mix_db(tools.config);
    }
    for (const HeardFile& fragment : parts->fragments) {
        clips->push_back(clip_of(fragment, session->start));
        if (bots->contains(fragment.named.user)) clips->back().gain_db = bots_in_mix_db(tools.config);
    }
    // A fragment that is lost leaves its silence.
    Samples length = session->end ? Samples{*session->end - session->start} : Samples{};
    for (const render::Clip& clip : *clips) length = std::max(length, clip.end().time_since_epoch());
    const auto path = *scratch / store::key(store::MasterKey{id}).filename();
    if (auto mixed = make_mixdown(tools, path, render::mix(*clips), length, row); !mixed) return mixed.error();
    return rebuilt;
}

namespace {

/// How a master that is there stands to the files of its session.
struct Standing {
    std::vector<std::string> missing;  ///< sentences: fragments that should be in the store and are not
    std::vector<std::string> behind;   ///< sentences: files in the store that were heard after it was made
    bool parts = true;                 ///< each fragment in it is in the store as it was put there
};

Result<Standing> compare(const Tools& tools, const catalog::Session& session, const catalog::Master& master) {
    const auto recordings = tools.catalog.recordings(session.id);
    if (!recordings) return recordings.error();
    const auto chunks = tools.catalog.chunks(session.id);
    if (!chunks) return chunks.error();
    const auto bots = bots_of(tools, session.id);
    if (!bots) return bots.error();
    const bool without_bots = bots_in_mix_db(tools.config) == kLeftOut;
    std::vector<std::string> keys;
    for (const auto& row : *recordings) keys.push_back(row.key);
    for (const auto& row : *chunks) keys.push_back(row.key);
    const auto held = Held::look(tools, session.id, keys);
    if (!held) return held.error();
    Standing standing;
    const auto look = [&](const auto& row) {
        const bool of_it = may_be_of(session.start, row.start);
        const bool heard = of_it && !(without_bots && bots->contains(row.user));
        if (!heard || reaches(session, master, row.start, row.duration)) return false;
        if (held->has(row.key)) standing.behind.push_back(row.key + " was recorded after the master was made");
        return true;
    };
    for (const auto& row : *recordings) {
        const auto bytes = held->bytes(row.key);
        const bool expected = row.status != FileStatus::expired;
        if (expected && !bytes) standing.missing.push_back(row.key + " is not in the store");
        if (look(row)) continue;
        const bool whole = bytes && (!row.content || static_cast<std::uint64_t>(row.content->bytes) == *bytes);
        standing.parts = standing.parts && whole;
    }
    std::ranges::for_each(*chunks, look);
    return standing;
}

/// The master that is there, or that retention has removed. Nothing: it is to be made, or made anew.
Result<std::optional<Rebuilt>> as_it_is(const Tools& tools, const SessionId& id) {
    const auto session = tools.catalog.session(id);
    if (!session) return session.error();
    const auto master = tools.catalog.master(id);
    if (!master) return master.error();
    if (!*master) return std::optional<Rebuilt>();
    const auto there = (*master)->expired ? Result<bool>(true) : in_store(tools, (*master)->key);
    if (!there) return there.error();
    if (!*there || (!(*master)->content && !(*master)->expired)) return std::optional<Rebuilt>();
    auto standing = compare(tools, *session, **master);
    if (!standing) return standing.error();
    if (!standing->behind.empty() && standing->parts && !(*master)->expired) return std::optional<Rebuilt>();
    std::ranges::move(standing->behind, std::back_inserter(standing->missing));
    return std::optional(Rebuilt{(*master)->source, std::move(standing->missing)});
}

/// It is complete, and ends no later than now known.
Status complete(const Tools& tools, const SessionId& id) {
    const auto session = tools.catalog.session(id);
    if (!session) return session.error();
    const auto master = tools.catalog.master(id);
    if (!master) return master.error();
    return tools.catalog.together([&]() -> Status {
        if (!session->end && *master && (*master)->duration) {
            auto set = tools.catalog.set_end(id, session->start + *(*master)->duration);
            if (!set) return set;
        }
        return tools.catalog.set_status(id, catalog::SessionStatus::complete);
    });
}

}  // namespace

Result<Rebuilt> restore(const Tools& tools, const SessionId& id) {
    const auto finished = is_finished(tools, id);
    if (!finished) return finished.error();
    auto there = as_it_is(tools, id);
    if (!there) return there.error();
    const auto master = tools.catalog.master(id);
    if (!master) return master.error();
    if (*finished && !*master) there->emplace();  // nobody was heard in it
    auto rebuilt = *there ? Result<Rebuilt>(std::move(**there)) : rebuild_master(tools, id);
    if (!rebuilt) return rebuilt;
    for (const std::string& sentence : rebuilt->lost) log().warn("session {}: {}", id.text(), sentence);
    if (auto done = complete(tools, id); !done) return done.error();
    if (auto written = write_manifest(tools, id); !written) return written.error();
    return rebuilt;
}

}  // namespace lestapenna::workflows
