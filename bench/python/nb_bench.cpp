// bench/python/nb_bench.cpp — the C++ coroutines, bound with nanobind.
// SPDX-License-Identifier: MIT
#include <isthmus/nanobind.hpp>

#include "coroutines.hpp"

NB_MODULE(nb_bench, m) {
    m.def("immediate_none", &bench::python::immediate_none);
    m.def("immediate_value", &bench::python::immediate_value);
    m.def("awaits_own", &bench::python::awaits_own);
    m.def("awaits_python", &bench::python::awaits_python);
    m.def("nested", &bench::python::nested);
    m.def("pass_through", &bench::python::pass_through);
}
