// A person is forgotten: nothing of them is left, and everybody else is as before, to the byte.
#include "workflows/forget.h"

#include <algorithm>
#include <array>
#include <random>

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/hash.h"
#include "dying.h"
#include "table.h"
#include "traces.h"
#include "workflows/manifest.h"
#include "workflows/transcript.h"

namespace lestapenna::workflows {
namespace {

namespace fs = std::filesystem;

constexpr UserId kGone{184'405'311'681'986'560};
constexpr UserId kStays{987'654'321'098'765'432};
constexpr UserId kAlso{555'444'333'222'111'000};
constexpr UserId kSilent{123'456'789'012'345'678};

sandbox::SimulatedTable three_players(std::uint64_t seed = 5) {
    sandbox::CutTable cut;
    cut.length = seconds(12);  // each says something
    cut.seed = seed;
    cut.share = 0.4;
    sandbox::LineOptions line;
    line.seed = seed;
    line.jitter = milliseconds(30);
    line.loss = 0.02;
    auto table = sandbox::simulate(sandbox::cut_table(buzzing_voices(3), cut), line);
    constexpr std::array kUsers{kGone, kStays, kAlso};
    for (std::size_t i = 0; i < table.senders.size(); ++i) table.senders[i].user = kUsers.at(i);
    return table;
}

/// As if one of them had never been there.
sandbox::SimulatedTable without(sandbox::SimulatedTable table, UserId user) {
    const auto theirs = std::ranges::find(table.senders, user, &sandbox::SenderLedger::user);
    const auto ssrc = theirs->ssrc;
    std::erase_if(table.arrivals, [&](const auto& one) { return rtp::parse(one.datagram).header.ssrc == ssrc; });
    table.senders.erase(theirs);
    return table;
}

using Objects = std::map<std::string, std::vector<std::uint8_t>>;

/// A data folder, opened anew for each piece of work, as by one process after the other.
class Data {
  public:
    explicit Data(fs::path folder) {
        config.data.dir = std::move(folder);
        auto opened = catalog::Catalog::open(config.data.dir / "catalog.sqlite");
        EXPECT_TRUE(opened) << opened.error().message;
        catalog.emplace(std::move(*opened));
        auto store_opened = store::open_store(config);
        EXPECT_TRUE(store_opened) << store_opened.error().message;
        store = std::move(*store_opened);
    }
    Tools tools() { return {config, *catalog, *store, {}}; }

    void journal(const sandbox::SimulatedTable& table, const SessionId& id, bool finished = true) {
        std::vector<journal::Record> events{journal::Join{BootTime{}, kSilent},
                                            journal::Marker{BootTime{seconds(1)}, kGone, "mine"},
                                            journal::Leave{BootTime{seconds(2)}, kSilent}};
        if (std::ranges::find(table.senders, kGone, &sandbox::SenderLedger::user) == table.senders.end())
            events.erase(events.begin() + 1);
        const Status written = test::write_journal(table, journal_root(config), id, events);
        ASSERT_TRUE(written) << written.error().message;
        catalog::Session row{.id = id, .start = table.start_time, .status = catalog::SessionStatus::ending};
        row.started_by = kGone.text();
        ASSERT_TRUE(catalog->insert_session(row));
        if (!finished) return;
        finish(id);
        ASSERT_EQ(catalog->recordings(id)->size(), table.senders.size());
    }
    void finish(const SessionId& id) {
        auto session = Session::open(tools(), id);
        ASSERT_TRUE(session) << session.error().message;
        const Status done = finish_session(*session);
        ASSERT_TRUE(done) << done.error().message;
    }
    Objects objects(const SessionId& id) const {
        Objects all;
        const auto list = store->list(store::session_prefix(id));
        EXPECT_TRUE(list);
        for (const auto& object : *list) all[object.key.text()] = *read_file(*store->local_path(object.key), 1U << 30);
        return all;
    }
    Forgotten forget(UserId user, const ForgetOptions& options = {}) {
        auto wishes = Wishes::open(config.data.dir);
        EXPECT_TRUE(wishes);
        auto done = workflows::forget(tools(), *wishes, user, options);
        EXPECT_TRUE(done) << done.error().message;
        return done ? *std::move(done) : Forgotten{};
    }

    Config config;
    std::optional<catalog::Catalog> catalog;
    std::unique_ptr<store::ObjectStore> store;
};

const SessionId kFirst = *SessionId::parse("first");
const SessionId kSecond = *SessionId::parse("second");

std::string master_key(const SessionId& id) {
    return store::key(store::MasterKey{id}).text();
}
std::string manifest_key(const SessionId& id) {
    return store::key(store::ManifestKey{id}).text();
}

/// Others' chunks and fragments.
Objects of_others(Objects all, const SessionId& id) {
    all.erase(master_key(id));
    all.erase(manifest_key(id));
    all.erase(store::key(store::TranscriptKey{id}).text());
    std::erase_if(all, [](const auto& one) { return one.first.find(kGone.text()) != std::string::npos; });
    return all;
}

/// Everywhere else where an id can be.
void plant(Data& data, const SessionId& id) {
    auto tracks = *data.catalog->tracks(id);
    for (auto& track : tracks) {
        if (track.user == kGone) track.name = "Gone with the wind";
        ASSERT_TRUE(data.catalog->upsert_track(track));
    }
    const auto rows = *data.catalog->transcriptions(id);
    ASSERT_EQ(rows.size(), 3U);
    for (auto row : rows) {
        row.status = catalog::TranscriptionStatus::done;
        row.job = "FULL-" + row.user.text();
        ASSERT_TRUE(data.catalog->together([&] {
            return data.catalog->set_transcription(
                row, {{milliseconds(0), milliseconds(900), "words of " + row.user.text()}});
        }));
    }
    ASSERT_TRUE(data.catalog->add_job(
        {.name = "download", .subject = id.text() + "/" + kGone.text(), .session = id, .payload = "{}"}));
    ASSERT_TRUE(data.catalog->add_job(
        {.name = "other", .subject = "x", .session = std::nullopt, .payload = "{\"user\": \"" + kGone.text() + "\"}"}));
    ASSERT_TRUE(data.catalog->add_job({.name = "theirs", .subject = kStays.text(), .session = std::nullopt}));
    const auto file = data.config.data.dir / "words.txt";
    ASSERT_TRUE(write_file(file, "[0:00:00] Gone with the wind: words of " + kGone.text() + "\n"));
    ASSERT_TRUE(data.store->put(file, store::key(store::TranscriptKey{id})));
    ASSERT_TRUE(data.catalog->set_transcript(id, {store::key(store::TranscriptKey{id}).text(), {10, "ab"}}));
    fs::remove(file);
    // What a kill may have left.
    ASSERT_TRUE(write_file(data.config.data.dir / "cache" / ".tmp-draft", "{\"user_id\": \"" + kGone.text() + "\"}"));
    const auto desk = data.config.data.dir / "cache/.transcribe" / kGone.text();
    fs::create_directories(desk);
    ASSERT_TRUE(write_file(desk / "transcript", "words"));
    const auto folder = data.store->local_path(store::key(store::MasterKey{id}))->parent_path();
    ASSERT_TRUE(write_file(folder / ".tmp-half", std::string("half a voice ") + kGone.text()));
}

TEST(Forget, NothingOfThemIsLeftAndTheOthersAreAsBefore) {
    const test::TempDir folder;
    Data data(folder.path());
    const auto table = three_players();
    data.journal(table, kFirst);
    data.journal(three_players(6), kSecond);
    plant(data, kFirst);
    if (HasFatalFailure()) return;
    const auto before = data.objects(kFirst);
    ASSERT_GT(test::traces_of(kGone, folder.path()).size(), 4U);

    const auto gone = data.forget(kGone);
    EXPECT_TRUE(gone.complete());
    ASSERT_EQ(gone.sessions.size(), 2U);
    EXPECT_EQ(gone.sessions[0].session, kFirst);
    EXPECT_GT(gone.sessions[0].packets, 100U);
    EXPECT_EQ(gone.sessions[0].files, 2U) << "a chunk and a fragment";
    EXPECT_EQ(gone.sessions[0].master, MasterWithout::remade);
    EXPECT_EQ(gone.jobs, 2);
    EXPECT_EQ(gone.queued, std::vector<std::string>{"FULL-" + kGone.text()});

    EXPECT_EQ(test::traces_of(kGone, folder.path()), std::vector<std::string>{});
    const auto after = data.objects(kFirst);
    EXPECT_EQ(of_others(after, kFirst), of_others(before, kFirst));
    const auto& spoken = after.at(store::key(store::TranscriptKey{kFirst}).text());
    const std::string transcript(spoken.begin(), spoken.end());
    EXPECT_EQ(transcript.find("Gone"), std::string::npos);
    EXPECT_NE(transcript.find("words of " + kStays.text()), std::string::npos);
    EXPECT_EQ(data.catalog->tracks(kFirst)->size(), 3U);
    EXPECT_EQ(data.catalog->transcriptions(kFirst)->size(), 2U);
    EXPECT_EQ(data.catalog->open_jobs(std::nullopt)->size(), 1U);
    EXPECT_EQ(data.catalog->session(kFirst)->started_by, std::nullopt);
    EXPECT_EQ(data.catalog->session(kFirst)->status, catalog::SessionStatus::complete);

    // The master is the one of a table they never sat at.
    const test::TempDir other;
    Data never(other.path());
    never.journal(without(table, kGone), kFirst);
    EXPECT_EQ(after.at(master_key(kFirst)), never.objects(kFirst).at(master_key(kFirst)));

    // All made anew from the journal is the same again.
    for (const auto& [key, bytes] : of_others(after, kFirst)) ASSERT_TRUE(data.store->remove(*store::Key::parse(key)));
    ASSERT_TRUE(data.store->remove(*store::Key::parse(master_key(kFirst))));
    data.finish(kFirst);
    EXPECT_EQ(data.objects(kFirst), after);

    EXPECT_TRUE(data.forget(kGone).sessions.empty()) << "once is enough";
    EXPECT_FALSE(Wishes::any(folder.path()));
}

/// What a worker has put beside each fragment.
void put_words_beside(Data& data, const SessionId& id) {
    const auto fragments = *data.catalog->recordings(id);
    for (const auto& fragment : fragments) {
        for (const auto& key : store::words_beside(fragment.key)) {
            const auto file = data.config.data.dir / "words";
            ASSERT_TRUE(write_file(file, "words of " + fragment.user.text()));
            ASSERT_TRUE(data.store->put(file, key));
            fs::remove(file);
        }
    }
}

TEST(Forget, TheWordsBesideTheirFragmentsGoWithThem) {
    const test::TempDir folder;
    Data data(folder.path());
    data.journal(three_players(), kFirst);
    put_words_beside(data, kFirst);
    if (HasFatalFailure()) return;
    const auto before = data.objects(kFirst);
    const auto gone = data.forget(kGone);
    ASSERT_EQ(gone.sessions.size(), 1U);
    EXPECT_EQ(gone.sessions[0].files, 2U + 3U);
    EXPECT_EQ(test::traces_of(kGone, folder.path()), std::vector<std::string>{});
    EXPECT_EQ(of_others(data.objects(kFirst), kFirst), of_others(before, kFirst));

    // Of one whose fragment has gone by its age the words may still be there.
    const auto fragments = *data.catalog->recordings(kFirst);
    for (const auto& fragment : fragments) {
        if (fragment.user != kStays) continue;
        ASSERT_TRUE(data.store->remove(*store::Key::parse(fragment.key)));
    }
    data.forget(kStays);
    EXPECT_EQ(test::traces_of(kStays, folder.path()), std::vector<std::string>{});
}

/// The transcript of a session whose catalog was lost: it came back with the bucket, and no words are known.
void bring_back_transcript(Data& data, const SessionId& id) {
    const auto rows = *data.catalog->transcriptions(id);
    for (auto row : rows) {
        row.status = catalog::TranscriptionStatus::done;
        ASSERT_TRUE(data.catalog->set_transcription(row));
    }
    const auto key = store::key(store::TranscriptKey{id});
    const auto file = data.config.data.dir / "words.txt";
    ASSERT_TRUE(write_file(file, "[0:00:00] Gone: mine\n[0:00:01] Stays: ours\n"));
    ASSERT_TRUE(data.store->put(file, key));
    fs::remove(file);
    ASSERT_TRUE(data.catalog->set_transcript(id, {key.text(), {46, ""}}));
}

std::string transcript_of(const Data& data, const SessionId& id) {
    const auto text = read_text_file(*data.store->local_path(store::key(store::TranscriptKey{id})), 1 << 20);
    return text ? *text : "(none)";
}

// What the others said is in no row: it is heard again.
TEST(Forget, WhereTheWordsWereOnlyInTheTranscriptTheOthersAreTranscribedAnew) {
    const test::TempDir folder;
    Data data(folder.path());
    data.journal(three_players(), kFirst);
    bring_back_transcript(data, kFirst);
    if (HasFatalFailure()) return;
    auto fragments = *data.catalog->recordings(kFirst);
    const auto lost = std::ranges::find(fragments, kAlso, &catalog::Recording::user);
    lost->status = catalog::FileStatus::expired;
    ASSERT_TRUE(data.catalog->upsert_recording(*lost));

    EXPECT_TRUE(data.forget(kGone).complete());
    EXPECT_EQ(transcript_of(data, kFirst), "(none)") << "it says of nobody that they said nothing";
    const auto rows = *data.catalog->transcriptions(kFirst);
    ASSERT_EQ(rows.size(), 2U);
    for (auto row : rows) {
        if (row.user == kAlso) {
            EXPECT_EQ(row.status, catalog::TranscriptionStatus::done) << "it is no more to be heard";
            EXPECT_NE(row.error, "");
            continue;
        }
        EXPECT_EQ(row.status, catalog::TranscriptionStatus::waiting);
        row.status = catalog::TranscriptionStatus::done;
        ASSERT_TRUE(data.catalog->set_transcription(row, {{{}, {}, "ours"}}));
    }
    ASSERT_TRUE(make_transcript(data.tools(), kFirst));
    EXPECT_NE(transcript_of(data, kFirst).find(": ours"), std::string::npos);
    EXPECT_NE(transcript_of(data, kFirst).find("a transcript that is gone"), std::string::npos);
}

TEST(Forget, WhereTheMasterHasExpiredTheTranscriptIsStillWrittenAnew) {
    const test::TempDir folder;
    Data data(folder.path());
    data.journal(three_players(), kFirst);
    plant(data, kFirst);
    if (HasFatalFailure()) return;
    ASSERT_TRUE(data.store->remove(*store::Key::parse(master_key(kFirst))));
    ASSERT_TRUE(data.catalog->set_master({.session = kFirst, .key = master_key(kFirst), .expired = true}));
    const auto gone = data.forget(kGone);
    ASSERT_EQ(gone.sessions.size(), 1U);
    EXPECT_EQ(gone.sessions[0].master, MasterWithout::untouched);
    EXPECT_FALSE(data.objects(kFirst).contains(master_key(kFirst)));
    EXPECT_TRUE((*data.catalog->master(kFirst))->expired);
    EXPECT_NE(transcript_of(data, kFirst).find("words of " + kStays.text()), std::string::npos);
    EXPECT_EQ(transcript_of(data, kFirst).find("Gone"), std::string::npos);
}

TEST(Forget, WhoNeverSpokeIsForgottenToo) {
    const test::TempDir folder;
    Data data(folder.path());
    data.journal(three_players(), kFirst);
    const auto before = data.objects(kFirst);
    const auto gone = data.forget(kSilent);
    ASSERT_EQ(gone.sessions.size(), 1U);
    EXPECT_EQ(gone.sessions[0].packets, 0U);
    EXPECT_EQ(gone.sessions[0].events, 2U);
    EXPECT_EQ(gone.sessions[0].master, MasterWithout::untouched);
    auto after = data.objects(kFirst);
    EXPECT_NE(after.at(manifest_key(kFirst)), before.at(manifest_key(kFirst)));
    after[manifest_key(kFirst)] = before.at(manifest_key(kFirst));
    EXPECT_EQ(after, before);
    EXPECT_EQ(test::traces_of(kSilent, folder.path()), std::vector<std::string>{});
}

TEST(Forget, WhoComesBackIsRecordedAsAnybody) {
    const test::TempDir folder;
    Data data(folder.path());
    data.journal(three_players(), kFirst);
    data.forget(kGone);
    data.journal(three_players(6), kSecond);
    EXPECT_EQ(data.catalog->recordings(kSecond)->size(), 3U);
}

TEST(Forget, WithoutAJournalTheMasterComesFromTheFragments) {
    const test::TempDir folder;
    Data data(folder.path());
    data.journal(three_players(), kFirst);
    const auto before = data.objects(kFirst);
    fs::remove_all(journal_folder(data.config, kFirst));
    const auto gone = data.forget(kGone);
    EXPECT_TRUE(gone.complete());
    ASSERT_EQ(gone.sessions.size(), 1U);
    EXPECT_EQ(gone.sessions[0].master, MasterWithout::remade);
    const auto after = data.objects(kFirst);
    EXPECT_EQ(of_others(after, kFirst), of_others(before, kFirst));
    EXPECT_NE(after.at(master_key(kFirst)), before.at(master_key(kFirst)));
    EXPECT_EQ(test::traces_of(kGone, folder.path()), std::vector<std::string>{});

    // And where nothing is left to mix, none stays that has their voice.
    for (const auto& [key, bytes] : of_others(after, kFirst)) ASSERT_TRUE(data.store->remove(*store::Key::parse(key)));
    const auto more = data.forget(kStays);
    ASSERT_EQ(more.sessions.size(), 1U);
    EXPECT_EQ(more.sessions[0].master, MasterWithout::removed);
    EXPECT_FALSE(data.objects(kFirst).contains(master_key(kFirst)));
    EXPECT_EQ(test::traces_of(kStays, folder.path()), std::vector<std::string>{});
}

TEST(Forget, OnlyTheyWereThere) {
    const test::TempDir folder;
    Data data(folder.path());
    data.journal(without(without(three_players(), kStays), kAlso), kFirst);
    const auto gone = data.forget(kGone);
    ASSERT_EQ(gone.sessions.size(), 1U);
    EXPECT_EQ(gone.sessions[0].master, MasterWithout::removed);
    EXPECT_EQ(data.catalog->session(kFirst)->status, catalog::SessionStatus::complete);
    EXPECT_FALSE(data.objects(kFirst).contains(master_key(kFirst)));
    EXPECT_EQ(test::traces_of(kGone, folder.path()), std::vector<std::string>{});
}

TEST(Forget, WhatTheCatalogHasLostToo) {
    const test::TempDir folder;
    {
        Data data(folder.path());
        data.journal(three_players(), kFirst);
    }
    for (const char* const file : {"catalog.sqlite", "catalog.sqlite-wal", "catalog.sqlite-shm"})
        fs::remove(folder / file);
    fs::remove_all(folder / "journal");
    Data data(folder.path());
    const auto before = data.objects(kFirst);
    const auto gone = data.forget(kGone);
    ASSERT_EQ(gone.sessions.size(), 1U);
    EXPECT_EQ(gone.sessions[0].master, MasterWithout::removed);
    EXPECT_EQ(test::traces_of(kGone, folder.path()), std::vector<std::string>{});
    EXPECT_EQ(of_others(data.objects(kFirst), kFirst), of_others(before, kFirst));
    const auto manifest = *stored_manifest(data.tools(), kFirst);
    ASSERT_TRUE(manifest);
    EXPECT_NE(manifest->find(kStays.text()), std::string::npos);
}

TEST(Forget, ASessionThatIsRecordedIsRefusedAndTheRestIsDone) {
    const test::TempDir folder;
    Data data(folder.path());
    data.journal(three_players(), kFirst);
    data.journal(three_players(6), kSecond, false);
    journal::Committer committer(1);
    {
        const auto recorder =
            journal::Writer::open(committer, journal_root(data.config), {kSecond, UnixTime{}, BootTime{}, BootId{}});
        ASSERT_TRUE(recorder);
        const auto journal = test::traces_of(kGone, journal_folder(data.config, kSecond));
        const auto gone = data.forget(kGone, {.patience = std::chrono::hours(1)});
        EXPECT_FALSE(gone.complete());
        EXPECT_EQ(gone.recorded, std::vector{kSecond});
        ASSERT_EQ(gone.sessions.size(), 1U);
        EXPECT_EQ(test::traces_of(kGone, journal_folder(data.config, kSecond)), journal) << "untouched";
        EXPECT_EQ(test::traces_of(kGone, journal_folder(data.config, kFirst)).size(), 0U);
        EXPECT_FALSE(Wishes::any(folder.path())) << "who wants it asks again";
    }
    EXPECT_TRUE(data.forget(kGone).complete());
    EXPECT_EQ(test::traces_of(kGone, folder.path()), std::vector<std::string>{});
}

TEST(Forget, WhoseFilesAreBeingMadeIsWaitedForOrToldAndTheWishStays) {
    const test::TempDir folder;
    Data data(folder.path());
    data.journal(three_players(), kFirst);
    {
        const auto maker = Scratch::take(folder / "cache", kFirst);
        ASSERT_TRUE(maker);
        const auto gone = data.forget(kGone);
        ASSERT_EQ(gone.undone.size(), 1U);
        EXPECT_EQ(gone.undone[0].session, kFirst);
        EXPECT_EQ(gone.undone[0].kind, ErrorKind::locked);
        EXPECT_TRUE(Wishes::any(folder.path()));
        const Status later = forget_the_rest(data.tools());
        ASSERT_FALSE(later);
        EXPECT_EQ(later.error().kind, ErrorKind::locked) << "as often as it takes";
    }
    const Status rest = forget_the_rest(data.tools());
    EXPECT_TRUE(rest) << rest.error().message;
    EXPECT_EQ(test::traces_of(kGone, folder.path()), std::vector<std::string>{});
}

TEST(Forget, TheEndOfTheProgramIsWaitedForBetweenAnyTwoSessions) {
    const test::TempDir folder;
    Data data(folder.path());
    data.journal(three_players(), kFirst, false);
    const std::atomic<bool> stop{true};
    auto tools = data.tools();
    tools.work.stop = &stop;
    auto wishes = Wishes::open(folder.path());
    ASSERT_TRUE(wishes);
    const auto done = forget(tools, *wishes, kSilent);
    ASSERT_FALSE(done);
    EXPECT_EQ(done.error().kind, ErrorKind::interrupted);
    EXPECT_TRUE(Wishes::any(folder.path())) << "the next start goes on";
    EXPECT_FALSE(test::traces_of(kSilent, journal_folder(data.config, kFirst)).empty());
}

// Else their files would be back with the disk, and no wish any more.
TEST(Forget, AStoreThatIsAwayIsTold) {
    const test::TempDir folder;
    Data data(folder.path());
    data.journal(three_players(), kFirst);
    fs::rename(folder / "store", folder / "unmounted");
    const auto gone = data.forget(kGone);
    ASSERT_EQ(gone.undone.size(), 1U);
    EXPECT_EQ(gone.undone[0].session, kFirst);
    EXPECT_TRUE(Wishes::any(folder.path()));
    EXPECT_EQ(data.catalog->recordings(kFirst)->size(), 3U);
    fs::remove_all(folder / "store");
    fs::rename(folder / "unmounted", folder / "store");
    EXPECT_TRUE(data.forget(kGone).complete());
    EXPECT_EQ(test::traces_of(kGone, folder.path()), std::vector<std::string>{});
}

// A wish that a kill has left is about what was there when it was made.
TEST(Forget, WhatBeganLaterIsNotTouched) {
    const test::TempDir folder;
    Data data(folder.path());
    const auto early = three_players();
    data.journal(early, kFirst);
    auto late = three_players(6);
    for (auto& arrival : late.arrivals) arrival.time += std::chrono::hours(1);
    late.start_time += std::chrono::hours(1);
    data.journal(late, kSecond);
    {
        auto wishes = Wishes::open(folder.path());
        ASSERT_TRUE(wishes);
        ASSERT_TRUE(wishes->note(kGone, {.asked = early.start_time + std::chrono::minutes(30)}));
        const Status second = forget_the_rest(data.tools());
        ASSERT_FALSE(second);
        EXPECT_EQ(second.error().kind, ErrorKind::locked) << "one at a time";
    }
    ASSERT_TRUE(forget_the_rest(data.tools()));
    EXPECT_EQ(data.catalog->recordings(kFirst)->size(), 2U);
    EXPECT_EQ(data.catalog->recordings(kSecond)->size(), 3U);
}

// What was read of a journal before it was written anew makes no file.
TEST(Forget, WhoReadTheOldJournalMakesNothingOfIt) {
    const test::TempDir folder;
    Data data(folder.path());
    data.journal(three_players(), kFirst);
    auto stale = Session::open(data.tools(), kFirst);
    ASSERT_TRUE(stale);
    data.forget(kGone);
    const Status done = finish_session(*stale);
    ASSERT_FALSE(done);
    EXPECT_EQ(done.error().kind, ErrorKind::locked);
    EXPECT_EQ(test::traces_of(kGone, folder.path()), std::vector<std::string>{});
}

TEST(Forget, KilledAnywhereTheNextOneFinishesIt) {
    const test::TempDir folder;
    const auto whole = folder / "whole";
    fs::create_directory(whole);
    Objects others;
    std::vector<std::uint8_t> master;
    {
        Data data(whole);
        data.journal(three_players(), kFirst);
        plant(data, kFirst);
        others = of_others(data.objects(kFirst), kFirst);
        const test::TempDir other;
        Data never(other.path());
        never.journal(without(three_players(), kGone), kFirst);
        master = never.objects(kFirst).at(master_key(kFirst));
    }
    if (HasFatalFailure()) return;

    const auto forget_in_child = [&](const fs::path& where, int call) {
        const pid_t child = fork();
        if (child == 0) {
            Data data(where);
            auto wishes = Wishes::open(where);
            test::die_at(call);
            const auto done = forget(data.tools(), *wishes, kGone);
            _exit(done && done->complete() ? std::clamp(test::calls_so_far() / 10 + 1, 1, 255) : 255);
        }
        int how = 0;
        waitpid(child, &how, 0);
        return WIFEXITED(how) ? WEXITSTATUS(how) : 255;
    };
    const auto copy = folder / "copy";
    const auto prepare = [&] {
        fs::remove_all(copy);
        fs::copy(whole, copy, fs::copy_options::recursive);
    };
    prepare();
    const int tens = forget_in_child(copy, 0);
    ASSERT_LT(tens, 255) << "undisturbed it is done";
    const unsigned seed = std::random_device{}();
    std::mt19937 random(seed);
    SCOPED_TRACE("seed " + std::to_string(seed));
    constexpr int kDeaths = 40;
    int died = 0;
    for (int i = 0; i < kDeaths; ++i) {
        const int from = 1 + tens * 10 * i / kDeaths;
        const int call = from + static_cast<int>(random() % static_cast<unsigned>(std::max(1, tens * 10 / kDeaths)));
        prepare();
        died += forget_in_child(copy, call) == 0 ? 1 : 0;
        Data data(copy);
        // As the next start of the program has it, and as the same command does.
        const bool wished = Wishes::any(copy);
        if (wished && i % 2 == 0) {
            const Status rest = forget_the_rest(data.tools());
            ASSERT_TRUE(rest) << rest.error().message << " at call " << call;
        } else {
            ASSERT_TRUE(data.forget(kGone).complete()) << call;
        }
        EXPECT_EQ(test::traces_of(kGone, copy), std::vector<std::string>{}) << "at call " << call;
        const auto after = data.objects(kFirst);
        EXPECT_EQ(of_others(after, kFirst), others) << "at call " << call;
        ASSERT_TRUE(after.contains(master_key(kFirst))) << "at call " << call;
        EXPECT_EQ(after.at(master_key(kFirst)), master) << "at call " << call;
    }
    EXPECT_GE(died, kDeaths * 3 / 4);
}

}  // namespace
}  // namespace lestapenna::workflows
