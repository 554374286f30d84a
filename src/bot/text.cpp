#include "bot/text.h"

#include <algorithm>

#include "bot/text_parts.h"

// What is said while a session lives, and every "no". What there is to see and to have: text_lists.cpp.
namespace lestapenna::bot::text {

namespace {

/// As Discord's own settings name them.
std::string names_of(Language language, std::uint64_t permissions) {
    struct Named {
        std::uint64_t bit;
        std::string_view it;
        std::string_view en;
    };
    constexpr Named kNamed[] = {
        {permission::view_channel, "Visualizza canale", "View Channel"},
        {permission::connect, "Connettiti", "Connect"},
        {permission::send_messages, "Invia messaggi", "Send Messages"},
        {permission::change_nickname, "Cambia nickname", "Change Nickname"},
        {permission::move_members, "Sposta membri", "Move Members"},
    };
    std::vector<std::string> names;
    for (const Named& one : kNamed) {
        if ((permissions & one.bit) == 0) continue;
        names.push_back(language == Language::it ? fmt::format("«{}»", one.it) : fmt::format("“{}”", one.en));
    }
    return joined(language, names);
}

/// Why Discord does not let us in, as far as we know ourselves; empty: we do not.
std::string closed_door(Language language, const Obstacles& obstacles, ChannelId voice) {
    if (obstacles.missing_in_voice != 0) {
        return say(language,
                   "🔒 Non posso entrare in {0}: mi manca {1}. Chi gestisce il server me lo può dare nelle impostazioni "
                   "del canale; poi chiamami di nuovo.",
                   "🔒 I cannot enter {0}: I lack {1}. Whoever manages the server can give it to me in the channel's "
                   "settings; then call me again.",
                   channel(voice), names_of(language, obstacles.missing_in_voice));
    }
    if (obstacles.full) {
        return say(
            language,
            "🪑 In {0} non c'è più posto. Aggiungi una sedia (il limite di utenti del canale) o dammi {1}, poi "
            "chiamami di nuovo.",
            "🪑 There is no room left in {0}. Add a chair (the channel's user limit) or give me {1}, then call "
            "me again.",
            channel(voice), names_of(language, permission::move_members));
    }
    return {};
}

}  // namespace

std::string short_id(const SessionId& session) {
    return std::string(session.ending());
}

// ---- a session begins, goes on, ends

std::string listening(Language language, const SessionId& session, ChannelId voice, std::string_view prefix) {
    return say(language, "🎲 Vi ascolto in {0}: sessione {1}. Per una pausa scrivi {2}, alla fine {3}. Buona avventura!",
               "🎲 I am listening in {0}: session {1}. Type {2} for a break, {3} at the end. Have a good adventure!",
               channel(voice), id(session), command(Verb::pause, language, prefix),
               command(Verb::stop, language, prefix));
}

std::string listening_again(Language language, const SessionId& session, ChannelId voice, UnixTime start) {
    return say(
        language,
        "🎲 Vi ascolto di nuovo in {0}: continuo la sessione {1}, cominciata {2}. Resta una registrazione sola, con "
        "silenzio al posto dell'interruzione.",
        "🎲 I am listening again in {0}: I go on with session {1}, begun {2}. It stays one recording, with silence "
        "where it was interrupted.",
        channel(voice), id(session), day(start));
}

std::string already_listening(Language language, const SessionId& session, ChannelId voice, UnixTime start) {
    return say(
        language,
        "🎲 Sto già ascoltando in {0}: sessione {1}, cominciata {2}. Non serve altro; ascolto un canale alla volta "
        "per server.",
        "🎲 I am listening already in {0}: session {1}, begun {2}. Nothing else to do; I listen to one channel per "
        "server at a time.",
        channel(voice), id(session), day(start));
}

std::string could_not_start(Language language, const recorder::StartError& error, const Obstacles& obstacles,
                            ChannelId voice) {
    using recorder::StartTrouble;
    switch (error.what) {
        case StartTrouble::no_sign:
            return say(
                language,
                "🚫 Non registro di nascosto: qui non riesco né a scrivere né a mettere [REC] nel mio nome. Dammi {0} "
                "in questo canale, oppure {1}, poi chiamami di nuovo.",
                "🚫 I do not record in secret: here I can neither write nor put [REC] in my name. Give me {0} in this "
                "channel, or {1}, then call me again.",
                names_of(language,
                         obstacles.missing_in_text != 0 ? obstacles.missing_in_text : permission::send_messages),
                names_of(language, permission::change_nickname));
        case StartTrouble::no_answer:
        case StartTrouble::refused: {
            auto known = closed_door(language, obstacles, voice);
            if (!known.empty()) return known;
            return say(
                language,
                "🚪 Discord non mi fa entrare in {0}. Controlla che ci sia posto e che io abbia {1} su quel canale, poi "
                "chiamami di nuovo.",
                "🚪 Discord does not let me into {0}. See that there is room and that I have {1} on that channel, then "
                "call me again.",
                channel(voice), names_of(language, permission::view_channel | permission::connect));
        }
        case StartTrouble::recorded:
            return say(
                language,
                "👥 Questa sessione la sta già registrando un'altra copia di me. Chi si occupa del bot ne fermi "
                "una, poi chiamami di nuovo.",
                "👥 Another copy of me is recording this session already. Ask whoever runs the bot to stop one of "
                "the two, then call me again.");
        case StartTrouble::disk:
            return say(
                language,
                "💥 Non riesco a scrivere sul mio disco, e non comincio una registrazione che andrebbe persa. Avvisa "
                "chi "
                "si occupa del bot: nel log c'è il perché.",
                "💥 I cannot write to my disk, and will not begin a recording that would be lost. Tell whoever runs "
                "the bot: the log says why.");
        case StartTrouble::stopped:
            return say(
                language,
                "⏹️ Mi avete fermato prima che cominciassi: non ho registrato niente. Chiamami di nuovo quando "
                "volete.",
                "⏹️ I was stopped before I had begun: nothing was recorded. Call me again whenever you like.");
    }
    return something_broke(language);
}

std::string stopped(Language language, const SessionId& session, milliseconds length_of_it) {
    return say(language, "⏹️ Sessione {0} chiusa dopo {1}. Adesso preparo l'audio: appena è pronto lo dico qui.",
               "⏹️ Session {0} is closed after {1}. Now I prepare the audio, and say so here once it is ready.",
               id(session), length(language, length_of_it));
}

std::string ended(Language language, const SessionId& session, recorder::EndCause cause, milliseconds length_of_it) {
    const auto how_long = length(language, length_of_it);
    switch (cause) {
        case recorder::EndCause::stopped:
            break;
        case recorder::EndCause::removed:
            return say(language,
                       "⏹️ Non sono più nel canale vocale: chiudo qui la sessione {0}, dopo {1}. Quello che avete "
                       "detto è "
                       "salvo: preparo l'audio e lo dico qui. Se giocate ancora, chiamatemi di nuovo.",
                       "⏹️ I am no longer in the voice channel: session {0} ends here, after {1}. What you said is "
                       "kept: I prepare the audio and say so here. If you play on, call me again.",
                       id(session), how_long);
        case recorder::EndCause::refused:
            return say(language,
                       "⏹️ Discord non mi lascia rientrare in voce: chiudo qui la sessione {0}, dopo {1}. Quello "
                       "che avete "
                       "detto è salvo: preparo l'audio e lo dico qui. Se giocate ancora, chiamatemi di nuovo.",
                       "⏹️ Discord does not let me back into the voice channel: session {0} ends here, after {1}. "
                       "What you "
                       "said is kept: I prepare the audio and say so here. If you play on, call me again.",
                       id(session), how_long);
        case recorder::EndCause::empty:
            return say(language,
                       "⏹️ Al tavolo non c'è più nessuno: chiudo la sessione {0}, dopo {1}. Preparo l'audio, "
                       "appena è pronto "
                       "lo dico qui.",
                       "⏹️ Nobody is left at the table: I close session {0}, after {1}. I prepare the audio, and "
                       "say so here "
                       "once it is ready.",
                       id(session), how_long);
    }
    return stopped(language, session, length_of_it);
}

std::string paused(Language language, std::string_view prefix) {
    return say(language, "⏸️ Pausa: da adesso non registro niente. Quando ricominciate scrivi {0}.",
               "⏸️ On a break: from now on nothing is recorded. Type {0} when you begin again.",
               command(Verb::resume, language, prefix));
}

std::string already_paused(Language language, std::string_view prefix) {
    return say(language, "⏸️ Siamo già in pausa, non sto registrando. Per ricominciare scrivi {0}.",
               "⏸️ We are on a break already, nothing is being recorded. Type {0} to begin again.",
               command(Verb::resume, language, prefix));
}

std::string resumed(Language language) {
    return say(language, "▶️ Registro di nuovo. Nell'audio la pausa è silenzio.",
               "▶️ Recording again. In the audio the break is silence.");
}

std::string not_paused(Language language) {
    return say(language, "▶️ Non eravamo in pausa: sto registrando, andate pure avanti.",
               "▶️ We were not on a break: I am recording, just play on.");
}

std::string noted(Language language, milliseconds at) {
    return say(language, "📌 Segnato, a {0} dall'inizio.", "📌 Marked, {0} into the session.", position(at));
}

std::string note_is_empty(Language language, std::string_view prefix) {
    return say(language, "📌 Che cosa segno? Scrivilo dopo il comando: `{0}{1} arriva il drago`.",
               "📌 What shall I mark? Write it after the command: `{0}{1} the dragon arrives`.", prefix,
               word(Verb::note, language));
}

std::string note_is_too_long(Language language) {
    return say(language, "📌 Questa nota è troppo lunga e non l'ho segnata: prova con meno di 1.000 caratteri.",
               "📌 This note is too long and was not marked: try with less than 1,000 characters.");
}

std::string newcomer(Language language, std::string_view name) {
    return say(language, "👋 {0}, questa sessione viene registrata: da adesso anche la tua voce.",
               "👋 {0}, this session is being recorded: from now on your voice too.", escaped(name));
}

std::string unwritten(Language language) {
    return say(
        language,
        "💾 Il disco del computer che registra è pieno, o non risponde. Quello che avete detto non è perso, ma non "
        "è ancora al sicuro: chi si occupa di me liberi spazio e non mi spenga. Io riprovo finché riesco.",
        "💾 The disk of the machine that records is full, or does not answer. What you said is not lost, but not "
        "safe yet: whoever looks after me should free some space and not switch me off. I keep trying.");
}

std::string deafened(Language language) {
    return say(
        language,
        "🔇 Qualcuno mi ha tolto l'audio: non sento più nessuno, e finché dura nella registrazione c'è silenzio. Per "
        "rimediare: tasto destro sul mio nome, e ridammi l'audio.",
        "🔇 Somebody has deafened me: I hear nobody, and while that lasts the recording holds silence. To mend it: "
        "right-click my name and undeafen me.");
}

std::string no_longer_deaf(Language language) {
    return say(language, "🔊 Vi sento di nuovo, e registro.", "🔊 I hear you again, and I am recording.");
}

std::string back_again(Language language, const SessionId& session, milliseconds outage) {
    return say(
        language,
        "🔴 Rieccomi, dopo un'interruzione di {0}. Continuo la sessione {1}: quello che avete detto prima è salvo, "
        "quello "
        "che è stato detto nel frattempo manca.",
        "🔴 I am back after an interruption of {0}. I go on with session {1}; what you said before is kept, what was "
        "said meanwhile is missing.",
        length(language, outage), id(session));
}

// ---- recovery

std::string recovering(Language language, const std::vector<SessionId>& sessions) {
    std::vector<std::string> ids;
    for (const SessionId& session : sessions) {
        constexpr std::size_t kShown = 20;
        if (ids.size() == kShown) {
            ids.push_back(say(language, "altre {0}", "{0} more", sessions.size() - kShown));
            break;
        }
        ids.push_back(id(session));
    }
    return say(language, "🩹 Rimetto insieme {0}: {1}. Appena ho finito lo dico qui.",
               "🩹 I am putting {0} back together: {1}. I say so here once it is done.",
               language == Language::it ? counted(language, sessions.size(), "sessione", "sessioni")
                                        : counted(language, sessions.size(), "session", "sessions"),
               joined(language, ids));
}

std::string nothing_to_recover(Language language) {
    return say(language, "✅ Non c'è niente da rimettere insieme: in questo server nessuna sessione è rimasta a metà.",
               "✅ There is nothing to put back together: no session of this server was left half done.");
}

// ---- no

std::string refusal(Language language, Refusal refusal, std::string_view prefix) {
    switch (refusal) {
        case Refusal::not_in_voice:
            return say(language, "🎧 Entra prima in un canale vocale e poi scrivi {0}: ascolto quello in cui sei tu.",
                       "🎧 First join a voice channel, then type {0}: I listen to the one you are in.",
                       command(Verb::listen, language, prefix));
        case Refusal::lacks_role:
            return say(
                language,
                "🔒 In questo server può farmi ascoltare solo chi ha un certo ruolo. Chiedilo a chi gestisce il server.",
                "🔒 On this server only people with a certain role may have me listen. Ask whoever manages the "
                "server for it.");
        case Refusal::not_of_the_session:
            return say(
                language,
                "🔒 Questo può farlo chi è nel canale che sto ascoltando, chi ha avviato la sessione o chi gestisce il "
                "server. Entra nel canale e riprova.",
                "🔒 This is for whoever is in the channel I listen to, who started the session, or who manages the "
                "server. Join the channel and try again.");
        case Refusal::not_recorded:
            return say(
                language,
                "🔒 L'audio di una sessione è per chi c'era, per chi l'ha avviata e per chi gestisce il server. "
                "Chiedilo "
                "a uno di loro.",
                "🔒 A session's audio is for those who were there, who started it and who manage the server. Ask one "
                "of them for it.");
        case Refusal::not_manager:
            return say(
                language,
                "🔒 Rimettere insieme le sessioni è riservato a chi ha il permesso «Gestisci server». Chiedilo a uno "
                "di loro.",
                "🔒 Putting sessions back together is for those with the permission “Manage Server”. Ask one of "
                "them to do it.");
    }
    return something_broke(language);
}

std::string unknown_session(Language language, std::string_view prefix) {
    return say(language, "🔎 Non trovo questa sessione. {0} mostra quelle di questo server, con il loro codice.",
               "🔎 I do not find this session. {0} shows those of this server, with their codes.",
               command(Verb::sessions, language, prefix));
}

std::string ambiguous_session(Language language) {
    return say(language,
               "🔎 Più di una sessione finisce così: aggiungi qualche lettera prima, o scrivi il codice intero.",
               "🔎 More than one session ends like this: add some letters before, or write the whole code.");
}

std::string nothing_recorded_here(Language language, std::string_view prefix) {
    return say(language,
               "🔎 In questo canale non ho ancora registrato niente. {0} mostra le sessioni di tutto il server.",
               "🔎 I have not recorded anything in this channel yet. {0} shows the sessions of the whole server.",
               command(Verb::sessions, language, prefix));
}

std::string not_recording(Language language, std::string_view prefix) {
    return say(language, "💤 Adesso non sto ascoltando. Per cominciare entra in un canale vocale e scrivi {0}.",
               "💤 I am not listening now. To begin, join a voice channel and type {0}.",
               command(Verb::listen, language, prefix));
}

std::string only_in_a_guild(Language language) {
    return say(language, "🏰 In privato non posso fare niente: scrivimi in un canale del tuo server.",
               "🏰 I cannot do anything in private: write to me in a channel of your server.");
}

std::string busy(Language language) {
    return say(language, "⏳ Ci sto già lavorando: dammi un momento, rispondo lì.",
               "⏳ I am at it already: give me a moment, the answer comes there.");
}

std::string something_broke(Language language) {
    return say(
        language,
        "💥 Qualcosa è andato storto. Se stavo registrando, registro ancora. Riprova tra poco; se succede di nuovo, "
        "avvisa chi si occupa del bot: nel log c'è il perché.",
        "💥 Something went wrong. If I was recording, I still am. Try again in a moment; if it happens again, tell "
        "whoever runs the bot: the log says why.");
}

std::string help(Language language, std::string_view prefix) {
    const auto line = [&](Verb verb, std::string_view argument, std::string_view it, std::string_view en) {
        return fmt::format("`{}{}{}` {}", prefix, word(verb, language), argument, language == Language::it ? it : en);
    };
    const std::string_view code = language == Language::it ? " [codice]" : " [code]";
    const std::string_view note = language == Language::it ? " testo" : " text";
    return list(
        language,
        language == Language::it ? "🎲 **Registro le vostre sessioni, una traccia per ogni voce.**"
                                 : "🎲 **I record your sessions, one track for every voice.**",
        {line(Verb::listen, "", "ascolto il canale vocale in cui sei", "I listen to the voice channel you are in"),
         line(Verb::pause, "", "non registro più niente, fino a quando lo dici tu",
              "nothing is recorded until you say so"),
         line(Verb::resume, "", "finita la pausa, registro di nuovo", "the break is over, I record again"),
         line(Verb::note, note, "lascio un segno in questo punto", "I leave a marker at this point"),
         line(Verb::status, "", "chi sento, che cosa manca, che cosa è al sicuro",
              "who is heard, what is missing, what is safe"),
         line(Verb::stop, "", "chiudo la sessione e preparo l'audio", "I end the session and prepare its audio"),
         line(Verb::sessions, "", "le ultime sessioni di questo server", "the last sessions of this server"),
         line(Verb::download, code, "il link all'audio, in privato; senza codice: l'ultima sessione di questo canale",
              "the link to the audio, in private; without a code: the last session of this channel"),
         line(Verb::recover, code, "rimetto insieme le sessioni interrotte (per chi gestisce il server)",
              "I put interrupted sessions back together (for who manages the server)"),
         line(Verb::help, "", "questo elenco", "this list")},
        language == Language::it ? "Se vi dimenticate di me, chiudo io quando al tavolo non c'è più nessuno."
                                 : "If you forget me, I end it myself when nobody is left at the table.");
}

}  // namespace lestapenna::bot::text
