// expect first: the Return of a Python coroutine or generator cannot be a reference, pointer or view
// The Python result that a view would refer to is gone when the step has ended.
#include <isthmus/python.hpp>

#include <string>
#include <string_view>

namespace py = isthmus::py;

#ifdef FIXED
using result = std::string;
#else
using result = std::string_view;
#endif

result f(const py::object& awaitable) {
    py::python_coroutine<result> coroutine(awaitable);
    return coroutine.send().returned();
}
