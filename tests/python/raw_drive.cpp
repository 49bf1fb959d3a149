// tests/python/raw_drive.cpp — C++ that drives Python's coroutines and generators, and hands coroutine_like classes to
// Python.
// SPDX-License-Identifier: MIT

#include "raw.hpp"

#include <concepts>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>

namespace {

namespace py = isthmus::py;
using isthmus::coroutine_state;
using py::object;

using driven = py::python_coroutine<>;
using erased = isthmus::any_coroutine<object, object, object>;
static_assert(isthmus::coroutine_like<driven>);
static_assert(isthmus::coroutine_like<py::python_coroutine<void>>);
static_assert(std::constructible_from<erased, driven>);
static_assert(!std::copyable<driven> && std::movable<driven>);
static_assert(isthmus::is_awaitable_v<driven>);
static_assert(!isthmus::awaitable<py::python_generator<>>);

object text(const char* value) { return py::checked(PyUnicode_FromString(value)); }
object pair(const char* kind, object value) { return py::checked(Py_BuildValue("(sN)", kind, value.release())); }

object exception_of(const std::exception_ptr& error) {
    py::detail::set_from_exception(error, nullptr);
    return py::detail::take_raised();
}

template <class Outcome>
object described(Outcome ended) {
    if (ended.failed()) {
        return pair("raised", exception_of(ended.error()));
    }
    if (ended.closed()) {
        return pair("closed", object::make_none());
    }
    return ended.done() ? pair("returned", std::move(ended).returned()) : pair("yielded", std::move(ended).yielded());
}

/// Carries out steps: ("send", value), ("throw", exception) or ("close", None); what each gave, as by
/// support.outcome(). `Throwing`: with the operations that throw.
template <class Coroutine>
object steps_of(Coroutine& coroutine, const object& steps, bool throwing) {
    object results = py::checked(PyList_New(0));
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(steps.ptr()); ++i) {
        PyObject* const step = PyList_GET_ITEM(steps.ptr(), i);
        const auto kind = py::converter<std::string>::from_python(object::borrow(PyTuple_GET_ITEM(step, 0)));
        object operand = object::borrow(PyTuple_GET_ITEM(step, 1));
        const std::exception_ptr error = kind == "throw" ? py::detail::to_exception_ptr(operand) : nullptr;
        object result;
        if (!throwing) {
            result = described(kind == "send"    ? coroutine.try_send(operand)
                               : kind == "throw" ? coroutine.try_throw(error)
                                                 : coroutine.try_close());
        } else {
            try {
                if (kind == "close") {
                    std::optional<object> value = coroutine.close();
                    result = value ? pair("returned", *std::move(value)) : pair("closed", object::make_none());
                } else {
                    auto given = kind == "throw"     ? coroutine.throw_(error)
                                 : operand.is_none() ? coroutine.send()
                                                     : coroutine.send(operand);
                    result = given.done() ? pair("returned", std::move(given).returned())
                                          : pair("yielded", std::move(given).yielded());
                }
            } catch (...) {
                result = pair("raised", exception_of(std::current_exception()));
            }
        }
        if (PyList_Append(results.ptr(), result.ptr()) != 0) {
            py::throw_raised();
        }
    }
    return results;
}

object drive(object awaitable, object steps, bool throwing) {
    driven coroutine(awaitable);
    awaitable.reset();
    return steps_of(coroutine, steps, throwing);
}

object drive_erased(object awaitable, object steps, bool throwing) {
    erased coroutine = driven(awaitable);
    awaitable.reset();
    return steps_of(coroutine, steps, throwing);
}

object drive_generator(object iterable, object steps, bool throwing) {
    py::python_generator<> generator(iterable);
    iterable.reset();
    return steps_of(generator, steps, throwing);
}

const char* name_of(std::optional<coroutine_state> state) {
    if (!state) {
        return "unknown";
    }
    switch (*state) {
    case coroutine_state::created:
        return "created";
    case coroutine_state::running:
        return "running";
    case coroutine_state::suspended:
        return "suspended";
    case coroutine_state::closed:
        break;
    }
    return "closed";
}
object state(object awaitable) { return text(name_of(driven(awaitable).state())); }
object generator_state(object iterable) { return text(name_of(py::python_generator<>(iterable).state())); }

/// run(), with a Python function as handler.
object run(object awaitable, object handler) {
    return isthmus::run(driven(awaitable),
                        [&](object request) { return py::checked(PyObject_CallOneArg(handler.ptr(), request.ptr())); });
}

py::coroutine<object> await_driven(object awaitable) {
    driven coroutine(awaitable);
    awaitable.reset();
    co_return co_await coroutine;
}
py::coroutine<object> await_moved(object awaitable) {
    driven coroutine(awaitable);
    awaitable.reset();
    co_return co_await std::move(coroutine);
}
/// Drives one step itself; then `co_await` of the coroutine is refused, and of its await-iterator goes on.
py::coroutine<object> await_started(object awaitable, bool through_iterator) {
    driven coroutine(awaitable);
    static_cast<void>(coroutine.send());
    if (through_iterator) {
        co_return co_await coroutine.await();
    }
    co_return co_await coroutine;
}
py::coroutine<object> await_erased(object awaitable) {
    erased coroutine = driven(awaitable);
    co_return co_await std::move(coroutine);
}
py::coroutine<int> await_int(object awaitable) { co_return co_await py::python_coroutine<int>(awaitable); }

/// Yields all that a Python generator yields.
isthmus::generator<object, object, object> pass_through(object iterable) {
    py::python_generator<> generator(iterable);
    iterable.reset();
    object result = co_yield isthmus::yield_from(std::move(generator));
    co_return result;
}

object empty() {
    driven nothing;
    object results = py::checked(PyList_New(0));
    const auto add = [&](object entry) {
        if (PyList_Append(results.ptr(), entry.ptr()) != 0) {
            py::throw_raised();
        }
    };
    add(described(nothing.try_send()));
    add(described(nothing.try_close()));
    add(text(name_of(nothing.state())));
    return results;
}

py::coroutine<object> await_empty() {
    driven nothing;
    co_return co_await nothing;
}

/// Without the GIL every operation is an error, and destroying is not.
object without_gil(object awaitable) {
    auto coroutine = std::make_unique<driven>(awaitable);
    awaitable.reset();
    std::string message;
    Py_BEGIN_ALLOW_THREADS {
        std::thread worker([&] {
            const auto refused = coroutine->try_send();
            try {
                std::rethrow_exception(refused.error());
            } catch (const std::logic_error& e) {
                message = e.what();
            }
            coroutine.reset();
        });
        worker.join();
    }
    Py_END_ALLOW_THREADS return text(message.c_str());
}

// ---- classes that Python is given as coroutines ---------------------------------------------------------------------

/// Yields 1 to `limit`, and logs what is done with it.
class ticker : public isthmus::abc::coroutine<int, object, object> {
public:
    ticker(int limit, object log) : limit_(limit), log_(std::move(log)) {}

    using isthmus::abc::coroutine<int, object, object>::send;
    step_type send(object value) override {
        note("send", std::move(value));
        if (++at_ > limit_) {
            return step_type(std::in_place_index<1>, at_);
        }
        return step_type(std::in_place_index<0>, py::converter<int>::to_python(at_));
    }
    step_type throw_(std::exception_ptr error) override {
        object exception = exception_of(error);
        const bool skips = PyErr_GivenExceptionMatches(exception.ptr(), PyExc_LookupError) != 0;
        note("throw", std::move(exception));
        if (skips) {
            return send();
        }
        std::rethrow_exception(error);
    }

private:
    void note(const char* what, object value) {
        if (value.ptr() == nullptr) {
            value = object::make_none();
        }
        const object entry = pair(what, std::move(value));
        if (PyList_Append(log_.ptr(), entry.ptr()) != 0) {
            py::throw_raised();
        }
    }

    int limit_;
    object log_;
    int at_ = 0;
};

/// coroutine_like by its members alone; knows nothing of Python.
template <class T>
class countdown {
public:
    using step_type = isthmus::step<isthmus::none, T>;
    explicit countdown(T from) : left_(from) {}
    step_type send() {
        if (left_ == 0) {
            return step_type(std::in_place_index<1>, T(42));
        }
        --left_;
        return step_type(std::in_place_index<0>);
    }
    step_type throw_(const std::exception_ptr& error) { std::rethrow_exception(error); }
    void close() {}
    countdown& await() { return *this; }

private:
    T left_;
};

} // namespace

template <class T>
inline constexpr bool isthmus::enable_coroutine<countdown<T>> = true;

namespace {

ticker make_ticker(int limit, object log) { return ticker(limit, std::move(log)); }
std::unique_ptr<isthmus::abc::coroutine<int, object, object>> make_nominal(int limit, object log) {
    return std::make_unique<ticker>(limit, std::move(log));
}
isthmus::any_coroutine<int, object, object> make_erased(int limit, object log) { return ticker(limit, std::move(log)); }
countdown<long> make_countdown(int from) { return countdown<long>(from); }
isthmus::coroutine<int> make_plain(int from) {
    for (; from > 0; --from) {
        co_yield isthmus::none();
    }
    co_return 42;
}
ticker make_started(int limit, object log) {
    ticker made(limit, std::move(log));
    static_cast<void>(made.send());
    return made;
}
isthmus::coroutine<int> make_started_plain(int from) {
    isthmus::coroutine<int> made = make_plain(from);
    static_cast<void>(made.send());
    return made;
}
isthmus::any_coroutine<int, object, object> make_empty() { return {}; }

py::coroutine<object> awaits_after_its_exit(object awaited) {
    try {
        co_yield object::make_none();
    } catch (const isthmus::generator_exit&) { // what is awaited now is no handler's
    }
    co_return co_await py::await(std::move(awaited));
}

/// Drives what it has awaited, and what would not be closed, by itself.
py::coroutine<object> drives_what_was_not_closed(object awaited) {
    auto stubborn = awaits_after_its_exit(std::move(awaited));
    try {
        co_await stubborn;
    } catch (const isthmus::ignored_generator_exit&) {}
    co_return stubborn.send().returned();
}

PyMethodDef functions[] = {
    raw::def<make_ticker>("make_ticker"),
    raw::def<make_nominal>("make_nominal"),
    raw::def<make_erased>("make_erased"),
    raw::def<make_countdown>("make_countdown"),
    raw::def<make_plain>("make_plain"),
    raw::def<make_started>("make_started"),
    raw::def<make_started_plain>("make_started_plain"),
    raw::def<make_empty>("make_empty"),
    raw::def<drive>("drive"),
    raw::def<drive_erased>("drive_erased"),
    raw::def<drive_generator>("drive_generator"),
    raw::def<state>("state"),
    raw::def<generator_state>("generator_state"),
    raw::def<run>("run"),
    raw::def<await_driven>("await_driven"),
    raw::def<await_moved>("await_moved"),
    raw::def<await_started>("await_started"),
    raw::def<await_erased>("await_erased"),
    raw::def<await_int>("await_int"),
    raw::def<pass_through>("pass_through"),
    raw::def<empty>("empty"),
    raw::def<await_empty>("await_empty"),
    raw::def<without_gil>("without_gil"),
    raw::def<drives_what_was_not_closed>("drives_what_was_not_closed"),
    {nullptr, nullptr, 0, nullptr},
};

PyModuleDef module = raw::define("raw_drive", functions);

} // namespace

PyMODINIT_FUNC PyInit_raw_drive() { return PyModuleDef_Init(&module); }
