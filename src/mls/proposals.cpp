#include "mls/proposals.h"

#include <algorithm>
#include <utility>

namespace lestapenna::mls {

namespace {

constexpr std::uint16_t kRequiredCapabilities = 3;
constexpr std::uint8_t kResumptionPsk = 2;
constexpr std::uint8_t kApplicationUsage = 1;

// ---- one alone

/// Section 12.1.8.1 leaves outsiders neither updates nor initialisations.
bool may_say(const Proposal& proposal, const Sender& sender) {
    if (sender.type == SenderType::member) return true;
    return sender.type == SenderType::external && !std::holds_alternative<Update>(proposal) &&
           !std::holds_alternative<ExternalInit>(proposal);
}

struct CheckOne {
    const Sender& sender;
    const Ground& on;

    Checked<> operator()(const Add& add) const { return check_key_package(add.key_package); }

    Checked<> operator()(const Update& update) const {
        const LeafIndex leaf{sender.index};
        const LeafNode* before = on.tree.leaf(leaf);
        if (before == nullptr || update.leaf.source != LeafSource::update ||
            update.leaf.encryption_key == before->encryption_key) {
            return Reject::bad_proposal;
        }
        return check_leaf(update.leaf, {on.context.group_id, leaf});
    }

    Checked<> operator()(const Remove& remove) const {
        if (on.tree.leaf(remove.leaf) == nullptr) return Reject::bad_proposal;
        return Ok{};
    }

    Checked<> operator()(const UsePreSharedKey& use) const {
        const bool for_branches = use.psk.type == kResumptionPsk && use.psk.usage != kApplicationUsage;
        if (for_branches || use.psk.nonce.size() != kHashBytes) return Reject::bad_proposal;
        return Ok{};
    }

    Checked<> operator()(const GroupContextExtensions& /*judged with the tree they are for*/) const { return Ok{}; }
    Checked<> operator()(const ReInit& /*any*/) const { return Reject::unsupported; }
    Checked<> operator()(const ExternalInit& /*any*/) const { return Reject::unsupported; }
};

// ---- together

/// Does one proposal of a list to `to`; false when it contradicts what came before. Adds come in a second round: they
/// go to leaves that others leave blank (section 12.3).
struct ApplyAllButAdds {
    Applied& to;
    const Sender& sender;
    LeafIndex committer;
    std::set<LeafIndex>& touched;
    bool& extensions_set;

    bool operator()(const Add& /*second round*/) const { return true; }

    bool operator()(const Update& update) const {
        const LeafIndex leaf{sender.index};
        if (!touch(leaf)) return false;
        to.tree.update(leaf, update.leaf);
        return true;
    }

    bool operator()(const Remove& remove) const {
        if (!touch(remove.leaf)) return false;
        to.tree.remove(remove.leaf);
        to.removed.insert(remove.leaf);
        return true;
    }

    bool operator()(const UsePreSharedKey& use) const {
        if (std::ranges::find(to.psks, use.psk) != to.psks.end()) return false;
        to.psks.push_back(use.psk);
        return true;
    }

    bool operator()(const GroupContextExtensions& set) const {
        to.extensions = set.extensions;
        to.needs_path = true;
        return !std::exchange(extensions_set, true);
    }

    bool operator()(const ReInit& /*any*/) const { return false; }
    bool operator()(const ExternalInit& /*any*/) const { return false; }

  private:
    /// Each leaf once, and not that of who commits.
    [[nodiscard]] bool touch(LeafIndex leaf) const {
        to.needs_path = true;
        return leaf != committer && to.tree.leaf(leaf) != nullptr && touched.insert(leaf).second;
    }
};

// ---- extensions of a group

std::vector<std::uint16_t> read_types(Reader& from) {
    std::vector<std::uint16_t> types;
    from.list([&](Reader& each) { types.push_back(each.u16()); });
    return types;
}

/// What all members of a group must know. Lists from outside: a type may stand there often.
struct Required {
    std::vector<std::uint16_t> extensions, proposals, credentials;

    [[nodiscard]] bool met_by(const Known& known) const {
        return std::ranges::all_of(extensions, [&](std::uint16_t type) { return known.extension(type); }) &&
               std::ranges::all_of(proposals, [&](std::uint16_t type) { return known.proposal(type); }) &&
               std::ranges::all_of(credentials, [&](std::uint16_t type) { return known.credential(type); });
    }
};

/// required_capabilities (section 11.1).
std::optional<Required> read_required(View data) {
    Reader reader(data);
    Required required;
    required.extensions = read_types(reader);
    required.proposals = read_types(reader);
    required.credentials = read_types(reader);
    if (!reader.done()) return std::nullopt;
    return required;
}

std::optional<std::vector<ExternalSender>> read_external_senders(View data) {
    Reader reader(data);
    std::vector<ExternalSender> senders;
    reader.list([&](Reader& each) { read(each, senders.emplace_back()); });
    if (!reader.done()) return std::nullopt;
    return senders;
}

const Extension* find(std::span<const Extension> extensions, std::uint16_t type) {
    const auto found = std::ranges::find(extensions, type, &Extension::type);
    return found == extensions.end() ? nullptr : &*found;
}

}  // namespace

Checked<> check_one(const Proposal& proposal, const Sender& sender, const Ground& on) {
    if (!may_say(proposal, sender)) return Reject::wrong_sender;
    return std::visit(CheckOne{sender, on}, proposal);
}

std::set<LeafIndex> Applied::joined_leaves() const {
    std::set<LeafIndex> leaves;
    for (const Joined& who : joined) leaves.insert(who.leaf);
    return leaves;
}

Checked<Applied> apply_proposals(std::span<const Listed> list, LeafIndex committer, const Ground& on) {
    Applied applied;
    applied.tree = on.tree;
    applied.extensions = on.context.extensions;
    applied.needs_path = list.empty();
    std::set<LeafIndex> touched;
    bool extensions_set = false;
    for (const Listed& item : list) {
        const ApplyAllButAdds step{applied, item.sender, committer, touched, extensions_set};
        if (!std::visit(step, *item.proposal)) return Reject::bad_proposal;
    }
    for (const Listed& item : list) {
        const auto* add = std::get_if<Add>(item.proposal);
        if (add == nullptr) continue;
        const LeafIndex leaf = applied.tree.add(add->key_package.leaf);
        applied.joined.push_back({leaf, &add->key_package});
    }
    return applied;
}

Checked<> check_extensions(std::span<const Extension> extensions, const Tree& tree) {
    Required required;
    std::set<std::uint16_t> seen;
    for (const Extension& extension : extensions) {
        if (!seen.insert(extension.type).second) return Reject::bad_proposal;
        if (extension.type == Extension::kExternalSenders && !read_external_senders(extension.data)) {
            return Reject::bad_proposal;
        }
        if (extension.type == kRequiredCapabilities) {
            auto named = read_required(extension.data);
            if (!named) return Reject::bad_proposal;
            required = std::move(*named);
        }
    }
    required.extensions.insert(required.extensions.end(), seen.begin(), seen.end());
    const auto members = tree.members();
    const bool met =
        std::ranges::all_of(members, [&](LeafIndex at) { return required.met_by(Known(tree.leaf(at)->capabilities)); });
    if (!met) return Reject::unsupported;
    return Ok{};
}

std::optional<Bytes> external_sender_key(std::span<const Extension> extensions, std::uint32_t index) {
    const Extension* extension = find(extensions, Extension::kExternalSenders);
    if (extension == nullptr) return std::nullopt;
    auto senders = read_external_senders(extension->data);
    if (!senders || index >= senders->size()) return std::nullopt;
    return std::move((*senders)[index].signature_key);
}

}  // namespace lestapenna::mls
