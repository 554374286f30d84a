// What people are told of a call's end-to-end encryption, in words without keys and epochs. Pure; any thread.
#pragma once

#include <string>
#include <string_view>

#include "bot/language.h"
#include "catalog/catalog.h"
#include "recorder/recorder.h"

namespace lestapenna::bot::text {

/// "; non si è potuto aprire: 12 secondi (non avevo la chiave per aprirlo)", for the end of a person's line; empty when
/// all was opened.
std::string closed_of(Language language, const recorder::Closed& closed);
/// Of the call that is heard now; empty when nothing is known of it.
std::string call_line(Language language, const recorder::Call& call, bool stage);
/// Of a session that is over.
std::string call_line(Language language, catalog::Encryption encryption, std::string_view privacy_code, bool stage);

}  // namespace lestapenna::bot::text
