// bench/python/raw_noargs.cpp — those of raw_bench that take no argument, bound with METH_NOARGS and not with
// METH_FASTCALL: from CPython 3.11 on the interpreter has an instruction that calls the latter directly.
// SPDX-License-Identifier: MIT
#include "coroutines.hpp"

namespace {

PyObject* immediate_none(PyObject*, PyObject*) {
    return isthmus::py::to_python(bench::python::immediate_none()).release();
}
PyObject* immediate_value(PyObject*, PyObject*) {
    return isthmus::py::to_python(bench::python::immediate_value()).release();
}

PyMethodDef functions[] = {
    {"immediate_none", immediate_none, METH_NOARGS, nullptr},
    {"immediate_value", immediate_value, METH_NOARGS, nullptr},
    {nullptr, nullptr, 0, nullptr},
};

PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, "raw_noargs", nullptr, 0, functions, nullptr, nullptr, nullptr, nullptr};

} // namespace

PyMODINIT_FUNC PyInit_raw_noargs() { return PyModuleDef_Init(&definition); }
