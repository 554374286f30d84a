#include "service.h"

#include <algorithm>
#include <utility>

#include "dave/rules.h"

namespace lestapenna::test {
namespace {

struct Worded {
    std::string operator()(const dave::SendKeyPackage&) const { return "key package"; }
    std::string operator()(const dave::SendCommit& commit) const {
        View rest = commit.commit_welcome;
        (void)mls::decode_front<mls::Message>(rest);
        return rest.empty() ? "commit" : "commit and welcome";
    }
    std::string operator()(const dave::SendReady& ready) const { return "ready " + std::to_string(ready.transition); }
    std::string operator()(const dave::SendInvalid& bad) const { return "invalid " + std::to_string(bad.transition); }
    std::string operator()(const dave::ReceiveEpoch& epoch) const {
        return "hear " + std::to_string(epoch.keys.size());
    }
    std::string operator()(const dave::SendWith& with) const { return with.own ? "speak" : "speak clear"; }
    std::string operator()(const dave::ReceiveClear& clear) const {
        if (!clear.allowed) return "no clear";
        return clear.winding_down ? "clear ends" : "clear";
    }
    std::string operator()(const dave::CallChanged&) const { return "changed"; }
    std::string operator()(const dave::Unnamed& one) const { return "unnamed " + std::to_string(one.members); }
    std::string operator()(const dave::Refused& refused) const {
        return "refused " + std::string(refused.what) + " " + std::string(mls::to_string(refused.why));
    }
};

}  // namespace

std::vector<std::string> words(const dave::Actions& actions) {
    std::vector<std::string> all;
    all.reserve(actions.size());
    for (const auto& action : actions) all.push_back(std::visit(Worded{}, action));
    return all;
}

std::optional<Offer> offer_in(const dave::Actions& actions) {
    const auto* sent = find<dave::SendCommit>(actions);
    if (sent == nullptr) return std::nullopt;
    View rest = sent->commit_welcome;
    (void)mls::decode_front<mls::Message>(rest);
    const std::size_t commit = sent->commit_welcome.size() - rest.size();
    return Offer{mls::to_bytes(View(sent->commit_welcome).first(commit)), mls::to_bytes(rest)};
}

// ---- what the gateway makes

Bytes ExternalSender::op25() const {
    mls::Writer writer;
    writer.vec(key_.public_key);
    writer.u16(mls::Credential::kBasic);
    writer.vec(Bytes{0, 1, 1, 0});
    return mls::to_bytes(writer.bytes());
}

Bytes ExternalSender::propose(std::uint64_t epoch, mls::Proposal proposal, std::uint32_t index) const {
    mls::PublicMessage message;
    message.content.group_id = dave::group_id_of(kChannel);
    message.content.epoch = epoch;
    message.content.sender = {mls::SenderType::external, index};
    message.content.content = std::move(proposal);
    message.signature = mls::sign(message.content, {}, key_);
    return mls::encode(mls::Message(message));
}

Bytes ExternalSender::add(std::uint64_t epoch, View package) const {
    return propose(epoch, mls::Add{mls::decode<mls::KeyPackage>(package).value()});
}

Bytes ExternalSender::remove(std::uint64_t epoch, std::uint32_t leaf) const {
    return propose(epoch, mls::Remove{{leaf}});
}

Bytes append(const std::vector<Bytes>& messages) {
    mls::Writer writer;
    writer.u8(0);
    writer.vec_of([&](mls::Writer& inner) {
        for (const Bytes& message : messages) inner.raw(message);
    });
    return mls::to_bytes(writer.bytes());
}

Bytes revoke(const std::vector<Bytes>& refs) {
    mls::Writer writer;
    writer.u8(1);
    writer.vec_of([&](mls::Writer& inner) {
        for (const Bytes& ref : refs) inner.vec(ref);
    });
    return mls::to_bytes(writer.bytes());
}

Bytes ref_of(View proposal_message) {
    const auto message = mls::decode<mls::Message>(proposal_message).value();
    return mls::proposal_ref(std::get<mls::PublicMessage>(message));
}

Bytes spoiled(Bytes bytes, std::size_t at) {
    bytes.at(at) = static_cast<std::uint8_t>(bytes.at(at) ^ 1U);
    return bytes;
}

// ---- a member

Member::Member(UserId who, dave::Session::MakeKeyPackage make)
    : user(who), session(who, kChannel, mls::KeyPair::generate(), std::move(make)) {}

dave::Actions Member::take(dave::Actions actions) {
    for (const auto& action : actions) {
        if (const auto* package = std::get_if<dave::SendKeyPackage>(&action)) packages.push_back(package->package);
        if (const auto* bad = std::get_if<dave::SendInvalid>(&action)) invalid.push_back(bad->transition);
        if (const auto* epoch = std::get_if<dave::ReceiveEpoch>(&action)) {
            receiver.begin_epoch(epoch->keys, now);
            if (!code().empty()) epochs.insert(code());
        }
        if (const auto* ready = std::get_if<dave::SendReady>(&action)) prepared[ready->transition] = code();
        if (const auto* with = std::get_if<dave::SendWith>(&action)) {
            sender.reset();
            if (with->own) sender.emplace(*with->own);
            speaks_in = code();
        }
        if (const auto* clear = std::get_if<dave::ReceiveClear>(&action)) {
            const BootTime until = clear->winding_down ? now + dave::kOverlap : BootTime::max();
            receiver.pass_clear_until(clear->allowed ? until : BootTime::min());
        }
    }
    return actions;
}

dave::Actions Member::op22(std::uint16_t t) {
    auto actions = take(session.on_execute_transition(t));
    if (find<dave::SendWith>(actions) != nullptr) speaks_in = prepared[t];  // may be older than the newest
    return actions;
}

std::optional<Bytes> Member::speak(View opus) {
    if (!sender) return std::nullopt;
    Bytes frame;
    sender->seal(opus, frame);
    return frame;
}

// ---- a table

Member& Table::join(UserId user) {
    Member& member = *(members_[user] = std::make_unique<Member>(user));
    std::vector<UserId> others;
    for (auto& [other, there] : members_) {
        if (other == user) continue;
        others.push_back(other);
        there->op11({user});
    }
    member.op11(others);
    member.op4();
    member.op25(gateway.op25());
    waiting_.insert(user);
    return member;
}

void Table::leave(UserId user) {
    auto member = members_.extract(user);
    sent_.erase(user);
    waiting_.erase(user);
    if (in_group(*member.mapped())) gone_.insert(member.mapped().get());
    past_.push_back(std::move(member.mapped()));
    for (auto& [other, there] : members_) there->op13(user);
}

std::vector<Member*> Table::members() {
    std::vector<Member*> all;
    for (auto& [user, member] : members_) all.push_back(member.get());
    return all;
}

bool Table::in_group(const Member& member) const {
    return std::ranges::find(leaves_, &member) != leaves_.end();
}

std::uint32_t Table::leaf_of(UserId user) const {
    const auto at = std::ranges::find(leaves_, members_.at(user).get());
    return static_cast<std::uint32_t>(at - leaves_.begin());
}

std::vector<Member*> Table::committers() {
    std::vector<Member*> who;
    for (Member* member : members()) {
        // In a group those who are sound; else all who wait have one of their own.
        if (epoch_ == 0 || (in_group(*member) && !gone_.contains(member))) who.push_back(member);
    }
    return who;
}

Bytes Table::op27_for(const Member& member) const {
    std::vector<Bytes> messages;
    for (std::uint32_t leaf = 0; leaf < leaves_.size(); ++leaf) {
        if (leaves_[leaf] != nullptr && gone_.contains(leaves_[leaf])) messages.push_back(gateway.remove(epoch_, leaf));
    }
    for (const UserId user : waiting_) {
        if (user != member.user) messages.push_back(gateway.add(epoch_, members_.at(user)->packages.back()));
    }
    return append(messages);
}

void Table::send(Member& to, Message message) {
    sent_[to.user].push_back(std::move(message));
}

void Table::note(Member& member, const dave::Actions& actions) {
    if (auto offer = offer_in(actions)) offers_[member.user] = std::move(*offer);
    if (find<dave::SendInvalid>(actions) == nullptr) return;
    if (in_group(member)) gone_.insert(&member);
    waiting_.insert(member.user);
}

void Table::deliver() {
    for (;;) {
        std::erase_if(sent_, [](const auto& queue) { return queue.second.empty(); });
        if (sent_.empty()) return;
        meanwhile();
        auto queue = sent_.begin();
        std::advance(queue, static_cast<std::ptrdiff_t>(random() % sent_.size()));
        const Message message = std::move(queue->second.front());
        queue->second.pop_front();
        Member& to = at(queue->first);
        note(to, message(to));
    }
}

std::map<UserId, Offer> Table::propose() {
    if (committers().empty()) {  // nobody is left of the group: who waits begins another
        leaves_.clear();
        gone_.clear();
        epoch_ = 0;
    }
    offers_.clear();
    const Bytes same = epoch_ == 0 ? Bytes{} : op27_for(*committers().front());  // signatures are random
    for (Member* member : committers()) {
        send(*member, [bytes = epoch_ == 0 ? op27_for(*member) : same](Member& to) { return to.op27(bytes); });
    }
    deliver();
    return offers_;
}

void Table::announce(std::uint16_t transition, UserId winner, const Offer& offer) {
    const auto were_in = epoch_ == 0 ? std::vector{&at(winner)} : committers();
    if (epoch_ == 0) {
        leaves_ = {&at(winner)};
        waiting_.erase(winner);
    }
    for (auto& leaf : leaves_) {
        if (leaf != nullptr && gone_.contains(leaf)) leaf = nullptr;
    }
    gone_.clear();
    while (!leaves_.empty() && leaves_.back() == nullptr) leaves_.pop_back();
    for (const UserId user : std::exchange(waiting_, {})) {
        const auto blank = std::ranges::find(leaves_, nullptr);
        (blank == leaves_.end() ? leaves_.emplace_back() : *blank) = &at(user);
        send(at(user),
             [=, bytes = on_the_way(at(user), offer.welcome)](Member& to) { return to.op30(transition, bytes); });
    }
    for (Member* member : were_in) {
        send(*member,
             [=, bytes = on_the_way(*member, offer.commit)](Member& to) { return to.op29(transition, bytes); });
    }
    ++epoch_;
    deliver();
    if (transition == 0) return;
    for (Member* member : members()) {
        send(*member, [transition](Member& to) { return to.op22(transition); });
    }
    deliver();
}

bool Table::round(std::uint16_t transition, std::optional<UserId> winner) {
    if (waiting_.empty() && gone_.empty()) return false;
    const auto offers = propose();
    if (offers.empty()) return false;
    auto chosen = offers.begin();
    if (winner) {
        chosen = offers.find(*winner);
    } else {
        std::advance(chosen, static_cast<std::ptrdiff_t>(random() % offers.size()));
    }
    announce(transition, chosen->first, chosen->second);
    return true;
}

void Table::settle() {
    for (std::uint16_t transition = 1; round(transition); ++transition) {
    }
}

std::unique_ptr<Table> table_of(const std::vector<UserId>& users) {
    auto table = std::make_unique<Table>();
    for (const UserId user : users) table->join(user);
    table->settle();
    return table;
}

}  // namespace lestapenna::test
