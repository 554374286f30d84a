#include "journal/reader.h"

#include <algorithm>

#include <gtest/gtest.h>

#include "journal/chain.h"
#include "testing.h"

namespace lestapenna::journal {
namespace {

constexpr std::uint32_t kRecords = 1'500;

/// A journal of four segments, made once; each test works on a copy.
class ReaderTest : public testing::Test {
  protected:
    static void SetUpTestSuite() {
        made = new test::TempDir;
        Committer committer;
        WriterOptions options;
        options.segment_span = seconds{2};  // 400 samples, about two blocks
        Writer writer = open_writer(committer, *made, options);
        append_samples(writer, 0, kRecords, kSeed);
        ASSERT_TRUE(writer.append(End{kAnchor + milliseconds{5} * kRecords}));
    }
    static void TearDownTestSuite() {
        delete made;
        made = nullptr;
    }
    void SetUp() override {
        std::filesystem::copy(made->path() / "01TEST", folder(), std::filesystem::copy_options::recursive);
    }

    [[nodiscard]] std::filesystem::path folder() const { return root_.path() / "01TEST"; }
    [[nodiscard]] std::filesystem::path segment(std::uint32_t number) const { return folder() / segment_name(number); }
    void flip(std::uint32_t number, std::size_t offset) const {
        auto bytes = slurp(segment(number));
        bytes.at(offset) ^= 0x10;
        spit(segment(number), bytes);
    }

    static test::TempDir* made;

  private:
    test::TempDir root_;
};
test::TempDir* ReaderTest::made = nullptr;

TEST_F(ReaderTest, AWholeJournalEndsSealed) {
    auto reader = Reader::open(folder());
    ASSERT_TRUE(reader.ok());
    EXPECT_EQ(reader->session_id(), "01TEST");
    const Reading reading = read_all(*reader);
    EXPECT_TRUE(reading.damage.empty());
    EXPECT_TRUE(reading.end.sealed);
    EXPECT_EQ(reading.records.size(), kRecords + 1);
    ASSERT_EQ(reader->segments().size(), 4u);
    EXPECT_EQ(reader->segments()[1].number, 2u);
    EXPECT_EQ(reader->segments()[1].anchor, kAnchor);
    EXPECT_EQ(reader->segments()[1].session_start, test_head().start);
    EXPECT_EQ(reader->segments()[1].bytes, std::filesystem::file_size(segment(2)));
    EXPECT_TRUE(read_all(*reader).records.empty()) << "a second look at the end brings nothing again";
}

TEST_F(ReaderTest, PayloadsAreFetchedAgainByReference) {
    auto reader = Reader::open(folder());
    ASSERT_TRUE(reader.ok());
    std::vector<std::pair<PayloadRef, std::vector<std::uint8_t>>> wanted;
    for (;;) {
        const Outcome outcome = reader->next();
        const auto* item = std::get_if<Item>(&outcome);
        if (item == nullptr) break;
        const auto* packet = std::get_if<Packet>(&item->record);
        if (packet == nullptr || packet->undecryptable) continue;
        wanted.emplace_back(item->payload, std::vector<std::uint8_t>(packet->payload.begin(), packet->payload.end()));
    }
    ASSERT_GT(wanted.size(), 500u);
    std::mt19937 random(1);
    std::ranges::shuffle(wanted, random);
    PayloadReader payloads(reader->segments());
    for (const auto& [ref, bytes] : wanted) {
        ASSERT_TRUE(std::ranges::equal(payloads.fetch(ref), bytes));
    }
    EXPECT_TRUE(payloads.fetch({9, 5'000, 10}).empty());
    EXPECT_TRUE(payloads.fetch({0, 4'000'000, 10}).empty());
    EXPECT_TRUE(payloads.fetch({0, 0, 10}).empty());
}

TEST_F(ReaderTest, NoFolderNoSegmentNoHeaderAreThreeErrors) {
    const test::TempDir empty;
    EXPECT_EQ(Reader::open(empty.path() / "nobody").error().kind, ErrorKind::not_found);
    EXPECT_EQ(Reader::open(empty.path()).error().kind, ErrorKind::not_found);
    spit(empty.path() / "000001.log", {});
    spit(empty.path() / "000002.log", std::vector<std::uint8_t>(10'000, 'x'));
    const auto reader = Reader::open(empty.path());
    ASSERT_FALSE(reader.ok());
    EXPECT_EQ(reader.error().kind, ErrorKind::damaged);
    EXPECT_NE(reader.error().message.find("000001.log is empty"), std::string::npos) << reader.error().message;
    EXPECT_NE(reader.error().message.find("000002.log is not a journal segment"), std::string::npos);
}

TEST_F(ReaderTest, AMissingSegmentIsNamedAndTheRestIsRead) {
    for (const std::uint32_t gone : {1u, 2u, 3u}) {
        const auto kept = slurp(segment(gone));
        std::filesystem::remove(segment(gone));
        const Reading reading = read_folder(folder());
        ASSERT_EQ(reading.damage.size(), 1u) << gone;
        EXPECT_EQ(reading.damage[0].path, segment(gone));
        EXPECT_FALSE(reading.damage[0].torn_tail);
        EXPECT_EQ(reading.damage[0].what, "the segment is missing");
        EXPECT_EQ(reading.records.size(), kRecords + 1 - 400) << gone;
        EXPECT_TRUE(reading.end.sealed);
        spit(segment(gone), kept);
    }
    std::filesystem::remove(segment(2));
    std::filesystem::remove(segment(3));
    EXPECT_EQ(read_folder(folder()).damage.at(0).what, "the segments from 000002.log on are missing");
}

TEST_F(ReaderTest, ForeignNewerAndRenamedSegmentsAreNamedAndTheRestIsRead) {
    const test::TempDir other;
    Committer committer;
    write_samples(committer, other, test_head("stranger"), 0, 10);
    write_samples(committer, other, test_head("stranger"), 10, 20);
    const auto stranger = slurp(other.path() / "stranger" / "000002.log");
    auto newer = slurp(segment(2));
    newer[8] = newer[kHeaderCopyAt + 8] = 2;
    const std::vector<std::pair<std::vector<std::uint8_t>, std::string>> cases = {
        {stranger, "belongs to session stranger"},
        {newer, "written by a newer version (format 2); this program reads format 1"},
        {slurp(segment(3)), "says in its header that it is 000003.log"},
        {{}, "is empty"}};
    for (const auto& [bytes, reason] : cases) {
        spit(segment(2), bytes);
        const Reading reading = read_folder(folder());
        ASSERT_EQ(reading.damage.size(), 1u) << reason;
        EXPECT_NE(reading.damage[0].what.find(reason), std::string::npos) << reading.damage[0].what;
        EXPECT_EQ(reading.records.size(), kRecords + 1 - 400);
    }
}

TEST_F(ReaderTest, AChangeThatNoChecksumSeesIsFoundByTheChain) {
    flip(2, 3'000);  // between the header and its copy
    const Reading reading = read_folder(folder());
    EXPECT_EQ(reading.records.size(), kRecords + 1);
    ASSERT_EQ(reading.damage.size(), 1u);
    EXPECT_NE(reading.damage[0].what.find("changed after it was written"), std::string::npos);
}

TEST_F(ReaderTest, ABadFirstSectorOfASegmentCostsNoRecord) {
    auto bytes = slurp(segment(3));
    std::fill_n(bytes.begin(), 512, std::uint8_t{0});
    spit(segment(3), bytes);
    const Reading reading = read_folder(folder());
    EXPECT_EQ(reading.records.size(), kRecords + 1);
    EXPECT_EQ(reading.damage.size(), 1u) << "the chain must say that the file was changed";
}

TEST_F(ReaderTest, OneSegmentIsReadAlone) {
    auto reader = Reader::open_segment(segment(2));
    ASSERT_TRUE(reader.ok());
    const Reading reading = read_all(*reader);
    EXPECT_TRUE(reading.damage.empty());
    ASSERT_EQ(reading.records.size(), 400u);
    EXPECT_EQ(reading.records[0], sample_bytes(400, kSeed));
    EXPECT_EQ(Reader::open_segment(folder() / "000009.log").error().kind, ErrorKind::not_found);
    spit(folder() / "notes.txt", {'x'});
    EXPECT_EQ(Reader::open_segment(folder() / "notes.txt").error().kind, ErrorKind::damaged);
}

TEST_F(ReaderTest, WhileSomebodyWritesAnIncompleteTailIsAnEnd) {
    auto bytes = slurp(segment(4));
    bytes.erase(bytes.end() - 30, bytes.end());
    spit(segment(4), bytes);
    auto reader = Reader::open(folder());
    ASSERT_TRUE(reader.ok());
    {
        const auto lock = SessionLock::take(folder());
        ASSERT_TRUE(lock.ok());
        const Reading reading = read_all(*reader);
        EXPECT_TRUE(reading.damage.empty());
        EXPECT_TRUE(reading.end.locked);
    }
    const Reading after = read_all(*reader);
    ASSERT_EQ(after.damage.size(), 1u);
    EXPECT_TRUE(after.damage[0].torn_tail);
}

// Where each record lies, so that what damage may cost is known.
struct Place {
    std::uint32_t segment = 0;
    std::uint64_t begin = 0;
    std::uint64_t end = 0;
    std::vector<std::uint8_t> bytes;
};
std::vector<Place> places_of(const std::filesystem::path& folder) {
    std::vector<Place> places;
    auto reader = Reader::open(folder);
    for (;;) {
        const Outcome outcome = reader->next();
        const auto* item = std::get_if<Item>(&outcome);
        if (item == nullptr) return places;
        auto bytes = bytes_of(item->record);
        places.push_back({reader->segments()[item->segment].number, item->offset, item->offset + bytes.size(), bytes});
    }
}

// The delivered records as indices into `places`; fails when one was invented or is out of order.
std::vector<bool> delivered(const Reading& reading, const std::vector<Place>& places) {
    std::vector<bool> there(places.size());
    std::size_t at = 0;
    for (const auto& record : reading.records) {
        while (at < places.size() && places[at].bytes != record) ++at;
        if (at == places.size()) {
            ADD_FAILURE() << "a record was invented or is out of order";
            break;
        }
        there[at++] = true;
    }
    return there;
}

std::uint64_t block_of(std::uint64_t offset) {
    return (offset - kHeaderArea) / kBlockBytes;
}

TEST_F(ReaderTest, AFlippedBitCostsAtMostTheRestOfItsBlock) {
    const auto places = places_of(folder());
    const unsigned seed = std::random_device()();
    std::mt19937 random(seed);
    std::size_t lost = 0;
    for (int round = 0; round < 400; ++round) {
        const std::uint32_t number = 1 + static_cast<std::uint32_t>(random() % 4);
        const auto original = slurp(segment(number));
        const std::size_t offset = random() % original.size();
        auto bytes = original;
        bytes[offset] ^= static_cast<std::uint8_t>(1u << (random() % 8));
        spit(segment(number), bytes);
        const Reading reading = read_folder(folder());
        spit(segment(number), original);
        SCOPED_TRACE("seed " + std::to_string(seed) + " round " + std::to_string(round) + " segment " +
                     std::to_string(number) + " offset " + std::to_string(offset));
        const auto there = delivered(reading, places);
        if (number < 4) {
            ASSERT_EQ(reading.damage.size(), 1u);
        }
        for (std::size_t i = 0; i < places.size(); ++i) {
            if (there[i]) continue;
            ++lost;
            ASSERT_EQ(places[i].segment, number);
            ASSERT_GE(offset, kHeaderArea);
            ASSERT_EQ(block_of(places[i].begin), block_of(offset));
            ASSERT_GT(places[i].end, offset) << "a record before the damage is missing";
            ASSERT_TRUE(std::ranges::any_of(reading.damage, [&](const Damage& damage) {
                return damage.path == segment(number) && damage.offset <= places[i].begin &&
                       damage.offset + damage.length >= places[i].end;
            })) << "a loss was not reported";
        }
    }
    EXPECT_LT(lost, 400 * 60u) << "most flips hit a payload, and should cost one record";
}

TEST_F(ReaderTest, ACutCostsWhatWasCutOff) {
    const auto places = places_of(folder());
    const unsigned seed = std::random_device()();
    std::mt19937 random(seed);
    for (int round = 0; round < 200; ++round) {
        const std::uint32_t number = 1 + static_cast<std::uint32_t>(random() % 4);
        const auto original = slurp(segment(number));
        const std::size_t size = random() % original.size();
        spit(segment(number), {original.begin(), original.begin() + static_cast<std::ptrdiff_t>(size)});
        const Reading reading = read_folder(folder());
        spit(segment(number), original);
        SCOPED_TRACE("seed " + std::to_string(seed) + " round " + std::to_string(round) + " segment " +
                     std::to_string(number) + " size " + std::to_string(size));
        const auto there = delivered(reading, places);
        for (std::size_t i = 0; i < places.size(); ++i) {
            ASSERT_EQ(there[i], places[i].segment != number || (places[i].end <= size && size >= kHeaderArea)) << i;
        }
        if (number < 4) {
            ASSERT_EQ(reading.damage.size(), 1u);
        }
    }
}

// What a power cut leaves: sectors that were never written, although later ones were.
TEST_F(ReaderTest, ZeroedSectorsAreReported) {
    const auto places = places_of(folder());
    const unsigned seed = std::random_device()();
    std::mt19937 random(seed);
    for (int round = 0; round < 200; ++round) {
        const std::uint32_t number = 1 + static_cast<std::uint32_t>(random() % 4);
        const auto original = slurp(segment(number));
        auto bytes = original;
        const std::size_t from = kHeaderArea + random() % (bytes.size() - kHeaderArea) / 512 * 512;
        const std::size_t to = std::min(bytes.size(), from + 512 * (1 + random() % 200));
        std::fill(bytes.begin() + static_cast<std::ptrdiff_t>(from), bytes.begin() + static_cast<std::ptrdiff_t>(to),
                  std::uint8_t{0});
        spit(segment(number), bytes);
        const Reading reading = read_folder(folder());
        spit(segment(number), original);
        SCOPED_TRACE("seed " + std::to_string(seed) + " round " + std::to_string(round) + " segment " +
                     std::to_string(number) + " from " + std::to_string(from) + " to " + std::to_string(to));
        const auto there = delivered(reading, places);
        for (std::size_t i = 0; i < places.size(); ++i) {
            if (there[i]) continue;
            ASSERT_EQ(places[i].segment, number);
            ASSERT_GT(places[i].end, from);
            ASSERT_LE(block_of(places[i].begin), block_of(to - 1));
            // Zeroes up to the end of the last segment are what an unused part of the disk looks like.
            const bool unseen = number == 4 && to == bytes.size();
            ASSERT_TRUE(unseen || !reading.damage.empty()) << "a loss was not reported";
        }
    }
}

TEST(ReaderCuts, EveryCutOfASmallJournalEndsAtAWholeRecord) {
    const test::TempDir root;
    Committer committer;
    write_samples(committer, root, test_head(), 0, 30);
    const auto folder = root.path() / "01TEST";
    const auto places = places_of(folder);
    const auto original = slurp(folder / "000001.log");
    const std::size_t sealed_from = places.back().end;
    for (std::size_t size = original.size(); size >= kHeaderArea; --size) {
        std::filesystem::resize_file(folder / "000001.log", size);
        const Reading reading = read_folder(folder);
        const auto whole = static_cast<std::size_t>(
            std::ranges::count_if(places, [&](const Place& place) { return place.end <= size; }));
        ASSERT_EQ(reading.records.size(), whole) << size;
        const bool boundary = size == kHeaderArea || size == original.size() || size == sealed_from ||
                              std::ranges::any_of(places, [&](const Place& place) { return place.end == size; });
        ASSERT_EQ(reading.damage.size(), boundary ? 0u : 1u) << size;
        if (!boundary) {
            ASSERT_TRUE(reading.damage[0].torn_tail) << size;
        }
    }
}

Candidate candidate(std::uint32_t number, std::uint32_t previous) {
    SegmentHeader header;
    header.number = number;
    header.previous_number = previous;
    return {{number, segment_name(number)}, 10'000, header};
}
std::string shape(const std::vector<ChainStep>& steps) {
    std::string text;
    for (const ChainStep& step : steps) {
        const auto* link = std::get_if<Link>(&step);
        text += link != nullptr ? std::to_string(link->file.number) + " "
                                : "(" + std::get<Damage>(step).path.filename().string() + ") ";
    }
    return text;
}

TEST(Chain, FollowsWhatEachSegmentSays) {
    const Candidate bad{{3, "000003.log"}, 10'000, Error{ErrorKind::damaged, "is bad"}};
    EXPECT_EQ(shape(plan_chain({}, 0)), "");
    EXPECT_EQ(shape(plan_chain({candidate(1, 0), candidate(2, 1)}, 0)), "1 2 ");
    EXPECT_EQ(shape(plan_chain({candidate(1, 0), candidate(2, 1), candidate(4, 1)}, 0)), "1 4 ");
    EXPECT_EQ(shape(plan_chain({candidate(1, 0), bad, candidate(4, 1)}, 0)), "1 4 ");
    EXPECT_EQ(shape(plan_chain({candidate(1, 0), candidate(2, 1), bad, candidate(4, 3)}, 0)), "1 2 (000003.log) 4 ");
    EXPECT_EQ(shape(plan_chain({candidate(1, 0), candidate(4, 3)}, 0)), "1 (000003.log) 4 ");
    EXPECT_EQ(shape(plan_chain({candidate(4, 3)}, 0)), "(000003.log) 4 ");
    EXPECT_EQ(shape(plan_chain({candidate(4, 3)}, 3)), "4 ");
    EXPECT_EQ(shape(plan_chain({candidate(4, 2)}, 3)), "4 ");
    EXPECT_EQ(shape(plan_chain({candidate(2, 0), bad}, 0)), "2 (000003.log) ");
}

}  // namespace
}  // namespace lestapenna::journal
