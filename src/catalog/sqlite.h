// SQLite as values: a connection, and statements that close themselves. Private to catalog/.
// Errors: damaged when the file is no database or broken, failed for all else; one sentence with the file's name.
// Thread: an object belongs to one thread at a time.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include <sqlite3.h>

#include "base/result.h"

namespace lestapenna::catalog {

/// A row under a statement's cursor; columns count from 0. Valid until the statement steps on.
class Row {
  public:
    explicit Row(sqlite3_stmt* statement) : statement_(statement) {}
    [[nodiscard]] std::string text(int column) const;
    [[nodiscard]] std::int64_t integer(int column) const { return sqlite3_column_int64(statement_, column); }
    [[nodiscard]] double real(int column) const { return sqlite3_column_double(statement_, column); }
    [[nodiscard]] bool is_null(int column) const { return sqlite3_column_type(statement_, column) == SQLITE_NULL; }

  private:
    sqlite3_stmt* statement_;
};

class Database;

/// A prepared statement with its parameters bound in order, ?1 first.
class Statement {
  public:
    /// Steps to the next row; false at the end.
    Result<bool> step();
    [[nodiscard]] Row row() const { return Row(statement_.get()); }

  private:
    friend class Database;
    struct Finalize {
        void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
    };
    Statement(const Database& database, sqlite3_stmt* statement) : database_(&database), statement_(statement) {}

    void bind(int at, std::int64_t value) { note(sqlite3_bind_int64(statement_.get(), at, value)); }
    void bind(int at, double value) { note(sqlite3_bind_double(statement_.get(), at, value)); }
    void bind(int at, std::string_view value);
    template <class T>
    void bind(int at, const std::optional<T>& value) {
        if (value) {
            bind(at, *value);
        } else {
            note(sqlite3_bind_null(statement_.get(), at));
        }
    }
    void note(int code) {
        if (bind_error_ == SQLITE_OK) bind_error_ = code;
    }

    const Database* database_;
    std::unique_ptr<sqlite3_stmt, Finalize> statement_;
    int bind_error_ = SQLITE_OK;
};

class Database {
  public:
    /// Opens or makes the file. Nothing of it is read yet.
    static Result<Database> open(const std::filesystem::path& file);

    template <class... Values>
    Result<Statement> prepare(std::string_view sql, const Values&... values) const {
        auto statement = compile(sql);
        if (statement) {
            int at = 0;
            (statement->bind(++at, values), ...);
        }
        return statement;
    }

    /// Runs a statement to its end; rows are passed over.
    template <class... Values>
    Status run(std::string_view sql, const Values&... values) const {
        auto statement = prepare(sql, values...);
        if (!statement) return statement.error();
        for (;;) {
            auto more = statement->step();
            if (!more) return more.error();
            if (!*more) return Ok{};
        }
    }

    /// All rows, each made into a value by `make(row)`.
    template <class Make, class... Values>
    auto query(std::string_view sql, Make make, const Values&... values) const
        -> Result<std::vector<std::invoke_result_t<Make, Row>>> {
        std::vector<std::invoke_result_t<Make, Row>> rows;
        auto statement = prepare(sql, values...);
        if (!statement) return statement.error();
        for (;;) {
            auto more = statement->step();
            if (!more) return more.error();
            if (!*more) return rows;
            rows.push_back(make(statement->row()));
        }
    }

    /// Runs several statements without parameters.
    Status script(const std::string& sql) const;
    /// How many rows the last statement changed.
    [[nodiscard]] int changes() const { return sqlite3_changes(connection_.get()); }
    /// "the catalog /x/catalog.sqlite", to begin a sentence with.
    [[nodiscard]] std::string name() const;
    /// The sentence for what the connection refused last.
    [[nodiscard]] Error error(int code) const;

  private:
    struct Close {
        void operator()(sqlite3* connection) const { sqlite3_close_v2(connection); }
    };
    Database(std::unique_ptr<sqlite3, Close> connection, std::filesystem::path file)
        : connection_(std::move(connection)), file_(std::move(file)) {}
    Result<Statement> compile(std::string_view sql) const;

    std::unique_ptr<sqlite3, Close> connection_;
    std::filesystem::path file_;
};

}  // namespace lestapenna::catalog
