// A delivery service and members of its call, without sockets: messages go by a queue, in the order they were sent.
// Members are dave::Sessions, and strict with the service as real clients are (standin-findings.md): what would make
// one of those throw is a failure of the test.
#pragma once

#include <algorithm>
#include <chrono>
#include <deque>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "dave/rules.h"
#include "dave/session.h"
#include "mls/framing.h"
#include "sandbox/delivery.h"
#include "sandbox/delivery_messages.h"
#include "voice_peer.h"

namespace lestapenna::sandbox::test_delivery {

using nlohmann::json;

inline constexpr ChannelId kChannel{1'090'000'000'000'000'002};

class DeliveryTest;

/// A client, from op 4 until it leaves.
struct Member {
    Member(DeliveryTest& of, MemberKey given, UserId who, int version)
        : table(of), key(given), user(who), dave_version(version), session(who, kChannel, mls::KeyPair::generate()) {}

    DeliveryTest& table;
    MemberKey key;
    UserId user;
    int dave_version;
    dave::Session session;

    // ---- what it does
    bool commits = true;  ///< false: what it would send stays in `kept_commits`
    bool gets_ready = true;
    bool strict = true;  ///< false: the service was asked for trouble
    std::vector<mls::Bytes> kept_commits;
    mls::Bytes last_package;

    // ---- what it got
    std::vector<Delivery::Message> got;
    std::vector<std::string> refused;       ///< by the session
    std::set<mls::ProposalRef> proposed;    ///< to it, in this epoch
    std::ptrdiff_t crossed = 0;             ///< op 27s that were on the way when it began anew: of a group it left
    std::vector<std::size_t> proposals_in;  ///< how many each op 27 had; revoked ones count as 0

    void take(const Delivery::Message& message);
    void act(const dave::Actions& actions);
    void take_proposals(const std::string& body);

    [[nodiscard]] std::vector<int> ops() const {
        std::vector<int> all;
        for (const auto& message : got) all.push_back(message.op);
        return all;
    }
    [[nodiscard]] std::vector<Delivery::Message> got_op(int op) const {
        std::vector<Delivery::Message> all;
        for (const auto& message : got) {
            if (message.op == op) all.push_back(message);
        }
        return all;
    }
    [[nodiscard]] std::size_t count(int op) const { return got_op(op).size(); }
    [[nodiscard]] std::string code() const { return session.call().privacy_code; }
};

class DeliveryTest : public testing::Test {
  public:
    net::Loop loop;
    std::unique_ptr<Delivery> service;
    std::map<MemberKey, std::unique_ptr<Member>> members;
    std::deque<std::pair<MemberKey, Delivery::Message>> wire;
    MemberKey next_key = 100;

    void start(const DeliveryOptions& options = {}) {
        service = std::make_unique<Delivery>(
            loop, kChannel, options,
            [this](MemberKey to, const Delivery::Message& message) { wire.emplace_back(to, message); });
    }

    Member& join(UserId user, int dave_version = 1) {
        const MemberKey key = next_key++;
        auto& member = *(members[key] = std::make_unique<Member>(*this, key, user, dave_version));
        std::vector<UserId> there;
        for (const auto& [_, other] : members) {
            if (other->user != user) there.push_back(other->user);
            if (other->user != user) other->act(other->session.on_users(std::vector{user}));
        }
        member.act(member.session.on_users(there));
        const int version = service->version_for(dave_version);
        service->join(key, user, dave_version);
        member.act(member.session.on_session_description(version));
        return member;
    }
    void leave(const Member& member) {
        const auto gone = std::move(members.at(member.key));
        members.erase(gone->key);
        for (const auto& [_, other] : members) other->act(other->session.on_user_left(gone->user));
        service->leave(gone->key);
    }

    void deliver_one() {
        const auto [to, message] = std::move(wire.front());
        wire.pop_front();
        if (const auto found = members.find(to); found != members.end()) found->second->take(message);
    }
    /// Delivers what is on the wire, and what is said because of it.
    void pump() {
        while (!wire.empty()) deliver_one();
    }
    /// The last one that this member was to prepare.
    static std::uint16_t json_transition(const Member& member) {
        return json::parse(member.got_op(21).back().body).at("transition_id");
    }
    template <class Holds>
    bool until(const Holds& holds) {
        const auto pumped = [&] {
            pump();
            return holds();
        };
        return test_voice::run_until(loop, pumped, seconds(30));
    }
    /// All who speak DAVE are in the group, nothing is under way, and they agree on it.
    void expect_settled() {
        ASSERT_TRUE(until([this] { return service->settled(); }));
        std::set<std::string> codes;
        for (const auto& [_, member] : members) {
            SCOPED_TRACE(member->user.value);
            const dave::Call call = member->session.call();
            EXPECT_TRUE(call.established);
            EXPECT_TRUE(service->in_group(member->user));
            EXPECT_EQ(call.epoch, service->epoch());
            EXPECT_EQ(call.version, 1);
            EXPECT_EQ(call.members.size(), members.size());
            EXPECT_FALSE(member->session.in_transition());
            codes.insert(call.privacy_code);
        }
        EXPECT_EQ(codes.size(), 1U);
    }
};

inline void Member::take(const Delivery::Message& message) {
    got.push_back(message);
    const auto whole = bytes_of(message.body);
    const json d = message.binary ? json() : json::parse(message.body);
    const auto transition = [&] { return d.at("transition_id").get<std::uint16_t>(); };
    const auto announced = [&] { return mls::Reader(whole).u16(); };
    EXPECT_EQ(dave_version, 1) << "op " << int(message.op) << " to who speaks no DAVE";
    switch (message.op) {
        case 21:
            return act(session.on_prepare_transition(d.at("protocol_version"), transition()));
        case 22:
            return act(session.on_execute_transition(transition()));
        case 24:
            proposed.clear();
            return act(session.on_prepare_epoch(d.at("protocol_version"), d.at("epoch")));
        case 25:
            EXPECT_FALSE(session.call().established) << "AlreadyInGroup";
            return act(session.on_external_sender(whole));
        case 27:
            return take_proposals(message.body);
        case 29:
            if (strict) {
                EXPECT_FALSE(kept_commits.empty() && proposed.empty()) << "PendingGroup";
            }
            proposed.clear();
            return act(session.on_commit(announced(), whole.subspan(2)));
        case 30:
            proposed.clear();
            return act(session.on_welcome(announced(), whole.subspan(2)));
        default:
            ADD_FAILURE() << "op " << int(message.op);
    }
}

inline void Member::take_proposals(const std::string& body) {
    const auto parsed = dave::parse_proposals(bytes_of(body));
    ASSERT_TRUE(parsed);
    if (crossed > 0) {
        --crossed;
        return act(session.on_proposals(bytes_of(body)));
    }
    proposals_in.push_back(parsed->revoke ? 0 : parsed->items.size());
    if (!parsed->revoke && strict) {
        EXPECT_TRUE(proposed.empty()) << "one proposals message an epoch";
    }
    for (const auto& item : parsed->items) {
        if (parsed->revoke) {
            if (strict) {
                EXPECT_EQ(proposed.erase(item.ref), 1U) << "revoked what it never had";
            }
            continue;
        }
        const auto message = mls::decode<mls::Message>(item.message);
        ASSERT_TRUE(message);
        const auto& framed = std::get<mls::PublicMessage>(*message);
        if (strict) {
            EXPECT_EQ(framed.content.epoch, session.call().epoch) << "WrongEpoch";
        }
        proposed.insert(mls::proposal_ref(framed));
    }
    act(session.on_proposals(bytes_of(body)));
}

inline void Member::act(const dave::Actions& actions) {
    Delivery& service = *table.service;
    for (const auto& action : actions) {
        if (const auto* package = std::get_if<dave::SendKeyPackage>(&action)) {
            proposed.clear();
            crossed = std::ranges::count_if(
                table.wire, [this](const auto& sent) { return sent.first == key && sent.second.op == 27; });
            last_package = package->package;
            service.on_key_package(key, text_of(package->package));
        } else if (const auto* commit = std::get_if<dave::SendCommit>(&action)) {
            kept_commits.push_back(commit->commit_welcome);
            if (commits) service.on_commit(key, text_of(commit->commit_welcome));
        } else if (const auto* ready = std::get_if<dave::SendReady>(&action)) {
            if (gets_ready) service.on_ready(key, ready->transition);
        } else if (const auto* invalid = std::get_if<dave::SendInvalid>(&action)) {
            service.on_invalid(key, invalid->transition);
        } else if (const auto* no = std::get_if<dave::Refused>(&action)) {
            refused.emplace_back(no->what);
        }
    }
}

}  // namespace lestapenna::sandbox::test_delivery
