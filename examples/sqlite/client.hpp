// examples/sqlite/client.hpp — a connection as the event loop sees it: coroutines that wait for calls on a worker
// thread. SPDX-License-Identifier: MIT
#pragma once

#include "calls.hpp"
#include "connection.hpp"

#include <isthmus/nanobind.hpp>

#include <algorithm>
#include <chrono>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>

/// SQLite's connection and the calls that are made on it by a worker thread. Knows nothing of Python, and may die on
/// any thread.
struct database {
    database(sqlite::options how, double timeout) : options(std::move(how)), patience(timeout) {}

    // For calls that run.
    sqlite::connection& handle() const;
    void begin(transaction_id transaction, const std::string& how);
    void commit(transaction_id transaction);
    void roll_back(transaction_id transaction);

    const sqlite::options options;
    const std::chrono::duration<double> patience; ///< with locks of other connections
    std::unique_ptr<sqlite::connection> connection;
    call_queue calls;

private:
    transaction_id outermost_ = 0; ///< that which began with BEGIN; those within it are savepoints
};

/// What the event loop's side shares: connection, queries, transactions, and the coroutines that wait for a call. When
/// the last of them is gone, a call that still runs is stopped.
class client : public std::enable_shared_from_this<client> {
public:
    enum class state_type { unopened, open, closed };

    client(sqlite::options how, double timeout) : target(std::make_shared<database>(std::move(how), timeout)) {}

    /// Throws if calls cannot be made.
    void require_open() const;
    void add(std::shared_ptr<call_queue::call> added, call_queue::end where);
    /// Runs as soon as no call is being made; nobody waits for it.
    void between_calls(std::function<void(database&)> action) noexcept;

    const std::shared_ptr<database> target;
    state_type state = state_type::unopened;

private:
    void start_worker();
    void wake_worker();

    isthmus::py::coroutine<> worker_;
    bool asleep_ = false; ///< the worker is to be woken, perhaps
};

/// The running transactions that the caller belongs to. A context variable knows them, so that a task which is started
/// in a transaction belongs to it, and a task that uses the same connection for something else does not.
transaction_ids current_transactions();
void set_current_transactions(const transaction_ids& ids);

/// Whether a call ends when nobody waits for it any more, or is completed.
enum class interrupts { allowed, refused };

/// `work(database&)` as a call. Its result is brought by a py::completion, or nothing if another connection has locked
/// the database.
template <class Work>
class call final : public call_queue::call {
public:
    using result = std::invoke_result_t<Work&, database&>;
    using completion = isthmus::py::completion<std::optional<result>>;

    call(std::shared_ptr<database> target, Work work, transaction_ids of, interrupts may)
        : call_queue::call(std::move(of)), target_(std::move(target)), work_(std::move(work)), interrupts_(may) {}

    void tell(typename completion::callback_type done) noexcept { done_ = std::move(done); }

    void run() noexcept override {
        const typename completion::callback_type done = *std::exchange(done_, std::nullopt);
        try {
            std::optional<sqlite::connection::interruptible> scope;
            if (interrupts_ == interrupts::allowed && target_->connection != nullptr) {
                scope.emplace(*target_->connection, stop.get_token());
            }
            result value = work_(*target_);
            scope.reset();
            done(std::move(value));
        } catch (const sqlite::busy&) {
            done(std::nullopt);
        } catch (...) {
            done.set_exception(std::current_exception());
        }
    }

private:
    const std::shared_ptr<database> target_;
    Work work_;
    const interrupts interrupts_;
    std::optional<typename completion::callback_type> done_;
};

/// Sees to it that a call is not made, or is interrupted, when nobody waits for it any more.
class waiting {
public:
    waiting(call_queue& queue, call_queue::call& made) noexcept : queue_(queue), made_(made) { ++count; }
    ~waiting() {
        --count;
        queue_.withdraw(made_);
    }
    waiting(const waiting&) = delete;
    waiting& operator=(const waiting&) = delete;

    static inline int count = 0; ///< guarded by the GIL

private:
    call_queue& queue_;
    call_queue::call& made_;
};

/// Makes the call `work(database&)`. If another connection has locked the database, it is repeated until that one is
/// done or our patience is. Nobody blocks a thread meanwhile: the one with the lock may need it.
template <class Work>
isthmus::py::coroutine<typename call<Work>::result> make_call(std::shared_ptr<client> on, Work work, transaction_ids of,
                                                              interrupts may = interrupts::allowed) {
    const auto made = std::make_shared<call<Work>>(on->target, std::move(work), std::move(of), may);
    const waiting until_done(on->target->calls, *made);
    const auto deadline = std::chrono::steady_clock::now() + on->target->patience;
    call_queue::end where = call_queue::end::back;
    for (double delay = 0.001;; delay = std::min(2 * delay, 0.025)) {
        typename call<Work>::completion done;
        made->tell(done.callback());
        on->add(made, where);
        std::optional<typename call<Work>::result> result = co_await done;
        if (result) {
            co_return std::move(*result);
        }
        if (std::chrono::steady_clock::now() >= deadline) {
            throw sqlite::error(SQLITE_BUSY, "database is locked");
        }
        where = call_queue::end::front;
        nanobind::object sleep = nanobind::module_::import_("asyncio").attr("sleep")(delay);
        co_await isthmus::py::await<void>(isthmus::py::object::steal(sleep.release().ptr()));
    }
}

/// The same in the caller's transactions, on an open connection.
template <class Work>
auto make_call(const std::shared_ptr<client>& on, Work work) {
    on->require_open();
    return make_call(on, std::move(work), current_transactions());
}
