// One gain per voice: the rules on made-up levels and signals, and the corpus's clean voices at their targets.
#include "render/levels.h"

#include <algorithm>

#include "audio/mp3.h"
#include "recorded.h"
#include "render/leveled.h"
#include "sandbox/random.h"

namespace lestapenna::render {
namespace {

using namespace testing;

/// A talker at -30 LUFS in a quiet room.
Levels ordinary() {
    Levels levels;
    levels.lufs = -30;
    levels.speech_lufs = -29.8;
    levels.noise_lufs = -70;
    levels.sample_peak = 0.3;
    levels.packet_share = 0.2;
    levels.sounding_seconds = 30;
    return levels;
}

TEST(Gain, BringsAnOrdinaryVoiceToTheTarget) {
    const GainChoice choice = choose_gain(ordinary(), kTrackTarget);
    EXPECT_EQ(choice.flag, LevelFlag::none);
    EXPECT_TRUE(choice.corrected());
    EXPECT_DOUBLE_EQ(choice.gain_db, 7);
    EXPECT_EQ(to_string(choice.flag), "");
}

TEST(Gain, TwentyDecibelsIsTheMost) {
    Levels levels = ordinary();
    levels.lufs = levels.speech_lufs = -43.5;
    GainChoice choice = choose_gain(levels, kTrackTarget);
    EXPECT_EQ(choice.flag, LevelFlag::capped);
    EXPECT_EQ(to_string(choice.flag), "capped");
    EXPECT_DOUBLE_EQ(choice.gain_db, 20);
    levels.lufs = levels.speech_lufs = -42.9;
    choice = choose_gain(levels, kTrackTarget);
    EXPECT_EQ(choice.flag, LevelFlag::none);
    EXPECT_NEAR(choice.gain_db, 19.9, 1e-9);
}

TEST(Gain, NoiseIsNotLiftedAbove45) {
    Levels levels = ordinary();
    levels.noise_lufs = -48;
    const GainChoice choice = choose_gain(levels, kTrackTarget);
    EXPECT_EQ(choice.flag, LevelFlag::capped);
    EXPECT_DOUBLE_EQ(choice.gain_db, 3);
    EXPECT_DOUBLE_EQ(gain_limit(levels), 3);
}

TEST(Gain, ALouderFloorIsNoReasonToAttenuate) {
    Levels levels = ordinary();
    levels.noise_lufs = -35;
    EXPECT_DOUBLE_EQ(choose_gain(levels, kTrackTarget).gain_db, 0);
    levels.lufs = levels.speech_lufs = -15;  // but a loud voice is turned down
    EXPECT_DOUBLE_EQ(choose_gain(levels, kTrackTarget).gain_db, -8);
    EXPECT_EQ(choose_gain(levels, kTrackTarget).flag, LevelFlag::none);
}

TEST(Gain, AnOpenMicrophoneIsLevelledByItsSpeech) {
    Levels levels = ordinary();
    levels.packet_share = 1;
    levels.lufs = -31;
    levels.speech_lufs = -28;
    GainChoice choice = choose_gain(levels, kTrackTarget);
    EXPECT_EQ(choice.flag, LevelFlag::open_mic);
    EXPECT_FALSE(choice.corrected());
    EXPECT_DOUBLE_EQ(choice.gain_db, 5);
    levels.packet_share = 0.6;  // "more than" 60 %
    EXPECT_EQ(choose_gain(levels, kTrackTarget).flag, LevelFlag::none);
    levels.packet_share = 1;
    levels.lufs = -29;  // "more than" 1 LU
    EXPECT_EQ(choose_gain(levels, kTrackTarget).flag, LevelFlag::none);
}

TEST(Gain, TooShortAndNoSpeech) {
    Levels levels = ordinary();
    levels.sounding_seconds = 0.9;
    EXPECT_EQ(choose_gain(levels, kTrackTarget).flag, LevelFlag::too_short);
    levels.lufs.reset();
    const GainChoice choice = choose_gain(levels, kTrackTarget);
    EXPECT_EQ(choice.flag, LevelFlag::no_speech);
    EXPECT_DOUBLE_EQ(choice.gain_db, 0);
}

// ---- the meter on made-up sound

/// White, uniform.
void make_noise(std::vector<float>& out, double rms, std::uint64_t seed) {
    sandbox::Random random(seed, 0);
    for (float& x : out) x += static_cast<float>(rms * std::sqrt(3.0) * random.between(-1, 1));
}

/// As packets of so many samples would bring it.
Levels measure(const std::vector<float>& pcm, Samples length, std::size_t packet = 960) {
    LevelMeter meter;
    for (std::size_t at = 0; at + packet <= pcm.size(); at += packet) {
        meter.add(SamplePos{Samples{static_cast<std::int64_t>(at)}}, std::span(pcm).subspan(at, packet));
    }
    return meter.finish(length);
}

/// Twenty seconds in a room of -60 dBFS (-60.7 LUFS without weighting), speaking every other second.
std::vector<float> in_a_room() {
    auto pcm = buzz(seconds(20));
    for (std::size_t i = 0; i < pcm.size(); ++i) pcm[i] *= i / kSampleRate % 2 == 0 ? 1.0F : 0.0F;
    make_noise(pcm, 0.001, 1);
    return pcm;
}

TEST(LevelMeter, FindsTheRoomBelowTheVoice) {
    for (const std::size_t packet : {120U, 480U, 960U, 5'760U}) {
        const Levels levels = measure(in_a_room(), seconds(20), packet);
        EXPECT_NEAR(levels.noise_lufs, -60.7, 1) << packet;
        EXPECT_NEAR(levels.packet_share, 1, 0.01);
        EXPECT_NEAR(levels.sounding_seconds, 10, 4);
        EXPECT_NEAR(levels.speech_lufs, *levels.lufs, 1);
        EXPECT_NEAR(levels.sample_peak, 0.18, 0.01);
    }
}

// Runs of four seconds: whether the client ends them with silence frames or just stops makes no difference.
TEST(LevelMeter, AGatedRoomIsAsLoudWithSilenceFramesAndWithout) {
    std::vector<float> run(4 * kSampleRate);
    make_noise(run, 0.001, 2);
    for (const bool frames : {true, false}) {
        LevelMeter meter;
        for (int i = 0; i < 10; ++i) {
            const SamplePos at{seconds(6 * i)};
            meter.add(at, run);
            if (frames) meter.add(at + seconds(4), std::vector<float>(4'800));
        }
        EXPECT_NEAR(meter.finish(seconds(60)).noise_lufs, -60.7, 1) << frames;
    }
}

TEST(LevelMeter, NothingAtAll) {
    const Levels levels = measure(std::vector<float>(96'000), seconds(2));
    EXPECT_FALSE(levels.lufs.has_value());
    EXPECT_EQ(choose_gain(levels, kTrackTarget).flag, LevelFlag::no_speech);
    EXPECT_EQ(choose_gain(LevelMeter().finish(Samples{0}), kTrackTarget).flag, LevelFlag::no_speech);
}

// The same file, its silences told or left out, is as loud.
TEST(LevelMeter, SilenceMayBeLeftOut) {
    auto pcm = buzz(seconds(30));
    std::fill(pcm.begin() + 10 * kSampleRate, pcm.begin() + 25 * kSampleRate, 0.0F);
    const Levels told = measure(pcm, seconds(30));
    LevelMeter meter;
    meter.add(SamplePos{}, std::span(pcm).first(10 * kSampleRate));
    meter.add(SamplePos{seconds(25)}, std::span(pcm).subspan(25 * kSampleRate));
    const Levels left_out = meter.finish(seconds(30));
    EXPECT_NEAR(*told.lufs, *left_out.lufs, 0.01);
    EXPECT_NEAR(told.speech_lufs, left_out.speech_lufs, 0.01);
    EXPECT_NEAR(left_out.packet_share, 0.5, 0.001);
}

// ---- the corpus

/// Twenty per cent talkers for three minutes each, one after the other's seed.
sandbox::SimulatedTable talkers(const std::vector<std::string>& names, Samples length) {
    std::vector<std::vector<float>> voices;
    for (const auto& name : names) {
        auto pcm = voice(name);
        // The shortest sentences are said again and again.
        const auto once = pcm;
        while (std::ssize(pcm) < 12 * kSampleRate) pcm.insert(pcm.end(), once.begin(), once.end());
        voices.push_back(std::move(pcm));
    }
    sandbox::CutTable cut;
    cut.length = length;
    cut.seed = 20261122;
    return sandbox::simulate(sandbox::cut_table(voices, cut), {});
}

std::vector<std::string> clean_voices() {
    std::vector<std::string> names = kHumanVoices;
    for (const char* italian : {"it-customspeech-f.opus", "it-espeak1-m.opus", "it-espeak2-f.opus", "it-espeak3-m.opus",
                                "it-pico1-m.opus", "it-pico2-f.opus", "it-pico3-m.opus"}) {
        names.emplace_back(italian);
    }
    return names;
}

LeveledFile track(const DecodedConnection& one, const GainChoice& choice, const std::filesystem::path& path) {
    LeveledFile file;
    file.path = path;
    file.format = audio::kTrackMp3;
    file.length = one.connection().length();
    file.source = one.pcm.source();
    file.target_lufs = kTrackTarget;
    file.gain_db = choice.gain_db;
    file.gain_limit_db = gain_limit(one.levels);
    file.fixed_gain = !choice.corrected();
    return file;
}

/// By somebody else's decoder and meter: the file as a player gets it.
Measured measure_file(const std::filesystem::path& path, int channels) {
    const auto audio = audio::decode_mp3(bytes_of(path));
    EXPECT_TRUE(audio.ok());
    audio::LoudnessMeter meter(channels);
    meter.feed(audio->pcm);
    Measured out;
    out.lufs = audio::integrated_loudness(meter.momentary());
    out.true_peak_db = audio::to_db(audio::true_peak(audio->pcm, channels));
    return out;
}

TEST(Leveled, EveryCleanVoiceOfTheCorpus) {
    if (!test::test_data()) GTEST_SKIP() << test::kNoTestData;
    auto names = clean_voices();
    const std::size_t clean = names.size();
    for (const char* other : {"cond-quiet-libri1998-f.opus", "cond-hot-libri2609-m.flac", "cond-noise-libri3005-m.opus",
                              "cond-hum-libri3331-f.opus"}) {
        names.emplace_back(other);
    }
    const auto table = talkers(names, seconds(180));
    const Recorded session(table);
    const auto decoded = session.decoded();
    ASSERT_EQ(decoded.size(), names.size());

    std::vector<LeveledFile> files;
    std::vector<GainChoice> choices;
    std::vector<std::size_t> who;
    for (const DecodedConnection& one : decoded) {
        const auto sender = std::find_if(table.senders.begin(), table.senders.end(),
                                         [&](const auto& s) { return s.user == one.connection().user; });
        who.push_back(static_cast<std::size_t>(sender - table.senders.begin()));
        choices.push_back(choose_gain(one.levels, kTrackTarget));
        files.push_back(track(one, choices.back(), session.folder() / (names[who.back()] + ".mp3")));
    }
    Work work;
    work.threads = 2;
    const Status made = make_leveled(files, work);
    ASSERT_TRUE(made.ok()) << made.error().message;
    std::printf("  %-30s %7s %7s %7s %5s %6s | %6s %6s %7s %s\n", "voice", "LUFS", "speech", "noise", "share", "speaks",
                "gain", "LUFS", "dBTP", "passes, flag");
    for (std::size_t i = 0; i < files.size(); ++i) {
        const Levels& levels = decoded[i].levels;
        const Measured file = measure_file(files[i].path, 1);
        std::printf("  %-30s %7.2f %7.2f %7.2f %5.2f %5.0f s | %6.2f %6.2f %7.2f %d %s\n", names[who[i]].c_str(),
                    levels.lufs.value_or(0), levels.speech_lufs, levels.noise_lufs, levels.packet_share,
                    levels.sounding_seconds, files[i].gain_db, file.lufs.value_or(0), file.true_peak_db.value_or(0),
                    files[i].passes, std::string(to_string(choices[i].flag)).c_str());
        EXPECT_LE(file.true_peak_db.value_or(0), kPeakCeiling) << names[who[i]];
        EXPECT_NEAR(*file.lufs, *files[i].measured.lufs, 0.02) << names[who[i]];
        if (who[i] < clean) {
            EXPECT_EQ(choices[i].flag, LevelFlag::none) << names[who[i]];
        }
        if (choices[i].flag == LevelFlag::none) {
            EXPECT_NEAR(file.lufs.value_or(0), kTrackTarget, kTolerance) << names[who[i]];
        }
    }
}

// Who is never silent is not for that alone an open microphone.
TEST(Leveled, CleanVoicesWithoutAPauseHaveNoFlag) {
    if (!test::test_data()) GTEST_SKIP() << test::kNoTestData;
    for (const auto& name : clean_voices()) {
        const auto pcm = voice(name);
        const Levels levels = measure(pcm, Samples{std::ssize(pcm)});
        const GainChoice choice = choose_gain(levels, kTrackTarget);
        std::printf("  %-24s %.2f LUFS, speech %.2f, noise %.2f, gain %.2f\n", name.c_str(), levels.lufs.value_or(0),
                    levels.speech_lufs, levels.noise_lufs, choice.gain_db);
        EXPECT_EQ(choice.flag, LevelFlag::none) << name;
    }
}

TEST(Leveled, TheMasterAtEachPreset) {
    if (!test::test_data()) GTEST_SKIP() << test::kNoTestData;
    const std::vector<std::string> names{"en-libri2414-m.opus", "en-libri367-f.opus",     "en-libri2033-m.opus",
                                         "en-libri533-f.opus",  "it-customspeech-f.opus", "en-libri3080-f.opus"};
    const Recorded session(talkers(names, seconds(180)));
    const auto decoded = session.decoded();
    std::vector<double> gains;
    for (const DecodedConnection& one : decoded) {
        gains.push_back(choose_gain(one.levels, kTrackTarget).gain_db);
    }
    Work work;
    work.threads = 2;
    const Samples length = session.timeline().end().time_since_epoch();
    const auto source = mix(decoded, gains);
    const auto heard = measure_source(source, 1, length, work);
    ASSERT_TRUE(heard.ok() && heard->lufs);
    for (const double target : {-23.0, -16.0, -14.0}) {
        std::vector<LeveledFile> files(1);
        LeveledFile& file = files[0];
        file.path = session.folder() / "master.mp3";
        file.format = audio::kMasterMp3;
        file.length = length;
        file.source = source;
        file.target_lufs = target;
        file.limiter_db = -1.5;
        file.gain_db = target - *heard->lufs;
        ASSERT_TRUE(make_leveled(files, work).ok());
        const Measured made = measure_file(file.path, 1);
        std::printf(
            "  master at %.0f: mix %.2f LUFS %.2f dBTP, made %.2f LUFS %.2f dBTP, gain %.2f dB, limiter %.2f dB, "
            "%d passes\n",
            target, *heard->lufs, *heard->true_peak_db, *made.lufs, *made.true_peak_db, file.gain_db, file.limiter_db,
            file.passes);
        EXPECT_NEAR(*made.lufs, target, kTolerance);
        EXPECT_LE(*made.true_peak_db, kPeakCeiling);
    }
}

// Without a gain to correct, the peaks are held all the same.
TEST(Leveled, FixedGainKeepsThePeaks) {
    test::TempDir folder;
    const auto pcm = buzz(seconds(40));
    std::vector<LeveledFile> files(1);
    files[0].path = folder / "fixed.mp3";
    files[0].format = audio::kTrackMp3;
    files[0].length = seconds(40);
    files[0].source = [&](Samples first, std::span<float> out) {
        for (std::size_t i = 0; i < out.size(); ++i) {
            const auto at = static_cast<std::size_t>(first.count()) + i;
            out[i] = at < pcm.size() ? pcm[at] : 0.0F;
        }
    };
    files[0].gain_db = 18;
    files[0].fixed_gain = true;
    files[0].limiter_db = -1.0;  // the codec overshoots
    ASSERT_TRUE(make_leveled(files, {}).ok());
    EXPECT_DOUBLE_EQ(files[0].gain_db, 18);
    EXPECT_GE(files[0].passes, 2);
    EXPECT_LT(files[0].limiter_db, -1.0);
    EXPECT_LE(*measure_file(files[0].path, 1).true_peak_db, kPeakCeiling);
}

TEST(Leveled, PureSilenceIsAFileWithoutFigures) {
    test::TempDir folder;
    std::vector<LeveledFile> files(1);
    files[0].path = folder / "silence.mp3";
    files[0].length = seconds(61);
    files[0].source = [](Samples, std::span<float> out) { std::fill(out.begin(), out.end(), 0.0F); };
    ASSERT_TRUE(make_leveled(files, {}).ok());
    EXPECT_FALSE(files[0].measured.lufs.has_value());
    EXPECT_FALSE(files[0].measured.true_peak_db.has_value());
    EXPECT_EQ(files[0].passes, 1);
    const auto audio = audio::decode_mp3(bytes_of(files[0].path));
    ASSERT_TRUE(audio.ok());
    EXPECT_EQ(std::ssize(audio->pcm), Samples{seconds(61)}.count());
    EXPECT_EQ(energy(audio->pcm), 0.0);
}

}  // namespace
}  // namespace lestapenna::render
