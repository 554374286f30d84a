#include "journal/mark.h"

#include <algorithm>
#include <array>

#include "journal/chain.h"
#include "journal/file_source.h"
#include "journal/folder.h"

namespace lestapenna::journal {

namespace {

void hash_start(Mark& mark, const std::filesystem::path& path) {
    FileSource source(path);
    std::vector<std::uint8_t> bytes(kBlockBytes);
    std::uint64_t done = 0;
    while (done < mark.length) {
        const auto want = static_cast<std::size_t>(std::min<std::uint64_t>(bytes.size(), mark.length - done));
        const std::size_t got = source.read(done, std::span(bytes).first(want));
        if (got == 0) break;
        mark.hash.update(std::span(bytes).first(got));
        done += got;
    }
    mark.length = done;
}

Mark end_of(const Candidate& candidate) {
    Mark mark;
    mark.segment = candidate.file.number;
    if (!candidate.header) {
        // Bytes nobody can read any more, but they are there: the next segment follows them as they are.
        mark.length = std::min(candidate.bytes, kMaxSegmentBytes);
    } else {
        FileSource source(candidate.file.path);
        SegmentScanner scanner(source, candidate.header->session_id, candidate.header->number);
        mark.records = candidate.header->first_record;
        for (;;) {
            const auto step = scanner.next(kMaxSegmentBytes);
            if (std::holds_alternative<SegmentScanner::Tail>(step)) break;
            const auto* found = std::get_if<SegmentScanner::Found>(&step);
            if (found != nullptr && found->type != kSealType) ++mark.records;
        }
        mark.length = scanner.good_end();
    }
    hash_start(mark, candidate.file.path);
    return mark;
}

}  // namespace

Result<JournalEnd> find_end(const std::filesystem::path& folder, const std::string& session_id) {
    const auto files = list_segments(folder);
    if (!files) return files.error();
    JournalEnd end;
    if (!files->empty()) end.highest_number = files->back().number;
    for (auto file = files->rbegin(); file != files->rend(); ++file) {
        const Candidate candidate = look_at(*file, session_id);
        if (candidate.header || candidate.bytes > kHeaderArea) {
            // A header that can be read but is not what its place says: of another session, or renamed by hand.
            const auto own = look_at(*file, "");
            if (!candidate.header && own.header) {
                return Error{ErrorKind::damaged, file->path.string() + " " + candidate.header.error().message};
            }
            end.mark = end_of(candidate);
            break;
        }
    }
    return end;
}

}  // namespace lestapenna::journal
