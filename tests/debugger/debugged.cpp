// tests/debugger/debugged.cpp — an extension module at which run.py looks with gdb.
// SPDX-License-Identifier: MIT
#include "../python/raw.hpp"

#include <utility>

namespace py = isthmus::py;
using py::object;

namespace shop {

py::coroutine<object> inner(object awaited) {
    co_return co_await py::await(std::move(awaited)); // inner
}

py::coroutine<object> outer(object awaited) {
    co_return co_await inner(std::move(awaited)); // outer
}

} // namespace shop

namespace {

void stop_here(const object& first, PyObject* second) {
    static_cast<void>(first);
    static_cast<void>(second);
}
void look_at(object first, object second) { stop_here(first, second.ptr()); }

PyMethodDef functions[] = {
    raw::def<shop::inner>("inner"),
    raw::def<shop::outer>("outer"),
    raw::def<look_at>("look_at"),
    {nullptr, nullptr, 0, nullptr},
};

PyModuleDef module = {
    PyModuleDef_HEAD_INIT, "debugged", nullptr, 0, functions, nullptr, nullptr, nullptr, nullptr,
};

} // namespace

PyMODINIT_FUNC PyInit_debugged() { return PyModule_Create(&module); }
