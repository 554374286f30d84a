#include "audio/mp3.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <fstream>
#include <functional>
#include <latch>
#include <limits>
#include <thread>

#include <gtest/gtest.h>

#include "audio/loudness.h"
#include "speech.h"

namespace lestapenna::audio {
namespace {

using testing::kSecond;

using Bytes = std::vector<std::uint8_t>;
constexpr std::array kFormats{kTrackMp3, kMasterMp3, Mp3Format{128, 2, 5}};

std::vector<float> material(std::size_t samples) {
    static const auto voice = testing::speech("en-libri2609-m.opus");
    auto pcm = voice.empty() ? testing::babble(samples, 7) : voice;
    pcm.resize(samples);
    return pcm;
}

std::vector<float> as_channels(std::span<const float> mono, int channels) {
    std::vector<float> out;
    for (std::size_t i = 0; i < mono.size(); ++i) {
        out.push_back(mono[i]);
        if (channels == 2) out.push_back(0.7F * mono[i > 200 ? i - 200 : 0]);
    }
    return out;
}

/// The frames of a whole file: mp3_frames(n) of them, without header.
Bytes encode(std::span<const float> interleaved, const Mp3Format& format) {
    const auto channels = static_cast<std::size_t>(format.channels);
    const std::size_t frame = static_cast<std::size_t>(kMp3FrameSamples) * channels;
    const auto wanted =
        static_cast<std::size_t>(mp3_frames(Samples{static_cast<std::int64_t>(interleaved.size() / channels)}));
    Mp3Encoder encoder(format);
    Bytes frames;
    std::vector<float> pcm(frame);
    for (std::size_t at = 0; frames.size() < wanted * format.frame_bytes(); at += frame) {
        std::ranges::fill(pcm, 0.0F);
        if (at < interleaved.size()) {
            std::ranges::copy(interleaved.subspan(at, std::min(frame, interleaved.size() - at)), pcm.begin());
        }
        encoder.encode(pcm, frames);
    }
    frames.resize(wanted * format.frame_bytes());
    return frames;
}

Bytes as_file(std::span<const std::uint8_t> frames, const Mp3Format& format, Samples length) {
    Bytes file = info_frame(format, static_cast<std::int64_t>(frames.size() / format.frame_bytes()), length);
    file.insert(file.end(), frames.begin(), frames.end());
    return file;
}

std::vector<float> decode(std::span<const std::uint8_t> frames, const Mp3Format& format) {
    Mp3Decoder decoder(format.channels);
    std::vector<float> pcm;
    const auto status = decoder.decode(frames, pcm);
    EXPECT_TRUE(status) << status.error().message;
    return pcm;
}

std::vector<float> decode_file(std::span<const std::uint8_t> file) {
    auto audio = decode_mp3(file);
    EXPECT_TRUE(audio) << audio.error().message;
    return audio ? audio->pcm : std::vector<float>{};
}

/// Floats that an outside program decodes `file` to; `argv` with IN and OUT for the files.
std::vector<float> decode_with(std::vector<std::string> argv, std::span<const std::uint8_t> file) {
    const test::TempDir folder;
    std::ofstream(folder / "in.mp3", std::ios::binary)
        .write(reinterpret_cast<const char*>(file.data()), static_cast<std::streamsize>(file.size()));
    std::ranges::replace(argv, std::string("IN"), (folder / "in.mp3").string());
    std::ranges::replace(argv, std::string("OUT"), (folder / "out.raw").string());
    const auto result = test::run_process(argv);
    EXPECT_EQ(result.exit_code, 0) << argv[0] << ": " << result.err;
    std::ifstream in(folder / "out.raw", std::ios::binary);
    std::vector<char> raw{std::istreambuf_iterator<char>(in), {}};
    std::vector<float> pcm(raw.size() / sizeof(float));
    if (!pcm.empty()) std::memcpy(pcm.data(), raw.data(), pcm.size() * sizeof(float));
    return pcm;
}

struct Player {
    std::string name;
    std::function<std::vector<float>(const Bytes&)> play;
};

/// Everybody here who plays MP3 files: ourselves, and the outside judges that are installed.
std::vector<Player> players() {
    std::vector<Player> all{{"libmpg123", decode_file}};
    const auto add = [&all](const std::vector<std::string>& argv) {
        if (!test::has_program(argv[0])) return;
        all.push_back({argv[0], [argv](const Bytes& file) { return decode_with(argv, file); }});
    };
    add({"ffmpeg", "-v", "error", "-nostdin", "-y", "-i", "IN", "-f", "f32le", "-c:a", "pcm_f32le", "OUT"});
    add({"mpg123", "-q", "-e", "f32", "-O", "OUT", "IN"});
    return all;
}

std::string name(const Mp3Format& format) {
    return std::to_string(format.kbps) + " kbit/s, " + std::to_string(format.channels) + " channels";
}

TEST(Mp3, FramesAreWholeAndAllOfOneSize) {
    const auto voice = material(20 * kSecond);
    for (const auto& format : kFormats) {
        SCOPED_TRACE(name(format));
        const auto pcm = as_channels(voice, format.channels);
        const auto frames = encode(pcm, format);
        const auto count = static_cast<std::size_t>(mp3_frames(Samples{48'000 * 20}));
        ASSERT_EQ(frames.size(), count * format.frame_bytes());
        const auto& silent = silent_frame(format);
        for (std::size_t i = 0; i < count; ++i) {
            const auto* const header = frames.data() + i * format.frame_bytes();
            ASSERT_EQ(header[0], silent[0]) << "frame " << i;
            ASSERT_EQ(header[1], silent[1]);
            ASSERT_EQ(header[2], silent[2]);
            ASSERT_EQ(header[3] & 0xCF, silent[3] & 0xCF) << "only the joint-stereo bits may differ";
            ASSERT_EQ(header[4], 0) << "main data begins in an earlier frame: bit reservoir in use";
            ASSERT_EQ(header[5] & 0x80, 0);
        }
    }
}

TEST(Mp3, SampleZeroComesOutAtTheDecodedDelay) {
    for (const auto& format : kFormats) {
        SCOPED_TRACE(name(format));
        auto mono = testing::babble(48'000, 8);
        const auto pcm = as_channels(mono, format.channels);
        const auto out = decode(encode(pcm, format), format);
        const auto channels = static_cast<std::size_t>(format.channels);
        ASSERT_EQ(out.size(), static_cast<std::size_t>(mp3_frames(Samples{48'000}) * kMp3FrameSamples) * channels);
        double best = -1;
        std::int64_t best_lag = 0;
        for (std::int64_t lag = kMp3DecodedDelay - 40; lag <= kMp3DecodedDelay + 40; ++lag) {
            double sum = 0;
            for (std::size_t i = 0; i < 47'000; ++i) {
                sum += static_cast<double>(pcm[i * channels]) * out[(i + static_cast<std::size_t>(lag)) * channels];
            }
            if (sum > best) best = sum, best_lag = lag;
        }
        EXPECT_EQ(best_lag, kMp3DecodedDelay);
    }
}

TEST(Mp3, LevelIsKept) {
    for (const auto& format :
         {kTrackMp3, kMasterMp3, Mp3Format{128, 2, 5}, Mp3Format{160, 1, 3}, Mp3Format{96, 1, 3}}) {
        SCOPED_TRACE(name(format));
        const auto tone = testing::sine(997, 0.25, 5 * kSecond);
        std::vector<float> pcm;
        for (const float x : tone) pcm.insert(pcm.end(), static_cast<std::size_t>(format.channels), x);
        const auto out = decode_file(as_file(encode(pcm, format), format, Samples{48'000 * 5}));
        ASSERT_EQ(out.size(), pcm.size());
        EXPECT_NEAR(10 * std::log10(testing::energy(out) / testing::energy(pcm)), 0, 0.01);
    }
}

TEST(Mp3, DecoderGivesEveryFrameAndDoesNotCareHowTheyCome) {
    const auto format = kTrackMp3;
    const auto frames = encode(material(5 * kSecond), format);
    const auto count = frames.size() / format.frame_bytes();
    const auto whole = decode(frames, format);
    ASSERT_EQ(whole.size(), count * static_cast<std::size_t>(kMp3FrameSamples));
    Mp3Decoder decoder;
    std::vector<float> pcm;
    for (std::size_t i = 0; i < count; ++i) {
        ASSERT_TRUE(decoder.decode(std::span(frames).subspan(i * format.frame_bytes(), format.frame_bytes()), pcm));
        ASSERT_EQ(pcm.size(), (i + 1) * static_cast<std::size_t>(kMp3FrameSamples)) << "frame " << i << " held back";
    }
    EXPECT_EQ(pcm, whole);
}

TEST(Mp3, DecoderTreatsAnInfoFrameAsMusic) {
    const auto frames = encode(material(48'000), kTrackMp3);
    const auto file = as_file(frames, kTrackMp3, Samples{48'000});
    const auto with = decode(file, kTrackMp3);
    const auto without = decode(frames, kTrackMp3);
    ASSERT_EQ(with.size(), without.size() + static_cast<std::size_t>(kMp3FrameSamples));
    for (std::size_t i = 0; i < static_cast<std::size_t>(kMp3FrameSamples); ++i) ASSERT_EQ(with[i], 0.0F);
}

TEST(Mp3, SilentFrameIsExactSilence) {
    for (const auto& format : kFormats) {
        SCOPED_TRACE(name(format));
        const auto& silent = silent_frame(format);
        ASSERT_EQ(silent.size(), format.frame_bytes());
        EXPECT_EQ(&silent, &silent_frame(format));
        Bytes frames;
        for (int i = 0; i < 50; ++i) frames.insert(frames.end(), silent.begin(), silent.end());
        const auto pcm = decode(frames, format);
        EXPECT_EQ(pcm.size(), static_cast<std::size_t>(50 * kMp3FrameSamples * format.channels));
        for (const float x : pcm) ASSERT_EQ(x, 0.0F);
    }
}

TEST(Mp3, SilentFramesStandForEncodedSilenceAmongSpeech) {
    const auto format = kTrackMp3;
    auto voice = material(4 * kSecond);
    std::fill(voice.begin() + 48'000, voice.begin() + 96'000, 0.0F);
    auto frames = encode(voice, format);
    const auto encoded = decode(frames, format);
    // Frames 44 to 80 hold nothing but samples from the silent second.
    for (std::size_t i = 45; i < 80; ++i) {
        std::ranges::copy(silent_frame(format), frames.begin() + static_cast<std::ptrdiff_t>(i * format.frame_bytes()));
    }
    const auto replaced = decode(frames, format);
    ASSERT_EQ(replaced.size(), encoded.size());
    for (std::size_t i = 0; i < encoded.size(); ++i) ASSERT_NEAR(replaced[i], encoded[i], 2e-4F) << i;
    for (std::size_t i = 48 * 1152; i < 80 * 1152; ++i) ASSERT_EQ(replaced[i], 0.0F);
}

TEST(Mp3, AFilePlaysExactlyItsLengthEverywhere) {
    for (const auto& format : kFormats) {
        for (const std::int64_t length : {1LL, 47LL, 1152LL, 1153LL, 48'000LL, 100'000LL, 115'200LL}) {
            SCOPED_TRACE(name(format) + ", " + std::to_string(length) + " samples");
            const auto pcm = as_channels(material(static_cast<std::size_t>(length)), format.channels);
            const auto file = as_file(encode(pcm, format), format, Samples{length});
            for (const auto& player : players()) EXPECT_EQ(player.play(file).size(), pcm.size()) << player.name;
        }
    }
}

TEST(Mp3, AFileWithSilentFramesPlaysEverywhere) {
    for (const auto& format : kFormats) {
        SCOPED_TRACE(name(format));
        Bytes frames;
        for (int i = 0; i < 101; ++i)
            frames.insert(frames.end(), silent_frame(format).begin(), silent_frame(format).end());
        const auto file = as_file(frames, format, Samples{115'200});
        const std::vector<float> silence(static_cast<std::size_t>(115'200 * format.channels));
        for (const auto& player : players()) EXPECT_EQ(player.play(file), silence) << player.name;
    }
}

TEST(Mp3, FileDecodeIsTheFramesDecodeTrimmed) {
    const auto frames = encode(material(200'000), kTrackMp3);
    const auto bare = decode(frames, kTrackMp3);
    const auto file = decode_file(as_file(frames, kTrackMp3, Samples{200'000}));
    ASSERT_EQ(file.size(), 200'000U);
    EXPECT_TRUE(std::equal(file.begin(), file.end(), bare.begin() + kMp3DecodedDelay));
}

/// audio.md A2 (c2): frames kN to (k+1)N inclusive behind an Info frame of their own.
TEST(Mp3, ChunksEndToEndAreTheWholeStream) {
    constexpr std::size_t kChunk = 500;  // frames: 12 s
    constexpr std::size_t kLength = 50 * kSecond + 777;
    for (const auto& format : kFormats) {
        SCOPED_TRACE(name(format));
        const auto frames = encode(as_channels(material(kLength), format.channels), format);
        const std::size_t count = frames.size() / format.frame_bytes();
        const auto whole = as_file(frames, format, Samples{kLength});
        for (const auto& player : players()) {
            SCOPED_TRACE(player.name);
            std::vector<float> joined;
            for (std::size_t first = 0; first + 1 < count; first += kChunk) {
                const std::size_t last = std::min(first + kChunk, count - 1);
                const std::int64_t from = static_cast<std::int64_t>(first) * kMp3FrameSamples;
                const std::int64_t to =
                    std::min<std::int64_t>(static_cast<std::int64_t>(last) * kMp3FrameSamples, kLength);
                const auto part =
                    std::span(frames).subspan(first * format.frame_bytes(), (last + 1 - first) * format.frame_bytes());
                const auto pcm = player.play(as_file(part, format, Samples{to - from}));
                ASSERT_EQ(pcm.size(), static_cast<std::size_t>((to - from) * format.channels));
                joined.insert(joined.end(), pcm.begin(), pcm.end());
            }
            const auto expected = player.play(whole);
            ASSERT_EQ(joined.size(), expected.size());
            for (std::size_t i = 0; i < joined.size(); ++i) ASSERT_EQ(joined[i], expected[i]) << "sample " << i;
        }
    }
}

TEST(Mp3, InfoFrameSaysWhatItMust) {
    const auto frame = info_frame(kTrackMp3, 12'501, Samples{14'400'000});
    ASSERT_EQ(frame.size(), 192U);
    const auto at = [&frame](std::size_t offset, std::size_t bytes) {
        std::uint64_t value = 0;
        for (std::size_t i = 0; i < bytes; ++i) value = value << 8 | frame[offset + i];
        return value;
    };
    constexpr std::size_t kInfo = 21;
    constexpr std::size_t kLame = kInfo + 120;
    EXPECT_EQ(std::memcmp(frame.data() + kInfo, "Info", 4), 0);
    EXPECT_EQ(at(kInfo + 8, 4), 12'501U);
    EXPECT_EQ(at(kInfo + 12, 4), 12'502U * 192);
    EXPECT_EQ(std::memcmp(frame.data() + kLame, "LAME3.100", 9), 0);
    EXPECT_EQ(at(kLame + 21, 3), 576U << 12U | 576U) << "audio.md A3.3: a whole chunk is padded by 576";
    EXPECT_EQ(at(kLame + 28, 4), 12'502U * 192);
    unsigned crc = 0;  // over all that stands before it
    for (std::size_t i = 0; i < kLame + 34; ++i) {
        for (unsigned bit = 0; bit < 8; ++bit) {
            const bool odd = ((crc ^ static_cast<unsigned>(frame[i]) >> bit) & 1U) != 0;
            crc = crc >> 1 ^ (odd ? 0xA001U : 0U);
        }
    }
    EXPECT_EQ(at(kLame + 34, 2), crc);
}

/// Our reading of the tag's layout and CRC, held against a tag that LAME's own program wrote.
TEST(Mp3, InfoFrameIsLaidOutLikeLames) {
    if (!test::has_program("lame")) GTEST_SKIP() << "needs the lame program";
    const test::TempDir folder;
    {
        auto writer = AudioFileWriter::create(folder / "in.wav", SampleFormat::wav_16);
        ASSERT_TRUE(writer);
        ASSERT_TRUE(writer->write(material(100'000)));
        ASSERT_TRUE(writer->close());
    }
    const auto run = test::run_process({"lame", "--quiet", "--noreplaygain", "-q", "3", "-m", "m", "-b", "64", "--cbr",
                                        "--nores", folder / "in.wav", folder / "out.mp3"});
    ASSERT_EQ(run.exit_code, 0) << run.err;
    std::ifstream in(folder / "out.mp3", std::ios::binary);
    Bytes lame{std::istreambuf_iterator<char>(in), {}};
    const auto frames = static_cast<std::int64_t>(lame.size() / 192 - 1);
    const auto ours = info_frame(kTrackMp3, frames, Samples{100'000});
    ASSERT_GE(lame.size(), ours.size());
    // What must be the same: header, "Info", flags, counts, quality, encoder, method, delay, padding, length. What may
    // not be: table of contents (LAME's is rounded otherwise), low-pass, ATH, shaping, preset, CRCs.
    const auto same = [&](std::size_t from, std::size_t size) {
        for (std::size_t i = from; i < from + size; ++i) EXPECT_EQ(ours[i], lame[i]) << "byte " << i;
    };
    same(0, 21 + 16);
    same(21 + 116, 4);
    same(21 + 120, 10);
    same(21 + 120 + 20, 4);
    same(21 + 120 + 28, 4);
    unsigned crc = 0;
    for (std::size_t i = 0; i < 21 + 154; ++i) {
        crc ^= lame[i];
        for (int bit = 0; bit < 8; ++bit) crc = (crc & 1) != 0 ? crc >> 1 ^ 0xA001U : crc >> 1;
    }
    EXPECT_EQ(crc, static_cast<unsigned>(lame[21 + 154] << 8 | lame[21 + 155])) << "LAME computes its CRC otherwise";
}

TEST(Mp3, EncoderIsDeterministicAndSurvivesWildInput) {
    const auto voice = material(3 * kSecond);
    EXPECT_EQ(encode(voice, kTrackMp3), encode(voice, kTrackMp3));
    auto wild = voice;
    for (std::size_t i = 0; i < wild.size(); i += 1000) wild[i] = i % 2000 == 0 ? 1e30F : -std::nanf("");
    wild[5] = std::numeric_limits<float>::infinity();
    const auto frames = encode(wild, kTrackMp3);
    EXPECT_EQ(frames.size(), static_cast<std::size_t>(mp3_frames(Samples{48'000 * 3})) * 192);
    for (const float x : decode(frames, kTrackMp3)) ASSERT_TRUE(std::isfinite(x));
}

/// LAME fills tables that all encoders share. Rendering with any number of threads must make the same bytes.
TEST(Mp3, EncodersAndDecodersSideBySideMakeTheSameAsAlone) {
    constexpr std::size_t kThreads = 8;
    const auto voice = material(3 * kSecond);
    std::vector<Bytes> frames(kThreads);
    std::vector<std::vector<float>> pcm(kThreads);
    {
        std::latch start(kThreads);
        std::vector<std::jthread> threads;
        for (std::size_t i = 0; i < kThreads; ++i) {
            threads.emplace_back([&, i] {
                start.arrive_and_wait();
                const auto& format = i % 2 == 0 ? kTrackMp3 : kMasterMp3;
                frames[i] = encode(voice, format);
                pcm[i] = decode(frames[i], format);
            });
        }
    }
    for (std::size_t i = 0; i < kThreads; ++i) {
        const auto& format = i % 2 == 0 ? kTrackMp3 : kMasterMp3;
        EXPECT_EQ(frames[i], encode(voice, format));
        EXPECT_EQ(pcm[i], decode(frames[i], format));
    }
}

TEST(Mp3, FilesOfFfmpegPlayTheirLength) {
    if (!test::has_program("ffmpeg")) GTEST_SKIP() << "needs ffmpeg";
    const test::TempDir folder;
    auto writer = AudioFileWriter::create(folder / "in.wav", SampleFormat::wav_16);
    ASSERT_TRUE(writer && writer->write(material(123'456)) && writer->close());
    const auto run = test::run_process({"ffmpeg", "-v", "error", "-nostdin", "-i", folder / "in.wav", "-b:a", "64k",
                                        "-metadata", "title=x", folder / "out.mp3"});
    ASSERT_EQ(run.exit_code, 0) << run.err;
    std::ifstream in(folder / "out.mp3", std::ios::binary);
    EXPECT_EQ(decode_file(Bytes{std::istreambuf_iterator<char>(in), {}}).size(), 123'456U);
}

TEST(Mp3, DamagedInputIsAnError) {
    EXPECT_EQ(decode_mp3({}).error().kind, ErrorKind::damaged);
    EXPECT_EQ(decode_mp3(Bytes(5000, 0)).error().kind, ErrorKind::damaged);
    Mp3Decoder decoder;
    std::vector<float> pcm;
    EXPECT_FALSE(decoder.decode(Bytes(5000, 0x55), pcm));
}

}  // namespace
}  // namespace lestapenna::audio
