// examples/postgres/async.hpp — what Python sees: a connection, its statements, transactions and notifications.
// SPDX-License-Identifier: MIT
#pragma once

#include "client.hpp"
#include "convert.hpp"

#include <isthmus/nanobind.hpp>

#include <memory>
#include <optional>
#include <string>

/// `await db.prepare(sql)`.
class async_statement {
public:
    async_statement(std::shared_ptr<pg::connection> of, pg::statement prepared);

    isthmus::py::coroutine<std::string> execute(nanobind::args values);
    isthmus::py::coroutine<> execute_many(isthmus::py::object rows);
    isthmus::py::coroutine<row_list> fetch(nanobind::args values);
    isthmus::py::coroutine<std::optional<row_tuple>> fetch_row(nanobind::args values);
    isthmus::py::coroutine<nanobind::any> fetch_value(nanobind::args values);

private:
    std::shared_ptr<pg::connection> connection_;
    pg::statement prepared_;
};

/// `async with db.transaction()`.
class async_transaction {
public:
    async_transaction(std::shared_ptr<pg::connection> of, std::string mode);

    isthmus::py::coroutine<> enter();
    isthmus::py::coroutine<> exit(isthmus::py::object type, isthmus::py::object value, isthmus::py::object traceback);

private:
    std::shared_ptr<pg::connection> connection_;
    pg::transaction it_;
};

/// `async for notification in db.listen(channel)`.
class async_notifications {
public:
    async_notifications(std::shared_ptr<pg::connection> of, std::vector<std::string> channels);

    isthmus::py::coroutine<async_notifications&> enter();
    isthmus::py::coroutine<> exit(isthmus::py::object type, isthmus::py::object value, isthmus::py::object traceback);
    isthmus::py::coroutine<pg::notification> next();
    isthmus::py::coroutine<> close();

private:
    std::unique_ptr<pg::subscription> it_;
};

/// `async with connect(dsn) as db`.
class async_connection {
public:
    explicit async_connection(std::string dsn) noexcept : dsn_(std::move(dsn)) {}

    isthmus::py::coroutine<async_connection&> open();
    isthmus::py::coroutine<> close();
    isthmus::py::coroutine<> exit(isthmus::py::object type, isthmus::py::object value, isthmus::py::object traceback);

    isthmus::py::coroutine<std::string> execute(std::string sql, nanobind::args values);
    isthmus::py::coroutine<> execute_many(std::string sql, isthmus::py::object rows);
    isthmus::py::coroutine<row_list> fetch(std::string sql, nanobind::args values);
    isthmus::py::coroutine<std::optional<row_tuple>> fetch_row(std::string sql, nanobind::args values);
    isthmus::py::coroutine<nanobind::any> fetch_value(std::string sql, nanobind::args values);
    isthmus::py::coroutine<async_statement> prepare(std::string sql);
    async_transaction transaction(const std::optional<std::string>& isolation, bool read_only) const;
    async_notifications listen(std::vector<std::string> channels) const;

    bool cancel() noexcept { return it_ != nullptr && it_->cancel(); }
    bool is_open() const noexcept { return it_ != nullptr && it_->is_open(); }
    bool in_transaction() const noexcept { return it_ != nullptr && it_->in_transaction(); }
    int pid() const noexcept { return it_ != nullptr ? it_->pid() : 0; }
    std::vector<pg::diagnostics> take_notices() const;

private:
    /// Throws pg::misuse if it was never opened, or closed.
    pg::connection& opened() const;

    std::string dsn_;
    std::shared_ptr<pg::connection> it_;
    bool opening_ = false;
    bool closed_ = false;
};
