// tests/python/raw_cancellation.cpp — the level of test_cancellation.py's chains, in C++.
// SPDX-License-Identifier: MIT

#include "raw.hpp"

#include <exception>
#include <string>
#include <utility>

namespace {

namespace py = isthmus::py;

void note(const py::object& log, const std::string& text) {
    const py::object entry = py::checked(PyUnicode_FromString(text.c_str()));
    if (PyList_Append(log.ptr(), entry.ptr()) != 0) {
        py::throw_raised();
    }
}
std::string type_of(const py::base_exception& raised) { return Py_TYPE(raised.value().ptr())->tp_name; }

/// test_cancellation.native_level().
py::coroutine<py::object> level(py::object log, std::string name, py::object inner, py::object clean_up, bool swallow) {
    std::exception_ptr caught;
    py::object result;
    try {
        result = co_await py::await(std::move(inner));
    } catch (const py::base_exception& raised) {
        note(log, name + " caught " + type_of(raised));
        caught = std::current_exception();
    }
    if (caught) {
        try {
            co_await py::await(py::checked(PyObject_CallNoArgs(clean_up.ptr())));
        } catch (const py::base_exception& raised) {
            note(log, name + " could not clean up: " + type_of(raised));
            throw;
        }
        if (!swallow) {
            std::rethrow_exception(caught);
        }
        result = py::object::steal(PyUnicode_FromString("swallowed"));
    }
    note(log, name + " returns");
    co_return result;
}

PyMethodDef functions[] = {raw::def<level>("level"), {nullptr, nullptr, 0, nullptr}};

PyModuleDef definition = raw::define("raw_cancellation", functions);

} // namespace

PyMODINIT_FUNC PyInit_raw_cancellation() { return PyModuleDef_Init(&definition); }
