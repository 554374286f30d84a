#include "workflows/keep_up.h"

#include "journal/writer.h"
#include "workflows/closed.h"
#include "workflows/fragment.h"
#include "workflows/ledger.h"
#include "workflows/manifest.h"
#include "workflows/rotation.h"

namespace lestapenna::workflows {

namespace {

// A clock record comes each second, and is written a little later.
constexpr milliseconds kMargin = seconds(2);

}  // namespace

Result<std::optional<UnixTime>> keep_up(const Tools& tools, const SessionId& id, Growing& growing) {
    const auto nothing = [&]() -> std::optional<UnixTime> {
        growing.forget(id);
        return std::nullopt;
    };
    if (!journal::is_locked(journal_folder(tools.config, id))) return nothing();
    auto session = Session::open(tools, id, WhileRecording::read);
    if (!session) return session.error();
    const timeline::Timeline& timeline = session->timeline();
    if (timeline.ended) return nothing();
    if (const auto ours = session->scratch(""); !ours) return ours.error();  // nobody else makes its files now

    const Closed closed(timeline, tools.config.capture.rotation, true);
    const auto ledger = [&] { return write_tracks(tools, id, timeline); };
    if (auto status = tools.catalog.together(ledger); !status) return status.error();
    if (auto status = make_chunks(*session, closed, growing); !status) return status.error();
    const auto fragments = render_fragments(*session, closed);
    if (!fragments) return fragments.error();
    if (auto status = store_fragments(*session, *fragments); !status) return status.error();
    if (auto status = write_manifest(tools, id); !status) return status.error();
    return std::optional(unix_now() + std::chrono::ceil<milliseconds>(closed.next_closing()) + kMargin);
}

}  // namespace lestapenna::workflows
