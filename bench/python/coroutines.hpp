// bench/python/coroutines.hpp — the C++ coroutines that bench/python/cases.py measures, bound by two modules: raw_bench
// with CPython's C API alone, nb_bench with nanobind.
// SPDX-License-Identifier: MIT
#pragma once

#include <isthmus/isthmus.hpp>
#include <isthmus/python.hpp>

#include <utility>

namespace bench::python {

namespace py = isthmus::py;

inline py::coroutine<> immediate_none() { co_return; }
inline py::coroutine<int> immediate_value() { co_return 1000; }

/// Awaits `count` C++ coroutines.
inline py::coroutine<> awaits_own(long count) {
    for (long i = 0; i < count; ++i) {
        co_await immediate_none();
    }
}
/// Awaits what `count` calls of `make` return.
inline py::coroutine<> awaits_python(py::object make, long count) {
    for (long i = 0; i < count; ++i) {
        py::object made = py::checked(PyObject_CallNoArgs(make.ptr()));
        co_await py::await<void>(std::move(made));
    }
}
inline py::coroutine<py::object> pass_through(py::object awaitable) {
    co_return co_await py::await(std::move(awaitable));
}

inline py::coroutine<> forever() {
    while (true) {
        co_yield py::object::make_none();
    }
}
/// A chain of `depth` levels below the one that suspends again and again.
inline py::coroutine<> nested(long depth) {
    if (depth <= 1) {
        co_await forever();
    } else {
        co_await nested(depth - 1);
    }
}

} // namespace bench::python
