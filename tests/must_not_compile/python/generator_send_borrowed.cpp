// expect first: a generator that is handed to Python cannot take a reference, pointer or view
// What Python sends would be gone before the generator has used it.
#include <isthmus/python.hpp>

#include <string>
#include <string_view>

namespace py = isthmus::py;

#ifdef FIXED
using sent = std::string;
#else
using sent = std::string_view;
#endif

isthmus::generator<int, sent> generate();

py::object f() { return py::to_python(generate()); }
