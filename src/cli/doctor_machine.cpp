// What this machine says: can what is recorded be kept, and given out.
#include <cerrno>

#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/files.h"
#include "base/text.h"
#include "catalog/catalog.h"
#include "cli/doctor_checks.h"
#include "discord/udp.h"
#include "discord/voice.h"
#include "net/http_client.h"
#include "net/loop_thread.h"
#include "store/links.h"
#include "store/store.h"
#include "web/site.h"

namespace lestapenna::cli {

namespace {

namespace fs = std::filesystem;

constexpr std::size_t kLeastSecret = 16;  // characters of a secret that nobody guesses
/// A journal grows by 8 KB/s for each player who talks (measured, bench_live), and a table is six of them.
constexpr std::uint64_t kTableBytesPerSecond = std::uint64_t{6} * 8'000;
/// An evening of four hours becomes chunks and fragments of the same size as the journal, on the same disk.
constexpr std::uint64_t kLeastHours = std::uint64_t{3} * 4;

/// A function's only way to say that it is not ok.
Check wrong(const char* name, std::string message) {
    return {name, false, std::move(message)};
}

// ---- the data folder

/// Nothing: all is well with `path`, which is to be private to us.
std::optional<std::string> exposed(const fs::path& path, const char* mode) {
    struct stat info {};
    if (::stat(path.c_str(), &info) != 0) {
        if (errno == ENOENT) return std::nullopt;
        return io_error("look at", path, errno).message;
    }
    const auto name = one_line(path.native());
    if (info.st_uid != ::geteuid()) {
        return fmt::format("{} belongs to another user (uid {}): run this as the user that runs the bot", name,
                           info.st_uid);
    }
    if ((info.st_mode & 077U) != 0) return fmt::format("others may look into {0}: chmod {1} {0}", name, mode);
    return std::nullopt;
}

Check check_data(const fs::path& folder) {
    if (auto trouble = exposed(folder, "700")) return wrong("data", std::move(*trouble));
    if (auto trouble = exposed(folder / "link-secret", "600")) return wrong("data", std::move(*trouble));
    if (auto made = make_folders(folder); !made) return wrong("data", made.error().message + " (data.dir)");
    if (::access(folder.c_str(), R_OK | W_OK | X_OK) != 0) {
        return wrong("data", io_error("write into", folder, errno).message + " (data.dir)");
    }
    return {"data", true, one_line(fs::absolute(folder).lexically_normal().native()) + " is ours alone"};
}

// ---- store and catalog

/// As anybody would.
Result<net::HttpResponse> fetch(const std::string& url, net::Trust trust = {}) {
    net::LoopThread thread;
    std::optional<net::HttpClient> client;
    net::HttpClientOptions options;
    options.trust = std::move(trust);
    thread.call([&] { client.emplace(thread.loop(), std::move(options)); });
    net::HttpRequest request{"GET", url, {}, {}};
    auto answer = thread.wait(client->send(std::move(request), seconds(10)));
    thread.call([&] { client.reset(); });
    return answer;
}

/// A store that gives its files out itself has to take its own links.
Status check_link(const Config& config, const store::Key& key, const std::string& text) {
    if (config.store_folder()) return Ok{};
    const auto links = store::Links::open(config);
    if (!links) return links.error();
    const auto link = links->make(key, "doctor.txt", unix_now());
    net::Trust trust;
    if (const auto& file = config.store.ca_file; !file.empty()) {
        auto read = net::Trust::from_file(file);
        if (!read) return read.error();
        trust = std::move(*read);
    }
    const auto answer = fetch(*link, std::move(trust));
    if (!answer) return answer.error();
    if (answer->status == 200 && answer->body == text) return Ok{};
    return Error{ErrorKind::failed,
                 fmt::format("it takes files, but a link to one is answered with {}: check store.region and this "
                             "machine's clock",
                             answer->status)};
}

/// Through the store and back, by a link too. `file` is ours to write to.
Status round_trip(const Config& config, store::ObjectStore& store, const fs::path& file) {
    const auto text = "lestapenna doctor " + SessionId::make().text();
    const auto key = store::Key::parse("doctor-" + SessionId::make().text());
    if (auto written = write_file(file, text); !written) return written;
    Status done = store.put(file, *key);
    if (done) done = store.get(*key, file);
    if (done) {
        const auto back = read_text_file(file, text.size());
        if (!back || *back != text) done = Error{ErrorKind::failed, "it gave back something else than it was given"};
    }
    if (done) done = check_link(config, *key, text);
    const Status removed = store.remove(*key);
    std::error_code ignored;
    fs::remove(file, ignored);
    return done ? removed : done;
}

Check check_store(const Config& config) {
    const auto store = store::open_store(config);
    if (!store) return wrong("store", store.error().message);
    const auto file = config.data.dir / (std::string(kTemporaryPrefix) + "doctor-" + SessionId::make().text());
    if (auto done = round_trip(config, **store, file); !done) return wrong("store", done.error().message);
    if (!config.store_folder()) {
        return {"store", true, "takes files, gives them back and out by links: " + one_line(config.store.url)};
    }
    return {"store", true,
            (*store)->same_device(config.data.dir)
                ? "takes files and gives them back; on the same disk as the journals, so it is no second copy"
                : "takes files and gives them back; on another disk than the journals"};
}

Check check_jobs(const catalog::Catalog& catalog) {
    const auto jobs = catalog.open_jobs(std::nullopt);
    if (!jobs) return wrong("jobs", jobs.error().message);
    std::size_t open = 0;
    std::size_t failed = 0;
    std::string first;
    for (const auto& [job, status] : *jobs) {
        ++(status == catalog::JobStatus::failed ? failed : open);
        if (status == catalog::JobStatus::failed && first.empty()) {
            first = fmt::format("{} of {}: {}", job.name, job.subject, one_line(job.error, 300));
        }
    }
    if (failed == 0) return {"jobs", true, fmt::format("{} to do, none given up", open)};
    return wrong(
        "jobs", fmt::format("{} given up, like {}; mend that, then `lestapenna recover ID` does the work again", failed,
                            first));
}

std::vector<Check> check_catalog(const Config& config) {
    const auto file = config.data.dir / "catalog.sqlite";
    std::error_code unknown;
    if (!fs::exists(file, unknown)) return {queue_check(config, nullptr)};
    const auto catalog = catalog::Catalog::open(file);
    if (!catalog) return {wrong("queue", catalog.error().message)};
    return {queue_check(config, &*catalog), check_jobs(*catalog)};
}

// ---- disk and kernel

Check check_disk(const fs::path& folder) {
    struct statvfs info {};
    if (::statvfs(folder.c_str(), &info) != 0) return wrong("disk", io_error("look at", folder, errno).message);
    return disk_check(folder, std::uint64_t{info.f_bavail} * info.f_frsize);
}

Check check_udp() {
    const int wanted = discord::VoiceOptions{}.receive_buffer_bytes;
    net::LoopThread thread;
    const auto granted = thread.call([&]() -> Result<int> {
        auto at = discord::UdpAddress::parse("127.0.0.1", 0);
        auto socket = discord::UdpSocket::bind(thread.loop(), *at, wanted);
        if (!socket) return socket.error();
        return socket->receive_buffer_bytes();
    });
    return granted ? udp_check(*granted, wanted) : wrong("udp", granted.error().message);
}

// ---- the web

/// Does somebody on the admin address answer as we do?
bool we_run_already(const Listen& admin) {
    const auto host = admin.host.find(':') == std::string::npos ? admin.host : "[" + admin.host + "]";
    const auto url = fmt::format("http://{}:{}/livez", host, admin.port);
    const auto answer = fetch(url);
    return answer && answer->status == 200 && answer->body == "alive\n";
}

Check check_web(const Config& config, const store::Links& links) {
    const auto store = store::open_store(config);
    if (!store) return wrong("web", store.error().message);
    const auto site = web::Site::open({config, links, **store, [] { return web::Health{}; }});
    if (site) return {"web", true, "both addresses are free"};
    if (we_run_already(config.web.admin_listen)) return {"web", true, "the bot runs, and answers"};
    return wrong("web", site.error().message + "; another program has it: stop that, or choose another port");
}

Check check_links(const Config& config) {
    const auto& web = config.web;
    if (!web.link_secret.empty() && web.link_secret.reveal().size() < kLeastSecret) {
        return wrong("links", fmt::format("web.link_secret is shorter than {} characters, so links can be forged: take "
                                          "it out, or set it to what `openssl rand -hex 32` prints",
                                          kLeastSecret));
    }
    if (!config.store_folder()) return {"links", true, "lead to the store itself"};
    if (web.public_url.empty()) {
        return wrong("links",
                     "none can be given out, and an evening is too large for an attachment: set web.public_url to how "
                     "the world reaches web.listen, like \"https://example.org\"");
    }
    return {"links", true, "lead to " + one_line(web.public_url)};
}

std::vector<Check> check_site(const Config& config) {
    const auto links = store::Links::open(config);
    if (!links) return {wrong("links", links.error().message)};
    return {check_web(config, *links), check_links(config)};
}

}  // namespace

Check disk_check(const fs::path& folder, std::uint64_t free_bytes) {
    const std::uint64_t hours = free_bytes / kTableBytesPerSecond / 3600;
    const auto fact = fmt::format("{:.1f} GB free in {}: {} hours of six people who never stop talking",
                                  static_cast<double>(free_bytes) / 1e9, one_line(folder.native()), hours);
    if (hours >= kLeastHours) return {"disk", true, fact};
    return wrong("disk", fact + ", and fragments and masters need room too: make room, or move data.dir");
}

Check udp_check(int granted_bytes, int wanted_bytes) {
    if (granted_bytes >= wanted_bytes) {
        return {"udp", true, fmt::format("the kernel holds {} KB of voice for us", granted_bytes / 1024)};
    }
    return wrong("udp", fmt::format("the kernel holds only {} KB of voice for us, so a busy moment loses some: sysctl "
                                    "-w net.core.rmem_max={}, and the same line into /etc/sysctl.d/lestapenna.conf",
                                    granted_bytes / 1024, wanted_bytes));
}

std::vector<Check> check_machine(const Config& config) {
    std::vector<Check> checks{check_data(config.data.dir)};
    // What another user's folder holds is not touched: files of ours in it would stop the bot.
    if (checks.front().ok) {
        checks.push_back(check_store(config));
        for (auto& check : check_catalog(config)) checks.push_back(std::move(check));
        checks.push_back(check_disk(config.data.dir));
    }
    checks.push_back(check_udp());
    if (checks.front().ok) {
        for (auto& check : check_site(config)) checks.push_back(std::move(check));
    }
    return checks;
}

}  // namespace lestapenna::cli
