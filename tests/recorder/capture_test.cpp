// What a live session leaves in its journal, event by event, read back.
#include "recorder/capture.h"

#include <algorithm>
#include <functional>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "journal/reader.h"
#include "support.h"
#include "timeline/timeline.h"

namespace lestapenna::recorder {
namespace {

using ::testing::ElementsAre;

constexpr UserId kSelf{1};
constexpr UserId kAnna{1001};
constexpr UserId kBruno{1002};
const std::vector<std::uint8_t> kSilenceFrame{0xF8, 0xFF, 0xFE};

class CaptureTest : public ::testing::Test {
  protected:
    CaptureTest() : anchor_(BootClock::now()) {
        auto writer = journal::Writer::open(committer_, folder_.path(), {id_, unix_now(), anchor_, this_boot()});
        EXPECT_TRUE(writer.ok());
        writer_.emplace(std::move(*writer));
        capture_.emplace(*writer_, kSelf, [this](const discord::VoiceEvent& event) { told_.push_back(event.index()); });
    }

    [[nodiscard]] BootTime at(nanoseconds time) const { return anchor_ + time; }

    void hear(std::uint32_t ssrc, std::uint16_t seq, nanoseconds time, std::span<const std::uint8_t> payload) {
        discord::VoicePacket packet;
        packet.header.ssrc = ssrc;
        packet.header.seq = seq;
        packet.header.timestamp = seq * 960U;
        packet.arrival = at(time);
        packet.payload = payload;
        capture_->on_packet(packet);
    }

    /// Everything of one kind, in order.
    template <class Kind>
    std::vector<Kind> all() {
        capture_->finish(BootClock::now());
        EXPECT_TRUE(writer_->flush().ok());
        auto reader = journal::Reader::open(folder_ / id_.text());
        EXPECT_TRUE(reader.ok());
        std::vector<Kind> found;
        for (;;) {
            auto outcome = reader->next();
            const auto* const item = std::get_if<journal::Item>(&outcome);
            if (item == nullptr) return found;
            if (const auto* record = std::get_if<Kind>(&item->record)) found.push_back(*record);
        }
    }

    test::TempDir folder_;
    SessionId id_ = SessionId::make();
    BootTime anchor_;
    journal::Committer committer_{1};
    std::optional<journal::Writer> writer_;
    std::optional<Capture> capture_;
    std::vector<std::size_t> told_;
};

discord::Connected connected(int generation, bool resumed = false) {
    discord::Connected event;
    event.generation = generation;
    event.resumed = resumed;
    return event;
}

discord::Disconnected disconnected(bool media_goes_on) {
    discord::Disconnected event;
    event.media_goes_on = media_goes_on;
    return event;
}

TEST_F(CaptureTest, APacketIsARecordAsItCame) {
    const std::vector<std::uint8_t> opus{0x78, 1, 2, 3, 4};
    hear(77, 0xFFFF, milliseconds(20), opus);
    hear(78, 0, milliseconds(21), kSilenceFrame);
    std::vector<std::string> seen;
    EXPECT_TRUE(writer_->flush().ok());
    auto reader = journal::Reader::open(folder_ / id_.text());
    ASSERT_TRUE(reader.ok());
    for (;;) {
        auto outcome = reader->next();
        const auto* const item = std::get_if<journal::Item>(&outcome);
        if (item == nullptr) break;
        const auto& packet = std::get<journal::Packet>(item->record);
        seen.push_back(std::to_string(packet.ssrc) + " " + std::to_string(packet.seq) + " " +
                       std::to_string(packet.rtp_timestamp) + " " + std::to_string(packet.payload.size()) + " " +
                       std::to_string((packet.arrival - anchor_).count()));
        EXPECT_FALSE(packet.parked || packet.undecryptable);
        EXPECT_EQ(packet.payload.front(), packet.ssrc == 77 ? 0x78 : 0xF8);
    }
    EXPECT_THAT(seen, ElementsAre("77 65535 62913600 5 20000000", "78 0 0 3 21000000"));
    EXPECT_EQ(capture_->packets(), 2U);
}

TEST_F(CaptureTest, WhatIsNoOpusPacketForItsLengthIsCounted) {
    const std::vector<std::uint8_t> long_one(journal::kMaxPayloadBytes + 1);
    const std::vector<std::uint8_t> longest(journal::kMaxPayloadBytes);
    hear(77, 1, milliseconds(20), long_one);
    hear(77, 2, milliseconds(40), longest);
    EXPECT_EQ(capture_->oversized(), 1U);
    EXPECT_EQ(capture_->packets(), 1U);
    EXPECT_EQ(writer_->refused(), 0U) << "the journal has no gap of it";
}

TEST_F(CaptureTest, WhatStayedClosedIsARecordWithItsReason) {
    using discord::Closed;
    using journal::ClosedReason;
    std::uint16_t seq = 0;
    for (const Closed why : {Closed::no_user, Closed::no_key, Closed::forged, Closed::plain, Closed::overflow}) {
        discord::VoicePacket packet;
        packet.header.ssrc = 77;
        packet.header.seq = ++seq;
        packet.arrival = at(milliseconds(20 * seq));
        packet.parked = why != Closed::plain;
        packet.closed = why;
        packet.sealed_bytes = static_cast<std::uint16_t>(100 + seq);
        capture_->on_packet(packet);
    }
    discord::VoicePacket endless;
    endless.closed = Closed::forged;
    endless.sealed_bytes = journal::kMaxPayloadBytes + 1;
    capture_->on_packet(endless);
    EXPECT_EQ(capture_->oversized(), 1U);
    EXPECT_EQ(capture_->packets(), 5U);
    EXPECT_EQ(capture_->tally().sums().at(UserId{}).closed, (recorder::Closed{0, 1, 1, 1, 1, 1}));
    capture_->on_event(discord::SsrcBound{77, kAnna});
    std::vector<ClosedReason> reasons;
    for (const auto& packet : all<journal::Packet>()) {
        EXPECT_TRUE(packet.undecryptable && packet.payload_size == 100 + packet.seq);
        EXPECT_EQ(packet.parked, packet.closed != ClosedReason::plain);
        reasons.push_back(packet.closed);
    }
    EXPECT_THAT(reasons, ElementsAre(ClosedReason::no_user, ClosedReason::no_key, ClosedReason::forged,
                                     ClosedReason::plain, ClosedReason::overflow));
    const auto timeline = timeline::read(folder_ / id_.text(), seconds(300));
    ASSERT_TRUE(timeline.ok());
    EXPECT_EQ(timeline->counts_of(kAnna).closed, (std::array<std::uint64_t, 6>{0, 1, 1, 1, 1, 1}));
    EXPECT_EQ(timeline->counts_of(kAnna).parked, 4U);
}

TEST_F(CaptureTest, AFullJournalIsAGapOfItsOwn) {
    capture_->finish(BootClock::now());
    journal::WriterOptions small;
    small.ring_bytes = 1U << 16;
    small.write_interval = seconds(3600);  // the disk takes nothing meanwhile
    const auto other = SessionId::make();
    auto writer = journal::Writer::open(committer_, folder_.path(), {other, unix_now(), anchor_, this_boot()}, small);
    ASSERT_TRUE(writer.ok());
    writer_.emplace(std::move(*writer));
    id_ = other;
    capture_.emplace(*writer_, kSelf, [](const discord::VoiceEvent&) {});
    const std::vector<std::uint8_t> payload(1'000);
    std::uint16_t heard = 0;
    for (; writer_->refused() < 5; ++heard) hear(77, heard, milliseconds(20 * heard), payload);
    EXPECT_EQ(capture_->packets() + writer_->refused(), heard);
    const auto gaps = all<journal::Gap>();
    ASSERT_EQ(gaps.size(), 1U);
    EXPECT_EQ(gaps[0].reason, journal::GapReason::queue_full);
    EXPECT_EQ(gaps[0].packets, 5U);
}

TEST_F(CaptureTest, WhoIsThereIsTheDifference) {
    EXPECT_THAT(capture_->set_present({kSelf, kAnna}, at(seconds(1))).came, ElementsAre(kAnna)) << "not ourselves";
    EXPECT_THAT(capture_->set_present({kSelf, kAnna, kBruno}, at(seconds(2))).came, ElementsAre(kBruno));
    EXPECT_TRUE(capture_->set_present({kAnna, kBruno}, at(seconds(3))).came.empty());
    EXPECT_THAT(capture_->set_present({kBruno}, at(seconds(4))).left, ElementsAre(kAnna));
    const auto joins = all<journal::Join>();
    const auto leaves = all<journal::Leave>();
    ASSERT_EQ(joins.size(), 2U);
    EXPECT_EQ(joins[0].user, kAnna);
    EXPECT_EQ(joins[0].at, at(seconds(1)));
    EXPECT_EQ(joins[1].user, kBruno);
    ASSERT_EQ(leaves.size(), 1U);
    EXPECT_EQ(leaves[0].user, kAnna);
    EXPECT_EQ(leaves[0].at, at(seconds(4)));
}

TEST_F(CaptureTest, OurOwnReconnectEndsNobodysConnection) {
    capture_->on_event(connected(1));
    capture_->set_present({kAnna}, BootClock::now());
    capture_->on_event(discord::SsrcBound{77, kAnna});
    capture_->on_event(disconnected(false));
    capture_->on_event(connected(2));
    capture_->set_present({kAnna}, BootClock::now());
    capture_->on_event(discord::SsrcBound{78, kAnna});
    EXPECT_EQ(all<journal::Join>().size(), 1U);
    EXPECT_TRUE(all<journal::Leave>().empty());
    EXPECT_EQ(all<journal::Binding>().size(), 2U);
    const auto gaps = all<journal::Gap>();
    ASSERT_EQ(gaps.size(), 1U);
    EXPECT_EQ(gaps[0].reason, journal::GapReason::outage);
    const auto timeline = timeline::read(folder_ / id_.text(), seconds(300));
    ASSERT_TRUE(timeline.ok());
    EXPECT_EQ(timeline->connections.size(), 1U);
    EXPECT_EQ(timeline->outages.size(), 1U);
}

TEST_F(CaptureTest, AnOutageBeginsWithTheLastPacket) {
    const auto before = BootClock::now();
    capture_->on_event(connected(1));
    capture_->on_event(disconnected(true));
    const auto lost = BootClock::now();
    const auto last = lost + milliseconds(1);
    while (BootClock::now() < last) continue;
    hear(77, 1, last - anchor_, kSilenceFrame);  // media went on for a while
    while (BootClock::now() < last + milliseconds(1)) continue;
    capture_->on_event(disconnected(false));
    capture_->on_event(connected(2));
    const auto gaps = all<journal::Gap>();
    ASSERT_EQ(gaps.size(), 1U);
    EXPECT_EQ(gaps[0].from, last);
    EXPECT_GT(gaps[0].to, last);
    EXPECT_LT(before, gaps[0].from);
}

TEST_F(CaptureTest, AResumeIsNoOutage) {
    capture_->on_event(connected(1));
    capture_->on_event(disconnected(true));
    capture_->on_event(connected(1, true));
    EXPECT_TRUE(all<journal::Gap>().empty());
}

TEST_F(CaptureTest, AMoveIsAnOutageUntilWeAreThere) {
    capture_->on_event(connected(1));
    capture_->set_present({kAnna}, BootClock::now());
    capture_->on_event(discord::Moved{ChannelId{9}});
    capture_->set_present({kBruno}, BootClock::now());
    capture_->on_event(connected(2));
    EXPECT_EQ(all<journal::Leave>().size(), 1U);
    EXPECT_EQ(all<journal::Join>().size(), 2U);
    EXPECT_EQ(all<journal::Gap>().size(), 1U);
}

TEST_F(CaptureTest, AnOutageThatNeverEndsIsJournaledAtTheEnd) {
    capture_->on_event(connected(1));
    capture_->on_event(disconnected(false));
    const auto gaps = all<journal::Gap>();
    ASSERT_EQ(gaps.size(), 1U);
    EXPECT_EQ(gaps[0].reason, journal::GapReason::outage);
}

TEST_F(CaptureTest, WhatTheKernelDroppedIsAGapWithItsCount) {
    hear(77, 1, milliseconds(20), kSilenceFrame);
    capture_->on_event(discord::KernelDropped{12, at(milliseconds(500))});
    const auto gaps = all<journal::Gap>();
    ASSERT_EQ(gaps.size(), 1U);
    EXPECT_EQ(gaps[0].reason, journal::GapReason::kernel_drop);
    EXPECT_EQ(gaps[0].packets, 12U);
    EXPECT_EQ(gaps[0].from, at(milliseconds(20)));
    EXPECT_EQ(gaps[0].to, at(milliseconds(500)));
}

TEST_F(CaptureTest, DeafnessIsAGapForAsLongAsItLasts) {
    capture_->set_deaf(false, at(seconds(1)));
    capture_->set_deaf(true, at(seconds(2)));
    capture_->set_deaf(true, at(seconds(3)));
    capture_->set_deaf(false, at(seconds(4)));
    const auto gaps = all<journal::Gap>();
    ASSERT_EQ(gaps.size(), 1U);
    EXPECT_EQ(gaps[0].reason, journal::GapReason::server_deaf);
    EXPECT_EQ(gaps[0].from, at(seconds(2)));
    EXPECT_EQ(gaps[0].to, at(seconds(4)));
}

TEST_F(CaptureTest, WhoseAnSsrcIsIsSaidOnceAndAgainEachMinute) {
    capture_->set_present({kAnna, kBruno}, at(seconds(0)));
    capture_->on_event(discord::SsrcBound{77, kAnna});
    capture_->on_event(discord::SsrcBound{77, kAnna});
    capture_->on_event(discord::SsrcBound{5, kSelf});
    capture_->on_event(discord::SsrcBound{78, kBruno});
    const auto start = BootClock::now();
    for (int second = 0; second <= 61; ++second) capture_->tick(start + seconds(second), unix_now());
    capture_->on_event(discord::UserDisconnected{kBruno});
    for (int second = 62; second <= 122; ++second) capture_->tick(start + seconds(second), unix_now());
    std::vector<std::uint32_t> bound;
    for (const auto& binding : all<journal::Binding>()) bound.push_back(binding.ssrc);
    EXPECT_THAT(bound, ElementsAre(77, 78, 77, 78, 77));
    EXPECT_EQ(all<journal::Clock>().size(), 123U);
}

TEST_F(CaptureTest, ANewSsrcOfAUserTakesTheOldOnesPlace) {
    capture_->on_event(discord::SsrcBound{77, kAnna});
    capture_->on_event(discord::SsrcBound{78, kAnna});
    capture_->tick(BootClock::now() + seconds(61), unix_now());
    std::vector<std::uint32_t> bound;
    for (const auto& binding : all<journal::Binding>()) bound.push_back(binding.ssrc);
    EXPECT_THAT(bound, ElementsAre(77, 78, 78));
}

TEST_F(CaptureTest, ALongDeafnessIsSaidBeforeItIsOver) {
    const auto start = BootClock::now();
    capture_->set_deaf(true, start);
    capture_->tick(start + seconds(61), unix_now());
    capture_->set_deaf(false, start + seconds(70));
    const auto gaps = all<journal::Gap>();
    ASSERT_EQ(gaps.size(), 2U);
    EXPECT_EQ(gaps[0].to, gaps[1].from);
    EXPECT_EQ(gaps[1].to, start + seconds(70));
}

TEST_F(CaptureTest, WhatArrivesInAPauseIsNotStored) {
    hear(77, 1, milliseconds(20), kSilenceFrame);
    EXPECT_TRUE(capture_->pause(at(milliseconds(30))));
    EXPECT_FALSE(capture_->pause(at(milliseconds(31))));
    EXPECT_TRUE(capture_->is_paused());
    hear(77, 2, milliseconds(29), kSilenceFrame);  // still in the socket when the pause began
    hear(77, 3, milliseconds(30), kSilenceFrame);
    hear(77, 4, milliseconds(50), kSilenceFrame);
    EXPECT_TRUE(capture_->resume(at(milliseconds(70))));
    EXPECT_FALSE(capture_->resume(at(milliseconds(71))));
    EXPECT_FALSE(capture_->is_paused());
    hear(77, 5, milliseconds(69), kSilenceFrame);  // still in the socket when it ended
    hear(77, 6, milliseconds(70), kSilenceFrame);
    EXPECT_EQ(capture_->kept_out(), 3U);
    EXPECT_EQ(capture_->packets(), 3U);
    EXPECT_EQ(capture_->tally().sums().at(UserId{}).lost, 0U);
    std::vector<int> stored;
    for (const auto& packet : all<journal::Packet>()) stored.push_back(packet.seq);
    EXPECT_THAT(stored, ElementsAre(1, 2, 6));
    const auto timeline = timeline::read(folder_ / id_.text(), seconds(300));
    ASSERT_TRUE(timeline.ok());
    EXPECT_EQ(timeline->counts_of({}).lost, 0U);
    EXPECT_EQ(timeline->pauses.size(), 1U);
}

TEST_F(CaptureTest, WhatHadToWaitOverPausesIsStoredByItsArrival) {
    const auto wait = [&](std::uint16_t seq, nanoseconds arrival) {
        discord::VoicePacket packet;
        packet.header.ssrc = 77;
        packet.header.seq = seq;
        packet.header.timestamp = seq * 960U;
        packet.arrival = at(arrival);
        packet.payload = kSilenceFrame;
        packet.parked = true;
        capture_->on_packet(packet);
    };
    for (int pause = 0; pause < 3; ++pause) {
        EXPECT_TRUE(capture_->pause(at(seconds(10 + 2 * pause))));
        EXPECT_TRUE(capture_->resume(at(seconds(11 + 2 * pause))));
    }
    hear(77, 300, seconds(15), kSilenceFrame);
    wait(1, milliseconds(9'500));
    wait(51, milliseconds(10'500));   // in the first pause
    wait(101, milliseconds(11'500));  // between
    wait(151, milliseconds(12'500));
    wait(251, milliseconds(14'999));
    EXPECT_EQ(capture_->kept_out(), 3U);
    EXPECT_EQ(capture_->tally().sums().at(UserId{}).lost, 0U);
    std::vector<int> stored;
    for (const auto& packet : all<journal::Packet>()) stored.push_back(packet.seq);
    EXPECT_THAT(stored, ElementsAre(300, 1, 101));
}

TEST_F(CaptureTest, ADeafnessIsNoGapWhileItIsPaused) {
    const auto start = BootClock::now();
    capture_->set_deaf(true, start);
    capture_->pause(start + seconds(2));
    capture_->tick(start + seconds(61), unix_now());
    capture_->on_event(discord::KernelDropped{12, start + seconds(62)});
    capture_->resume(start + seconds(70));
    capture_->set_deaf(false, start + seconds(75));
    capture_->pause(start + seconds(80));
    capture_->set_deaf(true, start + seconds(81));
    capture_->set_deaf(false, start + seconds(82));
    const auto gaps = all<journal::Gap>();
    ASSERT_EQ(gaps.size(), 2U);
    EXPECT_EQ(gaps[0].from, start);
    EXPECT_EQ(gaps[0].to, start + seconds(2));
    EXPECT_EQ(gaps[1].from, start + seconds(70));
    EXPECT_EQ(gaps[1].to, start + seconds(75));
}

TEST_F(CaptureTest, ANoteIsAMarker) {
    EXPECT_TRUE(capture_->note(kAnna, "il drago è morto", at(seconds(1))));
    EXPECT_TRUE(capture_->note(kAnna, std::string(journal::kMaxMarkerBytes, 'x'), at(seconds(2))));
    EXPECT_FALSE(capture_->note(kAnna, std::string(journal::kMaxMarkerBytes + 1, 'x'), at(seconds(3))));
    std::vector<std::size_t> lengths;
    for (const auto& marker : all<journal::Marker>()) lengths.push_back(marker.text.size());
    EXPECT_THAT(lengths, ElementsAre(17, journal::kMaxMarkerBytes));
}

journal::Unfinished left_by_another() {
    journal::Unfinished left;
    left.present = {kAnna, kBruno};
    left.known = left.present;
    left.bound = {{77, kAnna}, {78, kBruno}, {79, UserId{1'003}}};
    return left;
}

TEST_F(CaptureTest, WhereAnotherWasCutOffTheOutageIsARestart) {
    const auto until = anchor_ - seconds(8);
    capture_->go_on(left_by_another(), until);
    capture_->on_event(disconnected(false));  // not at the first try
    const auto before = BootClock::now();
    capture_->on_event(connected(1));
    capture_->set_present({kSelf, kAnna, UserId{1'004}}, BootClock::now());
    capture_->on_event(disconnected(false));
    while (BootClock::now() < before + milliseconds(1)) continue;
    capture_->on_event(connected(2));
    const auto gaps = all<journal::Gap>();
    ASSERT_EQ(gaps.size(), 2U);
    EXPECT_EQ(gaps[0].reason, journal::GapReason::restart);
    EXPECT_EQ(gaps[0].from, until);
    EXPECT_GE(gaps[0].to, before);
    EXPECT_EQ(gaps[1].reason, journal::GapReason::outage) << "the next one is an outage like any other";
    const auto leaves = all<journal::Leave>();
    ASSERT_EQ(leaves.size(), 1U);
    EXPECT_EQ(leaves[0].user, kBruno);
    EXPECT_EQ(leaves[0].at, until) << "when Bruno left nobody knows: it was not before this";
    std::vector<UserId> joined;
    for (const auto& join : all<journal::Join>()) joined.push_back(join.user);
    EXPECT_THAT(joined, ElementsAre(kAnna, UserId{1'004}));
    std::vector<std::uint32_t> bound;
    for (const auto& binding : all<journal::Binding>()) bound.push_back(binding.ssrc);
    EXPECT_THAT(bound, ElementsAre(77)) << "of who is there, said again";
}

TEST_F(CaptureTest, WhoeverGoesOnKnowsWhoseAnSsrcWas) {
    capture_->go_on(left_by_another(), anchor_);
    capture_->on_event(connected(1));
    hear(77, 1, milliseconds(20), kSilenceFrame);
    hear(79, 1, milliseconds(20), kSilenceFrame);
    EXPECT_EQ(capture_->tally().sums().at(kAnna).packets, 1U);
    EXPECT_EQ(capture_->tally().sums().at(UserId{1'003}).packets, 1U);
}

TEST_F(CaptureTest, APauseOutlastsItsProcess) {
    auto left = left_by_another();
    left.paused = true;
    capture_->go_on(left, anchor_ - seconds(8));
    capture_->on_event(connected(1));
    EXPECT_TRUE(capture_->is_paused());
    hear(77, 1, milliseconds(20), kSilenceFrame);
    EXPECT_EQ(capture_->kept_out(), 1U);
    EXPECT_TRUE(capture_->resume(at(milliseconds(30))));
    hear(77, 2, milliseconds(40), kSilenceFrame);
    EXPECT_TRUE(all<journal::Gap>().empty()) << "nothing was to be heard";
    EXPECT_EQ(all<journal::Packet>().size(), 1U);
}

TEST_F(CaptureTest, NothingIsTakenInAfterTheEnd) {
    capture_->finish(BootClock::now());
    hear(77, 1, milliseconds(20), kSilenceFrame);
    capture_->on_event(discord::SsrcBound{77, kAnna});
    capture_->set_present({kAnna}, BootClock::now());
    capture_->tick(BootClock::now(), unix_now());
    EXPECT_EQ(writer_->accepted(), 0U);
    EXPECT_TRUE(told_.empty());
}

TEST_F(CaptureTest, EventsAreToldAfterTheyAreJournaled) {
    capture_->on_event(connected(1));
    capture_->on_event(discord::Ended{discord::EndReason::removed, 4014, "kicked"});
    EXPECT_THAT(told_, ElementsAre(discord::VoiceEvent(discord::Connected{}).index(),
                                   discord::VoiceEvent(discord::Ended{}).index()));
}

}  // namespace
}  // namespace lestapenna::recorder
