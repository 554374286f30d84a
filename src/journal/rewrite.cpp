#include "journal/rewrite.h"

#include <cerrno>

#include <fcntl.h>

#include "journal/folder.h"
#include "journal/must.h"

namespace lestapenna::journal {

namespace {

constexpr std::size_t kBatchBytes = 4 * kBlockBytes;

}  // namespace

Status Rewrite::begin(const SegmentInfo& like) {
    if (auto sealed = seal(); !sealed) return sealed;
    SegmentHeader header;
    header.session_id = session_id_;
    header.previous_number = follows_;
    if (missing_) header.previous_number = ++number_;
    header.number = ++number_;
    if (missing_) {
        header.previous_length = kHeaderArea;  // of what is not there
    } else if (follows_ != 0) {
        header.previous_length = written_;
        header.previous_hash = hash_.digest();
    }
    header.first_record = records_;
    header.session_start = like.session_start;
    header.anchor = like.anchor;
    header.boot = like.boot;
    missing_ = false;
    follows_ = number_;
    path_ = folder_ / segment_name(number_);
    fd_ = Fd(files_.create(path_.c_str()));
    if (!fd_) return io_error("create", path_, errno);
    crc_.emplace(session_id_, number_);
    const auto area = encode_header(header);
    buffer_.assign(area.begin(), area.end());
    written_ = 0;
    hash_ = Sha256();
    first_record_ = records_;
    last_ = like.anchor;
    return Ok{};
}

Status Rewrite::add(const Record& record) {
    encoded_.resize(encoded_bytes(record));
    must(fd_ && !encoded_.empty());  // it was read from a journal
    encode(record, encoded_);
    place(buffer_, written_, *crc_, encoded_);
    last_ = time_of(record);
    ++records_;
    return buffer_.size() < kBatchBytes ? Ok{} : flush();
}

Status Rewrite::flush() {
    for (std::size_t have = 0; have < buffer_.size();) {
        const ssize_t wrote = files_.write_at(fd_.get(), std::span(buffer_).subspan(have), written_ + have);
        if (wrote < 0 && errno == EINTR) continue;
        if (wrote <= 0) return io_error("write", path_, wrote < 0 ? errno : ENOSPC);
        have += static_cast<std::size_t>(wrote);
    }
    hash_.update(buffer_);
    written_ += buffer_.size();
    buffer_.clear();
    return Ok{};
}

Status Rewrite::seal() {
    if (!fd_) return Ok{};
    place(buffer_, written_, *crc_, encode_seal(last_, records_ - first_record_));
    if (auto flushed = flush(); !flushed) return flushed;
    if (files_.sync_data(fd_.get()) != 0) return io_error("sync", path_, errno);
    fd_ = Fd();
    return Ok{};
}

Status Rewrite::finish() {
    if (auto sealed = seal(); !sealed) return sealed;
    const Fd folder(::open(folder_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!folder || files_.sync_folder(folder.get()) != 0) return io_error("sync", folder_, errno);
    return Ok{};
}

}  // namespace lestapenna::journal
