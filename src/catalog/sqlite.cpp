#include "catalog/sqlite.h"

#include <cerrno>
#include <utility>

#include "base/text.h"

namespace lestapenna::catalog {

std::string Row::text(int column) const {
    const auto* const bytes = sqlite3_column_text(statement_, column);
    if (bytes == nullptr) return {};
    const auto size = static_cast<std::size_t>(sqlite3_column_bytes(statement_, column));
    return {reinterpret_cast<const char*>(bytes), size};
}

void Statement::bind(int at, std::string_view value) {
    note(sqlite3_bind_text64(statement_.get(), at, value.data() == nullptr ? "" : value.data(), value.size(),
                             SQLITE_TRANSIENT, SQLITE_UTF8));
}

Result<bool> Statement::step() {
    const int code = bind_error_ == SQLITE_OK ? sqlite3_step(statement_.get()) : bind_error_;
    if (code == SQLITE_ROW) return true;
    if (code == SQLITE_DONE) return false;
    return database_->error(code);
}

Result<Database> Database::open(const std::filesystem::path& file) {
    sqlite3* handle = nullptr;
    const int code = sqlite3_open_v2(file.c_str(), &handle,
                                     SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_EXRESCODE, nullptr);
    Database database(std::unique_ptr<sqlite3, Close>(handle), file);
    if (code != SQLITE_OK) return database.error(code);
    return database;
}

Result<Statement> Database::compile(std::string_view sql) const {
    sqlite3_stmt* statement = nullptr;
    const int code =
        sqlite3_prepare_v2(connection_.get(), sql.data(), static_cast<int>(sql.size()), &statement, nullptr);
    if (code != SQLITE_OK) return error(code);
    return Statement(*this, statement);
}

Status Database::script(const std::string& sql) const {
    const int code = sqlite3_exec(connection_.get(), sql.c_str(), nullptr, nullptr, nullptr);
    if (code != SQLITE_OK) return error(code);
    return Ok{};
}

std::string Database::name() const {
    return "the catalog " + one_line(file_.native());
}

Error Database::error(int code) const {
    const int kind = code & 0xFF;  // the low byte is the primary code
    // What SQLite calls an I/O error is often a full disk; only then is the system's number fresh.
    const bool asks_system = connection_ && (kind == SQLITE_IOERR || kind == SQLITE_CANTOPEN);
    const int system = asks_system ? sqlite3_system_errno(connection_.get()) : 0;
    if (kind == SQLITE_FULL || system == ENOSPC || system == EDQUOT) {
        return {ErrorKind::failed, "can not write " + name() + ": no space left on device; free some space there"};
    }
    switch (kind) {
        case SQLITE_NOTADB:
        case SQLITE_CORRUPT:
            return {
                ErrorKind::damaged,
                name() +
                    " is damaged: move it away, or put a copy in its place; journals and recordings are not touched"};
        case SQLITE_READONLY:
            return {ErrorKind::failed, "can not write " + name() +
                                           ": it is read-only here; give this user the right to it and its folder"};
        case SQLITE_CANTOPEN:
        case SQLITE_PERM:
            return {ErrorKind::failed,
                    "can not open " + name() +
                        ": see that its folder exists, has space, and that this user may write there"};
        case SQLITE_BUSY:
        case SQLITE_LOCKED:
            return {ErrorKind::failed, name() + " is in use by another process for too long: try again"};
        default:
            break;
    }
    const char* const reason = connection_ ? sqlite3_errmsg(connection_.get()) : sqlite3_errstr(code);
    return {ErrorKind::failed, name() + " refused: " + one_line(reason)};
}

}  // namespace lestapenna::catalog
