#include "bot/text_encryption.h"

#include <numeric>

#include "bot/text.h"
#include "bot/text_parts.h"
#include "dave/codes.h"

namespace lestapenna::bot::text {

namespace {

using journal::ClosedReason;

/// How long closed packets would have sounded; Discord's clients send one each 20 ms.
std::string duration_of(Language language, std::uint64_t packets) {
    constexpr milliseconds kPacket{20};
    const auto all = kPacket * static_cast<std::int64_t>(packets);
    if (all < seconds(1)) return say(language, "meno di un secondo", "less than a second");
    return length(language, all);
}

/// Of what somebody said.
std::string why(Language language, ClosedReason reason) {
    switch (reason) {
        case ClosedReason::unknown:
            return say(language, "non so perché", "I do not know why");
        case ClosedReason::no_user:
            return say(language, "Discord non ha detto di chi era la voce", "Discord did not say whose voice it was");
        case ClosedReason::no_key:
            return say(language, "non avevo la chiave per aprirlo", "I had no key to open it");
        case ClosedReason::forged:
            return say(language, "la chiave di chi parlava non lo apriva", "the speaker's key did not open it");
        case ClosedReason::plain:
            return say(language, "non era cifrato, e qui doveva esserlo",
                       "it was not encrypted, and here it had to be");
        case ClosedReason::overflow:
            return say(language, "troppe voci aspettavano insieme", "too much was waiting at the same time");
    }
    return {};
}

std::string code(std::string_view privacy_code) {
    return '`' + dave::in_groups_of_five(privacy_code) + '`';
}

std::string because_of_stage(Language language, bool stage) {
    return stage ? say(language, ": i canali stage non lo sono mai", ": stage channels never are") : std::string();
}

}  // namespace

std::string closed_of(Language language, const recorder::Closed& closed) {
    const auto all = std::accumulate(closed.begin(), closed.end(), std::uint64_t{0});
    if (all == 0) return {};
    std::string reasons;
    for (std::size_t i = 0; i < closed.size(); ++i) {
        if (closed[i] == 0) continue;
        if (!reasons.empty()) reasons += ", ";
        reasons += why(language, static_cast<ClosedReason>(i));
        if (closed[i] < all) reasons += ": " + duration_of(language, closed[i]);
    }
    return say(language, "; non si è potuto aprire: {0} ({1})", "; could not be opened: {0} ({1})",
               duration_of(language, all), reasons);
}

std::string call_line(Language language, const recorder::Call& call, bool stage) {
    if (!call.known) return {};
    if (!call.encrypted) {
        return say(language, "🔓 Chiamata non cifrata end-to-end{0}", "🔓 The call is not end-to-end encrypted{0}",
                   because_of_stage(language, stage));
    }
    return say(
        language,
        "🔐 Chiamata cifrata end-to-end. Codice privacy: {0} (lo stesso che vi mostra Discord; cambia quando "
        "qualcuno entra o esce)",
        "🔐 The call is end-to-end encrypted. Privacy code: {0} (the same that Discord shows you; it changes when "
        "somebody joins or leaves)",
        code(call.privacy_code));
}

std::string call_line(Language language, catalog::Encryption encryption, std::string_view privacy_code, bool stage) {
    switch (encryption) {
        case catalog::Encryption::none:
            return say(language, "🔓 La chiamata non era cifrata end-to-end{0}",
                       "🔓 The call was not end-to-end encrypted{0}", because_of_stage(language, stage));
        case catalog::Encryption::end_to_end:
            return say(language, "🔐 La chiamata era cifrata end-to-end; codice privacy alla fine: {0}",
                       "🔐 The call was end-to-end encrypted; privacy code at the end: {0}", code(privacy_code));
        case catalog::Encryption::partly:
            return say(language, "🔓 La chiamata era cifrata end-to-end solo in parte; ultimo codice privacy: {0}",
                       "🔓 The call was end-to-end encrypted only in part; last privacy code: {0}", code(privacy_code));
    }
    return {};
}

std::string cannot_open(Language language, std::string_view name, bool gave_up, std::string_view prefix) {
    const auto who = name.empty()
                         ? say(language, "di qualcuno che Discord non mi nomina", "of somebody Discord does not name")
                         : say(language, "di {0}", "of {0}", escaped(name));
    if (gave_up) {
        return say(
            language,
            "🔒 La voce {0} resta chiusa: la chiamata è cifrata, e ho provato tre volte a farmi dare la chiave. Chi non "
            "si sente esca dal canale vocale e rientri; se non basta, chi gestisce il canale ne cambi la regione nelle "
            "impostazioni: la chiamata ricomincia con chiavi nuove.",
            "🔒 The voice {0} stays closed: the call is encrypted, and I have asked for the key three times. Whoever is "
            "not heard should leave the voice channel and join again; if that does not help, whoever manages the "
            "channel can change its region in the settings: the call then begins anew with new keys.",
            who);
    }
    return say(
        language,
        "🔐 Non riesco ad aprire la voce {0}: la chiamata è cifrata e la chiave non mi è arrivata. La sto chiedendo di "
        "nuovo; se tra un minuto {1} mostra ancora voci chiuse, chi parla esca dal canale vocale e rientri.",
        "🔐 I cannot open the voice {0}: the call is encrypted and its key has not reached me. I am asking for it "
        "again; "
        "if {1} still shows closed voices in a minute, the speaker should leave the voice channel and join again.",
        who, command(Verb::status, language, prefix));
}

}  // namespace lestapenna::bot::text
