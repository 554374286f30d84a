#include "workflows/retention_plan.h"

#include <algorithm>
#include <map>
#include <utility>

#include <fmt/format.h>

namespace lestapenna::workflows {

namespace {

using catalog::FileStatus;

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

class Planner {
  public:
    Planner(const Facts& facts, const Config::Retention& ages, UnixTime now)
        : facts_(facts), ages_(ages), age_(facts.session.end ? now - *facts.session.end : milliseconds(-1)) {}

    Plan make() {
        go_on_removing();
        if (facts_.session.status != catalog::SessionStatus::complete || !facts_.session.end) return std::move(plan_);
        // The journal first: what it needs is then still there to be looked at.
        if (due(ages_.journals) && facts_.journal) journal();
        if (due(ages_.chunks)) chunks();
        if (due(ages_.fragments)) fragments();
        if (due(ages_.masters)) master();
        return std::move(plan_);
    }

  private:
    [[nodiscard]] bool due(const Age& limit) const { return limit && age_ >= *limit; }
    [[nodiscard]] const catalog::Session& session() const { return facts_.session; }

    /// What was begun, and cut off by a kill between the catalog and the store.
    void go_on_removing() {
        Removal chunks{session().id, Tier::chunks};
        Removal fragments{session().id, Tier::fragments};
        Removal master{session().id, Tier::master};
        const auto take = [](const auto& file, Removal& into) {
            into.keys.push_back(file.key);
            into.bytes += file.content->bytes;
        };
        for (const auto& chunk : facts_.chunks) {
            if (chunk.status == FileStatus::expired && chunk.content) take(chunk, chunks);
        }
        for (const auto& fragment : facts_.fragments) {
            if (fragment.status == FileStatus::expired && fragment.content) take(fragment, fragments);
        }
        if (facts_.master && facts_.master->expired && facts_.master->content) take(*facts_.master, master);
        for (Removal* const one : {&chunks, &fragments, &master}) {
            if (one->keys.empty()) continue;
            one->why = "begun by an earlier sweep";
            plan_.removals.push_back(std::move(*one));
        }
    }

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
    Removal removal(Tier tier, const Age& limit) const {
        Removal made{session().id, tier};
        made.why = fmt::format("ended {} ago, kept for {}", in_words(age_), in_words(*limit));
        return made;
    }
    [[nodiscard]] bool master_is_stored() const {
        return facts_.master && !facts_.master->expired && facts_.master->content && !facts_.master->recipe.empty();
    }
    /// What stands for a file that the mix has swallowed: the master; nothing where there was nothing to mix, or the
    /// master has gone by its age. False: it should be there, and is not.
    bool needs_master(std::vector<Object>& needs) const {
        if (!facts_.mixed || (facts_.master && facts_.master->expired)) return true;
        if (!master_is_stored()) return false;
        needs.push_back({facts_.master->key, *facts_.master->content});
        return true;
    }

    void journal() {
        if (auto why = busy(); !why.empty()) return keep(Tier::journal, 1, std::move(why));
        Removal made = removal(Tier::journal, ages_.journals);
        made.keys.push_back("journal/" + session().id.text());
        made.bytes = *facts_.journal;
        bool all = needs_master(made.needs);
        const auto need = [&](const auto& file) {
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
        std::map<std::string, Removal> by_need;  // those of one connection go together
        for (const auto& chunk : facts_.chunks) {
            if (!is_stored(chunk)) continue;
            if (auto why = busy(); !why.empty()) {
                keep(Tier::chunks, 1, std::move(why));
                continue;
            }
            Removal one = removal(Tier::chunks, ages_.chunks);
            const auto* const fragment = fragment_of(chunk);
            if (fragment == nullptr) {
                keep(Tier::chunks, 1, "no fragment covers them");
            } else if (is_stored(*fragment)) {
                one.needs.push_back({fragment->key, *fragment->content});
                add(by_need, std::move(one), chunk);
            } else if (fragment->status == FileStatus::expired && needs_master(one.needs)) {
                add(by_need, std::move(one), chunk);
            } else {
                keep(Tier::chunks, 1, "their fragment is not in the store");
            }
        }
        for (auto& [need, made] : by_need) plan_.removals.push_back(std::move(made));
    }
    static void add(std::map<std::string, Removal>& by_need, Removal one, const catalog::Chunk& chunk) {
        const std::string need = one.needs.empty() ? "" : one.needs.front().key;
        Removal& all = by_need.try_emplace(need, std::move(one)).first->second;
        all.keys.push_back(chunk.key);
        all.bytes += chunk.content->bytes;
    }

    void fragments() {
        Removal made = removal(Tier::fragments, ages_.fragments);
        const bool superseded = needs_master(made.needs);
        for (const auto& fragment : facts_.fragments) {
            if (!is_stored(fragment)) continue;
            if (auto why = busy(); !why.empty()) {
                keep(Tier::fragments, 1, std::move(why));
            } else if (!superseded) {
                keep(Tier::fragments, 1, "there is no master");
            } else if (facts_.untranscribed.contains(fragment.key)) {
                keep(Tier::fragments, 1, "they are still to be transcribed");
            } else {
                made.keys.push_back(fragment.key);
                made.bytes += fragment.content->bytes;
            }
        }
        if (!made.keys.empty()) plan_.removals.push_back(std::move(made));
    }

    void master() {
        if (!master_is_stored()) return;
        if (auto why = busy(); !why.empty()) return keep(Tier::master, 1, std::move(why));
        Removal made = removal(Tier::master, ages_.masters);
        made.keys.push_back(facts_.master->key);
        made.bytes = facts_.master->content->bytes;
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
