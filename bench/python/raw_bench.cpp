// bench/python/raw_bench.cpp — the C++ coroutines, bound with CPython's C API; and C++ chains that know no Python, for
// what an exception costs beside CPython.
// SPDX-License-Identifier: MIT
#include "coroutines.hpp"

#include "../cpp/coroutines.hpp"

#include <chrono>
#include <cstddef>
#include <exception>
#include <new>
#include <string_view>
#include <vector>

namespace {

namespace py = isthmus::py;

// What fails here has no memory left, or was called with the wrong arguments: the benchmark is at its end.
template <class Coroutine>
PyObject* bound(Coroutine made) {
    return py::to_python(std::move(made)).release();
}

/// What METH_NOARGS would check.
bool takes_none(Py_ssize_t count) {
    if (count != 0) {
        PyErr_Format(PyExc_TypeError, "this function takes no arguments (%zd given)", count);
    }
    return count == 0;
}

PyObject* immediate_none(PyObject*, PyObject* const*, Py_ssize_t count) {
    return takes_none(count) ? py::to_python(bench::python::immediate_none()).release() : nullptr;
}
PyObject* immediate_value(PyObject*, PyObject* const*, Py_ssize_t count) {
    return takes_none(count) ? py::to_python(bench::python::immediate_value()).release() : nullptr;
}
PyObject* awaits_own(PyObject*, PyObject* count) { return bound(bench::python::awaits_own(PyLong_AsLong(count))); }
PyObject* nested(PyObject*, PyObject* depth) { return bound(bench::python::nested(PyLong_AsLong(depth))); }
PyObject* forever(PyObject*, PyObject*) { return bound(bench::python::forever()); }
PyObject* pass_through(PyObject*, PyObject* awaitable) {
    return bound(bench::python::pass_through(py::object::borrow(awaitable)));
}
PyObject* awaits_python(PyObject*, PyObject* const* arguments, Py_ssize_t) {
    return bound(bench::python::awaits_python(py::object::borrow(arguments[0]), PyLong_AsLong(arguments[1])));
}

/// Seconds to throw once into each of `count` C++ chains with `depth` levels above the leaf: by throw_(), by
/// try_throw(), or by try_throw() through frames that await with nothrow().
double seconds_to_throw(long depth, long count, std::string_view how) {
    std::vector<bench::failing> chains;
    chains.reserve(static_cast<std::size_t>(count));
    for (long i = 0; i < count; ++i) {
        chains.push_back(bench::started(how == "nothrow" ? bench::nothrow_levels(depth) : bench::plain_levels(depth)));
    }
    const std::exception_ptr error = std::make_exception_ptr(std::runtime_error("thrown in"));
    const auto start = std::chrono::steady_clock::now();
    for (bench::failing& each : chains) {
        if (how == "throw") {
            bench::throw_through(each, error);
        } else {
            bench::try_throw_through(each, error);
        }
    }
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

PyObject* throws(PyObject*, PyObject* arguments) {
    long depth = 0;
    long count = 0;
    const char* how = nullptr;
    if (!PyArg_ParseTuple(arguments, "lls", &depth, &count, &how)) {
        return nullptr;
    }
    return PyFloat_FromDouble(seconds_to_throw(depth, count, how));
}

/// The convention that the interpreter has an instruction for, from CPython 3.11 on; mypyc chooses it too.
template <class Function>
PyCFunction fastcall(Function* function) {
    return reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(function));
}

PyMethodDef functions[] = {
    {"immediate_none", fastcall(immediate_none), METH_FASTCALL, nullptr},
    {"immediate_value", fastcall(immediate_value), METH_FASTCALL, nullptr},
    {"awaits_own", awaits_own, METH_O, nullptr},
    {"nested", nested, METH_O, nullptr},
    {"forever", forever, METH_NOARGS, nullptr},
    {"pass_through", pass_through, METH_O, nullptr},
    {"awaits_python", fastcall(awaits_python), METH_FASTCALL, nullptr},
    {"throws", throws, METH_VARARGS, nullptr},
    {nullptr, nullptr, 0, nullptr},
};

PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, "raw_bench", nullptr, 0, functions, nullptr, nullptr, nullptr, nullptr};

} // namespace

PyMODINIT_FUNC PyInit_raw_bench() { return PyModuleDef_Init(&definition); }
