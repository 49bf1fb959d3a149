// isthmus/pybind11.hpp — lets pybind11 bind functions that return a py::coroutine<T> or a generator.
// SPDX-License-Identifier: MIT
//
// Include it, and `m.def("fetch", isthmus::py::bind(&fetch))` makes a Python coroutine function. pybind11 has no place
// to look at a function's parameters, so bind() does: a parameter that would not outlive the call does not compile
// (C++ Core Guidelines CP.53). Without bind() such a coroutine raises TypeError when it is made.
#pragma once

#include "pybind11/coroutine.hpp"
#include "python.hpp"
