// isthmus/run_loop.hpp — tasks awaited by the coroutines of other C++ libraries.
// SPDX-License-Identifier: MIT
#pragma once

#include "event.hpp"
#include "nothrow.hpp"
#include "run.hpp"
#include "task_group.hpp"

#include <coroutine>
#include <cstddef>
#include <exception>
#include <memory>
#include <mutex>
#include <optional>
#include <type_traits>
#include <utility>
#include <vector>

namespace isthmus::inline v1 {

namespace detail {

template <class Return>
class task_awaiter;

} // namespace detail

/// Drives tasks for coroutines of other libraries, which await them by as_awaitable(), on the one thread that runs it.
class run_loop {
public:
    run_loop() = default;
    run_loop(const run_loop&) = delete;
    run_loop& operator=(const run_loop&) = delete;

    // run() and the coroutines under it are templates, since g++ at -O0 compiles other inline coroutines into each file
    // that sees them, used or not, with all that they call: five times the object code of an empty file.

    /// Drives all tasks, as isthmus::run() does, until finish() was called and none is left. Throws std::system_error
    /// if poll() fails. A coroutine that throws out of its resume() cancels all tasks; then an exception_group is
    /// thrown.
    template <class = void>
    void run() {
        isthmus::run(serve());
    }
    /// run() returns when no task is left. Any thread.
    void finish() noexcept {
        const std::lock_guard guard(lock_);
        finishing_ = true;
        changed_.set();
    }

private:
    template <class Return>
    friend class detail::task_awaiter;

    template <class = void>
    task<> serve() {
        auto body = [this](task_group& group) -> task<> {
            while (!is_over()) {
                co_await changed_.wait();
                for (task<>& each : take_new()) {
                    group.start(count(std::move(each)));
                }
            }
        };
        co_await with_task_group(body);
    }
    template <class = void>
    task<> count(task<> body) {
        co_await std::move(body);
        const std::lock_guard guard(lock_);
        --left_;
        changed_.set();
    }
    void add(task<> started) {
        const std::lock_guard guard(lock_);
        new_.push_back(std::move(started));
        ++left_;
        changed_.set();
    }
    std::vector<task<>> take_new() {
        const std::lock_guard guard(lock_);
        changed_.reset();
        return std::exchange(new_, {});
    }
    bool is_over() {
        const std::lock_guard guard(lock_);
        return finishing_ && left_ == 0;
    }

    std::mutex lock_;
    std::vector<task<>> new_;
    std::size_t left_ = 0; ///< tasks that are not over
    bool finishing_ = false;
    event changed_;
};

namespace detail {

/// The awaiter of a task in a coroutine of another library.
template <class Return>
class [[nodiscard]] task_awaiter {
public:
    task_awaiter(run_loop& loop, task<Return> body) : loop_(loop), body_(std::move(body)) {}
    task_awaiter(const task_awaiter&) = delete;
    task_awaiter& operator=(const task_awaiter&) = delete;
    ~task_awaiter() {
        if (awaited_) {
            awaited_->awaiting = nullptr;
        }
    }

    bool await_ready() const noexcept { return false; }
    void await_suspend(std::coroutine_handle<> awaiting) {
        awaited_ = std::make_shared<shared>();
        awaited_->awaiting = awaiting;
        loop_.add(drive(awaited_, std::move(body_)));
    }
    Return await_resume() {
        if (awaited_->ended->failed()) {
            std::rethrow_exception(awaited_->ended->error());
        }
        if constexpr (!std::is_void_v<Return>) {
            return std::move(*awaited_->ended).returned();
        }
    }

private:
    struct shared {
        std::coroutine_handle<> awaiting;
        std::optional<outcome<none, Return>> ended;
    };

    static task<> drive(std::shared_ptr<shared> awaited, task<Return> body) {
        awaited->ended.emplace(co_await as_outcome(std::move(body)));
        if (const std::coroutine_handle<> awaiting = awaited->awaiting) {
            awaiting.resume();
        }
    }

    run_loop& loop_;
    task<Return> body_;
    std::shared_ptr<shared> awaited_;
};

} // namespace detail

/// `co_await as_awaitable(loop, fetch())` in a coroutine of another library: `loop` drives the task on its own thread,
/// and resumes the coroutine there, with the result or the error. What this gives is a C++ awaiter, for any coroutine
/// type whose promise lets it through. Any thread may await it; `loop` must outlive it, and somebody must run that. A
/// coroutine that waits for it may be destroyed only on the loop's thread: then the task goes on to its end, and its
/// result is dropped.
template <class Return>
detail::task_awaiter<Return> as_awaitable(run_loop& loop, task<Return> body) {
    return detail::task_awaiter<Return>(loop, std::move(body));
}

} // namespace isthmus::inline v1
