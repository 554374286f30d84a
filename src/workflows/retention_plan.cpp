#include "workflows/retention_plan.h"

#include <algorithm>
#include <map>
#include <utility>

#include <fmt/format.h>

#include "workflows/old_bucket.h"
#include "workflows/store_files.h"

namespace lestapenna::workflows {

namespace {

using catalog::FileStatus;
using catalog::MasterSource;

/// "7 days", "90 minutes": whole units only, the largest that loses less than a tenth.
std::string in_words(milliseconds length) {
    const auto count = [](auto whole, const char* unit) {
        return fmt::format("{} {}{}", whole.count(), unit, whole.count() == 1 ? "" : "s");
    };
    if (length >= std::chrono::days(2)) return count(std::chrono::floor<std::chrono::days>(length), "day");
    if (length >= std::chrono::hours(2)) return count(std::chrono::floor<std::chrono::hours>(length), "hour");
    if (length >= std::chrono::minutes(2)) return count(std::chrono::floor<std::chrono::minutes>(length), "minute");
    return count(std::chrono::floor<seconds>(length), "second");
}

template <class File>
bool is_stored(const File& file) {
    return file.status == FileStatus::stored && file.content;
}

/// On its way out: a kill came between the catalog and the store.
template <class File>
bool is_begun(const File& file) {
    return file.status == FileStatus::expired && file.content;
}

/// An import may be of an evening years ago: its files are as old as its name, which it got here.
bool is_import(const catalog::Session& session) {
    const auto named = time_of_ulid(session.id);
    return named && *named > *session.end;
}

milliseconds age_of(const catalog::Session& session, UnixTime now) {
    if (!session.end) return milliseconds(-1);
    return now - (is_import(session) ? *time_of_ulid(session.id) : *session.end);
}

class Planner {
  public:
    Planner(const Facts& facts, const Config::Retention& ages, UnixTime now)
        : facts_(facts), ages_(ages), age_(age_of(facts.session, now)) {}

    Plan make() {
        if (facts_.session.status != catalog::SessionStatus::complete || !facts_.session.end) return std::move(plan_);
        // The journal first: what it needs is then still there to be looked at.
        if (due(ages_.journals) && facts_.journal) journal();
        chunks();
        fragments();
        master();
        return std::move(plan_);
    }

  private:
    [[nodiscard]] bool due(const Age& limit) const { return limit && age_ >= *limit; }
    [[nodiscard]] const catalog::Session& session() const { return facts_.session; }

    void keep(Tier tier, std::size_t files, std::string why) {
        const auto same = [&](const Kept& kept) { return kept.tier == tier && kept.why == why; };
        const auto before = std::ranges::find_if(plan_.kept, same);
        if (before != plan_.kept.end()) {
            before->files += files;
        } else {
            plan_.kept.push_back({session().id, tier, files, std::move(why)});
        }
    }
    /// Why nothing of this session may go now; empty: it may.
    [[nodiscard]] std::string busy() const {
        if (facts_.recorded) return "the session is being recorded";
        return facts_.at_work ? "a job of the session waits or runs" : "";
    }
    /// `begun`: whatever the age.
    Removal removal(Tier tier, const Age& limit, bool begun = false) const {
        Removal made{session().id, tier};
        made.why = begun ? "begun by an earlier sweep"
                         : fmt::format("{} {} ago, kept for {}", is_import(session()) ? "brought in" : "ended",
                                       in_words(age_), in_words(*limit));
        return made;
    }
    [[nodiscard]] bool master_is_stored() const {
        return facts_.master && !facts_.master->expired && facts_.master->content && !facts_.master->recipe.empty();
    }
    /// What stands for a file that the mix has swallowed: the master; nothing where there was nothing to mix, or the
    /// master has gone by its age. False: it should be there, and is not, or does not reach as far.
    template <class File>
    bool needs_master(const File& file, std::vector<Object>& needs) const {
        if (!facts_.mixed) return true;
        if (facts_.master && !reaches(session(), *facts_.master, file.start, file.duration)) return false;
        return needs_master(needs);
    }
    bool needs_master(std::vector<Object>& needs) const {
        if (!facts_.mixed || (facts_.master && facts_.master->expired)) return true;
        if (!master_is_stored()) return false;
        needs.push_back({facts_.master->key, *facts_.master->content});
        return true;
    }

    void journal() {
        if (auto why = busy(); !why.empty()) return keep(Tier::journal, 1, std::move(why));
        if (facts_.heard && facts_.fragments.empty()) {
            return keep(Tier::journal, 1, "the catalog names nothing that was made of it");
        }
        Removal made = removal(Tier::journal, ages_.journals);
        made.keys.push_back("journal/" + session().id.text());
        made.bytes = *facts_.journal;
        bool all = needs_master(made.needs);
        const auto need = [&](const auto& file) {
            std::vector<Object> master;  // is among the needs already
            if (!needs_master(file, master)) all = false;
            if (file.status == FileStatus::expired) return;
            if (is_stored(file)) {
                made.needs.push_back({file.key, *file.content});
            } else {
                all = false;
            }
        };
        std::ranges::for_each(facts_.chunks, need);
        std::ranges::for_each(facts_.fragments, need);
        if (!all) return keep(Tier::journal, 1, "not everything that is made of it is in the store");
        // Nobody could read it: what is there was made without it. Where that is not known no version could do so yet.
        if (facts_.mixed && facts_.master->source.value_or(MasterSource::journal) != MasterSource::journal) {
            return keep(Tier::journal, 1, "the master was not mixed from it");
        }
        plan_.removals.push_back(std::move(made));
    }

    /// The one whose connection a chunk is a window of: a chunk's time is its first sample's.
    [[nodiscard]] const catalog::Recording* fragment_of(const catalog::Chunk& chunk) const {
        const catalog::Recording* found = nullptr;
        for (const auto& fragment : facts_.fragments) {
            const bool covers = fragment.user == chunk.user && fragment.start <= chunk.start && fragment.duration &&
                                chunk.start <= fragment.start + *fragment.duration;
            if (covers && (found == nullptr || found->start < fragment.start)) found = &fragment;
        }
        return found;
    }

    void chunks() {
        std::map<std::pair<std::string, bool>, Removal> by_need;  // those of one connection go together
        for (const auto& chunk : facts_.chunks) {
            const bool begun = is_begun(chunk);
            if (!begun && !(is_stored(chunk) && due(ages_.chunks))) continue;
            if (auto why = busy(); !why.empty()) {
                keep(Tier::chunks, 1, std::move(why));
                continue;
            }
            Removal one = removal(Tier::chunks, ages_.chunks, begun);
            const auto* const fragment = fragment_of(chunk);
            if (fragment == nullptr) {
                keep(Tier::chunks, 1, "no fragment covers them");
                continue;
            }
            if (is_stored(*fragment)) {
                one.needs.push_back({fragment->key, *fragment->content});
            } else if (fragment->status != FileStatus::expired || !needs_master(chunk, one.needs)) {
                keep(Tier::chunks, 1, "their fragment is not in the store");
                continue;
            }
            const std::string need = one.needs.empty() ? "" : one.needs.front().key;
            add(by_need.try_emplace({need, begun}, std::move(one)).first->second, chunk);
        }
        for (auto& [need, made] : by_need) plan_.removals.push_back(std::move(made));
    }
    template <class File>
    static void add(Removal& removal, const File& file) {
        removal.keys.push_back(file.key);
        removal.bytes += file.content->bytes;
    }

    void fragments() {
        std::map<bool, Removal> made;  // begun, due
        for (const auto& fragment : facts_.fragments) {
            const bool begun = is_begun(fragment);
            if (!begun && !(is_stored(fragment) && due(ages_.fragments))) continue;
            Removal one = removal(Tier::fragments, ages_.fragments, begun);
            if (auto why = busy(); !why.empty()) {
                keep(Tier::fragments, 1, std::move(why));
            } else if (!needs_master(fragment, one.needs)) {
                keep(Tier::fragments, 1, master_is_stored() ? "the master ends before them" : "there is no master");
            } else if (!begun && facts_.untranscribed.contains(fragment.key)) {
                keep(Tier::fragments, 1, "they are still to be transcribed");
            } else {
                add(made.try_emplace(begun, std::move(one)).first->second, fragment);
            }
        }
        for (auto& [begun, removal] : made) plan_.removals.push_back(std::move(removal));
    }

    void master() {
        const bool begun = facts_.master && facts_.master->expired && facts_.master->content;
        if (!begun && !(master_is_stored() && due(ages_.masters))) return;
        if (auto why = busy(); !why.empty()) return keep(Tier::master, 1, std::move(why));
        Removal made = removal(Tier::master, ages_.masters, begun);
        add(made, *facts_.master);
        plan_.removals.push_back(std::move(made));
    }

    const Facts& facts_;
    const Config::Retention& ages_;
    milliseconds age_;
    Plan plan_;
};

}  // namespace

std::string_view to_text(Tier tier) {
    switch (tier) {
        case Tier::chunks:
            return "chunks";
        case Tier::fragments:
            return "fragments";
        case Tier::master:
            return "master";
        case Tier::journal:
            return "journal";
    }
    return "";
}

Plan plan_removals(const Facts& facts, const Config::Retention& ages, UnixTime now) {
    return Planner(facts, ages, now).make();
}

}  // namespace lestapenna::workflows
