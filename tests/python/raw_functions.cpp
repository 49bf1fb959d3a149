// tests/python/raw_functions.cpp — py::as_coroutine_function on what CPython's C API makes: functions and methods.
// SPDX-License-Identifier: MIT

#include "raw.hpp"

#include <utility>

namespace {

namespace py = isthmus::py;
using py::object;

py::coroutine<int> add_numbers(int a, int b) { co_return a + b; }

PyObject* add(PyObject*, PyObject* arguments, PyObject* named) noexcept {
    static const char* const names[] = {"a", "b", nullptr};
    int a = 0, b = 2;
    if (PyArg_ParseTupleAndKeywords(arguments, named, "i|i", const_cast<char**>(names), &a, &b) == 0) {
        return nullptr;
    }
    return py::to_python(add_numbers(a, b)).release();
}

py::coroutine<object> pass_on(object value) { co_return value; }

/// A method: gives `self` and its argument.
PyObject* method(PyObject* self, PyObject* argument) noexcept {
    return py::to_python(pass_on(object::steal(PyTuple_Pack(2, self, argument)))).release();
}

object as_coroutine_function(object callable) { return py::as_coroutine_function(callable); }

constexpr const char* add_doc = PyDoc_STR("add($module, a, b=2)\n--\n\nAdds two numbers.");

PyMethodDef functions[] = {
    {"add", reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(add)), METH_VARARGS | METH_KEYWORDS, add_doc},
    {"plain_add", reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(add)), METH_VARARGS | METH_KEYWORDS,
     nullptr},
    raw::def<pass_on>("pass_on"),
    raw::def<as_coroutine_function>("as_coroutine_function"),
    {nullptr, nullptr, 0, nullptr},
};

PyMethodDef methods[] = {
    {"method", method, METH_O, PyDoc_STR("method($self, argument, /)\n--\n\n")},
    {"static_method", method, METH_O | METH_STATIC, nullptr},
    {"class_method", method, METH_O | METH_CLASS, nullptr},
    {nullptr, nullptr, 0, nullptr},
};

/// Puts a coroutine function in the place of a function.
void mark(const object& scope, const char* name) {
    const object marked = py::as_coroutine_function(py::checked(PyObject_GetAttrString(scope.ptr(), name)));
    if (PyObject_SetAttrString(scope.ptr(), name, marked.ptr()) != 0) {
        py::throw_raised();
    }
}

int mark_all(PyObject* module) noexcept {
    try {
        PyType_Slot slots[] = {{Py_tp_methods, methods}, {0, nullptr}};
        PyType_Spec spec{"raw_functions.Thing", sizeof(PyObject), 0, Py_TPFLAGS_DEFAULT, slots};
        const object thing = py::checked(PyType_FromSpec(&spec));
        mark(thing, "method");
        mark(object::borrow(module), "add");
        mark(object::borrow(module), "pass_on");
        return PyModule_AddObjectRef(module, "Thing", thing.ptr());
    } catch (const py::base_exception& e) {
        e.restore();
        return -1;
    }
}

PyModuleDef module = raw::define("raw_functions", functions, raw::with_exec<mark_all>);

} // namespace

PyMODINIT_FUNC PyInit_raw_functions() { return PyModuleDef_Init(&module); }
