#include "mls/reject.h"

namespace lestapenna::mls {

std::string_view to_string(Reject why) {
    switch (why) {
        case Reject::malformed:
            return "malformed";
        case Reject::unsupported:
            return "unsupported";
        case Reject::bad_key:
            return "bad_key";
        case Reject::bad_signature:
            return "bad_signature";
        case Reject::bad_tag:
            return "bad_tag";
        case Reject::wrong_group:
            return "wrong_group";
        case Reject::wrong_epoch:
            return "wrong_epoch";
        case Reject::wrong_sender:
            return "wrong_sender";
        case Reject::unknown_proposal:
            return "unknown_proposal";
        case Reject::bad_proposal:
            return "bad_proposal";
        case Reject::bad_tree:
            return "bad_tree";
        case Reject::bad_path:
            return "bad_path";
        case Reject::not_for_us:
            return "not_for_us";
        case Reject::cannot_open:
            return "cannot_open";
        case Reject::removed:
            return "removed";
    }
    return "?";
}

}  // namespace lestapenna::mls
