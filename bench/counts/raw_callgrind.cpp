// bench/counts/raw_callgrind.cpp — lets a Python program tell callgrind what it counts.
// SPDX-License-Identifier: MIT
#include <Python.h>

#include <valgrind/callgrind.h>

namespace {

PyObject* dump(PyObject*, PyObject* name) {
    CALLGRIND_DUMP_STATS_AT(PyUnicode_AsUTF8(name));
    Py_RETURN_NONE;
}

PyMethodDef functions[] = {
    {"dump", dump, METH_O, "Writes what was counted, under this name, and counts from zero."},
    {nullptr, nullptr, 0, nullptr},
};
PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, "raw_callgrind", nullptr, 0, functions, nullptr, nullptr, nullptr, nullptr};

} // namespace

PyMODINIT_FUNC PyInit_raw_callgrind() { return PyModuleDef_Init(&definition); }
