// Any bytes are a structure of MLS, which is then written as the same bytes, or malformed. The first byte chooses which
// structure.
#include <algorithm>
#include <array>
#include <cstdlib>

#include "mls/messages.h"

namespace {

using namespace lestapenna::mls;

template <class T>
void recode(View bytes) {
    const auto value = decode<T>(bytes);
    if (!value) {
        if (value.error() != Reject::malformed) std::abort();
        return;
    }
    if (!std::ranges::equal(encode(*value), bytes)) std::abort();
}

// Their order is the corpus's.
constexpr std::array kStructures{
    recode<Message>,   recode<Welcome>,      recode<KeyPackage>,     recode<TreeNodes>, recode<ExternalSender>,
    recode<GroupInfo>, recode<GroupSecrets>, recode<Commit>,         recode<Proposal>,  recode<UpdatePath>,
    recode<LeafNode>,  recode<GroupContext>, recode<PreSharedKeyId>,
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    kStructures[data[0] % kStructures.size()]({data + 1, size - 1});
    return 0;
}
