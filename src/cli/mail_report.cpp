#include "cli/mail_report.h"

#include <utility>

#include "bot/summary.h"

namespace lestapenna::cli {

namespace {

notify::CallKind call_kind(const std::optional<catalog::Encryption>& encryption) {
    if (!encryption) return notify::CallKind::unknown;
    switch (*encryption) {
        case catalog::Encryption::none:
            return notify::CallKind::open;
        case catalog::Encryption::end_to_end:
            return notify::CallKind::encrypted;
        case catalog::Encryption::partly:
            return notify::CallKind::partly_encrypted;
    }
    return notify::CallKind::unknown;
}

/// Makes links, or none.
struct Linking {
    const store::Links* links;
    UnixTime now;
    [[nodiscard]] std::string to(std::string_view key, std::string_view name) const {
        const auto parsed = store::Key::parse(key);
        if (links == nullptr || !parsed) return {};
        return links->make(*parsed, name, now).value_or("");
    }
};

std::optional<std::uint64_t> bytes_of(const std::optional<catalog::Content>& content) {
    return content ? std::optional(static_cast<std::uint64_t>(content->bytes)) : std::nullopt;
}

notify::AudioFile file_of(const catalog::Recording& fragment, const Linking& linking) {
    const auto name = store::filename_of(fragment.key);
    return {fragment.start, fragment.duration.value_or(milliseconds(0)), bytes_of(fragment.content),
            fragment.levels.loudness_lufs, linking.to(fragment.key, name)};
}

/// Those who were heard, in the summary's order, each with what is in the store of them.
std::vector<notify::Person> people_of(const bot::Summary& summary, const std::vector<catalog::Recording>& fragments,
                                      const Linking& linking, Language language) {
    std::vector<notify::Person> people;
    people.reserve(summary.finished.people.size());
    for (const auto& who : summary.finished.people) {
        notify::Person person{who.name, bot::text::losses(language, who)};
        for (const auto& fragment : fragments) {
            if (fragment.user != who.user || fragment.status != catalog::FileStatus::stored) continue;
            person.files.push_back(file_of(fragment, linking));
            person.length += person.files.back().length;
        }
        people.push_back(std::move(person));
    }
    return people;
}

}  // namespace

Result<notify::Report> mail_report(const workflows::Tools& tools, const SessionId& id, const store::Links* links,
                                   UnixTime now) {
    const auto summary = bot::summarise(tools, id);
    if (!summary) return summary.error();
    const auto fragments = tools.catalog.recordings(id);
    if (!fragments) return fragments.error();
    const auto master = tools.catalog.master(id);
    if (!master) return master.error();

    const Language language = parse_language(summary->row.language, default_language(tools.config));
    const Linking linking{links, now};
    notify::Report report{id, language, summary->row.start, summary->finished.length,
                          call_kind(summary->row.encryption)};
    if (summary->master && *master) {
        const auto link = linking.to(summary->master->text(), store::master_name(id, summary->row.start));
        report.master =
            notify::AudioFile{report.start, report.length, summary->bytes, (*master)->levels.loudness_lufs, link};
        if (!link.empty()) report.links_until = now + tools.config.store.link_ttl;
    }
    report.people = people_of(*summary, *fragments, linking, language);
    report.ask =
        tools.config.discord.prefix + std::string(word(bot::Verb::download, language)) + " " + std::string(id.ending());
    return report;
}

}  // namespace lestapenna::cli
