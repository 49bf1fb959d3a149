// examples/sqlite/connection.hpp — SQLite in C++: connections, statements, values and rows. Knows nothing of Python.
// SPDX-License-Identifier: MIT
#pragma once

#include <sqlite3.h>

#include <cstddef>
#include <cstdint>
#include <list>
#include <memory>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <string_view>
#include <unordered_map>
#include <variant>
#include <vector>

namespace sqlite {

/// What SQLite reports, with its extended error code.
class error : public std::runtime_error {
public:
    error(int code, const std::string& text) : std::runtime_error(text), code_(code) {}
    int code() const noexcept { return code_; }

private:
    int code_;
};

/// Another connection has the lock, and it is worth trying again.
class busy : public error {
public:
    using error::error;
};

/// A wrong use that SQLite never sees: a closed connection, a missing parameter.
class misuse : public error {
public:
    explicit misuse(const std::string& text) : error(SQLITE_MISUSE, text) {}
};

/// The name of an extended error code, such as SQLITE_CONSTRAINT_UNIQUE.
const char* name_of_code(int code) noexcept;

// ---- what goes in ---------------------------------------------------------------------------------------------------

struct blob {
    std::string bytes;
};
/// A value that SQLite has no type for. An error only if a statement uses it.
struct unsupported {
    std::string type;
};
using value = std::variant<std::monostate, std::int64_t, double, std::string, blob, unsupported>;

struct parameters {
    bool named = false;
    std::vector<std::string> names; ///< without `:`, `@` or `$`; as many as values if they are named
    std::vector<value> values;
};

// ---- what comes out -------------------------------------------------------------------------------------------------

struct summary {
    std::int64_t row_count = -1;
    std::int64_t last_row_id = 0;
};

/// Rows of a result. The text and the blobs lie one after the other in one string.
class rows {
public:
    struct cell {
        union {
            std::int64_t integer;
            double real;
            std::size_t offset;
        };
        int size;
        int type; ///< SQLITE_INTEGER, _FLOAT, _TEXT, _BLOB or _NULL
    };

    std::size_t size() const noexcept { return count_; }
    std::size_t columns() const noexcept { return columns_; }
    /// The first cell of a row.
    const cell* row(std::size_t number) const noexcept { return cells_.data() + number * columns_; }
    const char* bytes(const cell& where) const noexcept { return bytes_.data() + where.offset; }
    /// Whether the statement has no more rows.
    bool complete() const noexcept { return complete_; }

private:
    friend class connection;

    std::vector<cell> cells_;
    std::string bytes_;
    std::size_t columns_ = 0;
    std::size_t count_ = 0;
    bool complete_ = false;
};

// ---- statements and connections -------------------------------------------------------------------------------------

struct finalize {
    void operator()(sqlite3_stmt* statement) const noexcept { sqlite3_finalize(statement); }
};
/// A prepared statement and its SQL.
struct statement {
    std::unique_ptr<sqlite3_stmt, finalize> handle;
    std::string sql;
};

struct options {
    std::string path;
    bool uri = false;
};

/// A connection to a database. For one thread at a time; it may be another one each time.
class connection {
public:
    static constexpr std::size_t all = static_cast<std::size_t>(-1);

    explicit connection(const options& how);
    connection(const connection&) = delete;
    connection& operator=(const connection&) = delete;

    summary execute(const std::string& sql, const parameters& values);
    /// All or nothing.
    summary execute_many(const std::string& sql, const std::vector<parameters>& rows);
    /// Executes one of the statements in `script`, which starts at `position`; false at the end. Moves on to the next.
    bool execute_next(const std::string& script, std::size_t& position);
    rows fetch(const std::string& sql, const parameters& values, std::size_t limit = all);

    // A query that stays open between calls has a number of the caller's choice.
    void open_query(std::uint64_t number, const std::string& sql, parameters values);
    rows fetch_from(std::uint64_t number, std::size_t limit);
    void close_query(std::uint64_t number) noexcept;

    bool in_transaction() const noexcept { return sqlite3_get_autocommit(handle_.get()) == 0; }

    /// While one of these exists, what runs on the connection ends in SQLITE_INTERRUPT when a stop is requested.
    class interruptible;

private:
    struct close {
        void operator()(sqlite3* handle) const noexcept { sqlite3_close_v2(handle); }
    };
    struct in_use;
    struct savepoint;
    struct query {
        parameters values; // which the statement refers to
        statement it;
    };

    static int stop_if_requested(void* self) noexcept;
    static int note_busy(void* self, int) noexcept;

    [[noreturn]] void fail(int code);
    statement prepare(const std::string& sql);
    void give_back(statement used) noexcept;
    void bind(sqlite3_stmt* to, const parameters& values);
    void bind(sqlite3_stmt* to, int index, const value& bound);
    bool step(sqlite3_stmt* running);
    void append_row(rows& to, sqlite3_stmt* from);
    rows read(sqlite3_stmt* from, std::size_t limit);

    static constexpr std::size_t cached_statements = 128;

    std::unique_ptr<sqlite3, close> handle_;
    std::list<statement> cache_; // the last used one first
    std::unordered_map<std::string_view, std::list<statement>::iterator> cached_;
    std::unordered_map<std::uint64_t, query> queries_;
    std::stop_token stop_;
    bool worth_retrying_ = false;
};

/// sqlite3_interrupt() is immediate, but hits whatever runs on the connection, and everything that starts until all has
/// ended: also a query that is open between two batches. Then only the progress handler is used, which is asked every
/// few thousand instructions and ends what asks. It is needed anyway: sqlite3_interrupt() does nothing if the
/// statement has not quite started.
class connection::interruptible {
public:
    interruptible(connection& target, std::stop_token stop)
        : target_(target), interrupt_(stop, interrupt{target.queries_.empty() ? target.handle_.get() : nullptr}) {
        target_.stop_ = std::move(stop);
    }
    ~interruptible() { target_.stop_ = std::stop_token(); }
    interruptible(const interruptible&) = delete;
    interruptible& operator=(const interruptible&) = delete;

private:
    struct interrupt {
        sqlite3* handle;
        void operator()() const noexcept {
            if (handle != nullptr) {
                sqlite3_interrupt(handle);
            }
        }
    };
    connection& target_;
    std::stop_callback<interrupt> interrupt_;
};

} // namespace sqlite
