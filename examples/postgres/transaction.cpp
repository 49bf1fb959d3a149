// examples/postgres/transaction.cpp — transactions, and savepoints in them.
// SPDX-License-Identifier: MIT

#include "client.hpp"

namespace pg {

transaction::transaction(std::shared_ptr<connection> of, std::string mode)
    : connection_(std::move(of)), mode_(std::move(mode)) {}

task<result> transaction::run(std::string sql) {
    const connection::command what{.what = connection::command::kind::script, .sql = std::move(sql)};
    co_return co_await connection_->run(what, connection::interrupts::refused);
}

task<> transaction::begin() {
    if (state_ != state::created) {
        throw misuse("a transaction can be begun only once");
    }
    connection_->require_open();
    co_await isthmus::when_all(begin_or_undo()); // which ends although it is cancelled
}

/// Whoever is cancelled here does not get to the end of the transaction.
task<> transaction::begin_or_undo() {
    std::exception_ptr cancelled;
    std::string sql = "BEGIN " + mode_;
    if (connection_->in_transaction()) {
        savepoint_ = "isthmus_" + std::to_string(++connection_->prepared_);
        sql = "SAVEPOINT " + savepoint_;
    }
    try {
        co_await run(std::move(sql));
        state_ = state::running;
    } catch (const isthmus::cancelled&) {
        cancelled = std::current_exception();
    }
    if (cancelled) {
        if (connection_->in_transaction()) {
            state_ = state::running;
            co_await roll_back();
        }
        std::rethrow_exception(cancelled);
    }
}

task<result> transaction::end(std::string outer, std::string inner) {
    if (state_ != state::running) {
        throw misuse("the transaction is not running");
    }
    state_ = state::over;
    co_return co_await run(savepoint_.empty() ? std::move(outer) : std::move(inner));
}

task<> transaction::commit() {
    const result done = co_await end("COMMIT", "RELEASE " + savepoint_);
    if (std::string(done.status()) == "ROLLBACK") {
        throw server_error({.severity = "ERROR",
                            .sqlstate = "25P02",
                            .message = "the transaction was rolled back, since a command in it had failed"});
    }
}

task<> transaction::roll_back() { co_await end("ROLLBACK", "ROLLBACK TO " + savepoint_ + "; RELEASE " + savepoint_); }

} // namespace pg
