// bench/python/raw_fastcall.cpp — those of raw_bench that take no argument, bound with METH_FASTCALL and not with
// METH_NOARGS: from CPython 3.11 on the interpreter has an instruction that calls such a function directly.
// SPDX-License-Identifier: MIT
#include "coroutines.hpp"

namespace {

PyObject* immediate_none(PyObject*, PyObject* const*, Py_ssize_t) {
    return isthmus::py::to_python(bench::python::immediate_none()).release();
}
PyObject* immediate_value(PyObject*, PyObject* const*, Py_ssize_t) {
    return isthmus::py::to_python(bench::python::immediate_value()).release();
}

template <class Function>
PyCFunction fastcall(Function* function) {
    return reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(function));
}

PyMethodDef functions[] = {
    {"immediate_none", fastcall(immediate_none), METH_FASTCALL, nullptr},
    {"immediate_value", fastcall(immediate_value), METH_FASTCALL, nullptr},
    {nullptr, nullptr, 0, nullptr},
};

PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, "raw_fastcall", nullptr, 0, functions, nullptr, nullptr, nullptr, nullptr};

} // namespace

PyMODINIT_FUNC PyInit_raw_fastcall() { return PyModuleDef_Init(&definition); }
