#include "store/s3_file.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <memory>
#include <vector>

#include <fcntl.h>
#include <openssl/evp.h>
#include <unistd.h>

#include "base/free.h"
#include "base/hash.h"
#include "base/text.h"

namespace lestapenna::store {

namespace {

constexpr std::size_t kPiece = 1u << 20;
constexpr std::size_t kMd5Bytes = 16;
using Context = std::unique_ptr<EVP_MD_CTX, Free<EVP_MD_CTX_free>>;

std::string base64(const std::array<std::uint8_t, kMd5Bytes>& bytes) {
    std::array<unsigned char, 4 * (kMd5Bytes + 2) / 3 + 1> text{};
    const int length = EVP_EncodeBlock(text.data(), bytes.data(), static_cast<int>(bytes.size()));
    return {text.begin(), text.begin() + length};
}

Error changed(const std::filesystem::path& path) {
    return {ErrorKind::failed, one_line(path.native()) + " changed while it was being stored; it is tried again"};
}

}  // namespace

Result<SourceFile> SourceFile::open(const std::filesystem::path& path) {
    Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    struct stat info {};
    if (!fd || ::fstat(fd.get(), &info) != 0) {
        auto error = io_error("read", path, errno);
        error.kind = ErrorKind::failed;  // not_found is for objects
        return error;
    }
    if (!S_ISREG(info.st_mode)) return Error{ErrorKind::failed, one_line(path.native()) + " is no file"};
    return SourceFile(path, std::move(fd), info);
}

FilePart SourceFile::part(std::uint64_t offset, std::uint64_t length) const {
    return {fd_.get(), offset, std::min(length, size() - std::min(size(), offset))};
}

Result<PartHashes> SourceFile::hashes(const FilePart& part) const {
    const Context md5(EVP_MD_CTX_new());
    if (!md5 || EVP_DigestInit_ex(md5.get(), EVP_md5(), nullptr) != 1) {
        return Error{ErrorKind::failed, "OpenSSL has no MD5 here, which S3 can not do without"};
    }
    Sha256 sha256;
    std::vector<std::uint8_t> piece(kPiece);
    for (std::uint64_t done = 0; done < part.length;) {
        const auto most = static_cast<std::size_t>(std::min<std::uint64_t>(piece.size(), part.length - done));
        const ssize_t got = ::pread(part.fd, piece.data(), most, static_cast<off_t>(part.offset + done));
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return io_error("read", path_, errno);
        if (got == 0) return changed(path_);
        const auto bytes = std::span(piece).first(static_cast<std::size_t>(got));
        sha256.update(bytes);
        EVP_DigestUpdate(md5.get(), bytes.data(), bytes.size());
        done += bytes.size();
    }
    std::array<std::uint8_t, kMd5Bytes> digest{};
    EVP_DigestFinal_ex(md5.get(), digest.data(), nullptr);
    return PartHashes{hex(sha256.digest()), hex(digest), base64(digest)};
}

Status SourceFile::unchanged() const {
    struct stat now {};
    if (::fstat(fd_.get(), &now) != 0) return io_error("look at", path_, errno);
    const bool same = now.st_size == before_.st_size && now.st_mtim.tv_sec == before_.st_mtim.tv_sec &&
                      now.st_mtim.tv_nsec == before_.st_mtim.tv_nsec;
    return same ? Status(Ok{}) : Status(changed(path_));
}

}  // namespace lestapenna::store
