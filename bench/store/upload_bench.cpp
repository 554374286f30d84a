// How fast the S3 store takes a file, beside curl with the same file and the same server (Ceph, started here), in
// turns.
//
//     bench_store [MIB]...        (64 and 1024 where none is given)
//
// Prints the median of three of each (of a large file one, for the server keeps it in memory), their ratio, and what
// our memory grew by. curl sends one PUT whose body it does not hash; we send two hashes of every byte. Figures of one
// run, for humans.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <stdexcept>
#include <vector>

#include "base/files.h"
#include "s3_server.h"
#include "store/s3_place.h"
#include "store/store.h"
#include "support.h"

namespace lestapenna::store {
namespace {

using Seconds = std::chrono::duration<double>;

[[noreturn]] void fail(const std::string& why) {
    throw std::runtime_error(why);  // the server is stopped on the way out
}

/// Nothing in it repeats within a megabyte, and it is in the page cache afterwards.
void write_megabytes(const std::filesystem::path& file, int megabytes) {
    std::ofstream out(file, std::ios::binary);
    std::uint64_t noise = 1;
    std::string piece(1u << 20, '\0');
    for (int i = 0; i < megabytes; ++i) {
        for (char& byte : piece) byte = static_cast<char>((noise = noise * 6364136223846793005U + 1) >> 56U);
        out << piece;
    }
    if (!out.flush()) fail("can not write " + file.string());
}

Seconds ours(const Config& config, const std::filesystem::path& file, const Key& key) {
    const auto store = open_store(config).value();
    const auto begin = BootClock::now();
    if (const auto done = store->put(file, key); !done) fail(done.error().message);
    return BootClock::now() - begin;
}

Seconds curls(const Config& config, const std::filesystem::path& file, const Key& key) {
    const auto place = S3Place::of(config).value();
    const auto now = unix_now();
    Signable put{"PUT", place.path_of(key), {}, {}, std::string(kUnsignedPayload)};
    put.headers = {{"host", place.host}, {"x-amz-date", amz_date(now)}, {"x-amz-content-sha256", put.payload_hash}};
    std::vector<std::string> argv{"curl", "-sS", "-f", "-o", "/dev/null", "-T", file.string(), "-H", "Expect:"};
    for (const auto& [name, value] : put.headers) argv.insert(argv.end(), {"-H", name + ": " + value});
    argv.insert(argv.end(), {"-H", "authorization: " + authorization(place.key, put, now)});
    argv.push_back(place.origin + canonical_path(put.path));
    const auto begin = BootClock::now();
    if (const auto done = test::run_process(argv); done.exit_code != 0) fail(done.err);
    return BootClock::now() - begin;
}

long status_mb(std::string_view name) {
    std::ifstream status("/proc/self/status");
    for (std::string line; std::getline(status, line);) {
        if (line.starts_with(name)) return std::stol(line.substr(name.size())) / 1024;
    }
    return -1;
}

Seconds median(std::vector<Seconds> times) {
    std::ranges::sort(times);
    return times[times.size() / 2];
}

void compare(const Config& config, int megabytes) {
    const test::TempDir folder;
    const auto file = folder / "f";
    write_megabytes(file, megabytes);
    const auto key = Key::parse("recordings/01J0ABCDEFGHJKMNPQRS7F3K2A/master/f.mp3").value();
    std::ofstream("/proc/self/clear_refs") << "5";  // forgets the peak
    const long before = status_mb("VmRSS:");
    const std::size_t rounds = megabytes > 256 ? 1 : 3;
    std::vector<Seconds> mine(rounds);
    std::vector<Seconds> theirs(rounds);
    for (std::size_t round = 0; round < rounds; ++round) {
        mine[round] = ours(config, file, key);
        theirs[round] = curls(config, file, key);
    }
    const double we = megabytes / median(mine).count();
    const double curl = megabytes / median(theirs).count();
    std::printf("%5d MiB: we %.0f MiB/s, curl %.0f MiB/s, ratio %.2f; memory %+ld MB\n", megabytes, we, curl, we / curl,
                status_mb("VmHWM:") - before);
    std::fflush(stdout);
}

}  // namespace
}  // namespace lestapenna::store

int main(int argc, char** argv) try {
    using namespace lestapenna::store;
    std::string why;
    const auto server = S3Server::start("ceph", why);
    if (!server) return std::printf("nothing to measure: %s\n", why.c_str()), 0;
    std::vector<int> sizes;
    for (int i = 1; i < argc; ++i) sizes.push_back(std::atoi(argv[i]));
    if (sizes.empty()) sizes = {64, 1024};
    for (const int megabytes : sizes) compare(server->config(), megabytes);
    return 0;
} catch (const std::exception& error) {
    std::fprintf(stderr, "bench_store: %s\n", error.what());
    return 1;
}
