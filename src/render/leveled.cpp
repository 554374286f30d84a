#include "render/leveled.h"

#include <algorithm>
#include <cmath>

#include "audio/limiter.h"
#include "audio/loudness.h"
#include "render/frame_file.h"
#include "render/slices.h"

namespace lestapenna::render {

namespace {

using audio::kMp3DecodedDelay;
using audio::kMp3FrameSamples;

constexpr int kMostPasses = 6;
// Aimed at more closely than promised: the meter of a judge may differ by 0.05 LU from ours.
constexpr double kGoodEnough = 0.12;
constexpr double kPeakMargin = 0.05;  ///< dB: a judge's interpolator may read a little higher
// A fresh decoder needs this many frames before its output is that of the whole stream (overlap and filter bank: 1057
// samples).
constexpr std::int64_t kWarmUpFrames = 2;

/// What one slice of a file adds to the measurement of the whole.
struct Part {
    std::vector<float> momentary;
    double peak = 0;
};

/// The samples that slice `index` measures: its own, and the meter's overlap before them.
struct Stretch {
    std::int64_t begin = 0;
    std::int64_t end = 0;
};
Stretch metered(std::int64_t index, std::int64_t slices, Samples length) {
    const std::int64_t begin = index * kSlice.count();
    return {std::max<std::int64_t>(0, begin - audio::kMeterOverlap.count()),
            index + 1 == slices ? length.count() : begin + kSlice.count()};
}

Part measure(std::span<const float> interleaved, int channels) {
    Part part;
    if (std::all_of(interleaved.begin(), interleaved.end(), [](float x) { return x == 0.0F; })) return part;
    audio::LoudnessMeter meter(channels);
    meter.feed(interleaved);
    part.momentary = meter.momentary();
    part.peak = audio::true_peak(interleaved, channels);
    return part;
}

Measured together(const std::vector<Part>& parts) {
    std::vector<float> momentary;
    double peak = 0;
    for (const Part& part : parts) {
        momentary.insert(momentary.end(), part.momentary.begin(), part.momentary.end());
        peak = std::max(peak, part.peak);
    }
    Measured out;
    out.lufs = audio::integrated_loudness(momentary);
    if (peak > 0) out.true_peak_db = audio::to_db(peak);
    return out;
}

/// One file on its way to its target.
struct Making {
    LeveledFile* file;
    SlicePlan plan;
    FrameFile frames;
    std::vector<Part> parts;
    bool done = false;
    std::optional<std::pair<double, double>> before;  ///< gain and loudness of the pass before

    Making(LeveledFile& f, FrameFile&& out) : file(&f), plan(f.length), frames(std::move(out)) {}

    Status encode(std::int64_t index) {
        const auto gain = static_cast<float>(audio::from_db(file->gain_db));
        const double ceiling = audio::from_db(file->limiter_db);
        const auto treat = [&](std::span<float> pcm) {
            for (float& x : pcm) x *= gain;
            audio::limit(pcm, file->format.channels, ceiling);
        };
        const Frames wanted = plan.slice(index);
        return frames.put(wanted.begin, encode_slice(file->format, plan, wanted, file->source, treat));
    }

    Status decode(std::int64_t index) {
        const Stretch stretch = metered(index, plan.count(), file->length);
        const std::int64_t from = stretch.begin + kMp3DecodedDelay;
        const std::int64_t to = stretch.end + kMp3DecodedDelay;
        const Frames needed{std::max<std::int64_t>(0, from / kMp3FrameSamples - kWarmUpFrames),
                            std::min(plan.frames(), (to + kMp3FrameSamples - 1) / kMp3FrameSamples)};
        const auto bytes = frames.get(needed);
        if (!bytes) return bytes.error();
        parts[static_cast<std::size_t>(index)] = {};
        if (silent(*bytes)) return Ok{};
        std::vector<float> pcm;
        Status decoded = audio::Mp3Decoder(file->format.channels).decode(*bytes, pcm);
        if (!decoded) return decoded;
        const auto channels = file->format.channels;
        const auto first = static_cast<std::size_t>((from - needed.begin * kMp3FrameSamples) * channels);
        const auto count = static_cast<std::size_t>((to - from) * channels);
        parts[static_cast<std::size_t>(index)] = measure(std::span(pcm).subspan(first, count), channels);
        return Ok{};
    }

    [[nodiscard]] bool silent(std::span<const std::uint8_t> bytes) const {
        const auto& silence = audio::silent_frame(file->format);
        for (; !bytes.empty(); bytes = bytes.subspan(silence.size())) {
            if (!std::equal(silence.begin(), silence.end(), bytes.begin())) return false;
        }
        return true;
    }

    /// Looks at the last pass: done, or with which gain and ceiling to try again.
    void judge() {
        file->measured = together(parts);
        ++file->passes;
        const double over = file->measured.true_peak_db.value_or(-100) - (kPeakCeiling - kPeakMargin);
        const double error = file->fixed_gain || !file->measured.lufs ? 0 : file->target_lufs - *file->measured.lufs;
        const bool at_limit = error > 0 && file->gain_db >= file->gain_limit_db;
        const bool level_ok = std::fabs(error) <= kGoodEnough || at_limit;
        done = (level_ok && over <= 0) || file->passes == kMostPasses;
        if (done) return;
        if (over > 0) file->limiter_db -= over + kPeakMargin;
        if (!level_ok) correct(error);
    }

    /// A secant step: the limiter takes back a part of each dB, the more the more it works.
    void correct(double error) {
        double slope = 1;
        if (before && std::fabs(file->gain_db - before->first) > 0.01) {
            slope = (*file->measured.lufs - before->second) / (file->gain_db - before->first);
        }
        before = {file->gain_db, *file->measured.lufs};
        file->gain_db = std::min(file->gain_db + error / std::clamp(slope, 0.2, 1.2), file->gain_limit_db);
    }
};

/// One slice of one file.
struct Piece {
    std::size_t file;
    std::int64_t slice;
};

std::vector<Piece> open_pieces(const std::vector<Making>& making) {
    std::vector<Piece> pieces;
    for (std::size_t i = 0; i < making.size(); ++i) {
        if (making[i].done) continue;
        for (std::int64_t s = 0; s < making[i].plan.count(); ++s) pieces.push_back({i, s});
    }
    return pieces;
}

}  // namespace

Status make_leveled(std::vector<LeveledFile>& files, const Work& work) {
    std::vector<Making> making;
    for (LeveledFile& file : files) {
        file.gain_db = std::min(file.gain_db, file.gain_limit_db);
        const SlicePlan plan(file.length);
        auto frames = FrameFile::create(file.path, file.format, {0, plan.frames()}, file.length);
        if (!frames) return frames.error();
        making.emplace_back(file, std::move(*frames));
        making.back().parts.resize(static_cast<std::size_t>(plan.count()));
    }
    for (auto pieces = open_pieces(making); !pieces.empty(); pieces = open_pieces(making)) {
        Status status = work.each("encoding", pieces.size(),
                                  [&](std::size_t i) { return making[pieces[i].file].encode(pieces[i].slice); });
        if (!status) return status;
        status = work.each("measuring", pieces.size(),
                           [&](std::size_t i) { return making[pieces[i].file].decode(pieces[i].slice); });
        if (!status) return status;
        for (Making& one : making) {
            if (!one.done) one.judge();
        }
    }
    return Ok{};
}

Result<Measured> measure_source(const PcmSource& source, int channels, Samples length, const Work& work) {
    const std::int64_t slices = SlicePlan(length).count();
    std::vector<Part> parts(static_cast<std::size_t>(slices));
    const Status status = work.each("listening", parts.size(), [&](std::size_t i) -> Status {
        const Stretch stretch = metered(static_cast<std::int64_t>(i), slices, length);
        std::vector<float> pcm(static_cast<std::size_t>((stretch.end - stretch.begin) * channels));
        source(Samples{stretch.begin}, pcm);
        parts[i] = measure(pcm, channels);
        return Ok{};
    });
    if (!status) return status.error();
    return together(parts);
}

}  // namespace lestapenna::render
