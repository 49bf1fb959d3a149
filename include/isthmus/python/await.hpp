// isthmus/python/await.hpp — py::await: awaiting any Python awaitable in C++, by direct delegation.
// SPDX-License-Identifier: MIT
#pragma once

#include "awaitable.hpp"
#include "coroutine.hpp"

namespace isthmus::inline v1::py {

namespace detail {

/// Passes each step of the chain on to a Python await-iterator, and what that yields up.
class python_delegate : public isthmus::detail::failing_delegate {
public:
    explicit python_delegate(object awaited) noexcept : iterator_(std::move(awaited)) {}

    void advance(activation& step) noexcept override {
        PyObject* result = nullptr;
        PySendResult how = PYGEN_ERROR;
        const crossing into_python_now;
        if (!into_python_now.allowed()) {
            step.injected = nullptr;
            step.sent = nullptr;
            thrown_ = nullptr;
            complete(object(), to_exception_ptr(take_raised()));
            return;
        }
        if (step.injected != nullptr) {
            if (!throw_in(step, how, &result)) {
                return;
            }
        } else {
            const auto* const sent = static_cast<const object*>(std::exchange(step.sent, nullptr));
            PyObject* const value = sent != nullptr && *sent ? sent->ptr() : Py_None;
            how = into_python([&] { return PyIter_Send(iterator_.ptr(), value, &result); });
        }
        switch (how) {
        case PYGEN_NEXT:
            value_ = object::steal(result);
            step.yielded = &value_;
            break;
        case PYGEN_RETURN:
            complete(object::steal(result), nullptr);
            break;
        case PYGEN_ERROR:
            complete(object(), to_exception_ptr(take_raised()));
            break;
        }
    }

    std::exception_ptr close() noexcept override {
        return close_iterator(iterator_.ptr()) ? nullptr : to_exception_ptr(take_raised());
    }

    void visit(isthmus::detail::held_visitor visitor, void* context) const noexcept override {
        visitor(iterator_.ptr(), context);
    }
    const void** thrown() noexcept final { return &thrown_; }
    void* awaited_object() const noexcept final { return iterator_.ptr(); }
    /// With the name of a coroutine or generator: "coroutine fetch".
    std::string awaited_type() const override {
        std::string text = Py_TYPE(iterator_.ptr())->tp_name;
        if (is_native() || Py_TYPE(iterator_.ptr()) == interpreter_state::get().coroutine_type) {
            const saved_error outer;
            const object name = object::steal(PyObject_GetAttrString(iterator_.ptr(), "__qualname__"));
            if (const char* const utf8 = name ? PyUnicode_AsUTF8(name.ptr()) : nullptr) {
                text.append(" ").append(utf8);
            } else {
                PyErr_Clear();
            }
        }
        return text;
    }

protected:
    ~python_delegate() = default;

    /// What awaiting gave; throws the error it ended in.
    object take_result() {
        rethrow_failure();
        return std::move(value_);
    }

    /// The error of the result that the await has brought, where it brings one in its own way.
    virtual std::exception_ptr error_of_result() noexcept { return nullptr; }

    /// What is awaited has ended: with a value or an error.
    virtual void complete(object value, std::exception_ptr error) noexcept {
        if (!error) {
            error = error_of_result();
        }
        if (end(error)) {
            value_ = std::move(value);
        }
    }

    object iterator_; ///< what is awaited, until await_ready() has found its iterator

private:
    /// throw(), by the awaited object's own method (5.20–5.22). False if that was not called: then all is settled.
    bool throw_in(activation& step, PySendResult& how, PyObject** result) noexcept {
        const std::exception_ptr injected = step.take_injected();
        const auto* const given = static_cast<const throw_arguments*>(std::exchange(thrown_, nullptr));
        object method;
        PyObject* const name = interpreter_state::get().throw_;
        const int found = into_python([&] { return get_optional_attribute(iterator_.ptr(), name, method); });
        // Without a method, and where a native coroutine or generator checks them (5.6), they are checked here: its
        // method would warn once more that they are too many.
        const bool check = given != nullptr && (found == 0 || (given->count > 1 && is_native()));
        object exception;
        if (check) {
            exception = exception_argument(*given);
        } else if (given == nullptr && found == 1) {
            exception = exception_object(injected);
        }
        if (found < 0 || (found == 0 && check && !exception)) { // the error is the driver's, nothing is resumed
            parent->error = to_exception_ptr(take_raised());
            step.yielded = &step.refused;
            return false;
        }
        if (found == 0) {
            complete(object(), given == nullptr ? injected : to_exception_ptr(std::move(exception)));
            return false;
        }
        if (exception) {
            *result = into_python([&] { return PyObject_CallOneArg(method.ptr(), exception.ptr()); });
        } else if (!check) {
            const auto count = static_cast<std::size_t>(given->count);
            *result = into_python([&] { return PyObject_Vectorcall(method.ptr(), given->values, count, nullptr); });
        }
        how = *result != nullptr ? PYGEN_NEXT : stopped(result);
        return true;
    }

    bool is_native() const noexcept { return PyCoro_CheckExact(iterator_.ptr()) || PyGen_CheckExact(iterator_.ptr()); }

    object value_;
    const void* thrown_ = nullptr; ///< the throw_arguments of this step, if they were not made an exception yet
};

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
        require_gil();
        interpreter_state::get(); // made at the latest now, where it may throw
        if constexpr (IsIterator) {
            require_driven_by_nobody(iterator_.ptr());
        } else {
            iterator_ = await_iterator_of(iterator_.ptr());
        }
        return false;
    }
    template <class Promise>
    void await_suspend(std::coroutine_handle<Promise> awaiting) noexcept {
        suspend(awaiting.promise());
    }
    T await_resume() {
        const object result = take_result();
        if constexpr (!std::is_void_v<T>) {
            return converter<T>::from_python(result);
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
detail::python_awaitable<T> await(object awaited) {
    static_assert(std::is_void_v<T> || !detail::is_borrowed<T>,
                  "isthmus: py::await<T> cannot give a reference, pointer or view, since the Python result it would "
                  "refer to is gone: ask for a value, such as std::string or py::object");
    return {std::move(awaited)};
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
