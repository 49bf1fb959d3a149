// An extension module of a user's own, with the headers that `pip install` has put into a virtual environment.

#include <isthmus/nanobind.hpp>

isthmus::py::coroutine<int> twice(int x) { co_return 2 * x; }

NB_MODULE(extension, m) { m.def("twice", &twice); }
