// What the tests of this room start from: a simulated table, journaled and read back, and the corpus's voices.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "audio/files.h"
#include "base/files.h"
#include "render/decoded.h"
#include "sandbox/line.h"
#include "simulated_journal.h"
#include "support.h"

namespace lestapenna::render::testing {

using Bytes = std::vector<std::uint8_t>;

inline const std::vector<std::string> kHumanVoices{
    "en-libri1688-m.opus", "en-libri1998-f.opus", "en-libri2033-m.opus", "en-libri2414-m.opus", "en-libri2609-m.opus",
    "en-libri3005-m.opus", "en-libri3080-f.opus", "en-libri3331-f.opus", "en-libri367-f.opus",  "en-libri533-f.opus"};

/// A table whose journal lies in a folder of its own.
class Recorded {
  public:
    explicit Recorded(const sandbox::SimulatedTable& table, seconds rotation = seconds(300),
                      const std::vector<journal::Record>& events = {}) {
        const auto id = *SessionId::parse("table-under-test");
        const Status written = test::write_journal(table, folder_.path(), id, events);
        EXPECT_TRUE(written.ok()) << written.error().message;
        auto timeline = timeline::read(folder_ / id.text(), rotation);
        EXPECT_TRUE(timeline.ok()) << timeline.error().message;
        timeline_ = std::move(*timeline);
    }

    [[nodiscard]] const timeline::Timeline& timeline() const { return timeline_; }
    [[nodiscard]] std::vector<DecodedConnection> decoded(unsigned threads = 2) const {
        Work work;
        work.threads = threads;
        auto all = decode(timeline_, work);
        EXPECT_TRUE(all.ok());
        return std::move(*all);
    }
    [[nodiscard]] const std::filesystem::path& folder() const { return folder_.path(); }

  private:
    test::TempDir folder_;
    timeline::Timeline timeline_;
};

/// One corpus file; fails the test when it is not there (ask test::test_data() first).
inline std::vector<float> voice(const std::string& name) {
    auto pcm = audio::read_mono_48k(*test::test_data() / "speech" / name);
    EXPECT_TRUE(pcm.ok()) << pcm.error().message;
    return pcm.ok() ? std::move(*pcm) : std::vector<float>{};
}

/// Voices one after the other, over again, until there is so much: somebody who never stops.
inline std::vector<float> endless_speech(const std::vector<std::string>& names, Samples length) {
    std::vector<float> speech;
    for (std::size_t i = 0; std::ssize(speech) < length.count(); ++i) {
        const auto next = voice(names[i % names.size()]);
        speech.insert(speech.end(), next.begin(), next.end());
    }
    speech.resize(static_cast<std::size_t>(length.count()));
    return speech;
}

/// Buzzing syllables for tests that need sound and no voice. Deterministic.
inline std::vector<float> buzz(Samples length, double pitch = 120) {
    std::vector<float> out(static_cast<std::size_t>(length.count()));
    for (std::size_t i = 0; i < out.size(); ++i) {
        const double t = static_cast<double>(i) / static_cast<double>(kSampleRate);
        const double syllable = 0.3 + std::max(0.0, std::sin(2 * M_PI * 3.1 * t));
        double sum = 0;
        for (int harmonic = 1; harmonic < 12; ++harmonic) sum += std::sin(2 * M_PI * pitch * harmonic * t) / harmonic;
        out[i] = static_cast<float>(0.08 * syllable * sum);
    }
    return out;
}

/// One person who says this, there from 0 to `length`.
inline sandbox::Script one_player(const std::vector<sandbox::Talk>& talks, Samples length) {
    sandbox::Player player;
    player.user = sandbox::player_id(0);
    player.leave = SamplePos{length};
    player.talks = talks;
    return {{player}, length};
}

/// For comparisons that even tell 0 from -0.
inline std::uint32_t bits_of(float x) {
    return std::bit_cast<std::uint32_t>(x);
}

inline double energy(std::span<const float> pcm) {
    double sum = 0;
    for (const float x : pcm) sum += static_cast<double>(x) * static_cast<double>(x);
    return sum;
}
inline double error_energy(std::span<const float> wanted, std::span<const float> got) {
    double sum = 0;
    for (std::size_t i = 0; i < wanted.size(); ++i) {
        const double error = static_cast<double>(wanted[i]) - static_cast<double>(got[i]);
        sum += error * error;
    }
    return sum;
}
inline double db(double power_ratio) {
    return 10 * std::log10(power_ratio);
}

/// A whole file of any size that a test makes.
inline Bytes bytes_of(const std::filesystem::path& path) {
    auto bytes = read_file(path, std::size_t{1} << 30);
    EXPECT_TRUE(bytes.ok()) << bytes.error().message;
    return bytes.ok() ? std::move(*bytes) : Bytes{};
}

/// What a program wrote to a raw float file.
inline std::vector<float> raw_floats(const std::filesystem::path& path) {
    const Bytes bytes = bytes_of(path);
    std::vector<float> out(bytes.size() / sizeof(float));
    std::memcpy(out.data(), bytes.data(), out.size() * sizeof(float));
    return out;
}

}  // namespace lestapenna::render::testing
