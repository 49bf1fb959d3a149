// tests/python/raw_introspection.cpp — coroutines to look at from Python, and frames for places in C++.
// SPDX-License-Identifier: MIT

#include "raw.hpp"

#include <cstdint>
#include <source_location>

namespace {

namespace py = isthmus::py;
using py::object;

/// A frame at `line` of this function, and one at the function's own line.
object frames(int line) {
    py::detail::interpreter_state& state = py::detail::interpreter_state::get();
    const auto here = std::source_location::current();
    const object there = py::checked(py::detail::frame_for(state, here, static_cast<std::uint32_t>(line)).release());
    const object first = py::checked(py::detail::frame_for(state, here, 0).release());
    return py::checked(PyTuple_Pack(2, there.ptr(), first.ptr()));
}

PyMethodDef functions[] = {
    raw::def<frames>("frames"),
    {nullptr, nullptr, 0, nullptr},
};

PyModuleDef module = {
    PyModuleDef_HEAD_INIT, "raw_introspection", nullptr, 0, functions, nullptr, nullptr, nullptr, nullptr,
};

} // namespace

PyMODINIT_FUNC PyInit_raw_introspection() { return PyModule_Create(&module); }
