// expect: what is awaited yields or takes another type than this coroutine
// What a Python awaitable yields is a Python object, which only a py::coroutine can pass up.
#include <isthmus/python.hpp>

namespace py = isthmus::py;

#ifdef FIXED
using result = py::coroutine<int>;
#else
using result = isthmus::coroutine<int>;
#endif

result f(py::object awaited) {
    const int number = co_await py::await<int>(awaited);
    co_return number;
}
