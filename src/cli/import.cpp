#include "cli/import.h"

#include "base/log.h"
#include "cli/cli11.h"
#include "cli/import_capture.h"
#include "cli/session_json.h"
#include "cli/session_text.h"
#include "journal/format.h"

namespace lestapenna::cli {

namespace {

struct Options {
    std::filesystem::path capture;
    std::string users;
    std::int64_t start_ms = -1;
    std::string session;
};

Result<ImportOptions> checked(const Options& options) {
    auto users = parse_users(options.users);
    if (!users) return users.error();
    ImportOptions checked{options.capture, std::move(*users), {}, {}};
    if (options.start_ms >= 0) checked.start = UnixTime{milliseconds{options.start_ms}};
    if (!options.session.empty()) {
        checked.session = SessionId::parse(options.session);
        if (!checked.session) return Error{ErrorKind::usage, "--session: an id has 1 to 64 letters, digits, - and _"};
    }
    return checked;
}

Result<Exit> import(const Options& options, Context& context) {
    const auto import_options = checked(options);
    if (!import_options) return import_options.error();
    const auto tools = context.tools();
    if (!tools) return tools.error();
    auto imported = import_session(*tools, *import_options);
    if (!imported) return imported.error();
    for (const auto& [ssrc, packets] : imported->unlisted)
        log().warn("SSRC {} is nobody in --users: its {} packets were left out", ssrc, packets);
    for (const auto& [reason, packets] : imported->rejects) log().info("{} packets were left out: {}", packets, reason);
    if (imported->damage) log().warn("{}; what could be read of it is imported", imported->damage->message);
    const auto object = session_json(*tools, imported->session.text());
    if (!object) return object.error();
    context.print(*object, session_text(*object));
    return imported->damage ? kDamaged : kDone;
}

}  // namespace

void add_import(CLI::App& app, Context& context) {
    const auto options = std::make_shared<Options>();
    auto* const verb = context.add_verb(app, "import", "Makes a session of a packet capture of clear RTP/Opus",
                                        [options, &context] { return import(*options, context); });
    verb->add_option("FILE", options->capture, "pcap or pcapng")->required();
    verb->add_option("--users", options->users, "Who spoke: SSRC=USER,SSRC=USER,... (SSRC decimal or 0x...)")
        ->required();
    verb->add_option("--start", options->start_ms, "Time zero in Unix milliseconds (default: the first packet)")
        ->check(CLI::Range(std::int64_t{0}, std::int64_t{journal::kMaxWall.count()}))
        ->type_name("UNIX_MS");
    verb->add_option("--session", options->session, "The new session's id (default: a new ULID)");
}

}  // namespace lestapenna::cli
