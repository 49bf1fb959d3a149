// examples/sqlite/async.hpp — what Python sees: a connection, its queries and its transactions.
// SPDX-License-Identifier: MIT
#pragma once

#include "client.hpp"
#include "convert.hpp"

#include <isthmus/nanobind.hpp>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

/// `async for row in db.query(...)`.
class async_query {
public:
    async_query(std::shared_ptr<client> of, std::string sql, sqlite::parameters values);
    async_query(async_query&& other) noexcept;
    ~async_query();

    /// The next row; none at the end.
    isthmus::py::coroutine<std::optional<row_tuple>> next();
    isthmus::py::coroutine<row_tuple> anext();
    isthmus::py::coroutine<> close();

private:
    static constexpr std::size_t batch = 256;
    void abandon() noexcept;

    std::shared_ptr<client> client_;
    std::string sql_;
    sqlite::parameters values_;
    std::uint64_t number_;
    sqlite::rows rows_;
    std::size_t position_ = 0;
    enum class state_type { fresh, open, fetching, finished } state_ = state_type::fresh;
};

/// `async with db.transaction()`.
class async_transaction {
public:
    async_transaction(std::shared_ptr<client> of, std::string mode);
    async_transaction(async_transaction&& other) noexcept;
    ~async_transaction();

    isthmus::py::coroutine<> enter();
    isthmus::py::coroutine<> exit(isthmus::py::object type, isthmus::py::object value, isthmus::py::object traceback);

private:
    void abandon() noexcept;

    std::shared_ptr<client> client_;
    std::string begin_;
    transaction_id id_ = 0; ///< 0: not entered
    bool over_ = false;
};

/// `async with connect(path) as db`.
class async_connection {
public:
    async_connection(sqlite::options how, double timeout);

    isthmus::py::coroutine<async_connection&> open();
    isthmus::py::coroutine<> close();

    isthmus::py::coroutine<sqlite::summary> execute(std::string sql, argument<parameters_type> parameters);
    isthmus::py::coroutine<sqlite::summary> execute_many(std::string sql, argument<many_parameters_type> rows);
    isthmus::py::coroutine<> execute_script(std::string script);
    isthmus::py::coroutine<row_list> fetch_all(std::string sql, argument<parameters_type> parameters);
    isthmus::py::coroutine<std::optional<row_tuple>> fetch_one(std::string sql, argument<parameters_type> parameters);
    isthmus::py::coroutine<std::int64_t> for_each(std::string sql, argument<parameters_type> parameters,
                                                  argument<callback_type> callback);
    async_query query(std::string sql, const argument<parameters_type>& parameters) const;
    async_transaction transaction(std::string mode) const;
    bool is_open() const noexcept { return client_->state == client::state_type::open; }

private:
    std::shared_ptr<client> client_;
};
