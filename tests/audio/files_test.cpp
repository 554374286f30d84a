#include "audio/files.h"

#include <cmath>
#include <cstring>
#include <fstream>
#include <limits>

#include <gtest/gtest.h>

#include "audio/opus.h"
#include "speech.h"

namespace lestapenna::audio {
namespace {

using testing::kSecond;

using Bytes = std::vector<std::uint8_t>;

Bytes bytes_of(const std::filesystem::path& path) {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
}

void write_bytes(const std::filesystem::path& path, const Bytes& bytes) {
    std::ofstream(path, std::ios::binary)
        .write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
}

std::string_view text_of(const Bytes& bytes) {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

void write_file(const std::filesystem::path& path, SampleFormat format, std::span<const float> pcm, int channels = 1) {
    auto writer = AudioFileWriter::create(path, format, channels);
    ASSERT_TRUE(writer) << writer.error().message;
    ASSERT_TRUE(writer->write(pcm));
    ASSERT_TRUE(writer->close());
}

TEST(AudioFiles, FloatWavKeepsEveryBit) {
    const test::TempDir folder;
    auto pcm = testing::babble(50'001, 31);
    pcm[7] = 3.5F;  // over full scale stays
    for (const int channels : {1, 3}) {
        write_file(folder / "x.wav", SampleFormat::wav_float, pcm, channels);
        const auto read = read_audio_file(folder / "x.wav");
        ASSERT_TRUE(read) << read.error().message;
        EXPECT_EQ(read->sample_rate, 48'000);
        EXPECT_EQ(read->channels, channels);
        EXPECT_EQ(read->pcm, pcm);
    }
}

TEST(AudioFiles, SixteenBitRoundsAndClipsAlikeInWavAndFlac) {
    const test::TempDir folder;
    std::vector<float> pcm{0,
                           0.25F,
                           -0.25F,
                           1,
                           -1,
                           7,
                           -7,
                           0.4F / 32768,
                           0.6F / 32768,
                           -0.6F / 32768,
                           std::numeric_limits<float>::infinity(),
                           std::nanf("")};
    const std::vector<float> expected{0, 0.25F,        -0.25F,        32767 / 32768.0F, -1, 32767 / 32768.0F, -1,
                                      0, 1 / 32768.0F, -1 / 32768.0F, 32767 / 32768.0F, 0};
    for (const auto format : {SampleFormat::wav_16, SampleFormat::flac_16}) {
        write_file(folder / "x", format, pcm);
        const auto read = read_audio_file(folder / "x");
        ASSERT_TRUE(read) << read.error().message;
        EXPECT_EQ(read->pcm, expected);
    }
    const auto voice = testing::babble(100'000, 32);
    write_file(folder / "a", SampleFormat::wav_16, voice, 2);
    write_file(folder / "b", SampleFormat::flac_16, voice, 2);
    EXPECT_EQ(read_audio_file(folder / "a")->pcm, read_audio_file(folder / "b")->pcm);
    EXPECT_LT(std::filesystem::file_size(folder / "b"), std::filesystem::file_size(folder / "a"));
}

TEST(AudioFiles, ASmallWavIsPlainAndCarriesNoTimeOfDay) {
    const test::TempDir folder;
    write_file(folder / "x.wav", SampleFormat::wav_float, testing::babble(1000, 33));
    const auto bytes = bytes_of(folder / "x.wav");
    ASSERT_GT(bytes.size(), 4000U);
    EXPECT_EQ(std::memcmp(bytes.data(), "RIFF", 4), 0);
    const auto peak = text_of(bytes).find("PEAK");
    if (peak != std::string_view::npos) {
        EXPECT_EQ(text_of(bytes).substr(peak + 12, 4), std::string_view("\0\0\0\0", 4))
            << "bytes would differ from run to run";
    }
}

TEST(AudioFiles, AFlushedWavIsReadableBeforeItIsClosed) {
    const test::TempDir folder;
    const auto pcm = testing::babble(48'000, 34);
    for (const auto format : {SampleFormat::wav_float, SampleFormat::wav_16}) {
        auto writer = AudioFileWriter::create(folder / "x.wav", format);
        ASSERT_TRUE(writer);
        for (std::size_t second = 1; second <= 3; ++second) {
            ASSERT_TRUE(writer->write(pcm));
            ASSERT_TRUE(writer->flush());
            const auto read = read_audio_file(folder / "x.wav");
            ASSERT_TRUE(read) << read.error().message;
            EXPECT_EQ(read->pcm.size(), second * pcm.size());
        }
        ASSERT_TRUE(writer->close());
        EXPECT_EQ(read_audio_file(folder / "x.wav")->pcm.size(), 3 * pcm.size());
    }
}

TEST(AudioFiles, WhatCanNotBeWrittenSaysSo) {
    const auto writer = AudioFileWriter::create("/nonexistent/x.wav", SampleFormat::wav_16);
    ASSERT_FALSE(writer);
    EXPECT_NE(writer.error().message.find("/nonexistent/x.wav"), std::string::npos);
    EXPECT_FALSE(OggOpusWriter::create("/nonexistent/x.opus", 2, Samples{0}, {}));
}

TEST(AudioFiles, AFullDiskIsAnError) {
    if (!std::filesystem::exists("/dev/full")) GTEST_SKIP() << "needs /dev/full";
    auto ogg = OggOpusWriter::create("/dev/full", 1, Samples{0}, {});
    ASSERT_TRUE(ogg);
    const Bytes silence{0xF8, 0xFF, 0xFE};
    Status status = Ok{};
    for (int i = 0; i < 200 && status; ++i) status = ogg->write(silence);
    if (status) status = ogg->close(Samples{200 * 960});
    ASSERT_FALSE(status);
    EXPECT_NE(status.error().message.find("No space left"), std::string::npos) << status.error().message;
}

TEST(AudioFiles, ReadingNamesTheTrouble) {
    const test::TempDir folder;
    EXPECT_EQ(read_audio_file(folder / "none.wav").error().kind, ErrorKind::not_found);
    EXPECT_EQ(read_audio_file(folder.path()).error().kind, ErrorKind::not_found);
    write_bytes(folder / "text.wav", Bytes(3000, 'x'));
    EXPECT_EQ(read_audio_file(folder / "text.wav").error().kind, ErrorKind::damaged);
    write_bytes(folder / "empty.wav", {});
    EXPECT_EQ(read_audio_file(folder / "empty.wav").error().kind, ErrorKind::damaged);
}

TEST(AudioFiles, ACutFlacIsDamagedOrShort) {
    const test::TempDir folder;
    write_file(folder / "x.flac", SampleFormat::flac_16, testing::babble(200'000, 35));
    auto bytes = bytes_of(folder / "x.flac");
    bytes.resize(bytes.size() / 2);
    write_bytes(folder / "cut.flac", bytes);
    const auto read = read_audio_file(folder / "cut.flac");
    if (read) {
        EXPECT_LT(read->pcm.size(), 200'000U);
    } else {
        EXPECT_EQ(read.error().kind, ErrorKind::damaged);
    }
}

TEST(AudioFiles, OggOpusReadsLikeOpusdec) {
    const auto data = test::test_data();
    if (!data) GTEST_SKIP() << test::kNoTestData;
    if (!test::has_program("opusdec")) GTEST_SKIP() << "needs opusdec";
    const test::TempDir folder;
    for (const auto* const name : {"it-pico1-m.opus", "en-libri1688-m.opus"}) {
        const auto run =
            test::run_process({"opusdec", "--quiet", "--float", *data / "speech" / name, folder / "x.wav"});
        ASSERT_EQ(run.exit_code, 0) << run.err;
        const auto ours = testing::speech(name);
        const auto theirs = read_audio_file(folder / "x.wav");
        ASSERT_TRUE(theirs);
        ASSERT_EQ(ours.size(), theirs->pcm.size()) << "pre-skip or end trimming";
        for (std::size_t i = 0; i < ours.size(); ++i) ASSERT_NEAR(ours[i], theirs->pcm[i], 1e-6F) << name << ' ' << i;
    }
}

/// A WAV at any rate, which our own writer does not make.
void write_wav(const std::filesystem::path& path, int rate, int channels, std::span<const float> pcm) {
    Bytes out;
    const auto put = [&out](std::uint64_t value, int size) {
        for (int i = 0; i < size; ++i) out.push_back(static_cast<std::uint8_t>(value >> (8 * i)));
    };
    const auto text = [&out](std::string_view s) { out.insert(out.end(), s.begin(), s.end()); };
    const std::size_t data = pcm.size() * 4;
    text("RIFF"), put(36 + data, 4), text("WAVEfmt "), put(16, 4), put(3, 2);
    put(static_cast<std::uint64_t>(channels), 2), put(static_cast<std::uint64_t>(rate), 4);
    put(static_cast<std::uint64_t>(rate) * static_cast<std::uint64_t>(channels) * 4, 4),
        put(static_cast<std::uint64_t>(channels) * 4, 2), put(32, 2);
    text("data"), put(data, 4);
    const std::size_t at = out.size();
    out.resize(at + data);
    std::memcpy(out.data() + at, pcm.data(), data);
    write_bytes(path, out);
}

std::vector<float> tone_at(int rate, double hz, std::size_t samples) {
    std::vector<float> out(samples);
    for (std::size_t i = 0; i < samples; ++i) {
        out[i] = static_cast<float>(0.5 * std::sin(2 * std::numbers::pi * hz * static_cast<double>(i) / rate));
    }
    return out;
}

TEST(AudioFiles, OtherRatesBecome48kWithoutDelay) {
    const test::TempDir folder;
    for (const int rate : {8'000, 11'025, 16'000, 22'050, 24'000, 44'100, 48'000, 88'200, 96'000, 192'000}) {
        for (const double share : {0.02, 0.5, 0.88}) {  // of the narrower half band
            SCOPED_TRACE(std::to_string(rate) + " Hz, " + std::to_string(share));
            const double hz = share * std::min(rate, 48'000) / 2;
            write_wav(folder / "x.wav", rate, 1, tone_at(rate, hz, static_cast<std::size_t>(rate)));
            const auto pcm = read_mono_48k(folder / "x.wav");
            ASSERT_TRUE(pcm) << pcm.error().message;
            ASSERT_EQ(pcm->size(), 48'000U);
            const auto expected = tone_at(48'000, hz, 48'000);
            const auto middle = [](const std::vector<float>& all) { return std::span(all).subspan(4'000, 40'000); };
            EXPECT_GT(testing::snr_db(middle(expected), middle(*pcm)), 70);
        }
    }
}

TEST(AudioFiles, WhatDoesNotFitTheBandIsTakenOutNotFolded) {
    const test::TempDir folder;
    for (const double hz : {24'500.0, 30'000.0, 40'000.0}) {
        write_wav(folder / "x.wav", 96'000, 1, tone_at(96'000, hz, 96'000));
        const auto pcm = read_mono_48k(folder / "x.wav");
        ASSERT_TRUE(pcm);
        EXPECT_LT(10 * std::log10(testing::energy(std::span(*pcm).subspan(4'000, 40'000)) / 5'000), -70) << hz;
    }
}

TEST(AudioFiles, ChannelsAreMixedToTheirMean) {
    const test::TempDir folder;
    std::vector<float> pcm;
    for (int i = 0; i < 1000; ++i) pcm.insert(pcm.end(), {0.5F, -0.25F});
    pcm[0] = std::nanf("");
    write_wav(folder / "x.wav", 48'000, 2, pcm);
    const auto mono = read_mono_48k(folder / "x.wav");
    ASSERT_TRUE(mono);
    ASSERT_EQ(mono->size(), 1000U);
    EXPECT_EQ((*mono)[0], -0.125F) << "what is no number is silence";
    EXPECT_EQ((*mono)[999], 0.125F);
}

struct OpusStream {
    std::vector<Bytes> packets;
    Samples total{};
    std::vector<float> decoded;  ///< by our own decoder, all of it
};

OpusStream opus_stream(std::size_t packets, int channels) {
    OpusStream stream;
    OpusEncoder encoder({.channels = channels});
    OpusDecoder decoder;
    std::vector<float> out(static_cast<std::size_t>(kMaxOpusPacket.count()));
    const auto voice = testing::babble(packets * 960, 36);
    for (std::size_t i = 0; i < packets; ++i) {
        stream.packets.push_back(encoder.encode(std::span(voice).subspan(i * 960, 960)));
        const auto samples = decoder.decode(stream.packets.back(), out);
        stream.decoded.insert(stream.decoded.end(), out.begin(), out.begin() + samples.count());
        stream.total += samples;
    }
    return stream;
}

Status write_ogg(const std::filesystem::path& path, const OpusStream& stream, int channels, Samples pre_skip,
                 Samples played) {
    auto writer = OggOpusWriter::create(path, channels, pre_skip, {"TITLE=prova", "ARTIST=è"});
    if (!writer) return writer.error();
    for (const auto& packet : stream.packets) {
        if (auto written = writer->write(packet); !written) return written;
    }
    return writer->close(played);
}

TEST(OggOpus, PlaysExactlyWhatItShouldEverywhere) {
    const test::TempDir folder;
    for (const int channels : {1, 2}) {
        for (const std::size_t packets : {1U, 2U, 49U, 50U, 51U, 500U}) {
            for (const std::int64_t pre_skip : {0, 312}) {
                const auto stream = opus_stream(packets, channels);
                for (const std::int64_t cut : {0, 1, 600}) {
                    SCOPED_TRACE(std::to_string(channels) + " channels, " + std::to_string(packets) +
                                 " packets, skip " + std::to_string(pre_skip) + ", cut " + std::to_string(cut));
                    const Samples played = stream.total - Samples{pre_skip + cut};
                    const auto status = write_ogg(folder / "x.opus", stream, channels, Samples{pre_skip}, played);
                    ASSERT_TRUE(status) << status.error().message;
                    const auto read = read_audio_file(folder / "x.opus");
                    ASSERT_TRUE(read) << read.error().message;
                    ASSERT_EQ(read->channels, channels);
                    ASSERT_EQ(read->pcm.size(), static_cast<std::size_t>(played.count() * channels));
                    if (channels == 1) {
                        for (std::size_t i = 0; i < read->pcm.size(); ++i) {
                            ASSERT_NEAR(read->pcm[i], stream.decoded[i + static_cast<std::size_t>(pre_skip)], 1e-6F)
                                << i;
                        }
                    }
                    if (cut != 1 || !test::has_program("opusdec")) continue;
                    const auto run =
                        test::run_process({"opusdec", "--quiet", "--float", folder / "x.opus", folder / "x.wav"});
                    ASSERT_EQ(run.exit_code, 0) << run.err;
                    EXPECT_EQ(run.err, "") << "opusdec warns";
                    EXPECT_EQ(read_audio_file(folder / "x.wav")->pcm.size(), read->pcm.size());
                }
            }
        }
    }
}

TEST(OggOpus, FfmpegReadsItsLengthAndTags) {
    if (!test::has_program("ffprobe")) GTEST_SKIP() << "needs ffprobe";
    const test::TempDir folder;
    const auto stream = opus_stream(300, 2);
    ASSERT_TRUE(write_ogg(folder / "x.opus", stream, 2, Samples{312}, stream.total - Samples{700}));
    const auto run =
        test::run_process({"ffprobe", "-v", "warning", "-show_entries", "stream=duration_ts,channels,codec_name",
                           "-show_entries", "stream_tags=title,artist", "-of", "flat", folder / "x.opus"});
    ASSERT_EQ(run.exit_code, 0) << run.err;
    EXPECT_EQ(run.err, "");
    EXPECT_NE(run.out.find("channels=2"), std::string::npos) << run.out;
    EXPECT_NE(run.out.find("\"prova\""), std::string::npos) << run.out;
    EXPECT_NE(run.out.find("\"è\""), std::string::npos) << run.out;
    EXPECT_NE(run.out.find("duration_ts=" + std::to_string(stream.total.count() - 700 + 312)), std::string::npos)
        << run.out;
}

TEST(OggOpus, MixedPacketLengthsAndADeterministicFile) {
    const test::TempDir folder;
    const auto voice = testing::babble(4 * kSecond, 37);
    OpusStream stream;
    std::size_t at = 0;
    OpusEncoder encoder;
    for (int i = 0; at + 5760 < voice.size(); ++i) {
        const std::size_t samples = std::array{120U, 480U, 960U, 2880U, 5760U}[static_cast<std::size_t>(i) % 5];
        stream.packets.push_back(encoder.encode(std::span(voice).subspan(at, samples)));
        at += samples;
    }
    stream.total = Samples{static_cast<std::int64_t>(at)};
    ASSERT_TRUE(write_ogg(folder / "a.opus", stream, 2, Samples{0}, stream.total));
    ASSERT_TRUE(write_ogg(folder / "b.opus", stream, 2, Samples{0}, stream.total));
    EXPECT_EQ(bytes_of(folder / "a.opus"), bytes_of(folder / "b.opus"));
    EXPECT_EQ(read_audio_file(folder / "a.opus")->pcm.size(), 2 * at);
}

TEST(OggOpus, RefusesWhatIsNotAPacketAndImpossibleEnds) {
    const test::TempDir folder;
    auto writer = OggOpusWriter::create(folder / "x.opus", 1, Samples{0}, {});
    ASSERT_TRUE(writer);
    EXPECT_EQ(writer->write(Bytes{0x7B}).error().kind, ErrorKind::damaged);
    EXPECT_EQ(writer->write({}).error().kind, ErrorKind::damaged);
    EXPECT_FALSE(writer->close(Samples{0})) << "no packets";
    const auto stream = opus_stream(10, 1);
    EXPECT_FALSE(write_ogg(folder / "x.opus", stream, 1, Samples{0}, stream.total + Samples{1}));
    EXPECT_FALSE(write_ogg(folder / "x.opus", stream, 1, Samples{0}, stream.total - Samples{960}));
    EXPECT_TRUE(write_ogg(folder / "x.opus", stream, 1, Samples{0}, stream.total - Samples{959}));
}

}  // namespace
}  // namespace lestapenna::audio
