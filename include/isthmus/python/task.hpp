// isthmus/python/task.hpp — tasks, which know no Python, awaited in a py::coroutine and handed to Python.
// SPDX-License-Identifier: MIT
#pragma once

#include "../from_awaitable.hpp"
#include "../task_group.hpp"
#include "waiter.hpp"

namespace isthmus::inline v1::py::detail {

/// Wakes a task that waits under a Python loop. One for each time that it waits.
class task_wake final : public wake_target, public pending_result, public std::enable_shared_from_this<task_wake> {
public:
    explicit task_wake(std::shared_ptr<completion_queue> queue) noexcept : pending_result(std::move(queue)) {}
    void wake(std::uint64_t) noexcept override { post(shared_from_this()); } // its only waker calls once
};

/// Drives a task: its frames are a chain of their own, stepped when the loop has woken it. What is thrown in is thrown
/// into the task, where a CancelledError is an isthmus::cancelled.
template <class Return>
class task_delegate : public loop_waiter {
public:
    explicit task_delegate(task<Return> body) noexcept : body_(std::move(body)) {}
    ~task_delegate() { stop_waiting(); }

    bool await_ready() {
        require_gil();
        loop_ = event_loop::running();
        queue_ = completion_queue::of(loop_);
        resume(nullptr);
        return !waits_;
    }
    Return await_resume() {
        if (const std::exception_ptr error = take_failure()) {
            std::rethrow_exception(error);
        }
        if constexpr (!std::is_void_v<Return>) {
            return std::move(*ended_).returned();
        }
    }
    std::exception_ptr take_failure() noexcept {
        if (this->parent != nullptr) { // it has suspended
            if (std::exception_ptr error = loop_waiter::take_failure()) {
                return error;
            }
        }
        return ended_ && ended_->failed() ? ended_->error() : nullptr;
    }

private:
    void advance(activation& step) noexcept override {
        do {
            began_to_wait_ = false;
            loop_waiter::advance(step);
        } while (began_to_wait_);
    }
    void complete(object, std::exception_ptr error) noexcept override {
        stop_waiting();
        resume(std::move(error));
        if (!waits_) {
            std::exception_ptr ended_in = ended_->failed() ? ended_->error() : nullptr;
            this->finish(ended_in);
        }
    }
    std::exception_ptr close() noexcept override {
        std::exception_ptr error = loop_waiter::close();
        stop_waiting();
        body_ = task<Return>();
        return error;
    }
    bool outlasts() noexcept override {
        return isthmus::detail::outlasted_by(isthmus::detail::frame_access::awaited(body_));
    }
    void keep(isthmus::detail::left_frames frames) noexcept override {
        isthmus::detail::frame_access::awaited(body_)->keep(frames);
    }
    std::string awaited_type() const override { return "task"; }

    /// Steps the task until it ends or waits.
    void resume(std::exception_ptr error) noexcept {
        waits_ = false;
        while (true) {
            try {
                auto outcome = error ? body_.try_throw(std::exchange(error, nullptr)) : body_.try_send();
                if (outcome.failed() || outcome.done()) {
                    ended_.emplace(std::move(outcome));
                    return;
                }
                auto wake = std::make_shared<task_wake>(queue_);
                if (!outcome.yielded().start(queue_->lent(loop_), waker(wake, 0))) {
                    wake_ = std::move(wake);
                    this->wait_on(wake_, loop_, outcome.yielded().is_cancelled());
                    waits_ = began_to_wait_ = true;
                    return;
                }
            } catch (...) { // the loop cannot wait
                error = isthmus::detail::current_error();
            }
        }
    }
    void stop_waiting() noexcept {
        if (const auto wake = std::exchange(wake_, nullptr)) {
            wake->pending_result::wake(nullptr);
        }
    }

    event_loop loop_;
    std::shared_ptr<completion_queue> queue_;
    task<Return> body_; // dies before what it is lent
    std::shared_ptr<task_wake> wake_;
    std::optional<typename task<Return>::outcome_type> ended_;
    bool waits_ = false;
    bool began_to_wait_ = false;
};

/// An operation that is awaited where no task is.
template <class Operation>
task<std::remove_cvref_t<decltype(std::declval<Operation&>().result())>> await_operation(Operation& awaited) {
    co_return co_await awaited;
}

/// The task of a Python coroutine: if that is never awaited, it says so itself, in Python's way.
template <class Return>
class driven_task {
public:
    explicit driven_task(task<Return> body) noexcept : body_(std::move(body)) {}
    driven_task(driven_task&&) noexcept = default;
    driven_task& operator=(driven_task&&) = delete;
    ~driven_task() {
        if (body_.state() == coroutine_state::created) {
            static_cast<void>(body_.try_close()); // which is not reported (11.2)
        }
    }
    task<Return> take() noexcept { return std::move(body_); }

private:
    task<Return> body_;
};

template <class Return>
coroutine<Return> drive_task(driven_task<Return> driven) {
    co_return co_await driven.take();
}

} // namespace isthmus::inline v1::py::detail

/// `co_await` of tasks, and of what tasks wait for, in a py::coroutine.
template <>
struct isthmus::detail::boundary<isthmus::pending, isthmus::py::object> {
    using crossed = void;
    template <class Return>
    static py::detail::task_delegate<Return> await(task<Return>&& body) {
        return py::detail::task_delegate<Return>(std::move(body));
    }
    template <operation Operation>
    static auto await(Operation& awaited) {
        return await(py::detail::await_operation(awaited));
    }
};

/// The same of what is awaitable by C++'s own rules.
template <>
struct isthmus::detail::awaitable_boundary<isthmus::py::object> {
    using crossed = void;
    template <class T>
    static auto await(T&& awaited) {
        return boundary<pending, py::object>::await(isthmus::from_awaitable(std::forward<T>(awaited)));
    }
};

namespace isthmus::inline v1::py {

/// Makes the Python object of a task, which is left empty: a Python coroutine that runs it under asyncio, uvloop or
/// trio. Its name is the task's. Otherwise as to_python() of a py::coroutine.
template <class Binding = detail::by_converter, class Return>
object to_python(task<Return>&& source, object keep_alive = object(), int policy = 0) {
    using isthmus::detail::frame_access;
    const isthmus::detail::frame* const f = frame_access::get(source);
    const std::source_location where = f != nullptr ? f->where : std::source_location();
    coroutine<Return> driver = detail::drive_task(detail::driven_task<Return>(std::move(source)));
    frame_access::get(driver)->where = where;
    return py::to_python<Binding>(std::move(driver), std::move(keep_alive), policy);
}

} // namespace isthmus::inline v1::py
