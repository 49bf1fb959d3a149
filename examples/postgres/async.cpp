// examples/postgres/async.cpp — the coroutines that Python awaits.
// SPDX-License-Identifier: MIT

#include "async.hpp"

namespace nb = nanobind;
namespace py = isthmus::py;

namespace {

pg::parameters parameters_of(const nb::args& values) { return to_parameters(py::object::borrow(values.ptr())); }

std::optional<row_tuple> first_row(const pg::result& from) {
    if (from.rows() == 0) {
        return std::nullopt;
    }
    return to_tuple(from, 0);
}

nb::any first_value(const pg::result& from) {
    return nb::steal<nb::any>((from.rows() == 0 ? py::object::make_none() : to_object(from, 0)).release());
}

} // namespace

// ---- the connection
// --------------------------------------------------------------------------------------------------

py::coroutine<async_connection&> async_connection::open() {
    if (closed_) {
        throw pg::misuse("the connection is closed");
    }
    if (it_ == nullptr) {
        if (opening_) {
            throw pg::misuse("the connection is being opened already");
        }
        opening_ = true;
        struct opening {
            bool& flag;
            ~opening() { flag = false; }
        } const guard{opening_};
        std::shared_ptr<pg::connection> made = co_await pg::connection::connect(dsn_);
        if (closed_) { // meanwhile
            throw pg::misuse("the connection is closed");
        }
        it_ = std::move(made);
    }
    co_return *this;
}

py::coroutine<> async_connection::close() {
    closed_ = true;
    if (it_ != nullptr) {
        it_->close();
    }
    co_return;
}

py::coroutine<> async_connection::exit(py::object, py::object, py::object) { co_await close(); }

pg::connection& async_connection::opened() const {
    if (it_ == nullptr) {
        throw pg::misuse(closed_ ? "the connection is closed"
                                 : "the connection is not open yet: await it, or use `async with`");
    }
    return *it_;
}

/// Without values these may be several statements.
py::coroutine<std::string> async_connection::execute(std::string sql, nb::args values) {
    pg::connection& on = opened();
    if (values.size() == 0) {
        const pg::result done = co_await on.execute_script(std::move(sql));
        co_return done.status();
    }
    const pg::result done = co_await on.execute(std::move(sql), parameters_of(values));
    co_return done.status();
}

py::coroutine<> async_connection::execute_many(std::string sql, py::object rows) {
    pg::connection& on = opened();
    std::vector<pg::parameters> values = to_many_parameters(rows);
    const pg::statement prepared = co_await on.prepare(std::move(sql));
    co_await on.execute_many(prepared, std::move(values));
}

py::coroutine<row_list> async_connection::fetch(std::string sql, nb::args values) {
    pg::connection& on = opened();
    const pg::result found = co_await on.execute(std::move(sql), parameters_of(values));
    co_return to_list(found);
}

py::coroutine<std::optional<row_tuple>> async_connection::fetch_row(std::string sql, nb::args values) {
    pg::connection& on = opened();
    const pg::result found = co_await on.execute(std::move(sql), parameters_of(values));
    co_return first_row(found);
}

py::coroutine<nb::any> async_connection::fetch_value(std::string sql, nb::args values) {
    pg::connection& on = opened();
    const pg::result found = co_await on.execute(std::move(sql), parameters_of(values));
    co_return first_value(found);
}

py::coroutine<async_statement> async_connection::prepare(std::string sql) {
    pg::statement prepared = co_await opened().prepare(std::move(sql));
    co_return async_statement(it_, std::move(prepared));
}

async_transaction async_connection::transaction(const std::optional<std::string>& isolation, bool read_only) const {
    opened();
    std::string mode;
    if (isolation) {
        if (*isolation != "serializable" && *isolation != "repeatable read" && *isolation != "read committed") {
            throw py::error(PyExc_ValueError,
                            "the isolation of a transaction is serializable, repeatable read or read committed");
        }
        mode = "ISOLATION LEVEL " + *isolation;
    }
    if (read_only) {
        mode += " READ ONLY";
    }
    return async_transaction(it_, std::move(mode));
}

async_notifications async_connection::listen(std::vector<std::string> channels) const {
    opened();
    return async_notifications(it_, std::move(channels));
}

std::vector<pg::diagnostics> async_connection::take_notices() const { return opened().take_notices(); }

// ---- prepared statements
// ---------------------------------------------------------------------------------------------

async_statement::async_statement(std::shared_ptr<pg::connection> of, pg::statement prepared)
    : connection_(std::move(of)), prepared_(std::move(prepared)) {}

py::coroutine<std::string> async_statement::execute(nb::args values) {
    const pg::result done = co_await connection_->execute(prepared_, parameters_of(values));
    co_return done.status();
}

py::coroutine<> async_statement::execute_many(py::object rows) {
    co_await connection_->execute_many(prepared_, to_many_parameters(rows));
}

py::coroutine<row_list> async_statement::fetch(nb::args values) {
    const pg::result found = co_await connection_->execute(prepared_, parameters_of(values));
    co_return to_list(found);
}

py::coroutine<std::optional<row_tuple>> async_statement::fetch_row(nb::args values) {
    const pg::result found = co_await connection_->execute(prepared_, parameters_of(values));
    co_return first_row(found);
}

py::coroutine<nb::any> async_statement::fetch_value(nb::args values) {
    const pg::result found = co_await connection_->execute(prepared_, parameters_of(values));
    co_return first_value(found);
}

// ---- transactions
// ----------------------------------------------------------------------------------------------------

async_transaction::async_transaction(std::shared_ptr<pg::connection> of, std::string mode)
    : connection_(of), it_(std::move(of), std::move(mode)) {}

py::coroutine<> async_transaction::enter() { co_await it_.begin(); }

py::coroutine<> async_transaction::exit(py::object type, py::object, py::object) {
    if (type.is_none()) {
        co_await it_.commit();
    } else if (connection_->is_open()) { // else the server has rolled it back, and what leaves the block is the error
        co_await it_.roll_back();
    }
}

// ---- notifications
// ---------------------------------------------------------------------------------------------------

async_notifications::async_notifications(std::shared_ptr<pg::connection> of, std::vector<std::string> channels)
    : it_(std::make_unique<pg::subscription>(std::move(of), std::move(channels))) {}

py::coroutine<async_notifications&> async_notifications::enter() {
    co_await it_->start();
    co_return *this;
}

py::coroutine<> async_notifications::exit(py::object, py::object, py::object) { co_await it_->close(); }

py::coroutine<pg::notification> async_notifications::next() {
    std::optional<pg::notification> arrived = co_await it_->next();
    if (!arrived) {
        throw py::error(PyExc_StopAsyncIteration, "");
    }
    co_return *std::move(arrived);
}

py::coroutine<> async_notifications::close() { co_await it_->close(); }
