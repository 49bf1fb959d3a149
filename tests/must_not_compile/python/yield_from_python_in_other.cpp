// expect first: what is yielded from yields or takes another type than this generator
// What a Python generator yields is a Python object.
#include <isthmus/python.hpp>

namespace py = isthmus::py;

#ifdef FIXED
using yielded = py::object;
#else
using yielded = int;
#endif

isthmus::generator<yielded, py::object> f(py::object iterable) {
    co_yield isthmus::yield_from(py::python_generator<void>(iterable));
}
