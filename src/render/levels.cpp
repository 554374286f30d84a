#include "render/levels.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "timeline/timeline.h"

namespace lestapenna::render {

namespace {

constexpr std::size_t kLevelBlock = 960;
constexpr std::size_t kSilenceFrames = 5;
constexpr double kSpeechSpread = 12.0;  ///< LU below the 95th percentile
constexpr double kLeastSpeech = 1.0;    ///< seconds; less says nothing about a voice
constexpr double kOpenShare = 0.6;      ///< of the time filled with packets
constexpr double kOpenSpread = 1.0;     ///< LU between the file and its speech

double block_lufs(double mean_square) {
    return mean_square > 0 ? -0.691 + 10 * std::log10(mean_square) : -std::numeric_limits<double>::infinity();
}

template <class T>
T percentile(std::vector<T>& values, double share) {
    const auto at = static_cast<std::ptrdiff_t>(share * static_cast<double>(values.size() - 1));
    std::nth_element(values.begin(), values.begin() + at, values.end());
    return values[static_cast<std::size_t>(at)];
}

}  // namespace

void LevelMeter::add(SamplePos at, std::span<const float> audio) {
    if (at > end_) {
        meter_.feed_silence(at - end_);
        // A pause counts like the five silence frames that most clients end a run with, seen or not: where it is silent
        // between sentences there is less noise to lift.
        const bool pause = at - end_ >= timeline::kPause && !squares_.empty() && squares_.back() > 0;
        if (pause) squares_.insert(squares_.end(), kSilenceFrames, 0.0F);
        sum_ = 0;
        summed_ = 0;
    }
    meter_.feed(audio);
    add_levels(audio);
    end_ = std::max(end_, at + Samples{static_cast<std::int64_t>(audio.size())});
    samples_ += static_cast<std::int64_t>(audio.size());
}

void LevelMeter::add_levels(std::span<const float> audio) {
    for (const float x : audio) {
        peak_ = std::max(peak_, static_cast<double>(std::fabs(x)));
        sum_ += static_cast<double>(x) * static_cast<double>(x);
        if (++summed_ < kLevelBlock) continue;
        squares_.push_back(static_cast<float>(sum_ / static_cast<double>(kLevelBlock)));
        sum_ = 0;
        summed_ = 0;
    }
}

Levels LevelMeter::finish(Samples length) {
    Levels levels;
    meter_.feed_silence(audio::kMeterOverlap);  // the blocks that still hold the last words
    levels.lufs = audio::integrated_loudness(meter_.momentary());
    levels.sample_peak = peak_;
    if (length > Samples{0}) levels.packet_share = static_cast<double>(samples_) / static_cast<double>(length.count());
    levels.noise_lufs = squares_.empty() ? block_lufs(0) : block_lufs(static_cast<double>(percentile(squares_, 0.05)));
    std::vector<float> blocks;
    for (const float block : meter_.momentary()) {
        if (block > audio::kAbsoluteGate) blocks.push_back(block);
    }
    if (blocks.empty()) return levels;
    const double floor = static_cast<double>(percentile(blocks, 0.95)) - kSpeechSpread;
    double energy = 0;
    std::size_t count = 0;
    for (const float block : blocks) {
        if (static_cast<double>(block) < floor) continue;
        energy += std::pow(10.0, static_cast<double>(block) / 10);
        ++count;
    }
    levels.speech_lufs = 10 * std::log10(energy / static_cast<double>(count));
    levels.sounding_seconds = static_cast<double>(count) / 10;
    return levels;
}

std::string_view to_string(LevelFlag flag) {
    switch (flag) {
        case LevelFlag::none:
            return "";
        case LevelFlag::open_mic:
            return "open_mic";
        case LevelFlag::capped:
            return "capped";
        case LevelFlag::too_short:
            return "too_short";
        case LevelFlag::no_speech:
            return "no_speech";
    }
    return "";
}

double gain_limit(const Levels& levels) {
    // A floor that is already louder is no reason to attenuate.
    return std::min(kMaxGain, std::max(0.0, kMaxNoise - levels.noise_lufs));
}

GainChoice choose_gain(const Levels& levels, double target_lufs) {
    if (!levels.lufs) return {0, LevelFlag::no_speech};
    const bool open = levels.packet_share > kOpenShare && *levels.lufs < levels.speech_lufs - kOpenSpread;
    const double wanted = target_lufs - (open ? levels.speech_lufs : *levels.lufs);
    const double limit = gain_limit(levels);
    GainChoice choice;
    choice.gain_db = std::min(wanted, limit);
    if (levels.sounding_seconds < kLeastSpeech) {
        choice.flag = LevelFlag::too_short;
    } else if (open) {
        choice.flag = LevelFlag::open_mic;
    } else if (wanted > limit) {
        choice.flag = LevelFlag::capped;
    }
    return choice;
}

}  // namespace lestapenna::render
