// The transcript of a session, recordings/{session}/transcript-{session}.txt: what was said in all its fragments, in
// the order it was said, a line for each segment:
//
//   [h:mm:ss] Name: words
//
// The time is on the session's clock. Then, after an empty line, a line that begins with '#' for each fragment of which
// there are no words, and why. UTF-8; names and words can not break a line.
#pragma once

#include <string>

#include "workflows/session.h"

namespace lestapenna::workflows {

/// A pure function of what the catalog says. Errors: the catalog's; not_found.
Result<std::string> transcript_text(const catalog::Catalog& catalog, const SessionId& id);

/// Writes it to the store and notes it, when all fragments of the complete session are transcribed or given up and the
/// same is not there already; else nothing. Errors: those of catalog and store; locked while somebody else makes files
/// of the session, or forgets a person in it.
Status make_transcript(const Tools& tools, const SessionId& id);

}  // namespace lestapenna::workflows
