// isthmus/python/pending.hpp — the result that another thread will bring to a coroutine, and whom it wakes.
// SPDX-License-Identifier: MIT
#pragma once

#include "trio.hpp"

#include <exception>
#include <memory>
#include <type_traits>
#include <utility>
#include <variant>

namespace isthmus::inline v1::py::detail {

class completion_queue;

/// What some thread will bring to a coroutine that waits for it on a loop. The coroutine and the one who completes it
/// share it; while it is in the queue it owns itself.
class pending_result {
public:
    virtual ~pending_result() = default;
    pending_result(const pending_result&) = delete;
    pending_result& operator=(const pending_result&) = delete;

    /// Whether the result is there. For the loop's thread.
    bool delivered() const noexcept { return delivered_; }
    /// Whom deliver() wakes: a Future or a trio task, which whoever waits owns, or null. For the loop's thread.
    void wake(PyObject* waiting, bool is_trio_task = false) noexcept {
        waiting_ = waiting;
        is_trio_task_ = is_trio_task;
    }

    /// Sends the finished result to the loop. Any thread, once, without the GIL. `self` is given up, so that the
    /// result, and all it owns, dies on the loop's thread.
    static void post(std::shared_ptr<pending_result> self) noexcept;

protected:
    explicit pending_result(std::shared_ptr<completion_queue> queue) noexcept : queue_(std::move(queue)) {}

private:
    friend class completion_queue;

    /// On the loop's thread, with the GIL: wakes the coroutine. Nobody waits any more if it was cancelled.
    void deliver() noexcept {
        delivered_ = true;
        const object future = object::borrow(std::exchange(waiting_, nullptr));
        if (!future) {
            return;
        }
        if (is_trio_task_) {
            trio_reschedule(future.ptr());
            return;
        }
        const interpreter_state& state = interpreter_state::get();
        const object done = object::steal(PyObject_CallMethodNoArgs(future.ptr(), state.done));
        const bool waiting = done && PyObject_Not(done.ptr()) == 1;
        const object set =
            object::steal(waiting ? PyObject_CallMethodOneArg(future.ptr(), state.set_result, Py_None) : nullptr);
        if (!done || (waiting && !set)) {
            PyErr_WriteUnraisable(future.ptr());
        }
    }

    std::shared_ptr<completion_queue> queue_;
    std::shared_ptr<pending_result> self_;
    pending_result* next_ = nullptr;
    PyObject* waiting_ = nullptr;
    bool is_trio_task_ = false;
    bool delivered_ = false;
};

/// A pending T, or the error instead of it.
template <class T>
class pending_value : public pending_result {
public:
    explicit pending_value(std::shared_ptr<completion_queue> queue) noexcept : pending_result(std::move(queue)) {}

    /// Keeps what `call` returns or throws. Once, before post().
    template <class Call>
    void resolve(Call&& call) noexcept {
        try {
            if constexpr (std::is_void_v<T>) {
                std::forward<Call>(call)();
                outcome_.template emplace<1>();
            } else {
                outcome_.template emplace<1>(std::forward<Call>(call)());
            }
        } catch (...) {
            reject(isthmus::detail::current_error());
        }
    }
    /// Keeps an error, which must not be null.
    void reject(std::exception_ptr error) noexcept { outcome_.template emplace<2>(std::move(error)); }

    /// The delivered error; null if there is a value.
    std::exception_ptr take_error() noexcept {
        std::exception_ptr* const error = std::get_if<2>(&outcome_);
        return error != nullptr ? std::move(*error) : nullptr;
    }
    /// The delivered value. Once.
    T take() {
        if constexpr (!std::is_void_v<T>) {
            return std::get<1>(std::move(outcome_));
        }
    }

private:
    std::variant<std::monostate, stored<T>, std::exception_ptr> outcome_;
};

} // namespace isthmus::inline v1::py::detail
