// Ogg Opus, RFC 7845: two header pages, then packets in pages of about a second.
#include <array>
#include <cassert>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <string_view>

#include <ogg/ogg.h>

#include "audio/files.h"
#include "audio/opus.h"

namespace lestapenna::audio {

namespace {

// One logical stream a file, so that any number does; a constant, so that the same session makes the same bytes.
constexpr int kSerial = 0x4C455354;  // "LEST"
constexpr Samples kPage{kSampleRate};
constexpr std::string_view kVendor = "lestapenna";

using Bytes = std::vector<std::uint8_t>;

void append(Bytes& out, std::string_view text) {
    out.insert(out.end(), text.begin(), text.end());
}

template <int kBytes>
void append_little_endian(Bytes& out, std::uint64_t value) {
    for (int i = 0; i < kBytes; ++i) out.push_back(static_cast<std::uint8_t>(value >> (8 * i)));
}

Bytes head(int channels, Samples pre_skip) {
    Bytes out;
    append(out, "OpusHead");
    append_little_endian<1>(out, 1);  // version
    append_little_endian<1>(out, static_cast<std::uint64_t>(channels));
    append_little_endian<2>(out, static_cast<std::uint64_t>(pre_skip.count()));
    append_little_endian<4>(out, kSampleRate);  // of the input
    append_little_endian<2>(out, 0);            // output gain
    append_little_endian<1>(out, 0);            // mapping family: mono or stereo
    return out;
}

Bytes tags(const std::vector<std::string>& comments) {
    Bytes out;
    append(out, "OpusTags");
    append_little_endian<4>(out, kVendor.size());
    append(out, kVendor);
    append_little_endian<4>(out, comments.size());
    for (const auto& comment : comments) {
        append_little_endian<4>(out, comment.size());
        append(out, comment);
    }
    return out;
}

struct CloseFile {
    void operator()(std::FILE* file) const noexcept { std::fclose(file); }
};

}  // namespace

struct OggOpusWriter::Impl {
    explicit Impl(std::filesystem::path to) : path(std::move(to)), file(std::fopen(path.c_str(), "wbe")) {
        ogg_stream_init(&stream, kSerial);
    }
    Impl(const Impl&) = delete;
    Impl& operator=(const Impl&) = delete;
    ~Impl() { ogg_stream_clear(&stream); }

    [[nodiscard]] Error error() const {
        return {ErrorKind::failed, "cannot write " + path.string() + ": " + std::strerror(errno) +
                                       "; check the free space and the permissions of the folder"};
    }

    /// Hands one packet to libogg; `end` is the granule position after it.
    void put(Bytes& packet, Samples end, bool last) {
        ogg_packet out{};
        out.packet = packet.data();
        out.bytes = static_cast<long>(packet.size());
        out.b_o_s = number == 0 ? 1 : 0;
        out.e_o_s = last ? 1 : 0;
        out.granulepos = end.count();
        out.packetno = number++;
        ogg_stream_packetin(&stream, &out);
    }

    Status write_pages(bool all) {
        ogg_page page;
        while ((all ? ogg_stream_flush(&stream, &page) : ogg_stream_pageout(&stream, &page)) != 0) {
            const auto header = static_cast<std::size_t>(page.header_len);
            const auto body = static_cast<std::size_t>(page.body_len);
            if (std::fwrite(page.header, 1, header, file.get()) != header) return error();
            if (std::fwrite(page.body, 1, body, file.get()) != body) return error();
        }
        return Ok{};
    }

    std::filesystem::path path;
    std::unique_ptr<std::FILE, CloseFile> file;
    ogg_stream_state stream{};
    std::int64_t number = 0;  ///< of the next packet in the stream, headers included
    Samples pre_skip{};
    Samples total{};    ///< of all packets so far, `pending` included
    Samples flushed{};  ///< total at the last page
    Bytes pending;      ///< the last packet: whether it ends the stream is known only later
};

OggOpusWriter::OggOpusWriter(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
OggOpusWriter::OggOpusWriter(OggOpusWriter&&) noexcept = default;
OggOpusWriter& OggOpusWriter::operator=(OggOpusWriter&&) noexcept = default;
OggOpusWriter::~OggOpusWriter() = default;

Result<OggOpusWriter> OggOpusWriter::create(const std::filesystem::path& path, int channels, Samples pre_skip,
                                            const std::vector<std::string>& comments) {
    assert((channels == 1 || channels == 2) && pre_skip.count() >= 0 && pre_skip.count() <= 0xFFFF);
    auto impl = std::make_unique<Impl>(path);
    if (!impl->file) return impl->error();
    impl->pre_skip = pre_skip;
    for (Bytes header : {head(channels, pre_skip), tags(comments)}) {
        impl->put(header, Samples{0}, false);
        if (auto written = impl->write_pages(true); !written) return written.error();
    }
    return OggOpusWriter(std::move(impl));
}

Status OggOpusWriter::write(std::span<const std::uint8_t> packet) {
    const auto duration = opus_duration(packet);
    if (!duration) return Error{ErrorKind::damaged, "not an Opus packet: its frame lengths do not add up"};
    if (!impl_->pending.empty()) {
        impl_->put(impl_->pending, impl_->total, false);
        const bool second = impl_->total - impl_->flushed >= kPage;
        if (auto written = impl_->write_pages(second); !written) return written;
        if (second) impl_->flushed = impl_->total;
    }
    impl_->pending.assign(packet.begin(), packet.end());
    impl_->total += *duration;
    return Ok{};
}

Status OggOpusWriter::close(Samples played) {
    const auto last = opus_duration(impl_->pending);
    const Samples end = impl_->pre_skip + played;
    if (!last || end > impl_->total || end <= impl_->total - *last) {
        return Error{ErrorKind::failed, "cannot end " + impl_->path.string() + " after " +
                                            std::to_string(played.count()) +
                                            " samples: its last packet does not play then"};
    }
    impl_->put(impl_->pending, end, true);
    if (auto written = impl_->write_pages(true); !written) return written;
    if (std::fclose(impl_->file.release()) != 0) return impl_->error();
    return Ok{};
}

}  // namespace lestapenna::audio
