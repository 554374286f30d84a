// What the journal's tests share: sample records, and a disk that fails when told.
#pragma once

#include <atomic>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "journal/files.h"
#include "journal/format.h"
#include "journal/reader.h"
#include "journal/writer.h"
#include "support.h"

namespace lestapenna::journal {

inline constexpr BootTime kAnchor{seconds{1'000}};

inline SessionHead test_head(std::string_view id = "01TEST") {
    return {*SessionId::parse(id), UnixTime{milliseconds{1'753'000'000'000}}, kAnchor, BootId{{1, 2, 3}}};
}

/// A record with its own copy of what it points to, to be compared by value.
struct Sample {
    Record record;
    std::vector<std::uint8_t> payload;
    std::string text;
};

/// The n-th of a sequence that `seed` names: packets mostly, each kind of event now and then. Times go on by 5 ms.
inline Record sample(std::uint32_t n, std::uint64_t seed, std::vector<std::uint8_t>& storage) {
    std::mt19937_64 random(seed * 1'000'003 + n);
    const BootTime at = kAnchor + milliseconds{5} * n;
    const UserId user{100 + random() % 5};
    const auto ssrc = static_cast<std::uint32_t>(random() % 5);
    storage.assign(random() % (n % 97 == 5 ? 8'192 : 300), 0);
    for (auto& byte : storage) byte = static_cast<std::uint8_t>(random());
    switch (n % 20) {
        case 1:
            return Join{at, user};
        case 3:
            return Leave{at, user};
        case 5:
            return Binding{at, ssrc, user};
        case 7:
            return Pause{at};
        case 9:
            return Resume{at};
        case 11:
            return Gap{at - seconds{2}, at, GapReason::outage, n};
        case 13:
            return Clock{at, UnixTime{milliseconds{1'753'000'000'000} + milliseconds{n}}};
        case 15:
            return Marker{at, user, {reinterpret_cast<const char*>(storage.data()), storage.size() % 4'000}};
        case 17:
            return Packet{ssrc, static_cast<std::uint16_t>(n), n * 960, at, true, true, 77, {}, ClosedReason::no_key};
        default:
            return Packet{ssrc,
                          static_cast<std::uint16_t>(n),
                          n * 960,
                          at,
                          false,
                          n % 4 == 0,
                          static_cast<std::uint16_t>(storage.size()),
                          storage};
    }
}

/// A record as bytes, so that two can be compared whatever their type.
inline std::vector<std::uint8_t> bytes_of(const Record& record) {
    std::vector<std::uint8_t> bytes(encoded_bytes(record));
    if (!bytes.empty()) encode(record, bytes);
    return bytes;
}
inline std::vector<std::uint8_t> sample_bytes(std::uint32_t n, std::uint64_t seed) {
    std::vector<std::uint8_t> storage;
    return bytes_of(sample(n, seed, storage));
}

/// Everything a reader says until its first clean end.
struct Reading {
    std::vector<std::vector<std::uint8_t>> records;
    std::vector<SessionTime> times;
    std::vector<Damage> damage;
    CleanEnd end;
};
inline Reading read_all(Reader& reader) {
    Reading all;
    for (;;) {
        const Outcome outcome = reader.next();
        if (const auto* item = std::get_if<Item>(&outcome)) {
            all.records.push_back(bytes_of(item->record));
            all.times.push_back(item->time);
        } else if (const auto* damage = std::get_if<Damage>(&outcome)) {
            all.damage.push_back(*damage);
        } else {
            all.end = std::get<CleanEnd>(outcome);
            return all;
        }
    }
}
inline Reading read_folder(const std::filesystem::path& folder) {
    auto reader = Reader::open(folder);
    if (reader) return read_all(*reader);
    ADD_FAILURE() << reader.error().message;
    return {};
}

/// Appends samples [from, to) and waits for room where the ring is small.
inline void append_samples(Writer& writer, std::uint32_t from, std::uint32_t to, std::uint64_t seed) {
    std::vector<std::uint8_t> storage;
    for (std::uint32_t n = from; n < to; ++n) {
        const Record record = sample(n, seed, storage);
        while (!writer.wait_for_room().ok()) {  // while a fault lasts
        }
        ASSERT_TRUE(writer.append(record));
    }
}

inline std::vector<std::uint8_t> slurp(const std::filesystem::path& path) {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}
inline void spit(const std::filesystem::path& path, const std::vector<std::uint8_t>& bytes) {
    std::filesystem::remove(path);  // ext4 syncs a file that is truncated and written again
    std::ofstream out(path, std::ios::binary);
    out.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
}

inline constexpr std::uint64_t kSeed = 7;

inline void expect_samples(const Reading& reading, std::uint32_t count, std::uint64_t seed = kSeed) {
    ASSERT_EQ(reading.records.size(), count);
    for (std::uint32_t n = 0; n < count; ++n) ASSERT_EQ(reading.records[n], sample_bytes(n, seed)) << n;
}

inline Writer open_writer(Committer& committer, const test::TempDir& root, const WriterOptions& options = {}) {
    auto writer = Writer::open(committer, root.path(), test_head(), options);
    if (!writer) ADD_FAILURE() << writer.error().message;
    return *std::move(writer);
}
/// Samples [from, to) as one run of a recorder.
inline void write_samples(Committer& committer, const test::TempDir& root, const SessionHead& head, std::uint32_t from,
                          std::uint32_t to) {
    auto writer = Writer::open(committer, root.path(), head);
    ASSERT_TRUE(writer.ok()) << writer.error().message;
    append_samples(*writer, from, to, kSeed);
}

/// The real disk, except that the next `fail_*` calls fail with the errno given, after `pass_*` that work.
class FailingFiles : public Files {
  public:
    std::atomic<int> fail_creates{0}, fail_writes{0}, fail_syncs{0}, pass_writes{0}, pass_syncs{0};
    std::atomic<int> error_number{EIO};
    std::atomic<bool> short_writes{false};
    std::atomic<std::uint64_t> syncs{0}, removed{0};

    [[nodiscard]] bool faults_left() const { return fail_creates + fail_writes + fail_syncs > 0; }

    int create(const char* path) override { return fails(fail_creates) ? -1 : Files::create(path); }
    ssize_t write_at(int fd, std::span<const std::uint8_t> bytes, std::uint64_t offset) override {
        if (!takes(pass_writes) && fails(fail_writes)) {
            if (short_writes) static_cast<void>(Files::write_at(fd, bytes.first(bytes.size() / 2), offset));
            errno = error_number;  // the write above may have changed it
            return -1;
        }
        return Files::write_at(fd, short_writes ? bytes.first((bytes.size() + 1) / 2) : bytes, offset);
    }
    int sync_data(int fd) override {
        ++syncs;
        return !takes(pass_syncs) && fails(fail_syncs) ? -1 : Files::sync_data(fd);
    }
    int remove(const char* path) override {
        ++removed;
        return Files::remove(path);
    }

  private:
    static bool takes(std::atomic<int>& left) {
        int now = left;
        while (now > 0 && !left.compare_exchange_weak(now, now - 1)) {
        }
        return now > 0;
    }
    bool fails(std::atomic<int>& left) {
        if (!takes(left)) return false;
        errno = error_number;
        return true;
    }
};

}  // namespace lestapenna::journal
