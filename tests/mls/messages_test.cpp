#include "mls/messages.h"

#include <cstdio>
#include <functional>
#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "memory.h"
#include "vectors.h"

namespace lestapenna::mls {
namespace {

using test::unhex;

/// The bytes again, from what was read; nothing when they could not be.
using Recode = std::optional<Bytes> (*)(View);
template <class T>
std::optional<Bytes> recode(View bytes) {
    const auto value = decode<T>(bytes);
    if (!value) {
        EXPECT_EQ(value.error(), Reject::malformed);
        return std::nullopt;
    }
    const auto again = encode(*value);
    return Bytes(again.begin(), again.end());
}

struct Sample {
    std::string name;
    Recode recode;
    Bytes bytes;
};

/// One of each field of messages.json, and how many entries there are. Bare proposals get the type they lack.
std::vector<Sample> official_samples(const nlohmann::json& entries) {
    struct Field {
        const char* name;
        Recode recode;
        const char* prefix = "";
    };
    const Field fields[] = {
        {"mls_welcome", recode<Message>},
        {"mls_group_info", recode<Message>},
        {"mls_key_package", recode<Message>},
        {"ratchet_tree", recode<TreeNodes>},
        {"group_secrets", recode<GroupSecrets>},
        {"add_proposal", recode<Proposal>, "0001"},
        {"update_proposal", recode<Proposal>, "0002"},
        {"remove_proposal", recode<Proposal>, "0003"},
        {"pre_shared_key_proposal", recode<Proposal>, "0004"},
        {"re_init_proposal", recode<Proposal>, "0005"},
        {"external_init_proposal", recode<Proposal>, "0006"},
        {"group_context_extensions_proposal", recode<Proposal>, "0007"},
        {"commit", recode<Commit>},
        {"public_message_application", recode<Message>},
        {"public_message_proposal", recode<Message>},
        {"public_message_commit", recode<Message>},
        {"private_message", recode<Message>},
    };
    std::vector<Sample> samples;
    for (const auto& entry : entries) {
        EXPECT_EQ(entry.size(), std::size(fields));
        for (const Field& field : fields) {
            samples.push_back(
                {field.name, field.recode, unhex(field.prefix + entry.at(field.name).get<std::string>())});
        }
    }
    return samples;
}

std::vector<Sample> dave_samples() {
    const auto vectors = test::dave_vectors();
    std::vector<Sample> samples;
    const auto add = [&](const char* name, Recode recode, const nlohmann::json& digits) {
        samples.push_back({name, recode, unhex(digits)});
    };
    const auto proposals = [&](const nlohmann::json& digits) {
        const Bytes payload = unhex(digits);
        if (payload[0] != 0) return;  // revoke: references
        Reader reader(View(payload).subspan(1));
        samples.push_back({"proposal", recode<Message>, to_bytes(reader.vec())});
    };
    add("external sender", recode<ExternalSender>, vectors.at("external_sender").at("package"));
    add("key package", recode<KeyPackage>, vectors.at("member_B").at("key_package"));
    for (const auto& step : vectors.at("steps")) {
        add("commit", recode<Message>, step.at("commit"));
        for (const char* name : {"welcome", "welcome_for_A", "welcome_for_C"}) {
            if (step.contains(name)) add(name, recode<Welcome>, step.at(name));
        }
        if (step.contains("proposals_op27_payload")) proposals(step.at("proposals_op27_payload"));
        if (step.contains("op27_sequence")) {
            for (const auto& payload : step.at("op27_sequence")) proposals(payload);
        }
    }
    return samples;
}

/// All there are: the scenario's always, the official ones where they lie.
std::vector<Sample> all_samples() {
    auto samples = dave_samples();
    if (const auto entries = test::official("messages.json")) {
        auto more = official_samples(*entries);
        samples.insert(samples.end(), std::make_move_iterator(more.begin()), std::make_move_iterator(more.end()));
    }
    return samples;
}

TEST(Messages, Official) {
    const auto entries = test::official("messages.json");
    if (!entries) GTEST_SKIP() << test::kNoVectors;
    const auto samples = official_samples(*entries);
    for (const Sample& sample : samples) EXPECT_EQ(sample.recode(sample.bytes), sample.bytes) << sample.name;
    std::printf("messages.json: %zu entries, %zu fields, the same bytes again\n", entries->size(), samples.size());
}

TEST(Messages, DaveScenario) {
    const auto samples = dave_samples();
    EXPECT_EQ(samples.size(), 14U);
    for (const Sample& sample : samples) EXPECT_EQ(sample.recode(sample.bytes), sample.bytes) << sample.name;
    std::printf("dave-vectors.json: %zu messages, the same bytes again\n", samples.size());
}

TEST(Messages, FieldsAreWhereTheyBelong) {
    const auto vectors = test::dave_vectors();
    const auto package = decode<KeyPackage>(unhex(vectors.at("member_B").at("key_package")));
    ASSERT_TRUE(package.ok());
    EXPECT_EQ(package->version, kProtocolVersion);
    EXPECT_EQ(package->cipher_suite, kCipherSuite);
    EXPECT_EQ(package->leaf.credential.identity, unhex("02d5a90a94400001"));
    EXPECT_EQ(package->leaf.capabilities.cipher_suites, std::vector<std::uint16_t>{2});
    EXPECT_EQ(package->leaf.source, LeafSource::key_package);
    EXPECT_EQ(package->leaf.lifetime, (Lifetime{0, UINT64_MAX}));
    EXPECT_EQ(hex(key_package_ref(*package)), vectors.at("steps")[0].at("intermediate").at("key_package_ref"));
    EXPECT_TRUE(verify_with_label(package->leaf.signature_key, "LeafNodeTBS", to_be_signed(package->leaf, {}),
                                  package->leaf.signature));
    EXPECT_TRUE(
        verify_with_label(package->leaf.signature_key, "KeyPackageTBS", to_be_signed(*package), package->signature));

    const auto message = decode<Message>(unhex(vectors.at("steps")[2].at("commit")));
    ASSERT_TRUE(message.ok());
    const auto& framed = std::get<PublicMessage>(*message);
    EXPECT_EQ(framed.content.epoch, 2U);
    EXPECT_EQ(framed.content.sender, (Sender{SenderType::member, 2}));
    const auto& commit = std::get<Commit>(framed.content.content);
    ASSERT_EQ(commit.proposals.size(), 1U);
    EXPECT_EQ(hex(std::get<ProposalRef>(commit.proposals[0])), vectors.at("steps")[2].at("proposal_ref"));
    ASSERT_TRUE(commit.path.has_value());
    EXPECT_EQ(commit.path->leaf.source, LeafSource::commit);
    ASSERT_EQ(commit.path->nodes.size(), 1U);
    EXPECT_EQ(commit.path->nodes[0].encrypted_path_secret.size(), 1U);
    // A leaf of a commit is signed for its place.
    const LeafNode& leaf = commit.path->leaf;
    const auto holds = [&](const LeafPlace& place) {
        return verify_with_label(leaf.signature_key, "LeafNodeTBS", to_be_signed(leaf, place), leaf.signature);
    };
    EXPECT_TRUE(holds({framed.content.group_id, {2}}));
    EXPECT_FALSE(holds({framed.content.group_id, {1}}));
    EXPECT_FALSE(holds({{}, {2}}));
}

TEST(Messages, TwoWithNoLengthBetween) {
    const auto step = test::dave_vectors().at("steps")[0];
    const Bytes commit = unhex(step.at("commit"));
    const Bytes welcome = unhex(step.at("welcome"));
    Bytes both = commit;
    both.insert(both.end(), welcome.begin(), welcome.end());
    View rest = both;
    const auto first = decode_front<Message>(rest);
    ASSERT_TRUE(first.ok());
    EXPECT_EQ(encode(*first), commit);
    EXPECT_EQ(to_bytes(rest), welcome);
    ASSERT_TRUE(decode_front<Welcome>(rest).ok());
    EXPECT_TRUE(rest.empty());
    EXPECT_FALSE(decode_front<Welcome>(rest).ok());
    EXPECT_FALSE(decode<Message>(both).ok());
}

TEST(Messages, CutAtEveryByteAndOneTooMany) {
    std::size_t cuts = 0;
    for (const Sample& sample : all_samples()) {
        for (std::size_t size = 0; size < sample.bytes.size(); ++size) {
            // Memory of its own, so that the sanitizers see a byte too many.
            const Bytes cut(sample.bytes.begin(), sample.bytes.begin() + static_cast<std::ptrdiff_t>(size));
            EXPECT_FALSE(sample.recode(cut)) << sample.name << " cut to " << size;
            ++cuts;
        }
        Bytes longer = sample.bytes;
        longer.push_back(0);
        EXPECT_FALSE(sample.recode(longer)) << sample.name;
    }
    std::printf("%zu cuts\n", cuts);
}

// Whatever is taken has only one way to be written: else two members could see one message and hash two.
TEST(Messages, WhatIsTakenIsWrittenTheSame) {
    const auto seed = std::random_device{}();
    std::printf("seed %u\n", seed);
    std::mt19937_64 random(seed);
    const auto samples = all_samples();
    std::size_t taken = 0;
    constexpr int kRounds = 30'000;
    for (int round = 0; round < kRounds; ++round) {
        const Sample& sample = samples[random() % samples.size()];
        Bytes bytes = sample.bytes;
        for (auto changes = 1 + random() % 3; changes > 0 && !bytes.empty(); --changes) {
            const auto at = bytes.begin() + static_cast<std::ptrdiff_t>(random() % bytes.size());
            switch (random() % 4) {
                case 0:
                    bytes.erase(at);
                    break;
                case 1:
                    bytes.insert(at, static_cast<std::uint8_t>(random()));
                    break;
                case 2:
                    *at = static_cast<std::uint8_t>(*at ^ 1U << random() % 8);
                    break;
                default:
                    *at = static_cast<std::uint8_t>(random());
            }
        }
        const auto again = sample.recode(bytes);
        if (!again) continue;
        EXPECT_EQ(*again, bytes) << sample.name;
        ++taken;
    }
    EXPECT_GT(taken, 0U);
    std::printf("%d changed messages, %zu of them taken\n", kRounds, taken);
}

TEST(Messages, HeadersLongerThanTheyNeedBe) {
    const Bytes package = unhex(test::dave_vectors().at("member_B").at("key_package"));
    // Each vector of a key package (mls.md section 12) stands in no other: but for its header, the result is good.
    const auto refused = [&](std::ptrdiff_t at, std::ptrdiff_t header, const Bytes& longer) {
        Bytes bytes = package;
        bytes.erase(bytes.begin() + at, bytes.begin() + at + header);
        bytes.insert(bytes.begin() + at, longer.begin(), longer.end());
        EXPECT_FALSE(decode<KeyPackage>(bytes).ok()) << at;
    };
    const auto byte = [&](std::ptrdiff_t at) { return package[static_cast<std::size_t>(at)]; };
    for (const std::ptrdiff_t at : {207, 216, 219, 222, 223, 224, 244, 317}) {
        refused(at, 1, {0x40, byte(at)});
        refused(at, 1, {0x80, 0, 0, byte(at)});
    }
    for (const std::ptrdiff_t at : {4, 71, 138, 245, 318}) refused(at, 2, {0x80, 0, 0, byte(at + 1)});
}

TEST(Messages, UnknownEnumerators) {
    const auto vectors = test::dave_vectors();
    const Bytes package = unhex(vectors.at("member_B").at("key_package"));
    const Bytes commit = unhex(vectors.at("steps")[2].at("commit"));
    Bytes add = unhex(vectors.at("steps")[0].at("proposals_op27_payload"));
    add.erase(add.begin(), add.begin() + 3);
    struct Case {
        const char* what;
        Recode recode;
        const Bytes& bytes;
        std::size_t at;
        std::uint8_t good;
    };
    // Offsets: mls.md section 12.
    const Case cases[] = {
        {"credential type", recode<KeyPackage>, package, 206, 1},
        {"leaf source", recode<KeyPackage>, package, 227, 1},
        {"version", recode<Message>, commit, 1, 1},
        {"wire format", recode<Message>, commit, 3, 1},
        {"sender type", recode<Message>, commit, 21, 1},
        {"content type", recode<Message>, commit, 27, 3},
        {"proposal or ref", recode<Message>, commit, 29, 2},
        {"optional path", recode<Message>, commit, 63, 1},
        {"leaf source", recode<Message>, commit, 220, 3},
        {"proposal type", recode<Message>, add, 29, 1},
    };
    for (const Case& one : cases) {
        ASSERT_TRUE(one.recode(one.bytes)) << one.what;
        ASSERT_EQ(one.bytes[one.at], one.good) << one.what;
        for (const int value : {0, 8, 9, 42, 255}) {
            Bytes bytes = one.bytes;
            bytes[one.at] = static_cast<std::uint8_t>(value);
            EXPECT_FALSE(one.recode(bytes)) << one.what << " " << value;
        }
    }
    for (const std::uint8_t type : Bytes{0, 3, 255}) {
        EXPECT_FALSE(decode<PreSharedKeyId>(Bytes{type, 0, 0}).ok());
        EXPECT_FALSE(decode<TreeNodes>(Bytes{2, 1, type}).ok());
    }
    EXPECT_TRUE(decode<PreSharedKeyId>(Bytes{1, 0, 0}).ok());
}

TEST(Messages, LengthsThatLieTakeNoMemory) {
    // 2^30 - 1 bytes of nodes, of proposals, of a key; and a list of as many blank nodes as one vector may hold.
    const Bytes nodes = unhex("bfffffff");
    const Bytes commit = unhex("bfffffff0000");
    const Bytes package = unhex("00010002bfffffff04");
    Writer blanks;
    blanks.vec(Bytes(kMaxVectorBytes));
    Writer references;
    references.vec_of([](Writer& inner) {
        for (std::size_t i = 0; i <= kMaxElements; ++i) inner.u16(0x0200);
    });
    references.u8(0);
    const test::HeapWatch watch({});
    EXPECT_FALSE(decode<TreeNodes>(nodes).ok());
    EXPECT_FALSE(decode<Commit>(commit).ok());
    EXPECT_FALSE(decode<KeyPackage>(package).ok());
    EXPECT_EQ(watch.largest(), 0U);
    EXPECT_FALSE(decode<TreeNodes>(blanks.bytes()).ok());
    EXPECT_FALSE(decode<Commit>(references.bytes()).ok());
    EXPECT_LE(watch.largest(), 4U << 20);
}

TEST(Messages, CodesOfReject) {
    EXPECT_EQ(to_string(Reject::malformed), "malformed");
    EXPECT_EQ(to_string(Reject::removed), "removed");
}

}  // namespace
}  // namespace lestapenna::mls
