#include "journal/without.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <functional>
#include <map>
#include <string>
#include <system_error>
#include <utility>
#include <variant>

#include "base/files.h"
#include "journal/file_source.h"
#include "journal/files.h"
#include "journal/owner.h"
#include "journal/reader.h"
#include "journal/rewrite.h"

namespace lestapenna::journal {

namespace {

namespace fs = std::filesystem;

constexpr std::string_view kBeside = ".new-";  // no session's name begins with a dot

using Owners = std::map<std::uint32_t, Owner>;

/// Calls `visit` with what a journal says, in order, until it says something else than Ok.
Status each(Reader& reader, const std::function<Status(const Outcome&)>& visit) {
    for (;;) {
        const auto outcome = reader.next();
        if (std::holds_alternative<CleanEnd>(outcome)) return Ok{};
        if (auto status = visit(outcome); !status) return status;
    }
}

Result<Owners> owners_of(const fs::path& folder) {
    auto reader = Reader::open(folder);
    if (!reader) return reader.error();
    Owners owners;
    const Status read = each(*reader, [&](const Outcome& outcome) -> Status {
        const auto* const item = std::get_if<Item>(&outcome);
        const auto* const binding = item == nullptr ? nullptr : std::get_if<Binding>(&item->record);
        if (binding != nullptr) owners[binding->ssrc].bind(binding->user, item->time);
        return Ok{};
    });
    if (!read) return read.error();
    return owners;
}

/// Is either of these anywhere in a segment of the folder, in bytes that can be trusted or not?
Result<bool> holds(const fs::path& folder, std::string_view binary, std::string_view decimal) {
    const auto files = list_segments(folder);
    if (!files) return files.error();
    const std::boyer_moore_horspool_searcher as_binary(binary.begin(), binary.end());
    const std::boyer_moore_horspool_searcher as_decimal(decimal.begin(), decimal.end());
    const std::size_t longest = std::max(binary.size(), decimal.size());
    std::vector<std::uint8_t> piece(1U << 20);
    for (const SegmentFile& file : *files) {
        FileSource source(file.path);
        // Pieces overlap by what could begin in one and end in the next.
        for (std::uint64_t at = 0;; at += piece.size() - longest) {
            const std::size_t got = source.read(at, piece);
            const std::string_view text(reinterpret_cast<const char*>(piece.data()), got);
            const auto has = [&](const auto& wanted) {
                return std::search(text.begin(), text.end(), wanted) != text.end();
            };
            if (has(as_binary) || has(as_decimal)) return true;
            if (got < piece.size()) break;
        }
    }
    return false;
}

}  // namespace

Result<bool> names(const fs::path& folder, UserId user) {
    std::array<char, sizeof user.value> id{};  // little-endian
    for (std::size_t i = 0; i < id.size(); ++i) id.at(i) = static_cast<char>(user.value >> 8 * i & 0xFF);
    return holds(folder, {id.data(), id.size()}, user.text());
}

namespace {

/// Copies a journal, record by record, without one person.
class Copy {
  public:
    Copy(const Reader& from, Rewrite& to, UserId user, Owners owners)
        : from_(from), to_(to), user_(user), owners_(std::move(owners)) {}

    Status operator()(const Outcome& outcome) {
        const auto* const item = std::get_if<Item>(&outcome);
        if (item == nullptr) {
            // What a kill leaves at the end is cut, as by a recorder that goes on.
            if (!std::get<Damage>(outcome).torn_tail) to_.miss();
            return Ok{};
        }
        if (auto begun = begin_segments(item->segment + 1U); !begun) return begun;
        const SessionTime known = std::max(known_, item->time);
        if (const auto* const binding = std::get_if<Binding>(&item->record))
            bound_from_ = bound_[binding->ssrc].bind(binding->user, item->time);
        const bool theirs =
            std::visit([&](const auto& record) { return is_theirs(record, item->time, known); }, item->record);
        if (theirs) {
            known_ = known;
            return Ok{};
        }
        if (known_ > std::max(said_, item->time)) {
            if (auto late = say_how_late(); !late) return late;
        }
        known_ = known;
        said_ = std::max(said_, item->time);
        return to_.add(kept(*item));
    }

    Status finish() {
        if (auto begun = begin_segments(from_.segments().size()); !begun) return begun;
        return known_ > said_ && begun_ > 0 ? say_how_late() : Ok{};
    }

    [[nodiscard]] const Taken& taken() const { return taken_; }

  private:
    /// So many of the old ones have one that stands for them.
    Status begin_segments(std::size_t count) {
        while (begun_ < count) {
            if (auto begun = to_.begin(from_.segments()[begun_++]); !begun) return begun;
        }
        return to_.misses() && count > 0 ? to_.begin(from_.segments()[count - 1]) : Ok{};
    }

    bool is_theirs(const Packet& packet, SessionTime time, SessionTime known) {
        const SessionTime arrival = to_session_time(floor_samples(time));
        const auto owner = owners_.find(packet.ssrc);
        if (owner == owners_.end()) return false;
        return count(owner->second.of(arrival, known, packet.parked, packet.undecryptable) == user_, taken_.packets);
    }
    template <class Event>
    bool is_theirs(const Event& event, SessionTime, SessionTime) {
        if constexpr (requires { event.user; }) return count(event.user == user_, taken_.events);
        return false;
    }
    static bool count(bool theirs, std::uint64_t& of) {
        of += theirs ? 1 : 0;
        return theirs;
    }

    Record kept(const Item& item) {
        Record record = item.record;
        if (auto* const marker = std::get_if<Marker>(&record)) marker->text = without_their_id(marker->text);
        if (auto* const binding = std::get_if<Binding>(&record)) {
            // One of theirs that is gone may have been what put it off.
            binding->at += bound_from_ - item.time;
        }
        return record;
    }

    std::string_view without_their_id(std::string_view text) {
        const std::string id = user_.text();
        auto at = find_number(text, id);
        if (at == std::string_view::npos) return text;
        ++taken_.events;
        for (text_ = text; at != std::string_view::npos; at = find_number(text_, id, at))
            text_.replace(at, id.size(), "0");
        return text_;
    }

    /// What the person's records said of the time, and no other after it.
    Status say_how_late() {
        const SegmentInfo& segment = from_.segments()[begun_ - 1];
        const nanoseconds at = known_.time_since_epoch();
        said_ = known_;
        return to_.add(Clock{segment.anchor + at, segment.session_start + std::chrono::floor<milliseconds>(at)});
    }

    const Reader& from_;
    Rewrite& to_;
    UserId user_;
    Owners owners_;
    Owners bound_;            ///< so far
    SessionTime bound_from_;  ///< of the last one of these
    std::size_t begun_ = 0;
    SessionTime known_;  ///< the latest time in the old journal so far
    SessionTime said_;   ///< in the new one
    Taken taken_;
    std::string text_;
};

}  // namespace

Without::Without(SessionLock lock, fs::path folder, fs::path fresh, Taken taken, Files& files)
    : lock_(std::move(lock)), folder_(std::move(folder)), beside_(std::move(fresh)), taken_(taken), files_(&files) {}

Without::Without(Without&& other) noexcept
    : lock_(std::move(other.lock_)),
      folder_(std::move(other.folder_)),
      beside_(std::exchange(other.beside_, fs::path{})),
      taken_(other.taken_),
      files_(other.files_) {}

Without::~Without() {
    std::error_code ignored;  // remove_replaced() has it
    if (!beside_.empty()) fs::remove_all(beside_, ignored);
}

namespace {

Status remove_journal(const fs::path& folder) {
    std::error_code error;
    fs::remove_all(folder, error);
    if (error) return io_error("remove", folder, error.value());
    return sync_folder(folder.parent_path());
}

Result<Taken> copy_without(const fs::path& folder, const fs::path& fresh, UserId user, Files& files) {
    auto owners = owners_of(folder);
    if (!owners) return owners.error();
    const auto old = list_segments(folder);
    if (!old) return old.error();
    auto reader = Reader::open(folder);
    if (!reader) return reader.error();
    Rewrite rewrite(files, fresh, reader->session_id(), old->back().number);
    Copy copy(*reader, rewrite, user, std::move(*owners));
    if (auto copied = each(*reader, std::ref(copy)); !copied) return copied.error();
    if (auto done = copy.finish(); !done) return done.error();
    if (auto done = rewrite.finish(); !done) return done.error();
    return copy.taken();
}

}  // namespace

Result<std::optional<Without>> Without::make(const fs::path& session_folder, UserId user, Files& files) {
    const auto folder = session_folder.has_filename() ? session_folder : session_folder.parent_path();
    const auto segments = list_segments(folder);
    if (!segments) return segments.error();
    auto lock = SessionLock::take(folder);
    if (!lock) return lock.error();
    const auto named = names(folder, user);
    if (!named) return named.error();
    if (!*named) return std::optional<Without>{};

    const auto fresh = folder.parent_path() / std::string(kBeside).append(folder.filename().native());
    if (auto gone = remove_journal(fresh); !gone) return gone.error();
    if (auto made = make_folders(fresh); !made) return made.error();
    Without without(std::move(*lock), folder, fresh, {}, files);
    const auto taken = copy_without(folder, fresh, user, files);
    if (!taken) return taken.error();
    without.taken_ = *taken;
    if (!taken->any()) {
        // Bytes that look like their id, or what of theirs nobody can read any more, which the new one has not.
        const auto still = names(fresh, user);
        if (!still) return still.error();
        if (*still) return std::optional<Without>{};
    }
    return std::optional(std::move(without));
}

Status Without::commit() {
    if (files_->exchange(beside_.c_str(), folder_.c_str()) != 0) return io_error("exchange", folder_, errno);
    const auto old = std::exchange(beside_, fs::path{});
    if (auto synced = sync_folder(folder_.parent_path()); !synced) return synced;
    return remove_journal(old);
}

Status remove_replaced(const fs::path& journal_root) {
    std::error_code error;
    fs::directory_iterator entry(journal_root, error);
    if (error == std::errc::no_such_file_or_directory) return Ok{};
    for (const fs::directory_iterator end; !error && entry != end; entry.increment(error)) {
        const auto path = entry->path();
        if (!path.filename().native().starts_with(".")) continue;
        if (auto gone = remove_journal(path); !gone) return gone;
    }
    if (error) return io_error("read", journal_root, error.value());
    return Ok{};
}

}  // namespace lestapenna::journal
