// What the mail server says, and which mails it has not taken.
#include <fmt/format.h>

#include "base/text.h"
#include "catalog/catalog.h"
#include "cli/doctor_checks.h"
#include "cli/mail.h"
#include "notify/smtp.h"

namespace lestapenna::cli {

namespace {

constexpr std::size_t kLongestReply = 300;

/// "; 2 not sent yet, like that of session X to Y: 451 try later". Empty when none was refused or put off so far.
Result<std::string> unsent(const Config& config) {
    const auto file = config.data.dir / "catalog.sqlite";
    std::error_code unknown;
    if (!std::filesystem::exists(file, unknown)) return std::string();
    const auto catalog = catalog::Catalog::open(file);
    if (!catalog) return catalog.error();
    auto mails = catalog->unsent_mails();
    if (!mails) return mails.error();
    std::erase_if(*mails, [since = unix_now() - kNews](const catalog::Mail& mail) { return mail.since < since; });
    if (mails->empty()) return std::string();
    const auto& last = mails->back();
    return fmt::format("; {} not sent yet, like that of session {} to {}: {}", mails->size(), last.session.text(),
                       last.address, one_line(last.reply, kLongestReply));
}

}  // namespace

std::vector<Check> check_mail(const Config& config) {
    const auto wrong = [](std::string message) { return std::vector{Check{"mail", false, std::move(message)}}; };
    const auto server = notify::Server::open(config);
    if (!server) return wrong(server.error().message);
    if (!*server) return {};
    const auto greeted = (*server)->greet();
    if (greeted.verdict != notify::Reply::Verdict::accepted) return wrong(greeted.message);
    const auto left = unsent(config);
    if (!left) return wrong(left.error().message);
    const auto taken = fmt::format("{} takes {}", (*server)->place(),
                                   config.mail.username.empty() ? "our calls" : "our name and password");
    return {{"mail", left->empty(), taken + *left}};
}

}  // namespace lestapenna::cli
