// expect first: a coroutine that is handed to Python must yield and take py::object, or nothing
// What a Python coroutine yields goes to a driver that only knows Python objects.
#include <isthmus/python.hpp>

#include <exception>

namespace py = isthmus::py;

#ifdef FIXED
using yielded = py::object;
#else
using yielded = int;
#endif

struct own : isthmus::abc::coroutine<int, yielded> {
    step_type send(isthmus::none) override;
    step_type throw_(std::exception_ptr error) override;
};

py::object f() { return py::to_python(own()); }
