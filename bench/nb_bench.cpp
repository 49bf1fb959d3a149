// bench/nb_bench.cpp — the C++ coroutines that bench/run.py measures from Python.
// SPDX-License-Identifier: MIT
#include <isthmus/isthmus.hpp>
#include <isthmus/nanobind.hpp>

#include <nanobind/stl/string.h>

#include <chrono>
#include <exception>
#include <stdexcept>
#include <string>
#include <vector>

namespace nb = nanobind;
namespace py = isthmus::py;

namespace {

py::coroutine<> immediate_none() { co_return; }
py::coroutine<int> immediate_value() { co_return 1000; }

py::coroutine<> awaits_python(nb::callable make, int count) {
    for (int i = 0; i < count; ++i) {
        nb::object made = make();
        co_await py::await<void>(made);
    }
}

py::coroutine<> forever() {
    while (true) {
        co_yield py::object::make_none();
    }
}
py::coroutine<> nested(int depth) {
    if (depth <= 1) {
        co_await forever();
    } else {
        co_await nested(depth - 1);
    }
}

py::coroutine<> awaits_cpp(int count) {
    for (int i = 0; i < count; ++i) {
        co_await immediate_none();
    }
}

py::coroutine<py::object> pass_through(py::object awaitable) { co_return co_await py::await(awaitable); }

// A chain without Python: an exception that is thrown in at the leaf and leaves it through every level.
using chain = isthmus::coroutine<int, int>;

chain plain_levels(int depth) {
    if (depth <= 1) {
        co_yield 1;
        co_return 0;
    }
    co_return co_await plain_levels(depth - 1);
}
chain nothrow_levels(int depth) {
    if (depth <= 1) {
        co_yield 1;
        co_return 0;
    }
    co_return co_await isthmus::nothrow(nothrow_levels(depth - 1));
}

/// Seconds to throw into each of `count` chains that are `depth` deep: by throw_(), by try_throw(), or by try_throw()
/// through frames that await with nothrow().
double throws(int depth, int count, const std::string& how) {
    std::vector<chain> chains;
    for (int i = 0; i < count; ++i) {
        chains.push_back(how == "nothrow" ? nothrow_levels(depth) : plain_levels(depth));
        chains.back().send();
    }
    const std::exception_ptr error = std::make_exception_ptr(std::runtime_error("thrown in"));
    const auto start = std::chrono::steady_clock::now();
    for (chain& each : chains) {
        if (how != "throw") {
            if (!each.try_throw(error).failed()) {
                throw std::logic_error("the error was lost");
            }
            continue;
        }
        try {
            each.throw_(error);
        } catch (const std::runtime_error&) {
            continue;
        }
        throw std::logic_error("the error was lost");
    }
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

// The raw C API beside nanobind: what the binding library's dispatch adds is in the difference.
PyObject* raw_immediate_none(PyObject*, PyObject*) { return py::to_python(immediate_none()).release(); }
PyObject* raw_immediate_value(PyObject*, PyObject*) { return py::to_python(immediate_value()).release(); }
PyMethodDef raw_functions[] = {
    {"raw_immediate_none", raw_immediate_none, METH_NOARGS, nullptr},
    {"raw_immediate_value", raw_immediate_value, METH_NOARGS, nullptr},
};

} // namespace

NB_MODULE(nb_bench, m) {
    m.def("immediate_none", &immediate_none);
    m.def("immediate_value", &immediate_value);
    m.def("awaits_python", &awaits_python);
    m.def("awaits_cpp", &awaits_cpp);
    m.def("nested", &nested);
    m.def("pass_through", &pass_through);
    m.def("throws", &throws);
    for (PyMethodDef& function : raw_functions) {
        m.attr(function.ml_name) = nb::steal(PyCFunction_New(&function, nullptr));
    }
}
