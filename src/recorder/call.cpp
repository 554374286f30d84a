#include "recorder/call.h"

namespace lestapenna::recorder {

namespace {

// One second of speech: at the edge of a change others may be some frames ahead of us.
constexpr std::uint64_t kHeardInTheClear = 50;

}  // namespace

void CallHistory::take(const discord::Encryption& news) {
    now_ = {true, news.encrypted, news.epoch, news.privacy_code};
    if (news.encrypted && !news.privacy_code.empty()) last_code_ = news.privacy_code;
}

void CallHistory::note(catalog::Session& row) const {
    using enum catalog::Encryption;
    const bool sealed = !last_code_.empty() || row.encryption == end_to_end || row.encryption == partly;
    const bool clear = clear_frames_ >= kHeardInTheClear || row.encryption == none || row.encryption == partly;
    if (sealed || clear) row.encryption = sealed && clear ? partly : sealed ? end_to_end : none;
    if (!last_code_.empty()) row.privacy_code = last_code_;
}

}  // namespace lestapenna::recorder
