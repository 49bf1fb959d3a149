// expect: py::await<T> cannot give a reference, pointer or view
// The Python result that a view would refer to is gone when the co_await is over.
#include <isthmus/python.hpp>

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace py = isthmus::py;

py::coroutine<std::string> fine(py::object awaited) {
    co_await py::await(awaited);
    co_await py::await<void>(awaited);
    const bool flag = co_await py::await<bool>(awaited);
    std::string text = co_await py::await<std::string>(awaited);
    if (flag) {
        text += '!';
    }
    co_return text;
}

#if !defined(FIXED)
py::coroutine<> refused(py::object awaited) {
    co_await py::await<std::string_view>(awaited);              // refused
    co_await py::await<const char*>(awaited);                   // refused
    co_await py::await<int&>(awaited);                          // refused
    co_await py::await<PyObject*>(awaited);                     // refused
    co_await py::await<std::span<int>>(awaited);                // refused
    co_await py::await<std::reference_wrapper<int>>(awaited);   // refused
    co_await py::await<std::vector<std::string_view>>(awaited); // refused
    co_await py::await<std::optional<const char*>>(awaited);    // refused
}
#endif
