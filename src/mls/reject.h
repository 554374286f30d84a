// Why something from outside was not accepted: one word, to be counted and logged. Pure; any thread.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/result.h"

namespace lestapenna::mls {

enum class Reject : std::uint8_t {
    malformed,         ///< not what RFC 9420 says: lengths that lie, trailing bytes, unknown enumerators
    unsupported,       ///< another protocol version, cipher suite, wire format or credential type
    bad_key,           ///< a public key that is not on the curve, or stands in the tree already
    bad_signature,     ///< of a message, a leaf, a key package or a group info
    bad_tag,           ///< membership or confirmation tag
    wrong_group,       ///< another group id
    wrong_epoch,       ///< of an epoch that is not ours
    wrong_sender,      ///< a sender that there is not, or that may not say this
    unknown_proposal,  ///< a commit refers to what we have not seen
    bad_proposal,      ///< proposals that make no sense together, or with this tree
    bad_tree,          ///< tree hash, parent hash or a leaf of the tree
    bad_path,          ///< an update path that does not fit the tree, or does not open
    not_for_us,        ///< a welcome without an entry for our key package
    cannot_open,       ///< a ciphertext that does not open
    removed,           ///< the commit removes us: no error of the message, but our group ends here
};
std::string_view to_string(Reject why);

template <class T = Ok>
using Checked = Result<T, Reject>;

}  // namespace lestapenna::mls
