// isthmus/python/await.hpp — py::await: awaiting any Python awaitable in C++, by direct delegation.
// SPDX-License-Identifier: MIT
#pragma once

#include "coroutine.hpp"
#include "delegate.hpp"

namespace isthmus::inline v1::py {

namespace detail {

/// `co_await` of a Python awaitable, or of its await-iterator.
template <class T, bool IsIterator = false>
class python_awaiter final : python_delegate {
public:
    using python_delegate::pass_errors;
    using python_delegate::take_failure;
    using yield_type = object;
    using send_type = object;

    template <class Awaited>
    explicit python_awaiter(Awaited&& awaited) noexcept : python_delegate(std::forward<Awaited>(awaited).awaited) {}

    bool await_ready() {
        const interpreter_state& state = interpreter_state::of(require_gil()); // made at the latest now
        if constexpr (IsIterator) {
            require_driven_by_nobody(iterator_.ptr());
        } else {
            iterator_ = await_iterator_of(std::move(iterator_));
        }
        joinable = Py_TYPE(iterator_.ptr()) == state.coroutine_type;
        return false;
    }
    template <class Promise>
    void await_suspend(std::coroutine_handle<Promise> awaiting) noexcept {
        suspend(awaiting.promise());
    }
    T await_resume() {
        object result = take_result();
        if constexpr (!std::is_void_v<T>) {
            return converter<T>::from_python(std::move(result));
        }
    }
};

/// What py::await returns: to be co_awaited in a py::coroutine.
template <class T>
struct python_awaitable {
    using awaiter_type = python_awaiter<T>;
    object awaited;
};

} // namespace detail

/// Awaits a Python object in a py::coroutine: `co_await py::await<int>(future)`. `awaited` may be whatever Python's
/// `await` accepts. Each step goes straight to its await-iterator, and what that yields goes up untouched: no Task,
/// no Future and no loop is involved. Raises in the coroutine what `await` raises there (7.1–7.8). The result is
/// converted to T, by py::converter. Needs the GIL. A reference of its own is kept until the await is over; Python's
/// garbage collector sees that one, and none that an ordinary variable of the coroutine holds, so move a variable in
/// (12.5).
template <class T = object>
detail::python_awaitable<T> await(object&& awaited) {
    static_assert(std::is_void_v<T> || !detail::is_borrowed<T>,
                  "isthmus: py::await<T> cannot give a reference, pointer or view, since the Python result it would "
                  "refer to is gone: ask for a value, such as std::string or py::object");
    return {std::move(awaited)};
}
template <class T = object>
detail::python_awaitable<T> await(const object& awaited) { // a parameter by value would be one more object in the frame
    return py::await<T>(object(awaited));
}

/// The same for a borrowed pointer, and for any handle class with a `ptr()`: nanobind's and pybind11's objects. One
/// that is moved in gives up its reference.
template <class T = object>
detail::python_awaitable<T> await(PyObject* awaited) {
    return py::await<T>(object::borrow(awaited));
}
template <class T = object, class Handle>
    requires requires(const Handle& handle) {
        { handle.ptr() } -> std::convertible_to<PyObject*>;
    }
detail::python_awaitable<T> await(const Handle& awaited) {
    return py::await<T>(object::borrow(awaited.ptr()));
}
template <class T = object, class Owner>
    requires(!std::is_reference_v<Owner>) && requires(Owner& owner) {
        { owner.release().ptr() } -> std::convertible_to<PyObject*>;
    }
detail::python_awaitable<T> await(Owner&& awaited) {
    return py::await<T>(object::steal(awaited.release().ptr()));
}

} // namespace isthmus::inline v1::py
