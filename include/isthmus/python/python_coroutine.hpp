// isthmus/python/python_coroutine.hpp — python_coroutine and python_generator: Python's own, driven by C++.
// SPDX-License-Identifier: MIT
#pragma once

#include "await.hpp"

#include <concepts>
#include <exception>
#include <optional>
#include <type_traits>
#include <utility>

namespace isthmus::inline v1::py {

namespace detail {

/// send, throw_, close and their try_ forms on a Python iterator.
template <class Return>
class python_resumable {
    static_assert(
        std::is_void_v<Return> || !is_borrowed<Return>,
        "isthmus: the Return of a Python coroutine or generator cannot be a reference, pointer or view, since "
        "the Python result it would refer to is gone: ask for a value, such as std::string or py::object");

public:
    using return_type = Return;
    using yield_type = object;
    using send_type = object;
    using step_type = step<object, Return>;
    using outcome_type = outcome<object, Return>;

    /// Sends `value`, None without one. Gives what it yielded, or what it returned, converted to Return. Throws what
    /// leaves it, its misuse errors too, as a py::error with its traceback (or a py::base_exception or generator_exit);
    /// if the result cannot be converted, what converting throws.
    step_type send() { return try_send().get(); }
    step_type send(object value) { return try_send(std::move(value)).get(); }

    /// Throws `error` in, by the object's own throw(); where it has none, `error` is thrown here and nothing is resumed
    /// (5.20, 5.21). A C++ exception becomes a Python one as where it leaves a coroutine. Otherwise as send().
    step_type throw_(std::exception_ptr error) { return try_throw(std::move(error)).get(); }
    template <class Error>
        requires(!std::convertible_to<Error, std::exception_ptr>)
    step_type throw_(Error&& error) {
        return throw_(std::make_exception_ptr(std::forward<Error>(error)));
    }

    /// Calls its close(), if it has one. Gives what that returns (6.3), nullopt for None. Throws as send().
    std::optional<stored<Return>> close() { return isthmus::detail::take_closed(try_close()); }

    /// The same, reporting every error as a failed outcome.
    outcome_type try_send() { return try_send(object()); }
    outcome_type try_send(object value) {
        return drive([&](PyObject* driven, PyObject** result) {
            PyObject* const sent = value ? value.ptr() : Py_None;
            return into_python([&] { return PyIter_Send(driven, sent, result); });
        });
    }
    outcome_type try_throw(std::exception_ptr error) {
        if (error == nullptr) {
            return failed(isthmus::detail::make_misuse(misuse::not_an_exception));
        }
        return drive([&](PyObject* driven, PyObject** result) { return throw_in(driven, error, result); });
    }
    outcome_type try_close() {
        if (!awaited) {
            return outcome_type(std::in_place_index<3>);
        }
        return drive(
            [](PyObject* driven, PyObject** result) {
                *result = close_iterator(driven).release();
                return *result == nullptr ? PYGEN_ERROR : PYGEN_RETURN;
            },
            true);
    }

    /// What is driven: the await-iterator, which of a coroutine is itself. Borrowed; null if this is empty.
    PyObject* ptr() const noexcept { return awaited.ptr(); }

protected:
    python_resumable() noexcept = default;
    explicit python_resumable(object iterator) noexcept : awaited(std::move(iterator)) {}
    python_resumable(python_resumable&&) noexcept = default;
    python_resumable& operator=(python_resumable&&) noexcept = default;
    ~python_resumable() = default;

    object awaited;

private:
    template <class Operation>
    outcome_type drive(const Operation& operation, bool closes = false) {
        try {
            if (!attached()) {
                throw std::logic_error("isthmus: a Python coroutine cannot be driven without the GIL");
            }
            interpreter_state::get(); // made at the latest now
            deferred_references::drain();
            if (!awaited) {
                isthmus::detail::throw_misuse(misuse::already_finished);
            }
            const object driven = awaited; // *this may be moved or destroyed meanwhile
            const crossing into_python_now;
            PyObject* result = nullptr;
            const PySendResult how = into_python_now.allowed() ? operation(driven.ptr(), &result) : PYGEN_ERROR;
            return settle(how, object::steal(result), closes);
        } catch (...) {
            return failed(isthmus::detail::current_error());
        }
    }

    static outcome_type settle(PySendResult how, object result, bool closes) {
        if (how == PYGEN_ERROR) {
            return failed(to_exception_ptr(take_raised()));
        }
        if (how == PYGEN_NEXT) {
            return outcome_type(std::in_place_index<0>, std::move(result));
        }
        if (closes && result.is_none()) {
            return outcome_type(std::in_place_index<3>);
        }
        if constexpr (std::is_void_v<Return>) {
            return outcome_type(std::in_place_index<1>);
        } else {
            return outcome_type(std::in_place_index<1>, converter<Return>::from_python(result));
        }
    }
    static outcome_type failed(std::exception_ptr error) {
        return outcome_type(std::in_place_index<2>, std::move(error));
    }

    static PySendResult throw_in(PyObject* driven, const std::exception_ptr& error, PyObject** result) {
        object method;
        PyObject* const name = interpreter_state::get().throw_;
        switch (into_python([&] { return get_optional_attribute(driven, name, method); })) {
        case 0:
            std::rethrow_exception(error);
        case 1:
            break;
        default:
            return PYGEN_ERROR;
        }
        const object exception = exception_object(error);
        *result = into_python([&] { return PyObject_CallOneArg(method.ptr(), exception.ptr()); });
        return *result != nullptr ? PYGEN_NEXT : stopped(result);
    }
};

/// What a coroutine or generator of CPython's says of itself (8.8); nullopt if it says nothing.
inline std::optional<coroutine_state> state_of(PyObject* driven, const char* running, const char* suspended,
                                               const char* python_frame) noexcept {
    const saved_error outer;
    const auto attribute = [&](const char* name) {
        object found = object::steal(PyObject_GetAttrString(driven, name));
        PyErr_Clear();
        return found;
    };
    const object runs = attribute(running);
    const object suspends = runs ? attribute(suspended) : object();
    const object at = suspends ? attribute(python_frame) : object();
    if (!at) {
        return std::nullopt;
    }
    return runs.ptr() == Py_True       ? coroutine_state::running
           : suspends.ptr() == Py_True ? coroutine_state::suspended
           : at.is_none()              ? coroutine_state::closed
                                       : coroutine_state::created;
}

} // namespace detail

/// A Python coroutine, or any other Python awaitable, that C++ drives: coroutine_like, with the operations of a
/// py::coroutine. So run(c, handler) runs it to its end, an any_coroutine<Return, object, object> can hold it, and a
/// py::coroutine can `co_await` it, which passes each step straight on to it as py::await does. Its result is converted
/// to Return by py::converter; void drops it.
///
/// Owns a reference, and may be moved while it runs. Destroying one that is suspended drops the reference, whereupon
/// Python closes the coroutine if nobody else has one (12.1); that needs no GIL, but is done by whoever has it next.
/// All else needs the GIL; the operations throw std::logic_error without it. An empty one behaves like a finished
/// coroutine. Each step is one call into Python.
template <class Return = object>
class [[nodiscard]] python_coroutine : public detail::python_resumable<Return> {
public:
    using awaiter_type = detail::python_awaiter<Return, true>;

    python_coroutine() noexcept = default;
    /// Takes what Python's `await` accepts: a coroutine, which may have been started, or whatever gives an
    /// await-iterator, which is asked for it now. Throws py::error if there is none, with CPython's TypeError
    /// (7.1–7.4).
    explicit python_coroutine(const object& awaitable)
        : python_coroutine::python_resumable(
              detail::is_coroutine_object(awaitable.ptr()) ? awaitable : detail::await_iterator_of(awaitable)) {}

    /// `__await__`: the await-iterator, which refers to this, or owns it if it is expiring. `co_await` of that goes on
    /// with a coroutine that was started (7.9), where `co_await` of this throws already_awaited (7.7).
    await_iterator<python_coroutine&> await() & noexcept { return await_iterator<python_coroutine&>(*this); }
    await_iterator<python_coroutine> await() && noexcept { return await_iterator<python_coroutine>(std::move(*this)); }

    /// What a coroutine or generator says of itself; nullopt for other awaitables, which say nothing; closed if this is
    /// empty (8).
    std::optional<coroutine_state> state() const noexcept {
        if (!this->awaited) {
            return coroutine_state::closed;
        }
        const auto found = detail::state_of(this->ptr(), "cr_running", "cr_suspended", "cr_frame");
        return found ? found : detail::state_of(this->ptr(), "gi_running", "gi_suspended", "gi_frame");
    }

private:
    friend awaiter_type;
};

/// A Python generator, or any other iterator, that C++ drives, with the operations of a generator<object, object,
/// Return>. Such a generator can `co_yield yield_from(g)`, which passes each step straight on. Ownership and the GIL as
/// for a python_coroutine.
template <class Return = object>
class [[nodiscard]] python_generator : public detail::python_resumable<Return> {
public:
    using delegate_type = detail::python_awaiter<Return, true>;

    python_generator() noexcept = default;
    /// Takes what Python's iter() accepts. Throws py::error: its TypeError for what is not iterable.
    explicit python_generator(const object& iterable)
        : python_generator::python_resumable(checked(PyObject_GetIter(iterable.ptr()))) {}

    /// As of a python_coroutine.
    std::optional<coroutine_state> state() const noexcept {
        if (!this->awaited) {
            return coroutine_state::closed;
        }
        return detail::state_of(this->ptr(), "gi_running", "gi_suspended", "gi_frame");
    }

private:
    friend delegate_type;
};

} // namespace isthmus::inline v1::py

/// `co_await c.await()`.
template <class Return>
struct isthmus::detail::await_source<isthmus::py::python_coroutine<Return>> {
    static py::python_coroutine<Return>& go_on(py::python_coroutine<Return>& awaited) noexcept { return awaited; }
};
