#include "journal/reader.h"

#include <algorithm>
#include <deque>
#include <limits>
#include <optional>

#include "journal/chain.h"
#include "journal/file_source.h"
#include "journal/writer.h"

namespace lestapenna::journal {

namespace {

constexpr std::uint64_t kNoLimit = std::numeric_limits<std::uint64_t>::max();

/// The segment being read.
struct Current {
    Current(const Link& link, std::uint32_t info_index)
        : header(link.header),
          info(info_index),
          source(link.file.path),
          scanner(source, header.session_id, header.number) {}

    SegmentHeader header;
    std::uint32_t info;
    FileSource source;
    SegmentScanner scanner;
    std::uint64_t limit = kNoLimit;     ///< what the next segment vouches for
    std::optional<SegmentHeader> next;  ///< the segment that follows, if it names this one or one before it
    std::uint64_t ordinal = 0;          ///< of the next record in the journal
    bool damaged = false;               ///< something in it was reported already
    bool overran = false;               ///< more was delivered than the next segment turned out to vouch for
};

std::string plural(std::uint64_t count, std::string_view thing) {
    return std::to_string(count) + " " + std::string(thing) + (count == 1 ? "" : "s");
}

}  // namespace

struct Reader::Impl {
    std::filesystem::path folder;
    std::optional<SegmentFile> alone;  ///< reading one file only
    std::string session_id;
    std::vector<SegmentInfo> segments;
    std::deque<ChainStep> todo;
    std::unique_ptr<Current> current;
    std::uint32_t seen = 0;        ///< the highest number planned so far
    std::uint64_t skip_below = 0;  ///< records before this ordinal were delivered from a segment that was given up
    bool ended = false;            ///< the last record was an End
    bool unlocked = false;         ///< nobody was writing before we last looked

    Status plan_first(const std::vector<SegmentFile>& files);
    void extend(bool locked);
    void plan(const std::vector<Candidate>& candidates, std::uint32_t base);
    void open_segment(const Link& link);
    void set_limit();
    std::optional<Outcome> record(const SegmentScanner::Found& found);
    std::optional<Damage> finish(const SegmentScanner::Tail& tail);
    [[nodiscard]] bool somebody_writes() const;
    std::optional<Outcome> at_the_end(const SegmentScanner::Tail* tail);
    std::optional<Outcome> step();
    Damage damage(std::uint64_t offset, std::uint64_t length, std::string what);
};

namespace {

/// The session these files are of: the one the folder is named after if any header agrees, else the first that can be
/// read (a copied folder may have any name).
std::string session_of(const std::vector<Candidate>& candidates, const std::string& folder_name) {
    std::string first;
    for (const Candidate& candidate : candidates) {
        if (!candidate.header) continue;
        if (candidate.header->session_id == folder_name) return folder_name;
        if (first.empty()) first = candidate.header->session_id;
    }
    return first;
}

}  // namespace

Status Reader::Impl::plan_first(const std::vector<SegmentFile>& files) {
    std::vector<Candidate> candidates;
    candidates.reserve(files.size());
    for (const SegmentFile& file : files) candidates.push_back(look_at(file, ""));
    session_id = session_of(candidates, folder.filename().string());
    std::string reasons;
    for (Candidate& candidate : candidates) {
        if (candidate.header && candidate.header->session_id != session_id)
            candidate = look_at(candidate.file, session_id);
        if (candidate.header || &candidate - candidates.data() >= 3) continue;
        reasons += (reasons.empty() ? "" : "; ") + candidate.file.path.filename().string() + " " +
                   candidate.header.error().message;
    }
    if (session_id.empty() && alone) {
        return Error{ErrorKind::damaged, alone->path.string() + " " + candidates.front().header.error().message};
    }
    if (session_id.empty()) {
        return Error{ErrorKind::damaged, "nothing in " + folder.string() + " can be read as a journal: " + reasons};
    }
    if (alone) candidates.front().file.number = candidates.front().header->number;
    plan(candidates, alone ? candidates.front().header->previous_number : 0);
    return Ok{};
}

void Reader::Impl::plan(const std::vector<Candidate>& candidates, std::uint32_t base) {
    if (candidates.empty()) return;
    seen = candidates.back().file.number;
    for (ChainStep& step : plan_chain(candidates, base)) todo.push_back(std::move(step));
}

// Segments that have appeared since. While somebody writes, a last file without a header is one in the making.
void Reader::Impl::extend(bool locked) {
    if (alone) return;
    const auto files = list_segments(folder, seen);
    if (!files) return;
    std::vector<Candidate> candidates;
    for (const SegmentFile& file : *files) candidates.push_back(look_at(file, session_id));
    while (locked && !candidates.empty() && !candidates.back().header && candidates.back().bytes <= kHeaderArea) {
        candidates.pop_back();
    }
    plan(candidates, current ? current->header.number : seen);
    if (current) set_limit();
}

void Reader::Impl::set_limit() {
    if (todo.empty()) return;
    const Link* next = std::get_if<Link>(&todo.front());
    if (next == nullptr) return;
    current->next = next->header;
    const bool follows = next->header.previous_number == current->header.number;
    current->limit = follows ? next->header.previous_length : 0;
    current->overran = current->scanner.good_end() > std::max<std::uint64_t>(current->limit, kHeaderArea);
    if (current->overran) skip_below = current->ordinal;
}

void Reader::Impl::open_segment(const Link& link) {
    const SegmentHeader& header = link.header;
    SegmentInfo info;
    info.path = link.file.path;
    info.number = header.number;
    info.session_start = header.session_start;
    info.anchor = header.anchor;
    info.boot = header.boot;
    segments.push_back(std::move(info));
    current = std::make_unique<Current>(link, static_cast<std::uint32_t>(segments.size() - 1));
    current->ordinal = header.first_record;
    set_limit();
}

Damage Reader::Impl::damage(std::uint64_t offset, std::uint64_t length, std::string what) {
    current->damaged = true;
    return Damage{segments[current->info].path, offset, length, false, std::move(what)};
}

std::optional<Outcome> Reader::Impl::record(const SegmentScanner::Found& found) {
    const std::uint64_t end = found.offset + kRecordHeaderBytes + found.payload.size();
    segments[current->info].bytes = end;
    if (found.type == kSealType) {
        segments[current->info].sealed = true;
        return std::nullopt;
    }
    const std::uint64_t ordinal = current->ordinal++;
    if (ordinal < skip_below) return std::nullopt;
    const auto record = decode(found.type, found.flags, found.payload);
    if (!record) {
        return damage(found.offset, end - found.offset,
                      "a record of type " + std::to_string(found.type) + " does not hold what it should");
    }
    Item item;
    item.record = *record;
    item.time = SessionTime{time_of(*record) - current->header.anchor};
    item.segment = current->info;
    item.offset = found.offset;
    if (const auto* packet = std::get_if<Packet>(&*record); packet != nullptr && !packet->undecryptable) {
        item.payload = {current->info, static_cast<std::uint32_t>(end - packet->payload.size()), packet->payload_size};
    }
    ended = std::holds_alternative<End>(*record);
    return item;
}

// A segment that another one follows: all it should hold must have been there.
std::optional<Damage> Reader::Impl::finish(const SegmentScanner::Tail& tail) {
    Current& done = *current;
    if (done.overran) return std::nullopt;
    if (!done.next) {
        if (!tail.torn) return std::nullopt;
        return damage(tail.offset, tail.length, "the end of the segment can not be read, and the next one is missing");
    }
    if (done.limit != 0 && tail.offset < done.limit) {
        return damage(
            tail.offset, done.limit - tail.offset,
            "the last " + plural(done.limit - tail.offset, "byte") + " of the segment are missing or can not be read");
    }
    if (done.damaged) return std::nullopt;
    if (done.ordinal < done.next->first_record) {
        return damage(tail.offset, 0,
                      plural(done.next->first_record - done.ordinal, "record") + " are missing from the segment");
    }
    if (done.scanner.hashed() == done.limit && done.scanner.digest() != done.next->previous_hash) {
        return damage(0, 0, "the segment was changed after it was written (its SHA-256 is not what the next one says)");
    }
    return std::nullopt;
}

bool Reader::Impl::somebody_writes() const {
    if (!alone) return is_locked(folder);
    const auto place = alone->path.parent_path();
    const auto newer = list_segments(place, current ? current->header.number : 0);
    return newer && newer->empty() && is_locked(place);
}

// Nothing more is known of. Whether that is an end depends on whether somebody writes; who asks that must look once
// more afterwards, because the last words may have been written in between.
std::optional<Outcome> Reader::Impl::at_the_end(const SegmentScanner::Tail* tail) {
    if (!unlocked) {
        const bool locked = somebody_writes();
        extend(locked);
        unlocked = !locked;
        if (locked && todo.empty()) return CleanEnd{ended, true};
        return std::nullopt;
    }
    if (tail != nullptr && tail->torn) {
        Damage torn = damage(tail->offset, tail->length, "the journal breaks off inside a record");
        torn.torn_tail = true;
        current.reset();
        return torn;
    }
    unlocked = false;
    return CleanEnd{ended, false};
}

std::optional<Outcome> Reader::Impl::step() {
    if (!current) {
        if (todo.empty()) return at_the_end(nullptr);
        const ChainStep next = std::move(todo.front());
        todo.pop_front();
        if (const auto* gone = std::get_if<Damage>(&next)) return *gone;
        open_segment(std::get<Link>(next));
        return std::nullopt;
    }
    const auto found = current->scanner.next(current->limit);
    if (const auto* good = std::get_if<SegmentScanner::Found>(&found)) return record(*good);
    if (const auto* hole = std::get_if<SegmentScanner::Hole>(&found)) {
        return damage(hole->offset, hole->length, hole->what);
    }
    const auto& tail = std::get<SegmentScanner::Tail>(found);
    if (todo.empty()) return at_the_end(&tail);
    auto report = finish(tail);
    current.reset();
    if (report) return *report;
    return std::nullopt;
}

Outcome Reader::next() {
    for (;;) {
        if (auto outcome = impl_->step()) return *std::move(outcome);
    }
}

Result<Reader> Reader::open(const std::filesystem::path& folder) {
    const auto files = list_segments(folder);
    if (!files) return files.error();
    if (files->empty()) return Error{ErrorKind::not_found, "there is no journal in " + folder.string()};
    auto impl = std::make_unique<Impl>();
    impl->folder = folder.has_filename() ? folder : folder.parent_path();
    const Status planned = impl->plan_first(*files);
    if (!planned) return planned.error();
    return Reader(std::move(impl));
}

Result<Reader> Reader::open_segment(const std::filesystem::path& file) {
    std::error_code error;
    if (!std::filesystem::is_regular_file(file, error)) {
        return Error{ErrorKind::not_found, "there is no file or folder " + file.string()};
    }
    auto impl = std::make_unique<Impl>();
    impl->folder = file;
    impl->alone = SegmentFile{0, file};
    const Status planned = impl->plan_first({*impl->alone});
    if (!planned) return planned.error();
    return Reader(std::move(impl));
}

Reader::Reader(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Reader::Reader(Reader&&) noexcept = default;
Reader& Reader::operator=(Reader&&) noexcept = default;
Reader::~Reader() = default;

const std::string& Reader::session_id() const {
    return impl_->session_id;
}
const std::vector<SegmentInfo>& Reader::segments() const {
    return impl_->segments;
}

}  // namespace lestapenna::journal
