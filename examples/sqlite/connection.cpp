// examples/sqlite/connection.cpp — SQLite in C++.
// SPDX-License-Identifier: MIT

#include "connection.hpp"

#include <algorithm>
#include <cctype>
#include <limits>
#include <new>
#include <utility>

namespace sqlite {

const char* name_of_code(int code) noexcept {
    static constexpr std::pair<int, const char*> names[] = {
#define NAMED(code) {code, #code}
        NAMED(SQLITE_ERROR),
        NAMED(SQLITE_INTERNAL),
        NAMED(SQLITE_PERM),
        NAMED(SQLITE_ABORT),
        NAMED(SQLITE_BUSY),
        NAMED(SQLITE_LOCKED),
        NAMED(SQLITE_NOMEM),
        NAMED(SQLITE_READONLY),
        NAMED(SQLITE_INTERRUPT),
        NAMED(SQLITE_IOERR),
        NAMED(SQLITE_CORRUPT),
        NAMED(SQLITE_NOTFOUND),
        NAMED(SQLITE_FULL),
        NAMED(SQLITE_CANTOPEN),
        NAMED(SQLITE_PROTOCOL),
        NAMED(SQLITE_EMPTY),
        NAMED(SQLITE_SCHEMA),
        NAMED(SQLITE_TOOBIG),
        NAMED(SQLITE_CONSTRAINT),
        NAMED(SQLITE_MISMATCH),
        NAMED(SQLITE_MISUSE),
        NAMED(SQLITE_NOLFS),
        NAMED(SQLITE_AUTH),
        NAMED(SQLITE_FORMAT),
        NAMED(SQLITE_RANGE),
        NAMED(SQLITE_NOTADB),
        NAMED(SQLITE_ABORT_ROLLBACK),
        NAMED(SQLITE_BUSY_RECOVERY),
        NAMED(SQLITE_BUSY_SNAPSHOT),
        NAMED(SQLITE_BUSY_TIMEOUT),
        NAMED(SQLITE_CANTOPEN_FULLPATH),
        NAMED(SQLITE_CANTOPEN_ISDIR),
        NAMED(SQLITE_CONSTRAINT_CHECK),
        NAMED(SQLITE_CONSTRAINT_COMMITHOOK),
        NAMED(SQLITE_CONSTRAINT_DATATYPE),
        NAMED(SQLITE_CONSTRAINT_FOREIGNKEY),
        NAMED(SQLITE_CONSTRAINT_FUNCTION),
        NAMED(SQLITE_CONSTRAINT_NOTNULL),
        NAMED(SQLITE_CONSTRAINT_PRIMARYKEY),
        NAMED(SQLITE_CONSTRAINT_ROWID),
        NAMED(SQLITE_CONSTRAINT_TRIGGER),
        NAMED(SQLITE_CONSTRAINT_UNIQUE),
        NAMED(SQLITE_CONSTRAINT_VTAB),
        NAMED(SQLITE_CORRUPT_INDEX),
        NAMED(SQLITE_CORRUPT_SEQUENCE),
        NAMED(SQLITE_CORRUPT_VTAB),
        NAMED(SQLITE_ERROR_MISSING_COLLSEQ),
        NAMED(SQLITE_ERROR_RETRY),
        NAMED(SQLITE_ERROR_SNAPSHOT),
        NAMED(SQLITE_IOERR_ACCESS),
        NAMED(SQLITE_IOERR_AUTH),
        NAMED(SQLITE_IOERR_BLOCKED),
        NAMED(SQLITE_IOERR_CLOSE),
        NAMED(SQLITE_IOERR_CORRUPTFS),
        NAMED(SQLITE_IOERR_DELETE),
        NAMED(SQLITE_IOERR_DIR_FSYNC),
        NAMED(SQLITE_IOERR_FSTAT),
        NAMED(SQLITE_IOERR_FSYNC),
        NAMED(SQLITE_IOERR_LOCK),
        NAMED(SQLITE_IOERR_MMAP),
        NAMED(SQLITE_IOERR_NOMEM),
        NAMED(SQLITE_IOERR_READ),
        NAMED(SQLITE_IOERR_SHMLOCK),
        NAMED(SQLITE_IOERR_SHMMAP),
        NAMED(SQLITE_IOERR_SHMOPEN),
        NAMED(SQLITE_IOERR_SHMSIZE),
        NAMED(SQLITE_IOERR_SHORT_READ),
        NAMED(SQLITE_IOERR_TRUNCATE),
        NAMED(SQLITE_IOERR_UNLOCK),
        NAMED(SQLITE_IOERR_VNODE),
        NAMED(SQLITE_IOERR_WRITE),
        NAMED(SQLITE_LOCKED_SHAREDCACHE),
        NAMED(SQLITE_LOCKED_VTAB),
        NAMED(SQLITE_READONLY_CANTINIT),
        NAMED(SQLITE_READONLY_CANTLOCK),
        NAMED(SQLITE_READONLY_DBMOVED),
        NAMED(SQLITE_READONLY_DIRECTORY),
        NAMED(SQLITE_READONLY_RECOVERY),
        NAMED(SQLITE_READONLY_ROLLBACK),
#undef NAMED
    };
    const auto* const found =
        std::find_if(std::begin(names), std::end(names), [code](const auto& known) { return known.first == code; });
    return found != std::end(names) ? found->second : "unknown";
}

// ---- opening and failing --------------------------------------------------------------------------------------------

connection::connection(const options& how) {
    sqlite3* opened = nullptr;
    const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE |
                      (how.uri ? SQLITE_OPEN_URI : 0);
    const int code = sqlite3_open_v2(how.path.c_str(), &opened, flags, nullptr);
    handle_.reset(opened);
    if (code != SQLITE_OK) {
        fail(code);
    }
    sqlite3_progress_handler(opened, 4000, &connection::stop_if_requested, this);
    sqlite3_busy_handler(opened, &connection::note_busy, this);
}

int connection::stop_if_requested(void* self) noexcept {
    return static_cast<connection*>(self)->stop_.stop_requested() ? 1 : 0;
}

/// SQLite asks this only where waiting can help: not in a deadlock of two transactions. Nobody waits here, which would
/// block a thread that the one with the lock may need; whoever made the call waits and tries again.
int connection::note_busy(void* self, int) noexcept {
    static_cast<connection*>(self)->worth_retrying_ = true;
    return 0;
}

void connection::fail(int code) {
    if (code == SQLITE_NOMEM) {
        throw std::bad_alloc();
    }
    const char* const text = handle_ != nullptr ? sqlite3_errmsg(handle_.get()) : sqlite3_errstr(code);
    if ((code & 0xff) == SQLITE_BUSY && worth_retrying_) {
        throw busy(code, text);
    }
    throw error(code, text);
}

// ---- statements -----------------------------------------------------------------------------------------------------

namespace {

/// What follows white space and comments.
std::string_view skip_comments(std::string_view sql) {
    while (!sql.empty()) {
        if (std::isspace(static_cast<unsigned char>(sql.front())) || sql.front() == ';') {
            sql.remove_prefix(1);
        } else if (sql.starts_with("--")) {
            sql.remove_prefix(std::min(sql.find('\n'), sql.size()));
        } else if (sql.starts_with("/*")) {
            const std::size_t end = sql.find("*/", 2);
            sql.remove_prefix(end == std::string_view::npos ? sql.size() : end + 2);
        } else {
            break;
        }
    }
    return sql;
}

/// Whether sqlite3_changes() says something about this statement.
bool changes_rows(const statement& of) {
    if (sqlite3_stmt_readonly(of.handle.get())) {
        return false;
    }
    const std::string_view sql = skip_comments(of.sql);
    std::string keyword;
    for (const char c : sql.substr(0, sizeof("REPLACE") - 1)) {
        if (!std::isalpha(static_cast<unsigned char>(c))) {
            break;
        }
        keyword += static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    }
    return keyword == "INSERT" || keyword == "UPDATE" || keyword == "DELETE" || keyword == "REPLACE" ||
           keyword == "WITH";
}

int checked_size(const std::string& text, const char* what) {
    if (text.size() > static_cast<std::size_t>(std::numeric_limits<int>::max())) {
        throw error(SQLITE_TOOBIG, std::string(what) + " is too big");
    }
    return static_cast<int>(text.size());
}

} // namespace

/// A statement for the time of a call, reset and given back to the cache at its end.
struct connection::in_use {
    connection& owner;
    statement it;
    in_use(connection& from, const std::string& sql) : owner(from), it(from.prepare(sql)) {}
    ~in_use() { owner.give_back(std::move(it)); }
    in_use(const in_use&) = delete;
    in_use& operator=(const in_use&) = delete;
    sqlite3_stmt* get() const noexcept { return it.handle.get(); }
};

statement connection::prepare(const std::string& sql) {
    worth_retrying_ = false;
    if (const auto found = cached_.find(sql); found != cached_.end()) {
        const auto place = found->second;
        cached_.erase(found); // before the string that its key refers to moves
        statement known = std::move(*place);
        cache_.erase(place);
        return known;
    }
    if (sql.find('\0') != std::string::npos) {
        throw misuse("the query contains a null character");
    }
    sqlite3_stmt* made = nullptr;
    const char* rest = nullptr;
    const int code = sqlite3_prepare_v3(handle_.get(), sql.c_str(), checked_size(sql, "the query") + 1,
                                        SQLITE_PREPARE_PERSISTENT, &made, &rest);
    statement prepared{std::unique_ptr<sqlite3_stmt, finalize>(made), sql};
    if (code != SQLITE_OK) {
        fail(code);
    }
    if (made == nullptr) {
        throw misuse("the query has no statement");
    }
    if (!skip_comments(rest).empty()) {
        throw misuse("You can only execute one statement at a time.");
    }
    return prepared;
}

void connection::give_back(statement used) noexcept {
    sqlite3_reset(used.handle.get()); // reports the error of the last step again
    sqlite3_clear_bindings(used.handle.get());
    try {
        if (cached_.contains(used.sql)) {
            return;
        }
        cache_.push_front(std::move(used));
        cached_.emplace(cache_.front().sql, cache_.begin());
        if (cache_.size() > cached_statements) {
            cached_.erase(cache_.back().sql);
            cache_.pop_back();
        }
    } catch (const std::bad_alloc&) {
        cached_.clear();
        cache_.clear();
    }
}

void connection::bind(sqlite3_stmt* to, int index, const value& bound) {
    struct binder {
        sqlite3_stmt* to;
        int index;
        int operator()(std::monostate) const { return sqlite3_bind_null(to, index); }
        int operator()(std::int64_t number) const { return sqlite3_bind_int64(to, index, number); }
        int operator()(double number) const { return sqlite3_bind_double(to, index, number); }
        // The parameters outlive the statement's run.
        int operator()(const std::string& text) const {
            return sqlite3_bind_text(to, index, text.data(), checked_size(text, "a string"), SQLITE_STATIC);
        }
        int operator()(const blob& data) const {
            return sqlite3_bind_blob(to, index, data.bytes.empty() ? "" : data.bytes.data(),
                                     checked_size(data.bytes, "a blob"), SQLITE_STATIC);
        }
        int operator()(const unsupported& of) const {
            const char* const name = sqlite3_bind_parameter_name(to, index);
            throw misuse("Error binding parameter " + (name != nullptr ? std::string(name) : std::to_string(index)) +
                         ": type '" + of.type + "' is not supported");
        }
    };
    if (const int code = std::visit(binder{to, index}, bound); code != SQLITE_OK) {
        fail(code);
    }
}

void connection::bind(sqlite3_stmt* to, const parameters& given) {
    const int needed = sqlite3_bind_parameter_count(to);
    if (!given.named) {
        if (given.values.size() != static_cast<std::size_t>(needed)) {
            throw misuse("Incorrect number of bindings supplied. The current statement uses " + std::to_string(needed) +
                         ", and there are " + std::to_string(given.values.size()) + " supplied.");
        }
        for (int index = 1; index <= needed; ++index) {
            bind(to, index, given.values[static_cast<std::size_t>(index - 1)]);
        }
        return;
    }
    for (int index = 1; index <= needed; ++index) {
        const char* const name = sqlite3_bind_parameter_name(to, index);
        if (name == nullptr) {
            throw misuse("Binding " + std::to_string(index) +
                         " has no name, but you supplied a mapping (which has only names).");
        }
        const auto found = std::find(given.names.begin(), given.names.end(), std::string_view(name).substr(1));
        if (found == given.names.end()) {
            throw misuse("You did not supply a value for binding parameter " + std::string(name) + ".");
        }
        bind(to, index, given.values[static_cast<std::size_t>(found - given.names.begin())]);
    }
}

/// Whether there is a row.
bool connection::step(sqlite3_stmt* running) {
    const int code = sqlite3_step(running);
    if (code == SQLITE_ROW) {
        return true;
    }
    if (code != SQLITE_DONE) {
        fail(code);
    }
    return false;
}

// ---- rows -----------------------------------------------------------------------------------------------------------

void connection::append_row(rows& to, sqlite3_stmt* from) {
    const int columns = sqlite3_column_count(from);
    to.columns_ = static_cast<std::size_t>(columns);
    for (int column = 0; column < columns; ++column) {
        rows::cell& added = to.cells_.emplace_back();
        added.type = sqlite3_column_type(from, column);
        const void* data = nullptr;
        switch (added.type) {
        case SQLITE_INTEGER:
            added.integer = sqlite3_column_int64(from, column);
            continue;
        case SQLITE_FLOAT:
            added.real = sqlite3_column_double(from, column);
            continue;
        case SQLITE_TEXT:
            data = sqlite3_column_text(from, column);
            break;
        case SQLITE_BLOB:
            data = sqlite3_column_blob(from, column);
            break;
        default:
            continue;
        }
        added.size = sqlite3_column_bytes(from, column);
        added.offset = to.bytes_.size();
        if (data != nullptr) {
            to.bytes_.append(static_cast<const char*>(data), static_cast<std::size_t>(added.size));
        } else if (added.size != 0) {
            throw std::bad_alloc();
        }
    }
    ++to.count_;
}

rows connection::read(sqlite3_stmt* from, std::size_t limit) {
    rows found;
    while (found.size() < limit) {
        if (!step(from)) {
            found.complete_ = true;
            break;
        }
        append_row(found, from);
    }
    return found;
}

// ---- calls ----------------------------------------------------------------------------------------------------------

summary connection::execute(const std::string& sql, const parameters& values) {
    const in_use running(*this, sql);
    bind(running.get(), values);
    while (step(running.get())) {}
    summary done;
    done.last_row_id = sqlite3_last_insert_rowid(handle_.get());
    if (changes_rows(running.it)) {
        done.row_count = sqlite3_changes(handle_.get());
    }
    return done;
}

/// All that is done until keep() is undone otherwise, inside a transaction or not.
struct connection::savepoint {
    connection& owner;
    bool kept = false;
    explicit savepoint(connection& of) : owner(of) { owner.execute("SAVEPOINT isthmus_all_or_nothing", {}); }
    void keep() {
        owner.execute("RELEASE isthmus_all_or_nothing", {});
        kept = true;
    }
    ~savepoint() {
        // What interrupts a writing statement may have ended the transaction already.
        if (!kept && owner.in_transaction()) {
            owner.stop_ = std::stop_token();
            if (!undo()) {
                undo(); // an interrupt came in between; there is only one
            }
        }
    }
    bool undo() noexcept {
        try {
            owner.execute("ROLLBACK TO isthmus_all_or_nothing", {});
            owner.execute("RELEASE isthmus_all_or_nothing", {});
            return true;
        } catch (const std::exception&) { // the error that is being reported says more
            return false;
        }
    }
    savepoint(const savepoint&) = delete;
    savepoint& operator=(const savepoint&) = delete;
};

summary connection::execute_many(const std::string& sql, const std::vector<parameters>& rows) {
    summary done;
    savepoint all_or_nothing(*this);
    {
        const in_use running(*this, sql);
        const bool counts = changes_rows(running.it);
        done.row_count = counts ? 0 : -1;
        for (const parameters& values : rows) {
            bind(running.get(), values);
            while (step(running.get())) {}
            if (counts) {
                done.row_count += sqlite3_changes(handle_.get());
            }
            sqlite3_reset(running.get());
        }
    }
    all_or_nothing.keep();
    done.last_row_id = sqlite3_last_insert_rowid(handle_.get());
    return done;
}

bool connection::execute_next(const std::string& script, std::size_t& position) {
    worth_retrying_ = false;
    sqlite3_stmt* made = nullptr;
    const char* rest = nullptr;
    const int code =
        sqlite3_prepare_v2(handle_.get(), script.c_str() + position,
                           checked_size(script, "the script") - static_cast<int>(position) + 1, &made, &rest);
    const std::unique_ptr<sqlite3_stmt, finalize> running(made);
    if (code != SQLITE_OK) {
        fail(code);
    }
    while (made != nullptr && step(made)) {}
    position = static_cast<std::size_t>(rest - script.c_str());
    return position < script.size();
}

rows connection::fetch(const std::string& sql, const parameters& values, std::size_t limit) {
    const in_use running(*this, sql);
    bind(running.get(), values);
    return read(running.get(), limit);
}

void connection::open_query(std::uint64_t number, const std::string& sql, parameters values) {
    statement prepared = prepare(sql);
    query& opened = queries_[number];
    opened.it = std::move(prepared);
    opened.values = std::move(values);
    try {
        bind(opened.it.handle.get(), opened.values);
    } catch (...) {
        close_query(number);
        throw;
    }
}

rows connection::fetch_from(std::uint64_t number, std::size_t limit) {
    const auto found = queries_.find(number);
    if (found == queries_.end()) {
        throw misuse("the query has been closed");
    }
    worth_retrying_ = false;
    return read(found->second.it.handle.get(), limit);
}

void connection::close_query(std::uint64_t number) noexcept {
    if (const auto found = queries_.find(number); found != queries_.end()) {
        give_back(std::move(found->second.it));
        queries_.erase(found);
    }
}

} // namespace sqlite
