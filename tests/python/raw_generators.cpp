// tests/python/raw_generators.cpp — C++ generators whose Python twins are in native_generators.py, name by name.
// SPDX-License-Identifier: MIT

#include "raw.hpp"

#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace {

struct unconvertible {};

} // namespace

template <>
struct isthmus::py::converter<unconvertible> {
    static object to_python(unconvertible) { throw error(PyExc_TypeError, "cannot be converted"); }
};
template <>
struct isthmus::py::converter<std::optional<int>> {
    static std::optional<int> from_python(const object& value) { return converter<int>::from_python(value); }
};

namespace {

namespace py = isthmus::py;
using isthmus::generator;
using py::object;
using raw::guard;

// ---- values of other types than Python's ----------------------------------------------------------------------------

generator<int> count(int limit) {
    for (int i = 0; i < limit; ++i) {
        co_yield i;
    }
}

/// Takes numbers, yields text, returns whether any came.
generator<std::string, double, bool> describe() {
    bool any = false;
    std::string text = "start";
    while (text != "0.000000") {
        const double sent = co_yield text;
        any = true;
        text = std::to_string(sent);
    }
    co_return any;
}

generator<int, std::optional<int>, int> sum() {
    int total = 0;
    while (const std::optional<int> sent = co_yield total) {
        total += *sent;
    }
    co_return total;
}

generator<void> pulses(int limit) {
    for (int i = 0; i < limit; ++i) {
        co_yield isthmus::none();
    }
}

generator<const std::string&> words(std::string first, std::string second) {
    co_yield first;
    co_yield second;
}

/// A level that yields nothing, below one that yields numbers, which only Python can drive.
generator<int> count_with_pulses(int limit) {
    co_yield -1;
    co_yield isthmus::yield_from(pulses(limit));
}

generator<unconvertible, isthmus::none, int> yields_unconvertible() {
    co_yield unconvertible();
    co_return 7;
}

generator<int> throws(std::string text) {
    co_yield 1;
    throw std::out_of_range(text);
}

// ---- generators of Python objects -----------------------------------------------------------------------------------

generator<object, object, object> yields(object objects) {
    object sent = py::checked(PyList_New(0));
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(objects.ptr()); ++i) {
        object item = object::borrow(PyList_GET_ITEM(objects.ptr(), i));
        const object received = co_yield std::move(item);
        if (PyList_Append(sent.ptr(), received.ptr()) != 0) {
            py::throw_raised();
        }
    }
    co_return sent;
}

generator<object, object, object> delegates(object objects) {
    object got = co_yield isthmus::yield_from(yields(std::move(objects)));
    co_return got;
}

generator<object, object, object> guarded(object objects, object log) {
    const guard outer(log, "outer guard");
    const guard inner(log, "inner guard");
    object got = co_yield isthmus::yield_from(yields(std::move(objects)));
    co_return got;
}

/// One step: what it does, with what, and what error the step may end in, which is logged.
struct instruction {
    std::string kind;
    object operand;
    object caught;
};

/// Carries out steps, each (kind, operand, caught): "yield", "call" a function with what the step before gave, "raise",
/// "return", and "from", which yields from a script of its own. An error that `caught` matches is the result of the
/// step.
generator<object, object, object> script(object steps) {
    std::vector<instruction> todo;
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(steps.ptr()); ++i) {
        PyObject* const* const items = &PyTuple_GET_ITEM(PyList_GET_ITEM(steps.ptr(), i), 0);
        todo.push_back({py::converter<std::string>::from_python(object::borrow(items[0])), object::borrow(items[1]),
                        object::borrow(items[2])});
    }
    steps.reset();
    object last = object::make_none();
    for (const instruction& now : todo) {
        std::exception_ptr error;
        try {
            if (now.kind == "yield") {
                object sent = co_yield now.operand;
                last = std::move(sent);
            } else if (now.kind == "from") {
                object got = co_yield isthmus::yield_from(script(now.operand));
                last = std::move(got);
            } else if (now.kind == "call") {
                last = py::checked(PyObject_CallOneArg(now.operand.ptr(), last.ptr()));
            } else if (now.kind == "raise") {
                std::rethrow_exception(py::detail::to_exception_ptr(now.operand));
            } else {
                co_return now.operand;
            }
        } catch (...) {
            error = std::current_exception();
        }
        if (error) {
            py::detail::set_from_exception(error, nullptr);
            object raised = py::detail::take_raised();
            if (now.caught.is_none() || !PyErr_GivenExceptionMatches(raised.ptr(), now.caught.ptr())) {
                std::rethrow_exception(std::move(error));
            }
            last = std::move(raised);
        }
    }
    co_return object::make_none();
}

// ---- generator-based coroutines -------------------------------------------------------------------------------------

auto yields_as_coroutine(object objects) { return isthmus::from_generator(yields(std::move(objects))); }
auto script_as_coroutine(object steps) { return isthmus::from_generator(script(std::move(steps))); }
auto count_as_coroutine(int limit) { return isthmus::from_generator(count(limit)); }

// ---- what is refused ------------------------------------------------------------------------------------------------

generator<object> by_reference(const std::string& text) { co_yield py::converter<std::string>::to_python(text); }
generator<object> hidden_reference(std::string text) { return by_reference(text); }

generator<int> started(int limit) {
    generator<int> made = count(limit);
    static_cast<void>(made.send());
    return made;
}

generator<int> empty() { return {}; }

PyMethodDef functions[] = {
    raw::def<count>("count"),
    raw::def<describe>("describe"),
    raw::def<sum>("sum"),
    raw::def<pulses>("pulses"),
    raw::def<words>("words"),
    raw::def<yields_unconvertible>("yields_unconvertible"),
    raw::def<throws>("throws"),
    raw::def<yields>("yields"),
    raw::def<delegates>("delegates"),
    raw::def<guarded>("guarded"),
    raw::def<script>("script"),
    raw::def<yields_as_coroutine>("yields_as_coroutine"),
    raw::def<script_as_coroutine>("script_as_coroutine"),
    raw::def<count_as_coroutine>("count_as_coroutine"),
    raw::def<count_with_pulses>("count_with_pulses"),
    raw::def<hidden_reference>("hidden_reference"),
    raw::def<started>("started"),
    raw::def<empty>("empty"),
    {nullptr, nullptr, 0, nullptr},
};

PyModuleDef module = raw::define("raw_generators", functions);

} // namespace

PyMODINIT_FUNC PyInit_raw_generators() { return PyModuleDef_Init(&module); }
