// examples/sqlite/async.cpp — the coroutines that Python awaits.
// SPDX-License-Identifier: MIT

#include "async.hpp"

#include <algorithm>
#include <atomic>
#include <cctype>
#include <iterator>

namespace py = isthmus::py;

namespace {

/// A number that nothing else has.
std::uint64_t next_number() {
    static std::atomic<std::uint64_t> last = 0;
    return ++last;
}

} // namespace

// ---- queries
// ---------------------------------------------------------------------------------------------------------

async_query::async_query(std::shared_ptr<client> of, std::string sql, sqlite::parameters values)
    : client_(std::move(of)), sql_(std::move(sql)), values_(std::move(values)), number_(next_number()) {}

async_query::async_query(async_query&& other) noexcept = default;

async_query::~async_query() {
    if (client_ != nullptr) {
        abandon();
    }
}

/// Ends the statement as soon as the connection is free, and waits for nothing.
void async_query::abandon() noexcept {
    if (std::exchange(state_, state_type::finished) == state_type::open) {
        client_->between_calls([number = number_](database& on) {
            if (on.connection != nullptr) {
                on.connection->close_query(number);
            }
        });
    }
}

py::coroutine<std::optional<row_tuple>> async_query::next() {
    if (position_ < rows_.size()) {
        co_return to_tuple(rows_, position_++);
    }
    if (state_ == state_type::finished) {
        co_return std::nullopt;
    }
    if (state_ == state_type::fetching) {
        throw sqlite::misuse("The query is already being read by another task.");
    }
    // Until the rows are there, whatever happens ends the query.
    const bool first = state_ == state_type::fresh;
    state_ = state_type::fetching;
    struct fetching {
        async_query& of;
        ~fetching() {
            if (of.state_ == state_type::fetching) {
                of.state_ = state_type::open;
                of.abandon();
            }
        }
    } const guard{*this};
    auto work = [first, number = number_, sql = std::exchange(sql_, {}),
                 values = std::exchange(values_, {})](database& on) {
        try {
            if (first) {
                on.handle().open_query(number, sql, values);
            }
            sqlite::rows found = on.handle().fetch_from(number, batch);
            if (found.complete()) {
                on.handle().close_query(number);
            }
            return found;
        } catch (const sqlite::busy&) {
            on.handle().close_query(number);
            throw;
        }
    };
    rows_ = co_await make_call(client_, std::move(work));
    position_ = 0;
    state_ = rows_.complete() ? state_type::finished : state_type::open;
    if (rows_.size() == 0) {
        co_return std::nullopt;
    }
    co_return to_tuple(rows_, position_++);
}

py::coroutine<row_tuple> async_query::anext() {
    std::optional<row_tuple> row = co_await next();
    if (!row) {
        throw py::error(PyExc_StopAsyncIteration, "");
    }
    co_return std::move(*row);
}

py::coroutine<> async_query::close() {
    rows_ = sqlite::rows();
    position_ = 0;
    if (state_ != state_type::open) {
        if (state_ == state_type::fresh) {
            state_ = state_type::finished;
        }
        co_return;
    }
    auto work = [number = number_](database& on) {
        if (on.connection != nullptr) {
            on.connection->close_query(number);
        }
        return true;
    };
    co_await make_call(client_, std::move(work), current_transactions(), interrupts::refused);
    state_ = state_type::finished;
}

// ---- transactions
// ----------------------------------------------------------------------------------------------------

async_transaction::async_transaction(std::shared_ptr<client> of, std::string mode) : client_(std::move(of)) {
    for (char& c : mode) {
        c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    }
    if (mode != "DEFERRED" && mode != "IMMEDIATE" && mode != "EXCLUSIVE") {
        throw py::error(PyExc_ValueError, "the mode of a transaction is deferred, immediate or exclusive");
    }
    begin_ = "BEGIN " + mode;
}

async_transaction::async_transaction(async_transaction&& other) noexcept = default;

async_transaction::~async_transaction() {
    if (client_ != nullptr) {
        abandon();
    }
}

/// Rolls back as soon as the connection is free, and waits for nothing.
void async_transaction::abandon() noexcept {
    if (id_ == 0 || std::exchange(over_, true)) {
        return;
    }
    client_->between_calls([id = id_](database& on) {
        try {
            on.roll_back(id);
        } catch (const std::exception&) { // nobody is there to be told; closing the connection will do it
        }
    });
}

py::coroutine<> async_transaction::enter() {
    if (id_ != 0) {
        throw sqlite::misuse("A transaction can be entered only once.");
    }
    client_->require_open();
    id_ = next_number();
    struct entering {
        async_transaction* of;
        ~entering() {
            if (of != nullptr) {
                of->abandon();
            }
        }
    } guard{this};
    auto work = [id = id_, begin = begin_](database& on) {
        on.begin(id, begin);
        return true;
    };
    transaction_ids ids = current_transactions();
    co_await make_call(client_, std::move(work), ids);
    ids.push_back(id_);
    set_current_transactions(ids);
    guard.of = nullptr;
}

py::coroutine<> async_transaction::exit(py::object type, py::object, py::object) {
    if (id_ == 0 || over_) {
        throw sqlite::misuse("The transaction is not running.");
    }
    struct leaving {
        async_transaction& of;
        ~leaving() { of.abandon(); }
    } const guard{*this};
    transaction_ids ids = current_transactions();
    transaction_ids outer;
    std::copy_if(ids.begin(), ids.end(), std::back_inserter(outer),
                 [this](transaction_id other) { return other != id_; });
    ids = outer;
    ids.push_back(id_);
    auto work = [id = id_, failed = !type.is_none()](database& on) {
        if (failed) {
            on.roll_back(id);
        } else {
            on.commit(id);
        }
        return true;
    };
    set_current_transactions(outer);
    co_await make_call(client_, std::move(work), std::move(ids), interrupts::refused);
    over_ = true;
}

// ---- the connection
// --------------------------------------------------------------------------------------------------

async_connection::async_connection(sqlite::options how, double timeout)
    : client_(std::make_shared<client>(std::move(how), timeout)) {}

py::coroutine<async_connection&> async_connection::open() {
    if (client_->state == client::state_type::closed) {
        client_->require_open();
    }
    auto work = [](database& on) {
        if (on.connection == nullptr) {
            on.connection = std::make_unique<sqlite::connection>(on.options);
        }
        return true;
    };
    co_await make_call(client_, std::move(work), transaction_ids(), interrupts::refused);
    if (client_->state == client::state_type::unopened) {
        client_->state = client::state_type::open;
    }
    co_return *this;
}

py::coroutine<> async_connection::close() {
    client_->state = client::state_type::closed;
    auto work = [](database& on) {
        on.connection.reset();
        on.calls.expect_no_more();
        return true;
    };
    co_await make_call(client_, std::move(work), current_transactions(), interrupts::refused);
}

py::coroutine<sqlite::summary> async_connection::execute(std::string sql, argument<parameters_type> parameters) {
    auto work = [sql = std::move(sql), values = to_parameters(parameters.value)](database& on) {
        return on.handle().execute(sql, values);
    };
    co_return co_await make_call(client_, std::move(work));
}

py::coroutine<sqlite::summary> async_connection::execute_many(std::string sql, argument<many_parameters_type> rows) {
    auto work = [sql = std::move(sql), values = to_many_parameters(rows.value)](database& on) {
        return on.handle().execute_many(sql, values);
    };
    co_return co_await make_call(client_, std::move(work));
}

py::coroutine<> async_connection::execute_script(std::string script) {
    if (script.find('\0') != std::string::npos) {
        throw sqlite::misuse("the script contains a null character");
    }
    auto work = [script = std::move(script), position = std::size_t(0)](database& on) mutable {
        while (on.handle().execute_next(script, position)) {}
        return true;
    };
    co_await make_call(client_, std::move(work));
}

py::coroutine<row_list> async_connection::fetch_all(std::string sql, argument<parameters_type> parameters) {
    auto work = [sql = std::move(sql), values = to_parameters(parameters.value)](database& on) {
        return on.handle().fetch(sql, values);
    };
    const sqlite::rows found = co_await make_call(client_, std::move(work));
    co_return to_list(found);
}

py::coroutine<std::optional<row_tuple>> async_connection::fetch_one(std::string sql,
                                                                    argument<parameters_type> parameters) {
    auto work = [sql = std::move(sql), values = to_parameters(parameters.value)](database& on) {
        return on.handle().fetch(sql, values, 1);
    };
    const sqlite::rows found = co_await make_call(client_, std::move(work));
    if (found.size() == 0) {
        co_return std::nullopt;
    }
    co_return to_tuple(found, 0);
}

/// Awaits `callback(row)`, a Python coroutine, for each row, until one returns False. The connection is free meanwhile,
/// so the callback may use it.
py::coroutine<std::int64_t> async_connection::for_each(std::string sql, argument<parameters_type> parameters,
                                                       argument<callback_type> callback) {
    async_query rows(client_, std::move(sql), to_parameters(parameters.value));
    std::int64_t count = 0;
    while (std::optional<row_tuple> row = co_await rows.next()) {
        ++count;
        py::object awaitable = py::checked(PyObject_CallOneArg(callback.value.ptr(), row->ptr()));
        const py::object answer = co_await py::await(std::move(awaitable));
        if (answer.ptr() == Py_False) {
            break;
        }
    }
    co_return count;
}

async_query async_connection::query(std::string sql, const argument<parameters_type>& parameters) const {
    client_->require_open();
    return async_query(client_, std::move(sql), to_parameters(parameters.value));
}

async_transaction async_connection::transaction(std::string mode) const {
    return async_transaction(client_, std::move(mode));
}
