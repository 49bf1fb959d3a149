// bench/counts/raw_callgrind.cpp — lets a Python program tell callgrind what it counts, and ask malloc.
// SPDX-License-Identifier: MIT
#include <Python.h>

#include <malloc.h>
#include <valgrind/callgrind.h>

namespace {

PyObject* dump(PyObject*, PyObject* name) {
    CALLGRIND_DUMP_STATS_AT(PyUnicode_AsUTF8(name));
    Py_RETURN_NONE;
}
PyObject* allocated(PyObject*, PyObject*) { return PyLong_FromSize_t(mallinfo2().uordblks); }

PyMethodDef functions[] = {
    {"dump", dump, METH_O, "Writes what was counted, under this name, and counts from zero."},
    {"allocated", allocated, METH_NOARGS, "The bytes that malloc has given, and not got back. Not under callgrind."},
    {nullptr, nullptr, 0, nullptr},
};
PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, "raw_callgrind", nullptr, 0, functions, nullptr, nullptr, nullptr, nullptr};

} // namespace

PyMODINIT_FUNC PyInit_raw_callgrind() { return PyModuleDef_Init(&definition); }
