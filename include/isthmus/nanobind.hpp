// isthmus/nanobind.hpp — lets nanobind bind functions that return a py::coroutine<T> or a generator.
// SPDX-License-Identifier: MIT
//
// Include it, and `m.def("fetch", &fetch)` makes a Python coroutine function. A function that takes a parameter which
// would not outlive the call does not compile (C++ Core Guidelines CP.53).
#pragma once

#include "nanobind/coroutine.hpp"
#include "python.hpp"
