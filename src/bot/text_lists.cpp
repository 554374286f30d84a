#include <algorithm>

#include "bot/text.h"
#include "bot/text_encryption.h"
#include "bot/text_parts.h"

// What there is to see (status, sessions) and to have (report, link).
namespace lestapenna::bot::text {

namespace {

using recorder::Heard;

std::string ago(Language language, nanoseconds age) {
    constexpr auto kNow = seconds(5);  // whoever talks pauses that long within a sentence
    if (age < kNow) return say(language, "adesso", "now");
    return say(language, "{0} fa", "{0} ago", short_length(std::chrono::floor<milliseconds>(age)));
}

std::string lost_of(Language language, std::uint64_t lost, std::uint64_t received) {
    if (lost == 0) return say(language, "niente di perso", "nothing lost");
    return say(language, "persi {0} pacchetti su {1} ({2})", "{0} packets lost of {1} ({2})", number(language, lost),
               number(language, lost + received), percent(language, lost, lost + received));
}

std::string heard_line(Language language, const Heard& heard, BootTime now) {
    std::string name = heard.user.value == 0 ? say(language, "una voce ancora senza nome", "a voice without a name yet")
                                             : escaped(heard.name);
    if (heard.bot) name += " (bot)";
    if (!heard.present && heard.user.value != 0) name += say(language, " (non c'è più)", " (has left)");
    if (!heard.last) return "• " + name + ": " + say(language, "non ha ancora parlato", "has not spoken yet");
    return "• " + name + ": " + ago(language, now - *heard.last) + ", " + lost_of(language, heard.lost, heard.packets) +
           closed_of(language, heard.closed);
}

std::string durable_line(Language language, const recorder::Report& report) {
    constexpr auto kPromised = seconds(1);  // a sync each 100 ms and what a disk takes for it
    if (report.not_durable < kPromised) {
        return say(language, "💾 Su disco: tutto, fino a un attimo fa", "💾 On disk: everything, up to a moment ago");
    }
    return say(language, "⚠️ Su disco: solo fino a {0} secondi fa, il disco è lento",
               "⚠️ On disk: only up to {0} seconds ago, the disk is slow",
               decimal(language, std::chrono::duration<double>(report.not_durable).count()));
}

std::string safety_line(Language language, const Safety& safety) {
    if (!safety.other_device) {
        return say(language, "🏠 Copie di riserva: nessuna, è solo su questa macchina",
                   "🏠 Spare copies: none, it is only on this machine");
    }
    if (!safety.chunks_until) {
        return say(language, "🏠 Copie di riserva: ancora nessuna, è solo su questa macchina per qualche minuto",
                   "🏠 Spare copies: none yet, it is only on this machine for some minutes");
    }
    return say(language, "🏦 Copie di riserva: tutto fino alle {0} ({1})", "🏦 Spare copies: everything until {0} ({1})",
               clock(*safety.chunks_until),
               language == Language::it ? counted(language, safety.chunks, "pezzo", "pezzi")
                                        : counted(language, safety.chunks, "piece", "pieces"));
}

/// What stands in the way of hearing everybody.
std::string troubles(Language language, const recorder::Report& report) {
    std::string text;
    if (report.is_paused) {
        text +=
            say(language, "\n⏸️ In pausa: non sto registrando", "\n⏸️ On a break: nothing is being recorded");
    }
    if (report.deaf) {
        text += say(language, "\n🔇 Un moderatore mi ha tolto l'audio: non sento nessuno, ridatemelo",
                    "\n🔇 A moderator has deafened me: I hear nobody, please undeafen me");
    }
    if (!report.connected) {
        text +=
            say(language, "\n🔌 Discord mi ha scollegato: sto rientrando", "\n🔌 Discord cut me off: I am coming back");
    }
    if (const auto lost_here = report.refused + report.voice.kernel_drops; lost_here > 0) {
        text += say(language, "\n⚠️ {0} pacchetti persi da me: la macchina è troppo occupata",
                    "\n⚠️ {0} packets lost by myself: the machine is too busy", number(language, lost_here));
    }
    return text;
}

std::string state_of(Language language, catalog::SessionStatus status) {
    using catalog::SessionStatus;
    switch (status) {
        case SessionStatus::recording:
            return say(language, "in corso", "under way");
        case SessionStatus::ending:
            return say(language, "in preparazione", "being prepared");
        case SessionStatus::complete:
            return say(language, "pronta", "ready");
        case SessionStatus::interrupted:
            return say(language, "interrotta", "interrupted");
        case SessionStatus::failed:
            return say(language, "mai cominciata", "never begun");
    }
    return {};
}

std::string with_code(Verb verb, Language language, std::string_view prefix, const SessionId& session) {
    return fmt::format("`{}{} {}`", prefix, word(verb, language), short_id(session));
}

/// ", ricostruita ...", where its journal is gone.
std::string rebuilt(Language language, const std::optional<catalog::MasterSource>& source) {
    if (source == catalog::MasterSource::fragments) {
        return say(language, ", ricostruita dai file delle singole persone", ", rebuilt from each person's files");
    }
    if (source == catalog::MasterSource::chunks) {
        return say(language, ", ricostruita dai pezzi di riserva", ", rebuilt from the backup pieces");
    }
    return {};
}

/// "sessione `7F3K2A` (<t:…>, 3 ore)"
std::string title(Language language, const Finished& finished) {
    return say(language, "sessione {0} ({1}, {2}){3}", "session {0} ({1}, {2}){3}", id(finished.session),
               day(finished.start), length(language, finished.length), rebuilt(language, finished.source));
}

}  // namespace

std::string status(Language language, const Live& live) {
    auto heard = live.report.heard;
    std::stable_partition(heard.begin(), heard.end(), [](const Heard& one) { return one.present; });
    std::vector<std::string> lines;
    lines.reserve(heard.size());
    for (const Heard& one : heard) lines.push_back(heard_line(language, one, live.now));
    const auto head =
        say(language, "🔴 **Sessione {0}** in {1}, da {2}{3}", "🔴 **Session {0}** in {1}, for {2}{3}", id(live.session),
            channel(live.report.channel), length(language, live.length), troubles(language, live.report));
    auto foot = durable_line(language, live.report) + '\n' + safety_line(language, live.safety);
    if (const auto call = call_line(language, live.report.call, live.stage); !call.empty()) foot += '\n' + call;
    if (lines.empty()) lines.push_back(say(language, "• Non sento ancora nessuno", "• I hear nobody yet"));
    return list(language, head, lines, foot);
}

std::string idle(Language language, const std::optional<catalog::Session>& last, std::string_view prefix) {
    auto begin = not_recording(language, prefix);
    if (!last) return begin;
    using catalog::SessionStatus;
    const auto named = say(language, "L'ultima sessione è {0}, cominciata {1}", "The last session is {0}, begun {1}",
                           id(last->id), day(last->start));
    switch (last->status) {
        case SessionStatus::complete:
            return begin + '\n' +
                   say(language, "{0}: l'audio è pronto, {1}.", "{0}: its audio is ready, {1}.", named,
                       with_code(Verb::download, language, prefix, last->id));
        case SessionStatus::ending:
            return begin + '\n' +
                   say(language, "{0}: sto preparando l'audio.", "{0}: I am preparing its audio.", named);
        case SessionStatus::recording:
        case SessionStatus::interrupted:
            return begin + '\n' +
                   say(language, "{0}, ed è rimasta a metà: chi gestisce il server può scrivere {1}.",
                       "{0}, and was left half done: whoever manages the server can type {1}.", named,
                       with_code(Verb::recover, language, prefix, last->id));
        case SessionStatus::failed:
            break;
    }
    return begin;
}

std::string sessions(Language language, const std::vector<Listed>& sessions, std::string_view prefix) {
    if (sessions.empty()) {
        return say(language,
                   "📜 Qui non ho ancora registrato niente. Per cominciare entra in un canale vocale e scrivi {0}.",
                   "📜 I have not recorded anything here yet. To begin, join a voice channel and type {0}.",
                   command(Verb::listen, language, prefix));
    }
    std::vector<std::string> lines;
    for (const Listed& one : sessions) {
        std::string line = "• " + id(one.session.id) + ' ' + day(one.session.start);
        if (one.session.end) line += ", " + short_length(*one.session.end - one.session.start);
        if (one.people > 0) {
            line += ", " + (language == Language::it ? counted(language, one.people, "persona", "persone")
                                                     : counted(language, one.people, "person", "people"));
        }
        lines.push_back(line + ": " + state_of(language, one.session.status));
    }
    return list(language, say(language, "📜 **Le ultime sessioni**", "📜 **The last sessions**"), lines,
                say(language, "Per l'audio: `{0}{1} codice`", "For the audio: `{0}{1} code`", prefix,
                    word(Verb::download, language)));
}

// ---- the end of the work

std::string losses(Language language, const Person& person) {
    const auto at_least_none = [](std::int64_t count) {
        return static_cast<std::uint64_t>(std::max<std::int64_t>(count, 0));
    };
    std::string line = lost_of(language, at_least_none(person.lost), at_least_none(person.received));
    line += closed_of(language, person.closed);
    if (person.open_mic) {
        line += say(language, "; microfono sempre aperto: alzare la soglia d'ingresso",
                    "; microphone always open: raise its input threshold");
    }
    if (person.capped) {
        line += say(language, "; voce molto bassa: alzare il volume d'ingresso",
                    "; very quiet voice: raise the input volume");
    }
    return line;
}

std::string report(Language language, const Finished& finished, std::string_view prefix) {
    const auto stayed_closed = [](const Person& person) { return person.closed != recorder::Closed{}; };
    const bool all_closed = !finished.has_audio && std::ranges::any_of(finished.people, stayed_closed);
    if (!finished.has_audio && !all_closed) return no_audio(language, finished.session);
    std::vector<std::string> lines;
    lines.reserve(finished.people.size());
    for (const Person& person : finished.people) {
        lines.push_back("• " + escaped(person.name) + ": " + losses(language, person));
    }
    std::string foot;
    if (finished.encryption) {
        foot = call_line(language, *finished.encryption, finished.privacy_code, finished.stage);
    }
    if (all_closed) {
        return list(language,
                    say(language, "🔒 Non c'è audio da scaricare, niente di ciò che si è detto si è potuto aprire: {0}",
                        "🔒 There is no audio to download, nothing of what was said could be opened: {0}",
                        title(language, finished)),
                    lines, foot);
    }
    if (!foot.empty()) foot += '\n';
    return list(language,
                say(language, "📼 L'audio è pronto: {0}", "📼 The audio is ready: {0}", title(language, finished)), lines,
                foot + say(language, "Chi c'era riceve il link in privato con {0}",
                           "Whoever was there gets the link in private with {0}",
                           with_code(Verb::download, language, prefix, finished.session)));
}

std::string link(Language language, const Finished& finished, std::string_view link, UnixTime expires) {
    // In angle brackets Discord makes no preview, so its servers do not fetch the audio.
    return say(
        language, "🎧 Ecco l'audio, {0}:\n<{1}>\nVale fino a {2}: chi ha il link ascolta, quindi non pubblicarlo.",
        "🎧 Here is the audio, {0}:\n<{1}>\nIt works until {2}: whoever has the link can listen, so do not publish it.",
        title(language, finished), link, day(expires));
}

std::string attached(Language language, const Finished& finished) {
    return say(language, "🎧 Ecco l'audio, {0}. È qui sotto.", "🎧 Here is the audio, {0}. It is attached.",
               title(language, finished));
}

std::string no_link(Language language, const Finished& finished, std::uint64_t bytes) {
    return say(
        language,
        "📼 L'audio è pronto, {0}, ma con {1} MB è troppo grande per Discord e non ho un indirizzo web da cui dartelo. "
        "Chi "
        "si occupa del bot può impostare `web.public_url`, o prendere il file con `lestapenna master {2}`.",
        "📼 The audio is ready, {0}, but with {1} MB it is too big for Discord and I have no web address to give it to "
        "you from. Whoever runs the bot can set `web.public_url`, or take the file with `lestapenna master {2}`.",
        title(language, finished), phrase::megabytes(language, bytes), finished.session.text());
}

std::string no_audio(Language language, const SessionId& session) {
    return say(language, "🤫 Nella sessione {0} non si è sentito nessuno: non c'è audio da scaricare.",
               "🤫 Nobody was heard in session {0}: there is no audio to download.", id(session));
}

std::string audio_expired(Language language, const SessionId& session) {
    return say(
        language,
        "🗑️ L'audio della sessione {0} non c'è più: è stato tolto alla scadenza fissata da chi gestisce il "
        "bot. "
        "Chi lo aveva scaricato lo ha ancora.",
        "🗑️ The audio of session {0} is gone: it was removed when the time that whoever runs the bot has set "
        "for it was over. Whoever downloaded it still has it.",
        id(session));
}

std::string preparing(Language language, const SessionId& session) {
    return say(language, "⏳ Preparo l'audio della sessione {0}: il link ti arriva appena è pronto.",
               "⏳ I am preparing the audio of session {0}: you get the link as soon as it is ready.", id(session));
}

std::string could_not_make(Language language, const SessionId& session, ErrorKind why) {
    if (why == ErrorKind::not_found) {
        return say(language,
                   "💥 Non riesco a preparare l'audio della sessione {0}: la sua registrazione non è più al suo posto. "
                   "Avvisa chi si occupa del bot: nel log c'è il perché.",
                   "💥 I cannot prepare the audio of session {0}: its recording is not in its place any more. Tell "
                   "whoever runs the bot: the log says why.",
                   id(session));
    }
    if (why == ErrorKind::damaged) {
        return say(language,
                   "💥 Non riesco a preparare l'audio della sessione {0}: un suo file è danneggiato. Avvisa chi si "
                   "occupa del bot: nel log c'è il perché, e non cancelli niente.",
                   "💥 I cannot prepare the audio of session {0}: a file of it is damaged. Tell whoever runs the bot: "
                   "the log says why, and nothing should be deleted.",
                   id(session));
    }
    return say(language,
               "💥 Non riesco a preparare l'audio della sessione {0}: il disco è pieno, o non risponde. La "
               "registrazione resta. Riprova più tardi, e avvisa chi si occupa del bot: nel log c'è il perché.",
               "💥 I cannot prepare the audio of session {0}: the disk is full, or does not answer. The recording "
               "stays. Try again later, and tell whoever runs the bot: the log says why.",
               id(session));
}

std::string direct_messages_closed(Language language, const SessionId& session) {
    return say(
        language,
        "📪 Non posso scriverti in privato: i tuoi messaggi diretti sono chiusi. Usa {0} con il codice {1}: la risposta "
        "la vedi solo tu.",
        "📪 I cannot write to you in private: your direct messages are closed. Use {0} with the code {1}: only you see "
        "the answer.",
        command(Verb::download, language, "/"), id(session));
}

std::string see_direct_message(Language language) {
    return say(language, "📬 Ti ho scritto in privato.", "📬 I have written to you in private.");
}

}  // namespace lestapenna::bot::text
