#include "web/audio.h"

#include <array>
#include <cerrno>
#include <cstdio>

#include <fcntl.h>
#include <sys/stat.h>

#include "base/files.h"
#include "base/log.h"
#include "web/range.h"

namespace lestapenna::web {

namespace {

using Headers = net::Headers;

std::string_view header(const net::HttpRequest& request, std::string_view name) {
    return request.headers.find(name).value_or("");
}

/// A file of the store, open.
struct Opened {
    Fd file;
    std::uint64_t size = 0;
    std::string etag;
};

/// Strong: a file of the store is never written in place, a new one has another inode and time.
std::string etag_of(const struct stat& info) {
    std::array<char, 80> text{};
    std::snprintf(text.data(), text.size(), "\"%llx-%llx-%llx%08lx\"", static_cast<unsigned long long>(info.st_size),
                  static_cast<unsigned long long>(info.st_ino), static_cast<unsigned long long>(info.st_mtim.tv_sec),
                  static_cast<unsigned long>(info.st_mtim.tv_nsec));
    return text.data();
}

/// Errors: not_found; failed, for the log.
Result<Opened> open_object(const store::ObjectStore& store, const store::Key& key) {
    const auto path = store.local_path(key);
    if (!path) return Error{ErrorKind::not_found, "the store keeps " + key.text() + " elsewhere"};
    Fd file(::open(path->c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));  // a pipe must not hang us
    if (!file && errno == ENOTDIR) return Error{ErrorKind::not_found, "there is no " + key.text()};
    if (!file) return io_error("read", *path, errno);
    struct stat info {};
    if (::fstat(file.get(), &info) != 0) return io_error("read", *path, errno);
    if (!S_ISREG(info.st_mode)) return Error{ErrorKind::not_found, key.text() + " is no file"};
    return Opened{std::move(file), static_cast<std::uint64_t>(info.st_size), etag_of(info)};
}

/// What every answer has: browsers keep it to themselves and do not guess what it is.
Headers guarded() {
    return {{"Cache-Control", "private"}, {"X-Content-Type-Options", "nosniff"}, {"Referrer-Policy", "no-referrer"}};
}

std::string content_range(const Part& part, std::uint64_t size) {
    const std::string all = "/" + std::to_string(size);
    if (part.kind == Part::none) return "bytes *" + all;
    return "bytes " + std::to_string(part.offset) + "-" + std::to_string(part.offset + part.length - 1) + all;
}

/// The part that this request wants: ranges are defined for GET alone, and count while the file is the one that the
/// client has a part of already. We give no dates, so an If-Range with one is never true.
Part wanted_part(const net::HttpRequest& request, const Opened& object) {
    const auto if_range = header(request, "If-Range");
    const bool still_the_same = if_range.empty() || if_range == object.etag;
    if (request.method != "GET" || !still_the_same) return {};
    return part_of(header(request, "Range"), object.size);
}

net::Reply reply_with(const net::HttpRequest& request, const store::Links::Target& target, Opened object) {
    net::Reply reply;
    reply.response.headers = guarded();
    Headers& headers = reply.response.headers;
    headers.emplace_back("ETag", object.etag);
    headers.emplace_back("Accept-Ranges", "bytes");
    const auto if_match = header(request, "If-Match");
    const auto if_none_match = header(request, "If-None-Match");
    if (!if_match.empty() && !names(if_match, object.etag, false)) {
        reply.response.status = 412;
        return reply;
    }
    if (!if_none_match.empty() && names(if_none_match, object.etag, true)) {
        reply.response.status = 304;
        return reply;
    }
    Part part = wanted_part(request, object);
    if (part.kind != Part::whole) headers.emplace_back("Content-Range", content_range(part, object.size));
    if (part.kind == Part::none) {
        reply.response.status = 416;
        return reply;
    }
    reply.response.status = part.kind == Part::range ? 206 : 200;
    if (part.kind == Part::whole) part.length = object.size;
    headers.emplace_back("Content-Type", store::content_type(target.key));
    // inline: a browser plays it, and saves it under this name.
    headers.emplace_back("Content-Disposition", "inline; filename=\"" + target.name + "\"");
    reply.file.emplace();
    reply.file->file = std::move(object.file);
    reply.file->offset = part.offset;
    reply.file->length = part.length;
    return reply;
}

net::Reply refused(store::BadLink why) {
    switch (why) {
        case store::BadLink::expired:
            return page(403, "Questo link è scaduto: chiedine uno nuovo nel server Discord con il comando scarica.",
                        "This link has expired: ask for a new one on the Discord server with the download command.");
        case store::BadLink::forged:
            return page(403, "Questo link non è valido: copialo per intero dal messaggio in cui l'hai ricevuto.",
                        "This link is not valid: copy all of it from the message you received it in.");
        case store::BadLink::malformed:
            break;
    }
    return page(404, "Qui non c'è niente.", "There is nothing here.");
}

}  // namespace

net::Reply page(int status, const std::string& italian, const std::string& english) {
    net::Reply reply;
    reply.response.status = status;
    reply.response.headers = guarded();
    reply.response.headers.emplace_back("Content-Type", "text/html; charset=utf-8");
    reply.response.headers.emplace_back("Content-Security-Policy", "default-src 'none'");
    reply.response.body = "<!DOCTYPE html>\n<html lang=\"it\"><head><meta charset=\"utf-8\"><title>Lestapenna</title>" +
                          ("</head>\n<body><p>" + italian) + "</p>\n<p lang=\"en\">" + english + "</p></body></html>\n";
    return reply;
}

net::Reply answer_audio(const net::HttpRequest& request, const store::Links& links, const store::ObjectStore& store,
                        UnixTime now) {
    const auto target = links.check(request.target, now);
    if (!target) return refused(target.error());
    auto object = open_object(store, target->key);
    if (object) return reply_with(request, *target, std::move(*object));
    if (object.error().kind == ErrorKind::not_found) {
        return page(404, "Questa registrazione non c'è più.", "This recording is no longer here.");
    }
    log().error("{}", object.error().message);
    return page(500, "La registrazione ora non si può leggere: riprova più tardi.",
                "The recording can not be read right now: try again later.");
}

}  // namespace lestapenna::web
