#include "bot/text.h"
#include "bot/text_parts.h"

// What is said when the bot is not, or not yet, where the table thinks it is: after a restart, in an outage of Discord.
namespace lestapenna::bot::text {

namespace {

std::string why_not(Language language, recorder::StartTrouble why, ChannelId voice) {
    using recorder::StartTrouble;
    switch (why) {
        case StartTrouble::no_sign:
            return say(language, "qui non riesco né a scrivere né a mettere [REC] nel mio nome",
                       "here I can neither write nor put [REC] in my name");
        case StartTrouble::no_answer:
        case StartTrouble::refused:
            return say(language, "Discord non mi fa entrare in {0}, guardate se c'è posto",
                       "Discord does not let me into {0}, see that there is room", channel(voice));
        case StartTrouble::recorded:
            return say(language, "ci sta lavorando ancora un'altra copia di me",
                       "another copy of me is still at work on it");
        case StartTrouble::disk:
            return say(language, "non riesco a scrivere sul mio disco, avvisate chi si occupa di me",
                       "I cannot write to my disk, tell whoever looks after me");
        case StartTrouble::stopped:
            break;
    }
    return say(language, "mi avete fermato", "I was stopped");
}

}  // namespace

std::string not_back_yet(Language language, const SessionId& session, recorder::StartTrouble why, ChannelId voice) {
    return say(
        language,
        "⚠️ Rieccomi, ma non registro ancora: {1}. Quello che avete detto prima, nella sessione {0}, è salvo; "
        "quello che dite adesso manca. Continuo a provare finché siete lì, e appena registro lo dico.",
        "⚠️ I am back, but not recording yet: {1}. What you said before, in session {0}, is kept; what you say "
        "now is missing. I keep trying while you are there, and say so once I record.",
        id(session), why_not(language, why, voice));
}

std::string with_break(Language language, std::string said, bool paused, std::string_view prefix) {
    if (!paused) return said;
    return said + '\n' +
           say(language, "⏸️ Ma la sessione è in pausa: non registro niente finché non scrivi {0}.",
               "⏸️ But the session is on a break: nothing is recorded until you type {0}.",
               command(Verb::resume, language, prefix));
}

std::string not_there_yet(Language language) {
    return say(language, "🌫️ Discord non mi mostra ancora questo server. Riprova tra poco.",
               "🌫️ Discord does not show me this server yet. Try again in a moment.");
}

}  // namespace lestapenna::bot::text
