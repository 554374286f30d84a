#include "workflows/wishes.h"

#include <cerrno>
#include <system_error>

#include <fcntl.h>
#include <nlohmann/json.hpp>
#include <sys/file.h>
#include <unistd.h>

namespace lestapenna::workflows {

namespace {

constexpr std::size_t kLargest = std::size_t{16} << 20;  // half a million sessions

std::filesystem::path folder_in(const std::filesystem::path& data) {
    return data / "forgetting";
}

/// A wish that nobody can read is still one: of now, and of no master that we know of.
Wish parse(const std::string& text) {
    Wish wish{.asked = unix_now()};
    const auto json = nlohmann::json::parse(text, nullptr, false);
    if (!json.is_object()) return wish;
    if (const auto asked = json.find("asked"); asked != json.end() && asked->is_number_integer())
        wish.asked = UnixTime{milliseconds{asked->get<std::int64_t>()}};
    const auto masters = json.find("masters");
    if (masters == json.end() || !masters->is_array()) return wish;
    for (const auto& one : *masters) {
        const auto id = one.is_string() ? SessionId::parse(one.get_ref<const std::string&>()) : std::nullopt;
        if (id) wish.masters.insert(*id);
    }
    return wish;
}

}  // namespace

bool Wishes::any(const std::filesystem::path& data) {
    std::error_code error;
    std::filesystem::directory_iterator entry(folder_in(data), error);
    for (const std::filesystem::directory_iterator end; !error && entry != end; entry.increment(error)) {
        if (UserId::parse(entry->path().filename().native())) return true;
    }
    return false;
}

Result<Wishes> Wishes::open(const std::filesystem::path& data) {
    const auto folder = folder_in(data);
    if (auto made = make_folders(folder); !made) return made.error();
    Fd lock(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!lock) return io_error("open the folder", folder, errno);
    while (::flock(lock.get(), LOCK_EX | LOCK_NB) != 0) {
        if (errno == EINTR) continue;
        if (errno != EWOULDBLOCK) return io_error("lock", folder, errno);
        return Error{ErrorKind::locked, "another process is forgetting somebody: wait until it is done"};
    }
    Wishes wishes(folder, std::move(lock));
    if (auto read = wishes.read(); !read) return read.error();
    return wishes;
}

Status Wishes::read() {
    remove_stale_temporaries(folder_, seconds(0));
    std::error_code error;
    std::filesystem::directory_iterator entry(folder_, error);
    for (const std::filesystem::directory_iterator end; !error && entry != end; entry.increment(error)) {
        const auto user = UserId::parse(entry->path().filename().native());
        if (!user) continue;
        const auto text = read_text_file(entry->path(), kLargest);
        all_[*user] = parse(text ? *text : "");
    }
    return error ? Status(io_error("read", folder_, error.value())) : Ok{};
}

Status Wishes::note(UserId user, Wish wish) {
    auto masters = nlohmann::json::array();
    for (const SessionId& id : wish.masters) masters.push_back(id.text());
    const nlohmann::json json{{"asked", wish.asked.time_since_epoch().count()}, {"masters", std::move(masters)}};
    if (auto written = write_file(folder_ / user.text(), json.dump() + "\n"); !written) return written;
    all_[user] = std::move(wish);
    return Ok{};
}

Status Wishes::remove(UserId user) {
    const auto file = folder_ / user.text();
    if (::unlink(file.c_str()) != 0 && errno != ENOENT) return io_error("remove", file, errno);
    all_.erase(user);
    return sync_folder(folder_);
}

}  // namespace lestapenna::workflows
