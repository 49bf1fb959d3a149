// expect: include isthmus/nanobind.hpp or isthmus/pybind11.hpp in a translation unit, not both
// Each says how values are converted, and one translation unit can only have one answer.
#include <isthmus/nanobind.hpp>
#if !defined(FIXED)
#include <isthmus/pybind11.hpp>
#endif
