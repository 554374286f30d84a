#include "audio/mp3_file.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <numeric>
#include <optional>
#include <string_view>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "audio/mp3.h"
#include "audio/mp3_header.h"
#include "audio/resample.h"
#include "base/files.h"

namespace lestapenna::audio {

namespace {

constexpr std::int64_t kDecoderDelay = 529;
constexpr std::int64_t kMarkEvery = 32;  ///< frames
// What a frame's sound needs before it: two frames of overlap and filter bank, and what the reservoir may hold, 511
// bytes: 7 frames at 32 kbit/s, 24 at the 8 kbit/s of MPEG 2.
constexpr std::int64_t kPreRoll = 32;
constexpr std::int64_t kMostJunk = 4 << 20;  ///< before the first frame, say a picture in a tag

/// Reads anywhere in a file through a window of it.
class Window {
  public:
    static Result<Window> open(const std::filesystem::path& path) {
        Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
        if (!fd) return io_error("open", path, errno);
        struct stat info {};
        if (::fstat(fd.get(), &info) != 0) return io_error("look at", path, errno);
        return Window(std::move(fd), info.st_size);
    }
    [[nodiscard]] std::int64_t size() const { return size_; }
    /// As much of [at, at + count) as there is.
    std::span<const std::uint8_t> get(std::int64_t at, std::size_t count) {
        if (at < 0 || at >= size_) return {};
        count = std::min(count, static_cast<std::size_t>(size_ - at));
        if (at < begin_ || at + static_cast<std::int64_t>(count) > begin_ + static_cast<std::int64_t>(filled_)) {
            load(at, count);
        }
        const auto offset = static_cast<std::size_t>(at - begin_);
        return offset < filled_ ? std::span(bytes_).subspan(offset, std::min(count, filled_ - offset))
                                : std::span<const std::uint8_t>();
    }
    [[nodiscard]] int error() const { return error_; }

  private:
    static constexpr std::size_t kBytes = std::size_t{256} << 10;
    Window(Fd fd, std::int64_t size) : fd_(std::move(fd)), size_(size) {}
    void load(std::int64_t at, std::size_t count) {
        bytes_.resize(std::max(count, kBytes));
        begin_ = at;
        filled_ = 0;
        while (filled_ < bytes_.size()) {
            const ssize_t got = ::pread(fd_.get(), bytes_.data() + filled_, bytes_.size() - filled_,
                                        at + static_cast<std::int64_t>(filled_));
            if (got < 0 && errno == EINTR) continue;
            if (got < 0) error_ = errno;
            if (got <= 0) return;
            filled_ += static_cast<std::size_t>(got);
        }
    }

    Fd fd_;
    std::int64_t size_;
    std::int64_t begin_ = 0;
    std::size_t filled_ = 0;
    std::vector<std::uint8_t> bytes_;
    int error_ = 0;
};

std::optional<Mp3Header> header_at(Window& file, std::int64_t at) {
    const auto bytes = file.get(at, 4);
    return bytes.size() < 4 ? std::nullopt : parse_mp3_header(bytes);
}

/// A whole frame at `at` of the stream that `like` is of.
std::optional<Mp3Header> frame_at(Window& file, std::int64_t at, const std::optional<Mp3Header>& like) {
    auto header = header_at(file, at);
    if (!header || (like && !header->like(*like))) return std::nullopt;
    if (at + static_cast<std::int64_t>(header->bytes) > file.size()) return std::nullopt;
    return header;
}

/// The same, and so is what follows, or the file ends with it: in the middle of rubbish a header alone proves nothing.
bool stands(Window& file, std::int64_t at, const std::optional<Mp3Header>& like) {
    const auto header = frame_at(file, at, like);
    if (!header) return false;
    const std::int64_t next = at + static_cast<std::int64_t>(header->bytes);
    return next == file.size() || frame_at(file, next, header).has_value();
}

/// Behind an ID3v2 tag, if there is one.
std::int64_t behind_tag(Window& file) {
    const auto head = file.get(0, 10);
    if (head.size() < 10 || std::memcmp(head.data(), "ID3", 3) != 0) return 0;
    std::int64_t size = 0;
    for (std::size_t i = 6; i < 10; ++i) size = size << 7 | (head[i] & 0x7F);
    return 10 + size;
}

std::uint32_t big_endian(std::span<const std::uint8_t> bytes) {
    return std::accumulate(bytes.begin(), bytes.end(), 0U, [](unsigned sum, unsigned byte) { return sum << 8 | byte; });
}

/// What an Info frame says; nothing is 0.
struct Info {
    std::int64_t frames = 0;
    std::optional<std::int64_t> delay{};
    std::int64_t padding = 0;
};
/// Nothing when the frame is sound.
std::optional<Info> info_of(std::span<const std::uint8_t> frame, const Mp3Header& header) {
    const auto word = [&](std::size_t at) {
        return at + 4 <= frame.size() ? std::string_view(reinterpret_cast<const char*>(frame.data()) + at, 4)
                                      : std::string_view();
    };
    constexpr std::size_t kVbriAt = 4 + 32;
    if (word(kVbriAt) == "VBRI") return Info{};
    std::size_t at = header.side_end();
    if (word(at) != "Info" && word(at) != "Xing") return std::nullopt;
    Info info;
    if (at + 8 > frame.size()) return info;
    const std::uint32_t flags = big_endian(frame.subspan(at + 4, 4));
    at += 8;
    if ((flags & 1U) != 0 && at + 4 <= frame.size()) info.frames = big_endian(frame.subspan(at, 4));
    for (const auto& [flag, bytes] : {std::pair(1U, 4U), std::pair(2U, 4U), std::pair(4U, 100U), std::pair(8U, 4U)}) {
        if ((flags & flag) != 0) at += bytes;
    }
    // Nine bytes name the encoder; twelve bits each of delay and padding stand 21 bytes behind its beginning.
    if (at + 24 > frame.size() || frame[at] == 0) return info;
    const std::uint32_t both = big_endian(frame.subspan(at + 21, 3));
    info.delay = both >> 12;
    info.padding = both & 0xFFFU;
    return info;
}

}  // namespace

/// The one pass over the headers.
struct Mp3File::Scan {
    Window& in;
    Mp3File& out;
    std::optional<Mp3Header> format{};
    std::int64_t bytes = 0;  ///< of the frames seen
    std::int64_t seen = 0;

    void mark(std::int64_t at) const { out.marks_.push_back({out.frames_, at}); }

    /// The next place from `at` on where a frame stands; nothing within `most` bytes.
    [[nodiscard]] std::optional<std::int64_t> find(std::int64_t at, std::int64_t most) const {
        for (const std::int64_t end = std::min(in.size() - 4, at + most); at <= end; ++at) {
            const auto byte = in.get(at, 1);
            if (!byte.empty() && byte[0] == 0xFF && stands(in, at, format)) return at;
        }
        return std::nullopt;
    }

    /// From the first frame that is sound. True when all of it follows without a break.
    bool walk(std::int64_t at) {
        bool smooth = true;
        for (;;) {
            if (const auto header = frame_at(in, at, format)) {
                if (out.marks_.empty() || out.frames_ - out.marks_.back().frame >= kMarkEvery) mark(at);
                ++out.frames_;
                ++seen;
                bytes += static_cast<std::int64_t>(header->bytes);
                at += static_cast<std::int64_t>(header->bytes);
                out.end_ = at;
                continue;
            }
            const auto next = find(at + 1, in.size());
            if (!next) return smooth;
            smooth = false;
            // As many frames as fit into the hole, at the mean size of those seen.
            if (seen > 0) out.frames_ += ((*next - at) * seen + bytes / 2) / bytes;
            at = *next;
            mark(at);
        }
    }
};

Result<Mp3File> Mp3File::open(const std::filesystem::path& path) {
    auto window = Window::open(path);
    if (!window) return window.error();
    Mp3File file(path);
    Scan scan{*window, file};
    auto first = scan.find(behind_tag(*window), kMostJunk);
    if (!first) first = scan.find(0, kMostJunk);
    if (!first) {
        if (window->error() != 0) return io_error("read", path, window->error());
        return Error{ErrorKind::damaged, path.string() + " is no MP3 file"};
    }
    scan.format = header_at(*window, *first);
    file.rate_ = scan.format->rate;
    file.frame_samples_ = scan.format->samples();
    const auto info = info_of(window->get(*first, scan.format->bytes), *scan.format);
    const auto header_bytes = static_cast<std::int64_t>(scan.format->bytes);
    const bool smooth = scan.walk(info ? *first + header_bytes : *first);
    if (window->error() != 0) return io_error("read", path, window->error());

    const std::int64_t declared = info ? info->frames : 0;
    const bool cut = declared > file.frames_;
    if (declared > 0) file.frames_ = std::min(file.frames_, declared);
    file.whole_ = smooth && !cut;
    file.skip_ = (info && info->delay ? *info->delay : kMp3EncoderDelay) + kDecoderDelay;
    // Where the file does not say how many frames it has, or has lost some, nobody knows what of its end is padding.
    const std::int64_t tail = declared > 0 && !cut && info->delay ? info->padding - kDecoderDelay : 0;
    const std::int64_t sound = file.frames_ * file.frame_samples_ - file.skip_ - std::max<std::int64_t>(0, tail);
    file.sounding_ = std::max<std::int64_t>(0, sound);
    file.length_ = Samples{(file.sounding_ * kSampleRate + file.rate_ - 1) / file.rate_};
    return file;
}

void Mp3File::decode(std::int64_t from_frame, std::int64_t to_frame, std::vector<float>& pcm) const {
    pcm.assign(static_cast<std::size_t>((to_frame - from_frame) * frame_samples_), 0.0F);
    auto window = Window::open(path_);
    if (!window || marks_.empty()) return;
    const Mpg123 owner = new_frame_decoder(rate_, 1);
    auto mark = std::upper_bound(marks_.begin(), marks_.end(), from_frame,
                                 [](std::int64_t frame, const Mark& m) { return frame < m.frame; });
    if (mark != marks_.begin()) --mark;
    for (; mark != marks_.end() && mark->frame < to_frame; ++mark) {
        const auto next = std::next(mark);
        const std::int64_t last = next == marks_.end() ? to_frame : std::min(to_frame, next->frame);
        const std::int64_t end = next == marks_.end() ? end_ : next->offset;
        std::int64_t at = mark->offset;
        for (std::int64_t frame = mark->frame; frame < last && at < end; ++frame) {
            const auto header = frame_at(*window, at, std::nullopt);
            if (!header || header->rate != rate_ || header->samples() != frame_samples_) break;
            const auto bytes = window->get(at, header->bytes);
            at += static_cast<std::int64_t>(header->bytes);
            if (frame < from_frame) continue;
            mpg123_feed(owner.get(), bytes.data(), bytes.size());
            auto* const out = pcm.data() + (frame - from_frame) * frame_samples_;
            std::int64_t filled = 0;
            for (int result = MPG123_OK; result == MPG123_OK || result == MPG123_NEW_FORMAT;) {
                off_t number = 0;
                unsigned char* audio = nullptr;
                std::size_t size = 0;
                result = mpg123_decode_frame(owner.get(), &number, &audio, &size);
                const auto samples = std::min(static_cast<std::int64_t>(size / sizeof(float)), frame_samples_ - filled);
                if (audio != nullptr && samples > 0) {
                    std::memcpy(out + filled, audio, static_cast<std::size_t>(samples) * sizeof(float));
                    filled += samples;
                }
            }
        }
    }
}

void Mp3File::read_native(std::int64_t first, std::span<float> out) const {
    std::ranges::fill(out, 0.0F);
    const std::int64_t from = std::clamp<std::int64_t>(first, 0, sounding_);
    const std::int64_t to = std::clamp<std::int64_t>(first + static_cast<std::int64_t>(out.size()), from, sounding_);
    if (from == to) return;
    const std::int64_t begin = std::max<std::int64_t>(0, (from + skip_) / frame_samples_ - kPreRoll);
    const std::int64_t end = std::min(frames_, (to + skip_ + frame_samples_ - 1) / frame_samples_);
    std::vector<float> pcm;
    decode(begin, end, pcm);
    const auto offset = static_cast<std::size_t>(from + skip_ - begin * frame_samples_);
    std::copy_n(pcm.begin() + static_cast<std::ptrdiff_t>(offset), to - from,
                out.begin() + static_cast<std::ptrdiff_t>(from - first));
}

void Mp3File::read(Samples first, std::span<float> out) const {
    if (rate_ == kSampleRate) return read_native(first.count(), out);
    // The resampler begins where a sample of the one rate lies on one of the other, far enough before `first` for its
    // filter.
    const std::int64_t common = std::gcd<std::int64_t>(rate_, kSampleRate);
    const std::int64_t step = rate_ / common;
    const std::int64_t reach = 64 * std::max<std::int64_t>(1, rate_ / kSampleRate + 1);
    const std::int64_t wanted = first.count() * rate_ / kSampleRate - reach - 1;
    const std::int64_t begin = (wanted >= 0 ? wanted / step : -((step - 1 - wanted) / step)) * step;
    const auto last = first.count() + static_cast<std::int64_t>(out.size());
    std::vector<float> native(static_cast<std::size_t>(last * rate_ / kSampleRate + reach + 1 - begin));
    read_native(begin, native);
    const std::vector<float> all = resample_to_48k(native, rate_);
    const std::int64_t offset = first.count() - begin / step * (kSampleRate / common);
    std::copy_n(all.begin() + static_cast<std::ptrdiff_t>(offset), out.size(), out.begin());
}

}  // namespace lestapenna::audio
