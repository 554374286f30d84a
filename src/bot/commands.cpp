#include "bot/commands.h"

#include "bot/text.h"

namespace lestapenna::bot {

namespace {

net::Task<> help(CorePtr core, Conversation talk) {
    const Language language = talk.with().language;
    co_await talk.answer(Audience::asker, text::help(language, core->prefix_for(talk.with())));
}

}  // namespace

net::Task<> obey(const CorePtr& core, Addressee with, Command command, Asker asker) {
    Conversation talk(core, std::move(with));
    switch (command.verb) {
        case Verb::listen:
            return listen(core, std::move(talk), std::move(asker));
        case Verb::stop:
            return stop(core, std::move(talk), std::move(asker));
        case Verb::pause:
            return pause(core, std::move(talk), std::move(asker), true);
        case Verb::resume:
            return pause(core, std::move(talk), std::move(asker), false);
        case Verb::status:
            return status(core, std::move(talk));
        case Verb::sessions:
            return sessions(core, std::move(talk));
        case Verb::download:
            return download(core, std::move(talk), std::move(asker), std::move(command.argument));
        case Verb::recover:
            return recover(core, std::move(talk), std::move(asker), std::move(command.argument));
        case Verb::note:
            return note(core, std::move(talk), std::move(asker), std::move(command.argument));
        case Verb::help:
            break;
    }
    return help(core, std::move(talk));
}

}  // namespace lestapenna::bot
