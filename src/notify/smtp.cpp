#include "notify/smtp.h"

#include <algorithm>
#include <memory>
#include <string_view>
#include <utility>

#include <curl/curl.h>

#include "base/free.h"
#include "base/loopback.h"
#include "base/text.h"
#include "notify/address.h"
#include "notify/header.h"

namespace lestapenna::notify {

namespace {

using Easy = std::unique_ptr<CURL, Free<curl_easy_cleanup>>;
using List = std::unique_ptr<curl_slist, Free<curl_slist_free_all>>;
using Mime = std::unique_ptr<curl_mime, Free<curl_mime_free>>;
using UrlParts = std::unique_ptr<CURLU, Free<curl_url_cleanup>>;

constexpr std::size_t kLongestReply = 300;  // of a server's line, in what we tell
/// For an answer to a mail that is on its way, when we are to stop: it decides whether it is sent once more.
constexpr nanoseconds kFarewell = seconds(5);

Error usage(std::string message) {
    return {ErrorKind::usage, std::move(message)};
}

std::string part(CURLU* url, CURLUPart which) {
    char* text = nullptr;
    if (curl_url_get(url, which, &text, 0) != CURLUE_OK) return {};
    const std::unique_ptr<char, Free<curl_free>> owner(text);
    return text;
}

template <class Value>
void set(CURL* easy, CURLoption option, Value value) {
    curl_easy_setopt(easy, option, value);
}

void add(List& list, const std::string& line) {
    list.reset(curl_slist_append(list.release(), line.c_str()));
}

/// As mail wants them.
std::string with_crlf(std::string_view text) {
    std::string lines;
    for (const char c : text) {
        if (c == '\n') lines += '\r';
        lines += c;
    }
    return lines;
}

void add_alternative(curl_mime* alternatives, std::string_view text, const char* type) {
    curl_mimepart* const one = curl_mime_addpart(alternatives);
    const auto lines = with_crlf(text);
    curl_mime_data(one, lines.data(), lines.size());
    curl_mime_type(one, type);
    curl_mime_encoder(one, "quoted-printable");
}

}  // namespace

// ---- one exchange with a server

class Exchange {
  public:
    Exchange(const Server& server, const std::atomic<bool>* stop);
    Reply send(const Mail& mail);
    Reply greet();

  private:
    static std::size_t on_line(char* data, std::size_t one, std::size_t size, void* user);
    static std::size_t on_body(char* data, std::size_t one, std::size_t size, void* user);
    static int on_progress(void* user, curl_off_t, curl_off_t, curl_off_t, curl_off_t);
    Reply perform();
    [[nodiscard]] std::string trouble(CURLcode code) const;
    [[nodiscard]] std::string refusal(long code) const;

    const Server& server_;
    const std::atomic<bool>* stop_;
    Easy easy_;
    std::string last_line_;  ///< what the server said last
    bool all_is_sent_ = false;
    BootTime begun_ = BootClock::now();
    std::optional<BootTime> stopped_;  ///< since when we are asked to
};

Exchange::Exchange(const Server& server, const std::atomic<bool>* stop) : server_(server), stop_(stop) {
    static const CURLcode once = curl_global_init(CURL_GLOBAL_DEFAULT);
    static_cast<void>(once);  // without it curl_easy_init() gives nothing
    easy_.reset(curl_easy_init());
    CURL* const easy = easy_.get();
    if (easy == nullptr) return;
    set(easy, CURLOPT_URL, server_.url_.c_str());
    set(easy, CURLOPT_PROTOCOLS_STR, "smtp,smtps");
    set(easy, CURLOPT_USE_SSL, static_cast<long>(server_.encrypted_ ? CURLUSESSL_ALL : CURLUSESSL_TRY));
    set(easy, CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
    if (!server_.ca_file_.empty()) set(easy, CURLOPT_CAINFO, server_.ca_file_.c_str());
    if (server_.loopback_) set(easy, CURLOPT_PROXY, "");
    if (!server_.username_.empty()) {
        set(easy, CURLOPT_USERNAME, server_.username_.c_str());
        set(easy, CURLOPT_PASSWORD, server_.password_.reveal().c_str());
    }
    set(easy, CURLOPT_NOSIGNAL, 1L);
    set(easy, CURLOPT_QUICK_EXIT, 1L);  // who is stopped does not wait for a name lookup: up to 40 s
    set(easy, CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(server_.patience.connect.count()));
    set(easy, CURLOPT_TIMEOUT_MS, static_cast<long>(server_.patience.total.count()));
    // Its goodbye comes while the connection is closed, which the two limits above do not hold for: libcurl waits two
    // minutes for it. Closed here and now, on_progress() ends that too.
    set(easy, CURLOPT_FORBID_REUSE, 1L);
    set(easy, CURLOPT_HEADERFUNCTION, on_line);
    set(easy, CURLOPT_HEADERDATA, static_cast<void*>(this));
    set(easy, CURLOPT_WRITEFUNCTION, on_body);
    set(easy, CURLOPT_NOPROGRESS, 0L);
    set(easy, CURLOPT_XFERINFOFUNCTION, on_progress);
    set(easy, CURLOPT_XFERINFODATA, static_cast<void*>(this));
}

std::size_t Exchange::on_line(char* data, std::size_t, std::size_t size, void* user) {
    auto& self = *static_cast<Exchange*>(user);
    const auto line = trimmed({data, size});
    if (line.empty() || line.starts_with("221")) return size;  // a goodbye says nothing of what came before
    self.last_line_ = one_line(line, kLongestReply);
    self.all_is_sent_ = line.starts_with("354");
    return size;
}

std::size_t Exchange::on_body(char*, std::size_t, std::size_t size, void*) {
    return size;
}

int Exchange::on_progress(void* user, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
    auto& self = *static_cast<Exchange*>(user);
    const auto now = BootClock::now();
    if (now - self.begun_ >= self.server_.patience.total) return 1;
    if (self.stop_ == nullptr || !self.stop_->load(std::memory_order_relaxed)) return 0;
    if (!self.stopped_) self.stopped_ = now;
    return !self.all_is_sent_ || now - *self.stopped_ >= kFarewell ? 1 : 0;
}

/// Why there was no refusal, but no success either.
std::string Exchange::trouble(CURLcode code) const {
    const std::string at = "the mail server " + server_.place_;
    switch (code) {
        case CURLE_COULDNT_RESOLVE_HOST:
            return at + " is not known: check mail.smtp_url";
        case CURLE_COULDNT_CONNECT:
            return at + " does not take our call: nobody listens there, or a firewall is in between";
        case CURLE_PEER_FAILED_VERIFICATION:
            return at +
                   " shows a certificate that is not its own, or of nobody we trust: check the name in mail.smtp_url, "
                   "or name the certificate to trust in mail.ca_file";
        case CURLE_SSL_CACERT_BADFILE:
            return "mail.ca_file holds no certificate that can be read";
        case CURLE_SSL_CONNECT_ERROR:
            return at + " does not speak TLS there: smtps:// is for port 465, smtp:// for 587";
        case CURLE_USE_SSL_FAILED:
            return at +
                   " offers no encryption (STARTTLS): use smtps://, or allow plain text with mail.allow_plaintext = "
                   "true";
        case CURLE_OPERATION_TIMEDOUT:
        case CURLE_ABORTED_BY_CALLBACK:
            return at + " does not answer" + (last_line_.empty() ? "" : "; it said last: " + last_line_);
        default:
            return at + " broke off (" + curl_easy_strerror(code) + ")" +
                   (last_line_.empty() ? "" : "; it said last: " + last_line_);
    }
}

/// What a 4xx or 5xx means.
std::string Exchange::refusal(long code) const {
    std::string said = "the mail server " + server_.place_ + " says: " + last_line_;
    switch (code) {
        case 530:
            return said + "; it wants an account, or encryption: set mail.username and mail.password, or use smtps://";
        case 534:
        case 535:
            return said + "; check mail.username and mail.password";
        default:
            return said;
    }
}

Reply Exchange::perform() {
    using Verdict = Reply::Verdict;
    const CURLcode code = curl_easy_perform(easy_.get());
    if (code == CURLE_OK) return {Verdict::accepted, last_line_};
    if (code == CURLE_ABORTED_BY_CALLBACK && stopped_) return {Verdict::interrupted, "stopped", all_is_sent_};
    long answered = 0;
    curl_easy_getinfo(easy_.get(), CURLINFO_RESPONSE_CODE, &answered);
    // The reply's code decides: libcurl has one code of its own for "unknown mailbox" and "try later".
    if (answered >= 500) return {Verdict::refused, refusal(answered)};
    if (answered >= 400) return {Verdict::later, refusal(answered)};
    return {Verdict::later, trouble(code), all_is_sent_};
}

Reply Exchange::send(const Mail& mail) {
    CURL* const easy = easy_.get();
    if (easy == nullptr) return {Reply::Verdict::later, "no memory for a connection"};
    const std::string from = "<" + server_.from_ + ">";
    List to;
    add(to, "<" + mail.to + ">");
    List head;
    add(head, "Date: " + header_date(mail.date));
    add(head, "From: Lestapenna " + from);
    add(head, "To: <" + mail.to + ">");
    add(head, "Subject: " + header_text(mail.subject));
    add(head, "Message-ID: <" + mail.message_id + ">");
    add(head, "Auto-Submitted: auto-generated");  // RFC 3834: no holiday note comes back
    const Mime mime(curl_mime_init(easy));
    curl_mime* const alternatives = curl_mime_init(easy);
    add_alternative(alternatives, mail.text, "text/plain; charset=utf-8");
    add_alternative(alternatives, mail.html, "text/html; charset=utf-8");
    curl_mimepart* const all = curl_mime_addpart(mime.get());
    curl_mime_subparts(all, alternatives);
    curl_mime_type(all, "multipart/alternative");

    set(easy, CURLOPT_MAIL_FROM, from.c_str());
    set(easy, CURLOPT_MAIL_RCPT, to.get());
    set(easy, CURLOPT_HTTPHEADER, head.get());
    set(easy, CURLOPT_MIMEPOST, mime.get());
    auto reply = perform();
    easy_.reset();  // before what it points to
    return reply;
}

Reply Exchange::greet() {
    CURL* const easy = easy_.get();
    if (easy == nullptr) return {Reply::Verdict::later, "no memory for a connection"};
    set(easy, CURLOPT_CUSTOMREQUEST, "NOOP");
    return perform();
}

// ---- who it is

Status Server::find_place(const Config& config) {
    const Error unfit = usage(
        "mail.smtp_url is no address of a mail server; it has to look like \"smtps://smtp.example.org\" or "
        "\"smtp://smtp.example.org:587\"");
    const UrlParts url(curl_url());
    if (!url || curl_url_set(url.get(), CURLUPART_URL, config.mail.smtp_url.reveal().c_str(), 0) != CURLUE_OK)
        return unfit;
    const auto scheme = part(url.get(), CURLUPART_SCHEME);
    const auto host = part(url.get(), CURLUPART_HOST);
    const auto path = part(url.get(), CURLUPART_PATH);
    if ((scheme != "smtp" && scheme != "smtps") || host.empty() || (!path.empty() && path != "/") ||
        !part(url.get(), CURLUPART_QUERY).empty() || !part(url.get(), CURLUPART_FRAGMENT).empty()) {
        return unfit;
    }
    if (!part(url.get(), CURLUPART_USER).empty() || !part(url.get(), CURLUPART_PASSWORD).empty()) {
        return usage("mail.smtp_url holds an account: put it into mail.username and mail.password");
    }
    const bool implicit = scheme == "smtps";
    const auto port = part(url.get(), CURLUPART_PORT);
    place_ = host + ":" + (!port.empty() ? port : implicit ? "465" : "587");
    url_ = scheme + "://" + place_;
    loopback_ = is_loopback(trimmed(host, "[]"));
    encrypted_ = implicit || (!loopback_ && !config.mail.allow_plaintext);
    return Ok{};
}

Result<std::optional<Server>> Server::open(const Config& config) {
    const auto& mail = config.mail;
    if (mail.smtp_url.empty()) {
        if (mail.to.empty() && mail.guilds.empty()) return std::optional<Server>();
        return usage("somebody is to get mail ([mail] to, guilds), but mail.smtp_url names no server to send it by");
    }
    Server server;
    if (auto placed = server.find_place(config); !placed) return placed.error();
    if (mail.username.empty() != mail.password.empty()) {
        return usage("of mail.username and mail.password only one is set: set both, or none");
    }
    if (mail.from.empty()) return usage("mail.from has to be set: the address that mail comes from");
    if (auto fits = check_address("mail.from", mail.from); !fits) return fits.error();
    for (const auto& address : mail.to) {
        if (auto fits = check_address("mail.to", address); !fits) return fits.error();
    }
    for (const auto& [guild, addresses] : mail.guilds) {
        for (const auto& address : addresses) {
            if (auto fits = check_address("mail.guilds, " + guild, address); !fits) return fits.error();
        }
    }
    server.username_ = mail.username;
    server.password_ = mail.password;
    server.ca_file_ = mail.ca_file;
    server.from_ = mail.from;
    return std::optional(std::move(server));
}

Reply Server::send(const Mail& mail, const std::atomic<bool>& stop) const {
    return Exchange(*this, &stop).send(mail);
}

Reply Server::greet() const {
    return Exchange(*this, nullptr).greet();
}

}  // namespace lestapenna::notify
