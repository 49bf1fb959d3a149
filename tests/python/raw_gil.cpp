// tests/python/raw_gil.cpp — what needs the GIL, called without it, in a module that is checked as in a debug build.
// SPDX-License-Identifier: MIT

#define ISTHMUS_CHECK_GIL 1
#include "raw.hpp"

#include <string>
#include <thread>
#include <utility>

namespace {

namespace py = isthmus::py;

py::coroutine<> nothing() { co_return; }

void misuse(const std::string& name, py::object& object) {
    if (name == "copy") {
        const py::object copy = object; // NOLINT(performance-unnecessary-copy-initialization)
    } else if (name == "borrow") {
        static_cast<void>(py::object::borrow(object.ptr()));
    } else if (name == "error") {
        static_cast<void>(py::error(PyExc_ValueError, "text"));
    } else if (name == "checked") {
        static_cast<void>(py::checked(object.release()));
    } else if (name == "throw_raised") {
        py::throw_raised();
    } else if (name == "to_python") {
        static_cast<void>(py::to_python(nothing()));
    } else if (name == "completion") {
        const py::completion<int> done;
    } else if (name == "allowed") {
        py::object moved = std::move(object);
        object = std::move(moved);
        py::object dies = std::move(object);
    }
}

/// Does it where the GIL is released: on this thread or on another.
void without_gil(const std::string& name, bool on_thread, py::object object) {
    Py_BEGIN_ALLOW_THREADS;
    if (on_thread) {
        std::thread([&] { misuse(name, object); }).join();
    } else {
        misuse(name, object);
    }
    Py_END_ALLOW_THREADS;
}
void call(std::string name, bool on_thread, py::object object) { without_gil(name, on_thread, std::move(object)); }

PyMethodDef functions[] = {
    raw::def<call>("call"),
    {nullptr, nullptr, 0, nullptr},
};

PyModuleDef definition = raw::define("raw_gil", functions);

} // namespace

PyMODINIT_FUNC PyInit_raw_gil() { return PyModuleDef_Init(&definition); }
