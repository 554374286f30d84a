// One mail to one person over SMTP, through libcurl: STARTTLS or implicit TLS, certificates and names always checked;
// plain text only to this machine or where mail.allow_plaintext says so (encryption is used even then where it is
// offered).
//
// Thread: any; send() and greet() block, for Server::patience at most. Errors: open() says in one sentence what is
// wrong with [mail]; what a server says is a Reply. Nothing is logged here; no message holds the password.
//
// Sent once: a mail was sent when its Reply says `accepted`. SMTP has one moment at which nobody can know: the whole
// mail is over there, and the connection or this process ends before their answer is here. Reply::perhaps says so where
// it can; the Message-ID is the same each time, so that whoever gets it twice can see that it is one.
#pragma once

#include <atomic>
#include <filesystem>
#include <optional>
#include <string>

#include "base/config.h"
#include "base/result.h"
#include "base/time.h"

namespace lestapenna::notify {

/// A mail as it stands in its head and its two alternatives. Every text is UTF-8, with "\n" line ends.
struct Mail {
    std::string to;          ///< an address that was checked
    std::string message_id;  ///< without its brackets: letters, digits, ".-_" and one @
    UnixTime date{};
    std::string subject{};
    std::string text{};
    std::string html{};
};

/// What came of it.
struct Reply {
    enum class Verdict {
        accepted,     ///< it is theirs now
        later,        ///< a 4xx, or no answer: what is wrong may pass
        refused,      ///< a 5xx: asking again changes nothing
        interrupted,  ///< we were asked to stop
    };
    Verdict verdict = Verdict::later;
    std::string message;   ///< one sentence: what happened, and what to do
    bool perhaps = false;  ///< not accepted as far as we know, but all of it was sent
};

class Server {
  public:
    struct Patience {
        milliseconds connect = seconds(15);
        milliseconds total = seconds(60);
    };

    /// The one that [mail] names; nothing when it names none and nobody is to get mail. Errors: usage, for everything
    /// that is wrong with [mail], addresses included.
    static Result<std::optional<Server>> open(const Config& config);

    /// `stop` ends it early: at once, or after 5 s when the mail is on its way and only the answer is missing.
    [[nodiscard]] Reply send(const Mail& mail, const std::atomic<bool>& stop) const;
    /// Connects, encrypts, says who we are as far as an account is configured, and leaves.
    [[nodiscard]] Reply greet() const;

    [[nodiscard]] const std::string& from() const { return from_; }
    /// "smtp.example.org:587", for people.
    [[nodiscard]] const std::string& place() const { return place_; }
    Patience patience{};

  private:
    Server() = default;
    Status find_place(const Config& config);

    std::string url_;  ///< scheme, host and port
    std::string place_;
    bool loopback_ = false;
    bool encrypted_ = true;  ///< or not at all
    std::string username_;
    Secret password_;
    std::filesystem::path ca_file_;
    std::string from_;
    friend class Exchange;
};

}  // namespace lestapenna::notify
