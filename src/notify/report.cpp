#include "notify/report.h"

#include <array>
#include <ctime>

#include "base/phrase.h"
#include "base/text.h"
#include "notify/header.h"

namespace lestapenna::notify {

namespace {

using namespace phrase;

// ---- what is said

/// "22 novembre 2026, 21:04 CET"
struct LocalTime {
    std::tm fields{};
    explicit LocalTime(UnixTime time) {
        const std::time_t whole = std::chrono::floor<seconds>(time).time_since_epoch().count();
        ::localtime_r(&whole, &fields);
    }
};

std::string clock(UnixTime time) {
    const LocalTime local(time);
    return fmt::format("{:02}:{:02}", local.fields.tm_hour, local.fields.tm_min);
}

std::string day(Language language, UnixTime time) {
    constexpr std::array kItalian{"gennaio", "febbraio", "marzo",     "aprile",  "maggio",   "giugno",
                                  "luglio",  "agosto",   "settembre", "ottobre", "novembre", "dicembre"};
    constexpr std::array kEnglish{"January", "February", "March",     "April",   "May",      "June",
                                  "July",    "August",   "September", "October", "November", "December"};
    const LocalTime local(time);
    const auto month = static_cast<std::size_t>(local.fields.tm_mon);
    return fmt::format("{} {} {}", local.fields.tm_mday,
                       language == Language::it ? kItalian.at(month) : kEnglish.at(month), local.fields.tm_year + 1900);
}

std::string day_and_time(Language language, UnixTime time) {
    const LocalTime local(time);
    return day(language, time) + ", " + clock(time) + " " +
           (local.fields.tm_zone != nullptr ? local.fields.tm_zone : "");
}

std::string subject(const Report& report, std::string_view code) {
    const Language in = report.language;
    if (!report.master) {
        return say(in, "Sessione {0}, {1}: nessun audio", "Session {0}, {1}: no audio", code, day(in, report.start));
    }
    return say(in, "L'audio della sessione {0} è pronto ({1}, {2})", "The audio of session {0} is ready ({1}, {2})",
               code, day(in, report.start), length(in, report.length));
}

std::string headline(const Report& report, std::string_view code) {
    const Language in = report.language;
    if (report.master) {
        return say(in, "L'audio della sessione {0} è pronto", "The audio of session {0} is ready", code);
    }
    return say(in, "Della sessione {0} non c'è audio da ascoltare", "There is no audio of session {0} to listen to",
               code);
}

std::string call(Language in, CallKind kind) {
    switch (kind) {
        case CallKind::unknown:
            break;
        case CallKind::open:
            return say(in, "non cifrata end-to-end", "not end-to-end encrypted");
        case CallKind::encrypted:
            return say(in, "cifrata end-to-end", "end-to-end encrypted");
        case CallKind::partly_encrypted:
            return say(in, "cifrata end-to-end solo in parte", "end-to-end encrypted only in part");
    }
    return {};
}

/// "1 ora e 20 minuti, 36,2 MB, -23,0 LUFS"
std::string figures(Language in, const AudioFile& file) {
    std::string text = length(in, file.length);
    if (file.bytes) text += ", " + megabytes(in, *file.bytes) + " MB";
    if (file.loudness_lufs) text += ", " + decimal(in, *file.loudness_lufs) + " LUFS";
    return text;
}

std::string heading(Language in, const Person& person) {
    const auto shown = name(person.name);
    return (shown.empty() ? "?" : shown) + ": " + length(in, person.length);
}

/// A line of facts: what it is, and its value.
struct Fact {
    std::string what;
    std::string value;
};

std::vector<Fact> facts(const Report& report) {
    const Language in = report.language;
    std::vector<Fact> all{{say(in, "Quando", "When"), day_and_time(in, report.start)},
                          {say(in, "Durata", "Length"), length(in, report.length)},
                          {say(in, "Codice", "Code"), report.session.text()}};
    if (auto kind = call(in, report.call); !kind.empty()) all.push_back({say(in, "Chiamata", "Call"), std::move(kind)});
    return all;
}

std::string all_together(Language in) {
    return say(in, "Tutti insieme", "Everybody together");
}

/// Who was there, and each for how long.
std::string who(Language in) {
    return say(in, "Chi è stato registrato, e per quanto", "Who was recorded, and for how long");
}

std::string listen(Language in) {
    return say(in, "ascolta", "listen");
}

std::string last_words(const Report& report) {
    const Language in = report.language;
    if (!report.master) return {};
    if (report.links_until) {
        return say(in,
                   "Scadenza dei link: {0}. Chi li ha può ascoltare, quindi non pubblicarli. Dopo, chi c'era ne riceve "
                   "di nuovi su Discord con {1}",
                   "The links work until {0}: whoever has them can listen, so do not publish them. After that, those "
                   "who were there get new ones on Discord with {1}",
                   day_and_time(in, *report.links_until), report.ask);
    }
    return say(in, "In questa copia non ci sono link: chi c'era riceve l'audio su Discord con {0}",
               "There are no links in this copy: those who were there get the audio on Discord with {0}", report.ask);
}

// ---- how it looks

std::string plain(const Report& report, std::string_view code) {
    const Language in = report.language;
    std::string text = headline(report, code) + "\n\n";
    for (const Fact& fact : facts(report)) text += fact.what + ": " + fact.value + "\n";
    if (report.master) {
        text += "\n" + all_together(in) + ": " + figures(in, *report.master) + "\n";
        if (!report.master->link.empty()) text += report.master->link + "\n";
    }
    if (!report.people.empty()) text += "\n" + who(in) + "\n";
    for (const Person& person : report.people) {
        text += "\n" + heading(in, person) + "\n  " + person.losses + "\n";
        for (const AudioFile& file : person.files) {
            text += "  " + clock(file.start) + " " + figures(in, file) + "\n";
            if (!file.link.empty()) text += "  " + file.link + "\n";
        }
    }
    const auto last = last_words(report);
    return last.empty() ? text : text + "\n" + last + "\n";
}

std::string anchor(const std::string& link, std::string_view label) {
    return "<a href=\"" + html_escaped(link) + "\">" + html_escaped(label) + "</a>";
}

std::string html_figures(Language in, const AudioFile& file) {
    std::string html = html_escaped(figures(in, file));
    if (!file.link.empty()) html += " " + anchor(file.link, listen(in));
    return html;
}

std::string html(const Report& report, std::string_view code) {
    const Language in = report.language;
    std::string page = "<!DOCTYPE html>\n<html lang=\"" + std::string(to_text(in)) +
                       "\">\n<head><meta charset=\"utf-8\">"
                       "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"></head>\n"
                       "<body style=\"font-family: sans-serif; font-size: 16px; line-height: 1.5; max-width: 36em; "
                       "margin: 0 auto; padding: 1em; overflow-wrap: anywhere\">\n";
    page += "<h1 style=\"font-size: 1.3em\">" + html_escaped(headline(report, code)) + "</h1>\n<p>";
    std::string_view next;
    for (const Fact& fact : facts(report)) {
        page.append(next).append(html_escaped(fact.what)).append(": <b>").append(html_escaped(fact.value));
        page += "</b>";
        next = "<br>\n";
    }
    page += "</p>\n";
    if (report.master) {
        page += "<p><b>" + html_escaped(all_together(in)) + "</b>: " + html_figures(in, *report.master) + "</p>\n";
    }
    if (!report.people.empty()) page += "<h2 style=\"font-size: 1.1em\">" + html_escaped(who(in)) + "</h2>\n";
    for (const Person& person : report.people) {
        page += "<p><b>" + html_escaped(heading(in, person)) + "</b><br>\n" + html_escaped(person.losses);
        for (const AudioFile& file : person.files) {
            page += "<br>\n" + clock(file.start) + " " + html_figures(in, file);
        }
        page += "</p>\n";
    }
    if (const auto last = last_words(report); !last.empty()) page += "<p>" + html_escaped(last) + "</p>\n";
    return page + "</body>\n</html>\n";
}

}  // namespace

Content content(const Report& report) {
    const auto code = report.session.ending();
    return {subject(report, code), plain(report, code), html(report, code)};
}

}  // namespace lestapenna::notify
