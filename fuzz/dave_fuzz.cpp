// The first byte chooses: bytes that claim to be a media frame, or anything that a voice gateway may say, in any order,
// to a member of an established call of three.
//
// Whatever it is, a frame opens only when it was sealed here, and opens once; and a session stays one that can be asked
// and told more: it is in a group it made or was welcomed to, of members whose names differ.
#include <algorithm>
#include <array>
#include <cstdlib>
#include <set>

#include "dave/frame.h"
#include "dave/receiver.h"
#include "dave/sender.h"
#include "dave/session.h"
#include "service.h"

namespace {

using namespace lestapenna;
using namespace lestapenna::dave;

constexpr UserId kUs{1};
constexpr UserId kBea{2};
constexpr UserId kNewcomer{3};
constexpr BootTime kNow{seconds(1'000)};

void must(bool held) {
    if (!held) std::abort();
}

// ---- frames

void frames(mls::View input) {
    static const mls::Secret kSecret(16);
    Receiver receiver;
    receiver.begin_epoch({{kBea, kSecret}}, kNow - kOverlap);
    const Opening what = receiver.open(kBea, 1, input, kNow).what;
    must(what == Opening::plain || what == Opening::forged || what == Opening::too_large ||
         (what == Opening::clear && is_silence(input)));
    must(!receiver.whose_key_opens(input, kNow));
    if (const auto frame = parse_frame(input)) {
        must(frame->media.size() + kLeastSupplement <= input.size() && frame->tag.size() == kTagBytes);
    }

    std::vector<std::uint8_t> sealed;
    Sender({kBea, kSecret}).seal(input, sealed);
    if (is_silence(input) || input.size() > kMostMediaBytes) return;
    must(receiver.whose_key_opens(sealed, kNow) == kBea);
    const Opened opened = receiver.open(kBea, 1, sealed, kNow);
    must(opened.what == Opening::opened && std::ranges::equal(opened.payload, input));
    must(receiver.open(kBea, 1, sealed, kNow).what == Opening::replayed);
}

// ---- what a gateway says

struct Scene {
    test::ExternalSender gateway;
    Session us{kUs, test::kChannel, mls::KeyPair::generate()};
    std::array<mls::Bytes, 6> messages;  // good ones, for the input to choose from

    Scene() {
        Session bea(kBea, test::kChannel, mls::KeyPair::generate());
        Session third(kNewcomer, test::kChannel, mls::KeyPair::generate());
        enter(us);
        const auto first = offer_in(us.on_proposals(test::append({gateway.add(0, enter(bea))})));
        us.on_commit(0, first.commit);
        bea.on_welcome(0, first.welcome);
        must(us.call().established && us.call().privacy_code == bea.call().privacy_code);

        messages[0] = test::append({gateway.add(1, enter(third))});
        messages[1] = test::append({gateway.remove(1, 1)});
        messages[2] = test::append({gateway.remove(1, 0)});
        Session ahead = bea;
        messages[3] = offer_in(ahead.on_proposals(messages[0])).commit;
        ahead = bea;
        messages[4] = offer_in(ahead.on_proposals(messages[2])).commit;
        messages[5] = first.welcome;
    }

    /// Gives the key package.
    mls::Bytes enter(Session& session) const {
        session.on_users(std::array{kUs, kBea, kNewcomer});
        const Actions actions = session.on_session_description(1);
        session.on_external_sender(gateway.op25());
        return test::find<SendKeyPackage>(actions)->package;
    }
    static test::Offer offer_in(const Actions& actions) {
        auto offer = test::offer_in(actions);
        must(offer.has_value());
        return std::move(*offer);
    }
};

const Scene& scene() {
    static const Scene scene;
    return scene;
}

/// One call: which, a transition id or the like, and bytes: those that follow (as many as the next byte says, times
/// four), or a good message with one byte of it changed or none.
class Script {
  public:
    explicit Script(mls::View input) : rest_(input) {}
    [[nodiscard]] bool at_end() const { return rest_.empty(); }
    std::uint8_t byte() {
        if (rest_.empty()) return 0;
        const std::uint8_t first = rest_.front();
        rest_ = rest_.subspan(1);
        return first;
    }
    mls::Bytes bytes() {
        const std::uint8_t how = byte();
        const auto& messages = scene().messages;
        if (how < messages.size()) return messages.at(how);
        if (how < 2 * messages.size()) {
            mls::Bytes changed = messages.at(how - messages.size());
            const std::size_t at = static_cast<std::size_t>(byte()) << 8 | byte();
            changed[at % changed.size()] = static_cast<std::uint8_t>(changed[at % changed.size()] ^ byte());
            return changed;
        }
        const std::size_t count = std::min<std::size_t>(rest_.size(), std::size_t{4} * how);
        mls::Bytes own = mls::to_bytes(rest_.first(count));
        rest_ = rest_.subspan(count);
        return own;
    }

  private:
    mls::View rest_;
};

Actions call(Session& session, Script& script) {
    const std::uint8_t which = script.byte();
    const std::uint8_t id = script.byte();
    switch (which % 12) {
        case 0:
            return session.on_session_description(id % 3);
        case 1:
            return session.on_users(std::array{UserId{id}});
        case 2:
            return session.on_user_left(UserId{id});
        case 3:
            return session.on_prepare_transition(id / 64 - 1, id % 4);
        case 4:
            return session.on_execute_transition(id % 4);
        case 5:
            return session.on_prepare_epoch(id % 3, id / 64);
        case 6:
            return session.on_external_sender(id < 128 ? scene().gateway.op25() : script.bytes());
        case 7:
        case 8:
            return session.on_proposals(script.bytes());
        case 9:
            return session.on_commit(id % 4, script.bytes());
        case 10:
            return session.on_welcome(id % 4, script.bytes());
        default:
            return session.recover();
    }
}

void sessions(mls::View input) {
    Session session = scene().us;
    mls::Bytes offered;
    Script script(input);
    for (int calls = 0; calls < 24 && !script.at_end(); ++calls) {
        const Actions actions = call(session, script);
        if (const auto offer = test::offer_in(actions)) {
            offered = offer->commit;
            must(offer->welcome.empty() || mls::decode<mls::Welcome>(offer->welcome).ok());
        }
        for (const auto& action : actions) {
            if (const auto* sent = std::get_if<SendCommit>(&action)) {
                mls::View rest = sent->commit_welcome;
                must(mls::decode_front<mls::Message>(rest).ok());
                offered =
                    mls::to_bytes(mls::View(sent->commit_welcome).first(sent->commit_welcome.size() - rest.size()));
                must(rest.empty() || mls::decode<mls::Welcome>(rest).ok());
            }
            const auto* epoch = std::get_if<ReceiveEpoch>(&action);
            must(epoch == nullptr || std::ranges::none_of(epoch->keys, [](auto& key) { return key.user == kUs; }));
        }
        if (!offered.empty() && script.byte() % 2 == 0) session.on_commit(script.byte() % 4, offered);
        const Call now = session.call();
        const std::set<UserId> users(now.members.begin(), now.members.end());
        must(users.size() == now.members.size());
        must(now.established == users.contains(kUs));
        must(now.privacy_code.empty() == (!now.established || now.version == 0));
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    const mls::View input(data + 1, size - 1);
    data[0] % 2 == 0 ? frames(input) : sessions(input);
    return 0;
}
