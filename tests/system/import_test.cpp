// A capture becomes a session, and from there on it is a session like any other.
#include "audio/files.h"
#include "judge.h"
#include "program.h"

namespace lestapenna::system_test {
namespace {

class Import : public Program {};

TEST_F(Import, ASessionOnItsWay) {
    const auto table = play();
    write_capture(table, folder_ / "a.pcap");
    const auto imported = ask({"import", "a.pcap", "--users", users_of(table)});
    const auto id = imported["session"].get<std::string>();
    EXPECT_EQ(id.size(), 26U);
    EXPECT_EQ(imported["status"], "ending");
    EXPECT_TRUE(imported["master"].is_null());
    EXPECT_TRUE(imported["guild_id"].is_null());
    EXPECT_TRUE(imported["channel_id"].is_null());
    ASSERT_EQ(imported["tracks"].size(), 2U);
    for (const auto& sender : table.senders) {
        const auto track = std::ranges::find_if(imported["tracks"],
                                                [&](const Json& one) { return one["user_id"] == sender.user.text(); });
        ASSERT_NE(track, imported["tracks"].end());
        EXPECT_EQ((*track)["name"], sender.user.text());
        EXPECT_EQ((*track)["packets_received"], sender.delivered);
        EXPECT_THAT((*track)["fragments"], IsEmpty());
    }
    EXPECT_FALSE(fs::exists(data() / "store/recordings")) << "it renders nothing";
    EXPECT_EQ(ask({"sessions"}), Json::array({imported}));
    EXPECT_EQ(ask({"sessions", id.substr(20)}), imported) << "the last six characters are enough";

    const auto mastered = ask({"master", id.substr(20), "--out", "table.mp3"});
    EXPECT_EQ(mastered["status"], "complete");
    EXPECT_EQ(mastered["duration_ms"], imported["duration_ms"]);
    EXPECT_EQ(mastered["start_time"], imported["start_time"]);
    EXPECT_EQ(slurp(folder_ / "table.mp3"), slurp(master_of(id)));
    EXPECT_EQ(ask({"sessions", id}), mastered);
    EXPECT_TRUE(fs::is_empty(data() / "cache") || !fs::exists(data() / "cache"));

    for (const std::string format : {"opus", "wav", "flac"}) {
        const auto exported = ask({"export", id, "--format", format, "--out", "out"});
        EXPECT_EQ(exported["duration_ms"], mastered["duration_ms"]);
        for (const auto& sender : table.senders) {
            const auto file = audio::read_mono_48k(folder_ / "out" / (sender.user.text() + "." + format));
            ASSERT_TRUE(file.ok()) << format;
            EXPECT_EQ(static_cast<std::int64_t>(file->size()) / kSamplesPerMs, mastered["duration_ms"]) << format;
        }
        EXPECT_TRUE(fs::exists(folder_ / "out/labels.txt"));
    }
}

TEST_F(Import, TimeZeroIsTheFirstPacketsPlaceOrAsTold) {
    sandbox::LineOptions line;
    line.base_delay = milliseconds(40);
    const auto table = play({.line = line});
    const auto by_itself = import(table, "by-itself");
    const auto first = std::chrono::floor<milliseconds>(table.arrivals.front().time).time_since_epoch().count();
    EXPECT_LE(std::abs(by_itself["start_time"].get<std::int64_t>() - first), 3) << "within the line's jitter";

    // The placed time, not the arrival: a first packet that came late does not move the table.
    auto held_back = table;
    held_back.arrivals.front().time += milliseconds(15);
    EXPECT_EQ(import(held_back, "held-back")["start_time"], by_itself["start_time"]);

    const auto earlier = by_itself["start_time"].get<std::int64_t>() - 2'345;
    const auto told = import(table, "told", {"--start", std::to_string(earlier)});
    EXPECT_EQ(told["start_time"], earlier);
    EXPECT_EQ(told["duration_ms"], by_itself["duration_ms"].get<std::int64_t>() + 2'345);

    // To the sample: the same audio, 2345 ms further in.
    order({"export", "told", "--format", "wav", "--out", "told"});
    order({"export", "by-itself", "--format", "wav", "--out", "by-itself"});
    for (const auto& sender : table.senders) {
        const auto name = sender.user.text() + ".wav";
        const auto late = audio::read_mono_48k(folder_ / "told" / name);
        const auto early = audio::read_mono_48k(folder_ / "by-itself" / name);
        ASSERT_TRUE(late.ok() && early.ok());
        constexpr std::size_t kShift = 2'345 * kSamplesPerMs;
        ASSERT_EQ(late->size(), early->size() + kShift);
        EXPECT_TRUE(std::equal(early->begin(), early->end(), late->begin() + kShift));
        EXPECT_TRUE(std::all_of(late->begin(), late->begin() + kShift, [](float x) { return x == 0; }));
    }
}

TEST_F(Import, AStartThatCanNotBeIsRefusedAndLeavesNothing) {
    const auto table = play();
    write_capture(table, folder_ / "a.pcap");
    const auto with_start = [&](const std::string& start) {
        return Words{"import", "a.pcap", "--users", users_of(table), "--session", "x", "--start", start};
    };
    const auto late = std::chrono::ceil<milliseconds>(table.arrivals.front().time).time_since_epoch().count() + 1;
    expect_refused(with_start(std::to_string(late)), kUsage, "usage", "after the first packet");
    expect_refused(with_start("0"), kUsage, "usage", "more than a week before the first packet");
    for (const std::string odd : {"-1", "noon", "1e3", "9223372036854775807", "99999999999999999999999"})
        expect_refused(with_start(odd), kUsage, "usage", "--start");
    EXPECT_THAT(digests(data() / "journal"), IsEmpty());
    EXPECT_EQ(ask({"sessions"}), Json::array());
}

TEST_F(Import, TheSameFromEveryKindOfCapture) {
    const auto table = play();
    import(table, "reference");
    write_capture(table, folder_ / "ethernet.pcap", {.ethernet = true});
    order({"import", "ethernet.pcap", "--users", users_of(table, true), "--session", "ethernet"});

    // The same file with microseconds: other magic, and each time cut.
    auto micro = slurp(folder_ / "reference.pcap");
    const auto u32 = [&](std::size_t at) {
        return static_cast<std::uint32_t>(micro[at] | micro[at + 1] << 8 | micro[at + 2] << 16) |
               static_cast<std::uint32_t>(micro[at + 3]) << 24;
    };
    const auto set = [&](std::size_t at, std::uint32_t number) {
        for (std::size_t i = 0; i < 4; ++i) micro[at + i] = static_cast<std::uint8_t>(number >> (8 * i));
    };
    ASSERT_EQ(u32(0), 0xA1B23C4DU);
    set(0, 0xA1B2C3D4U);
    for (std::size_t at = 24; at < micro.size(); at += 16 + u32(at + 8)) set(at + 4, u32(at + 4) / 1000);
    spit(folder_ / "micro.pcap", micro);
    order({"import", "micro.pcap", "--users", users_of(table), "--session", "micro"});

    const auto opus = [&](const std::string& session) {
        order({"export", session, "--format", "opus", "--out", session});
        return digests(folder_ / session);
    };
    const auto reference = opus("reference");
    EXPECT_EQ(reference.size(), 3U);
    EXPECT_EQ(opus("ethernet").size(), 3U);
    for (const auto& sender : table.senders) {
        const auto name = sender.user.text() + ".wav";
        for (const std::string session : {"reference", "ethernet", "micro"})
            order({"export", session, "--format", "wav", "--out", session});
        EXPECT_EQ(slurp(folder_ / "ethernet" / name), slurp(folder_ / "reference" / name));
        EXPECT_EQ(slurp(folder_ / "micro" / name).size(), slurp(folder_ / "reference" / name).size());
    }
}

TEST_F(Import, WhoIsNotListedIsNamedAndLeftOut) {
    const auto table = play({.speakers = 3, .length = seconds(9)});
    write_capture(table, folder_ / "a.pcap");
    const auto& listed = table.senders[1];
    const auto result = run({"import", "a.pcap", "--json", "--users", std::to_string(listed.ssrc) + "=42"});
    ASSERT_EQ(result.exit_code, kDone) << result.err;
    const auto session = value(result);
    ASSERT_EQ(session["tracks"].size(), 1U);
    EXPECT_EQ(session["tracks"][0]["user_id"], "42");
    for (const auto& sender : {table.senders[0], table.senders[2]}) {
        EXPECT_THAT(result.err, HasSubstr(std::to_string(sender.ssrc)));
        EXPECT_THAT(result.err, HasSubstr(std::to_string(sender.delivered) + " packets"));
    }
    EXPECT_THAT(result.err, Not(HasSubstr(std::to_string(listed.ssrc))));
    expect_refused({"import", "a.pcap", "--users", "1=2"}, kUsage, "usage", std::to_string(listed.ssrc));
}

TEST_F(Import, OneUserWithTwoSourcesAtOnceIsHeardTwice) {
    const auto table = play();
    // Both begin in the same millisecond, so that their files would have the same names.
    auto second = table;
    constexpr std::uint8_t kOther = 0x55;
    for (auto& arrival : second.arrivals) arrival.datagram[8] ^= kOther;
    auto both = table;
    both.arrivals.insert(both.arrivals.end(), second.arrivals.begin(), second.arrivals.end());
    std::ranges::stable_sort(both.arrivals, {}, &sandbox::Arrival::time);
    write_capture(both, folder_ / "both.pcap");
    std::string users;
    for (const auto& sender : table.senders) {
        for (const std::uint32_t ssrc : {sender.ssrc, sender.ssrc ^ std::uint32_t{kOther} << 24})
            users += (users.empty() ? "" : ",") + std::to_string(ssrc) + "=" + sender.user.text();
    }
    order({"import", "both.pcap", "--users", users, "--session", "both"});
    import(table, "once");
    const auto session = ask({"master", "both"});
    const auto once = ask({"master", "once"});
    ASSERT_EQ(session["tracks"].size(), 2U);
    for (std::size_t i = 0; i < 2; ++i) {
        EXPECT_EQ(session["tracks"][i]["packets_received"], 2 * once["tracks"][i]["packets_received"].get<int>());
        const auto& fragments = session["tracks"][i]["fragments"];
        ASSERT_EQ(fragments.size(), 1U);
        // The same voice twice is 6 dB louder, and brought to the same level.
        EXPECT_NEAR(fragments[0]["gain_db"].get<double>(),
                    once["tracks"][i]["fragments"][0]["gain_db"].get<double>() - 6.02, 0.5);
        EXPECT_NEAR(fragments[0]["loudness_lufs"].get<double>(), -23, 0.2);
    }
}

TEST_F(Import, OddWordsAreRefused) {
    const auto table = play();
    import(table, "taken");
    const auto before = belongings("taken");
    const auto users = users_of(table);
    expect_refused({"import", "taken.pcap", "--users", users, "--session", "taken"}, kUsage, "usage", "exists");
    for (const auto& odd : Words{"../../x", "a b", "", std::string(65, 'a'), "caff\xC3\xA8"})
        expect_refused({"import", "taken.pcap", "--users", users, "--session=" + odd}, kUsage, "usage", "--session");
    for (const auto& odd : Words{"1", "1=", "=1", "x=1", "1=x", "0x=1", "4294967296=1", "1=1,1=2", ",", "1=1;2=2",
                                 "1=184467440737095516160"})
        expect_refused({"import", "taken.pcap", "--users", odd}, kUsage, "usage", "--users");
    expect_refused({"import", "taken.pcap"}, kUsage, "usage", "--users");
    EXPECT_EQ(belongings("taken"), before);
    EXPECT_EQ(ask({"sessions"}).size(), 1U);
}

TEST_F(Import, TwoAtOnceWithOneIdLeaveOneWhole) {
    const auto table = play();
    write_capture(table, folder_ / "a.pcap");
    const auto both = test::run_process(
        {"/bin/sh", "-c",
         R"(for i in 1 2 3 4; do "$0" import a.pcap --users "$1" --session one >/dev/null 2>&1 & done; wait)",
         LESTAPENNA_BINARY, users_of(table)},
        {}, folder_.path());
    EXPECT_EQ(both.exit_code, 0);
    EXPECT_EQ(ask({"sessions"}).size(), 1U);
    EXPECT_EQ(ask({"journal", "verify", journal("one").string()})["clean"], true);
    std::uint64_t received = 0;
    const auto mastered = ask({"master", "one"});
    for (const auto& track : mastered["tracks"]) received += track["packets_received"].get<std::uint64_t>();
    EXPECT_EQ(received, table.arrivals.size());
}

}  // namespace
}  // namespace lestapenna::system_test
