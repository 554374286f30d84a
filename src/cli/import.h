// `lestapenna import FILE.pcap --users SSRC=USER,...`: a capture of clear RTP becomes a session.
#pragma once

#include "cli/context.h"

namespace lestapenna::cli {

void add_import(CLI::App& app, Context& context);

}  // namespace lestapenna::cli
