// tests/python/raw_tracebacks.cpp — coroutines through which exceptions pass. The comment of a line is what
// test_tracebacks.py knows it by: native_tracebacks.py has the same functions, and the same comments.
// SPDX-License-Identifier: MIT

#include "raw.hpp"

#include <optional>
#include <stdexcept>
#include <string>
#include <utility>

namespace {

namespace py = isthmus::py;
using py::object;

// ---- Python exceptions ----

py::coroutine<object> raises(object error) {
    throw py::base_exception(std::move(error)); // raised here
    co_return object();
}

/// The same without a C++ throw.
py::coroutine<object> raises_unthrown(object error) {
    co_yield isthmus::with_error(py::base_exception(std::move(error))); // raised here
    co_return object();
}

py::coroutine<object> raises_new() {
    throw py::error(PyExc_LookupError, "new"); // raised here
    co_return object();
}

py::coroutine<object> raises_second(object awaited) {
    co_await py::await(std::move(awaited));    // first
    throw py::error(PyExc_LookupError, "new"); // raised here
}

py::coroutine<object> calls(object function) {
    co_return py::checked(PyObject_CallNoArgs(function.ptr())); // call
}

[[noreturn]] void fail_in_function() { throw py::error(PyExc_LookupError, "new"); }

/// Where a function raises that is no coroutine, only the coroutine's last await is known.
py::coroutine<object> calls_cpp(object awaited) {
    co_await py::await(std::move(awaited)); // first
    fail_in_function();
    co_return object();
}

py::coroutine<object> passes(object awaited) {
    co_return co_await py::await(std::move(awaited)); // await
}

py::coroutine<object> passes_nothrow(object awaited) {
    auto awaiting = py::await(std::move(awaited));
    co_return co_await isthmus::nothrow(awaiting); // await
}

py::coroutine<object> passes_outcome(object awaited) {
    auto awaiting = py::await(std::move(awaited));
    auto outcome = co_await isthmus::as_outcome(awaiting); // await
    if (outcome.failed()) {
        auto raised = isthmus::with_error(outcome.error());
        co_yield raised;
    }
    co_return std::move(outcome).returned();
}

py::coroutine<object> yields(object item) {
    co_return co_yield std::move(item); // yield
}

py::coroutine<object> never_starts() { // first line
    co_return object();
} // last line

/// Knows no Python, but is a level of the chain.
isthmus::coroutine<int> plain_raises(object error) {
    throw py::base_exception(std::move(error)); // raised here
    co_return 0;
}
py::coroutine<object> awaits_plain(object error) {
    int result = co_await plain_raises(std::move(error)); // await
    co_return py::converter<int>::to_python(result);
}

py::coroutine<object> deep(int levels, object awaited) {
    if (levels > 1) {
        co_return co_await deep(levels - 1, std::move(awaited)); // deeper
    }
    co_return co_await py::await(std::move(awaited)); // await
}

py::coroutine<object> deep_nothrow(int levels, object awaited) {
    if (levels > 1) {
        auto below = deep_nothrow(levels - 1, std::move(awaited));
        co_return co_await isthmus::nothrow(below); // deeper
    }
    auto awaiting = py::await(std::move(awaited));
    co_return co_await isthmus::nothrow(awaiting); // await
}

py::coroutine<object> handles(object awaited) {
    try {
        co_await py::await(std::move(awaited)); // await
    } catch (const py::base_exception& e) {
        co_return e.value();
    }
    co_return object();
}

py::coroutine<object> reraises(object awaited) {
    try {
        co_await py::await(std::move(awaited)); // await
    } catch (const py::base_exception&) {
        throw;
    }
    co_return object();
}

/// C++ has no `await` in a `finally`.
py::coroutine<object> cleans_up(object awaited, object cleanup) {
    std::exception_ptr error;
    object result;
    try {
        result = co_await py::await(std::move(awaited)); // await
    } catch (...) {
        error = std::current_exception();
    }
    co_await py::await(std::move(cleanup)); // cleanup
    if (error) {
        std::rethrow_exception(error);
    }
    co_return result;
}

py::coroutine<object> raises_from(object awaited) {
    std::optional<py::base_exception> cause;
    try {
        co_await py::await(std::move(awaited)); // await
    } catch (const py::base_exception& e) {
        cause = e;
    }
    py::raise_from(py::error(PyExc_LookupError, "new"), *cause); // raised here
    co_return object();
}

py::coroutine<object> retries(object make) {
    for (int i = 0; i < 2; ++i) {
        try {
            co_return co_await py::await(py::checked(PyObject_CallNoArgs(make.ptr()))); // await
        } catch (const py::error&) {}
    }
    object last = py::checked(PyObject_CallNoArgs(make.ptr()));
    co_return co_await py::await(std::move(last)); // last
}

py::coroutine<object> raises_when_closed(object awaited) {
    std::optional<py::base_exception> error;
    try {
        co_await py::await(std::move(awaited)); // await
    } catch (const isthmus::generator_exit&) {
        error = py::error(PyExc_LookupError, "new");
    }
    throw py::base_exception(error->value()); // raised here
}
py::coroutine<object> raises_below_when_closed(object awaited) {
    co_return co_await raises_when_closed(std::move(awaited)); // outer
}

// ---- C++ exceptions ----

isthmus::coroutine<int> plain_fails() { // first line
    throw std::out_of_range("of C++");
    co_return 0;
} // last line
py::coroutine<object> fails() {
    int result = co_await plain_fails(); // await
    co_return py::converter<int>::to_python(result);
}
py::coroutine<object> fails_deep(int levels) {
    if (levels > 1) {
        co_return co_await fails_deep(levels - 1); // deeper
    }
    co_return co_await fails(); // fails
}
py::coroutine<object> fails_nothrow(int levels) {
    if (levels > 1) {
        auto below = fails_nothrow(levels - 1);
        co_return co_await isthmus::nothrow(below); // deeper
    }
    auto below = fails();
    co_return co_await isthmus::nothrow(below); // fails
}
py::coroutine<object> fails_after(object awaited) {
    co_await py::await(std::move(awaited)); // await
    throw std::out_of_range("of C++");
}
py::coroutine<object> reraises_failure() {
    try {
        co_await fails(); // await
    } catch (const std::exception&) {
        throw;
    }
    co_return object();
}
py::coroutine<object> replaces_failure() {
    try {
        co_await fails(); // await
    } catch (const std::out_of_range&) {
        throw std::invalid_argument("another");
    }
    co_return object();
}
py::coroutine<object> passes_replaced() {
    co_return co_await replaces_failure(); // outer
}
/// Keeps the exception over a suspension.
py::coroutine<object> fails_later(object cleanup) {
    std::exception_ptr error;
    try {
        co_await fails(); // await
    } catch (...) {
        error = std::current_exception();
    }
    co_await py::await(std::move(cleanup)); // cleanup
    std::rethrow_exception(error);
}
py::coroutine<int> returns_what_fails(object awaited) {
    co_await py::await(std::move(awaited)); // await
    co_return 1;
}

struct failing_conversion {
    template <class T>
    static PyObject* convert(T&&, const py::detail::coroutine_object&) {
        throw std::out_of_range("of C++");
    }
    static constexpr py::detail::exception_translator translate = nullptr;
};
object cannot_convert(object awaited) {
    return py::to_python<failing_conversion>(returns_what_fails(std::move(awaited)));
}

/// The await chain of a coroutine that awaits `awaited`, which is closed then.
std::string await_chain_of(object awaited) {
    auto suspended = deep(2, std::move(awaited));
    static_cast<void>(suspended.send());
    std::string text = isthmus::await_chain(suspended).text();
    suspended.close();
    return text;
}

PyMethodDef functions[] = {
    raw::def<raises>("raises"),
    raw::def<raises_unthrown>("raises_unthrown"),
    raw::def<raises_new>("raises_new"),
    raw::def<raises_second>("raises_second"),
    raw::def<calls>("calls"),
    raw::def<calls_cpp>("calls_cpp"),
    raw::def<passes>("passes"),
    raw::def<passes_nothrow>("passes_nothrow"),
    raw::def<passes_outcome>("passes_outcome"),
    raw::def<yields>("yields"),
    raw::def<never_starts>("never_starts"),
    raw::def<awaits_plain>("awaits_plain"),
    raw::def<deep>("deep"),
    raw::def<deep_nothrow>("deep_nothrow"),
    raw::def<handles>("handles"),
    raw::def<reraises>("reraises"),
    raw::def<cleans_up>("cleans_up"),
    raw::def<raises_from>("raises_from"),
    raw::def<retries>("retries"),
    raw::def<raises_when_closed>("raises_when_closed"),
    raw::def<raises_below_when_closed>("raises_below_when_closed"),
    raw::def<fails>("fails"),
    raw::def<fails_deep>("fails_deep"),
    raw::def<fails_nothrow>("fails_nothrow"),
    raw::def<fails_after>("fails_after"),
    raw::def<reraises_failure>("reraises_failure"),
    raw::def<replaces_failure>("replaces_failure"),
    raw::def<passes_replaced>("passes_replaced"),
    raw::def<fails_later>("fails_later"),
    raw::def<cannot_convert>("cannot_convert"),
    raw::def<await_chain_of>("await_chain_of"),
    {nullptr, nullptr, 0, nullptr},
};

PyModuleDef module = raw::define("raw_tracebacks", functions);

} // namespace

PyMODINIT_FUNC PyInit_raw_tracebacks() { return PyModuleDef_Init(&module); }
