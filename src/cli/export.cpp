#include "cli/export.h"

#include <algorithm>
#include <charconv>
#include <set>
#include <system_error>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/files.h"
#include "cli/cli11.h"
#include "cli/finish.h"
#include "render/export.h"

namespace lestapenna::cli {

namespace {

struct Options {
    std::string id;
    std::string format;
    std::string user;
    std::string from;
    std::string to;
    std::filesystem::path out;
};

/// Seconds, m:ss or h:mm:ss, each with decimals, from session start.
std::optional<SamplePos> parse_time(std::string_view text) {
    double seconds_sum = 0;
    int parts = 0;
    while (true) {
        const auto colon = text.find(':');
        const std::string_view part = text.substr(0, colon);
        double value = 0;
        const auto [end, error] =
            std::from_chars(part.data(), part.data() + part.size(), value, std::chars_format::fixed);
        if (error != std::errc{} || end != part.data() + part.size() || !(value >= 0 && value <= 1e7))
            return std::nullopt;
        seconds_sum = seconds_sum * 60 + value;
        if (colon == std::string_view::npos) break;
        if (++parts > 2) return std::nullopt;
        text.remove_prefix(colon + 1);
    }
    return SamplePos{Samples{static_cast<std::int64_t>(seconds_sum * static_cast<double>(kSampleRate))}};
}

Result<render::Range> range_of(const Options& options, const timeline::Timeline& timeline) {
    render::Range range{SamplePos{}, timeline.end()};
    if (!options.from.empty()) {
        const auto from = parse_time(options.from);
        if (!from) return Error{ErrorKind::usage, "--from: say seconds or h:mm:ss from session start"};
        range.from = *from;
    }
    if (!options.to.empty()) {
        const auto to = parse_time(options.to);
        if (!to) return Error{ErrorKind::usage, "--to: say seconds or h:mm:ss from session start"};
        range.to = std::min(*to, range.to);
    }
    if (range.from >= range.to)
        return Error{ErrorKind::usage, "there is nothing between --from and --to in this session"};
    return range;
}

Result<std::set<UserId>> users_of(const Options& options, const timeline::Timeline& timeline) {
    std::set<UserId> users;
    for (const auto& connection : timeline.connections) {
        if (connection.has_audio()) users.insert(connection.user);
    }
    if (options.user.empty()) return users;
    const auto user = UserId::parse(options.user);
    if (!user || !users.contains(*user)) {
        return Error{ErrorKind::not_found, "user " + options.user + " was not heard in this session"};
    }
    return std::set<UserId>{*user};
}

/// One user's file, under its name when it is whole.
Status export_user(const timeline::Timeline& timeline, const std::vector<render::DecodedConnection>& decoded,
                   UserId user, render::Range range, const Options& options, const render::Work& work) {
    auto file = PendingFile::create(options.out / (user.text() + "." + options.format));
    if (!file) return file.error();
    Status written = Ok{};
    if (options.format == "opus") {
        written = render::export_opus(timeline, user, range, file->path());
    } else {
        std::vector<const render::ConnectionPcm*> connections;
        for (const auto& one : decoded) {
            if (one.connection().user == user) connections.push_back(&one.pcm);
        }
        const auto format = options.format == "flac" ? audio::SampleFormat::flac_16 : audio::SampleFormat::wav_16;
        written = render::export_pcm(connections, range, format, file->path(), work);
    }
    if (!written) return written;
    return file->commit();
}

Result<Exit> export_session(const Options& options, Context& context) {
    const auto tools = context.tools();
    if (!tools) return tools.error();
    const auto id = tools->catalog.resolve(options.id);
    if (!id) return id.error();
    auto session = open_session(*tools, *id, workflows::WhileRecording::read);
    if (!session) return session.error();
    const timeline::Timeline& timeline = session->timeline();
    const auto range = range_of(options, timeline);
    if (!range) return range.error();
    const auto users = users_of(options, timeline);
    if (!users) return users.error();
    std::error_code error;
    std::filesystem::create_directories(options.out, error);
    if (error) return io_error("make", options.out, error.value());

    static const std::vector<render::DecodedConnection> kNothing;
    const std::vector<render::DecodedConnection>* decoded = &kNothing;
    if (options.format != "opus") {
        const auto all = session->decoded();
        if (!all) return all.error();
        decoded = *all;
    }
    const std::vector<UserId> list(users->begin(), users->end());
    const Status done = tools->work.each("exporting", list.size(), [&](std::size_t i) {
        return export_user(timeline, *decoded, list[i], *range, options, tools->work);
    });
    if (!done) return done.error();
    const auto labels = options.out / "labels.txt";
    if (auto status = write_file(labels, render::audacity_labels(timeline, *range)); !status) return status.error();

    Json files = Json::array();
    std::string text;
    for (const UserId user : list) {
        const auto path = std::filesystem::absolute(options.out / (user.text() + "." + options.format)).string();
        files.push_back({{"user_id", user.text()}, {"path", path}});
        text += path + "\n";
    }
    context.print({{"session", id->text()},
                   {"from_ms", std::chrono::floor<milliseconds>(range->from.time_since_epoch()).count()},
                   {"duration_ms", std::chrono::floor<milliseconds>(range->length()).count()},
                   {"files", std::move(files)},
                   {"labels", std::filesystem::absolute(labels).string()}},
                  text);
    return exit_of(timeline);
}

}  // namespace

void add_export(CLI::App& app, Context& context) {
    const auto options = std::make_shared<Options>();
    auto* const verb = context.add_verb(app, "export", "Writes a file per player, all lined up, for an editor",
                                        [options, &context] { return export_session(*options, context); });
    verb->add_option("ID", options->id, "A session: its id, or the last six characters of it or more")->required();
    verb->add_option("--format", options->format, "opus (as it came, not encoded again), wav or flac (16 bit)")
        ->required()
        ->check(CLI::IsMember({"opus", "wav", "flac"}));
    verb->add_option("--user", options->user, "Only this user id");
    verb->add_option("--from", options->from, "Begin here: seconds or h:mm:ss from session start")->type_name("T");
    verb->add_option("--to", options->to, "End here")->type_name("T");
    verb->add_option("--out", options->out, "The folder for the files; made if need be")->required()->type_name("DIR");
    context.add_threads(*verb);
}

}  // namespace lestapenna::cli
