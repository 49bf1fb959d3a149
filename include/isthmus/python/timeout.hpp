// isthmus/python/timeout.hpp — limits of time for what waits in Python, by the means of the loop that runs.
// SPDX-License-Identifier: MIT
#pragma once

#include "../nothrow.hpp"
#include "../task_group.hpp"
#include "event_loop.hpp"

#include <algorithm>
#include <chrono>
#include <exception>
#include <utility>

namespace isthmus::inline v1::py {

namespace detail {

/// An asyncio.timeout() or a trio.CancelScope. Entered and left, or destroyed, by the task that it limits.
class time_limit {
public:
    explicit time_limit(reactor::clock::duration limit)
        : is_trio_(static_cast<bool>(event_loop::running().trio_task)), manager_(make(is_trio_, limit)) {}
    time_limit(const time_limit&) = delete;
    time_limit& operator=(const time_limit&) = delete;
    ~time_limit() {
        if (entered_ && attached()) {
            const saved_error outer;
            try {
                abandon();
            } catch (const base_exception& e) {
                e.restore();
                PyErr_WriteUnraisable(manager_.ptr());
            }
        }
    }

    /// What is to be awaited then, before entered(); null if nothing is.
    object enter() {
        object entering = checked(PyObject_CallMethod(manager_.ptr(), is_trio_ ? "__enter__" : "__aenter__", nullptr));
        return is_trio_ ? object() : entering;
    }
    void entered() noexcept { entered_ = true; }
    /// What is to be awaited then, which raises a TimeoutError if the time was over. Null if nothing is: then the
    /// result of expired() is known. `error` is what came out of what was limited, or null.
    object leave(const std::exception_ptr& error) {
        object type = object::make_none();
        object value = object::make_none();
        object traceback = object::make_none();
        if (error) {
            value = exception_object(error);
            type = object::borrow(reinterpret_cast<PyObject*>(Py_TYPE(value.ptr())));
            if (object entries = object::steal(PyException_GetTraceback(value.ptr()))) {
                traceback = std::move(entries);
            }
        }
        entered_ = false;
        object left = checked(PyObject_CallMethod(manager_.ptr(), is_trio_ ? "__exit__" : "__aexit__", "OOO",
                                                  type.ptr(), value.ptr(), traceback.ptr()));
        if (!is_trio_) {
            return left;
        }
        expired_ = checked(PyObject_GetAttrString(manager_.ptr(), "cancelled_caught")).ptr() == Py_True;
        return object();
    }
    /// Whether the time was over, and the cancellation is what came out.
    bool expired() const noexcept { return expired_; }

private:
    static object make(bool is_trio, reactor::clock::duration limit) {
        const double seconds = std::max(0.0, std::chrono::duration<double>(limit).count());
        if (!is_trio) {
            const object asyncio = checked(PyImport_ImportModule("asyncio"));
            return checked(PyObject_CallMethod(asyncio.ptr(), "timeout", "d", seconds));
        }
        const object trio = checked(PyImport_ImportModule("trio"));
        return checked(PyObject_CallMethod(trio.ptr(), "move_on_after", "d", seconds));
    }
    /// Nothing more is to be cancelled.
    void abandon() {
        if (is_trio_) {
            checked(PyObject_CallMethod(manager_.ptr(), "__exit__", "OOO", Py_None, Py_None, Py_None));
        } else {
            checked(PyObject_CallMethod(manager_.ptr(), "reschedule", "O", Py_None));
        }
    }

    bool is_trio_;
    object manager_;
    bool entered_ = false;
    bool expired_ = false;
};

inline bool is_timeout_error(const std::exception_ptr& raised) noexcept {
    const auto* const python = isthmus::detail::exception_cast<error>(raised);
    return python != nullptr && python->matches(PyExc_TimeoutError);
}

template <class Return, class Awaitable>
coroutine<Return> with_timeout(reactor::clock::duration limit, Awaitable awaited) {
    time_limit scope(limit);
    if (object entering = scope.enter()) {
        co_await py::await<void>(std::move(entering));
    }
    scope.entered();
    auto ended = co_await as_outcome(std::move(awaited));
    bool expired = false;
    if (object leaving = scope.leave(ended.failed() ? ended.error() : nullptr)) {
        auto left = co_await as_outcome(py::await<void>(std::move(leaving)));
        expired = left.failed() && is_timeout_error(left.error());
        if (left.failed() && !expired) {
            std::rethrow_exception(left.error());
        }
    }
    if (expired || scope.expired()) {
        throw timed_out();
    }
    if (ended.failed()) {
        std::rethrow_exception(ended.error());
    }
    co_return std::move(ended).returned();
}

template <class Return, class Awaitable>
coroutine<Return> with_deadline(reactor::clock::time_point when, Awaitable awaited) {
    co_return co_await detail::with_timeout<Return>(when - reactor::clock::now(), std::move(awaited));
}

} // namespace detail

using isthmus::with_deadline;
using isthmus::with_timeout;

/// `co_await py::with_timeout(5s, fetch())` in a py::coroutine gives what another py::coroutine returns. When the time
/// is over, that is cancelled as the running loop does it, by asyncio.timeout() or a trio.CancelScope, and timed_out is
/// thrown, whatever the loop: in Python a TimeoutError. The time begins when it is awaited. If it ends otherwise
/// although it was cancelled, that counts. It runs in the same asyncio or trio task. For a task it is
/// isthmus::with_timeout(). Throws py::error: a RuntimeError if no asyncio or trio task is running.
template <class Return>
coroutine<Return> with_timeout(reactor::clock::duration limit, coroutine<Return> body) {
    return detail::with_timeout<Return>(limit, std::move(body));
}
/// The same for what py::await() gives: `co_await py::with_timeout(5s, py::await<int>(future))`.
template <class Return>
coroutine<Return> with_timeout(reactor::clock::duration limit, detail::python_awaitable<Return> awaited) {
    return detail::with_timeout<Return>(limit, std::move(awaited));
}

/// The same until a point of time, of the clock of std::chrono.
template <class Return>
coroutine<Return> with_deadline(reactor::clock::time_point when, coroutine<Return> body) {
    return detail::with_deadline<Return>(when, std::move(body));
}
template <class Return>
coroutine<Return> with_deadline(reactor::clock::time_point when, detail::python_awaitable<Return> awaited) {
    return detail::with_deadline<Return>(when, std::move(awaited));
}

} // namespace isthmus::inline v1::py
