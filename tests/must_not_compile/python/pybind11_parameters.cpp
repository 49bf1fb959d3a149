// expect: a coroutine or generator bound to Python must not take a parameter by reference, pointer or view
// Each kind of function that py::bind and py::bind_method take, with each kind of parameter that would dangle.
#include <isthmus/pybind11.hpp>

#include <pybind11/functional.h>
#include <pybind11/stl.h>

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <variant>
#include <vector>

namespace pb = pybind11;
namespace py = isthmus::py;

struct user {
    py::coroutine<> own(int);
    py::coroutine<> own_const(std::string) const;
    py::coroutine<> by_reference(int, const std::string&);
    py::coroutine<> by_view(std::string_view, short) const;
    static py::coroutine<> of_class(const char*, short);
};

isthmus::generator<int> generate(const std::vector<int>& numbers);
isthmus::any_coroutine<int> erased(const int& number);

// Legal between C++ coroutines.
py::coroutine<> by_reference(const std::string& text);

py::coroutine<> fine(std::string, int, bool, std::vector<std::string>, py::object, pb::object, user,
                     std::function<int(std::string_view)>);

PYBIND11_MODULE(test, m) {
    m.def("fine", py::bind(&fine));
    m.def("fine_lambda", py::bind([](std::string text) -> py::coroutine<> { return by_reference(text); }));
    pb::class_<user> users(m, "User");
    users.def("own", py::bind(&user::own)).def("own_const", py::bind(&user::own_const));
    users.def("fine_self", py::bind_method([](user& self) { return self.own(1); }));
    users.def("fine_const_self", py::bind_method([](const user&, int) -> py::coroutine<> { co_return; }));
#if !defined(FIXED)
    m.def("f", py::bind(&by_reference));                                                                  // refused
    m.def("f", py::bind([](std::string_view) -> py::coroutine<> { co_return; }));                         // refused
    m.def("f", py::bind([](const char*) -> py::coroutine<int> { co_return 1; }));                         // refused
    m.def("f", py::bind([](pb::handle) -> py::coroutine<> { co_return; }));                               // refused
    m.def("f", py::bind([](PyObject*) -> py::coroutine<> { co_return; }));                                // refused
    m.def("f", py::bind([](user&) -> py::coroutine<> { co_return; }));                                    // refused
    m.def("f", py::bind([](std::vector<std::string_view>) -> py::coroutine<> { co_return; }));            // refused
    m.def("f", py::bind([](std::optional<const char*>) -> py::coroutine<> { co_return; }));               // refused
    m.def("f", py::bind([](std::tuple<int, pb::handle>) -> py::coroutine<> { co_return; }));              // refused
    m.def("f", py::bind([](std::variant<int, user*>) -> py::coroutine<> { co_return; }));                 // refused
    m.def("f", py::bind([m](std::string_view, int) -> py::coroutine<> { co_return; }));                   // refused
    m.def("f", py::bind(std::function<py::coroutine<>(std::string_view, bool)>()));                       // refused
    m.def("f", py::bind(&generate));                                                                      // refused
    m.def("f", py::bind(&erased));                                                                        // refused
    users.def("f", py::bind(&user::by_reference));                                                        // refused
    users.def("f", py::bind(&user::by_view));                                                             // refused
    users.def("f", py::bind_method([](user&, std::string_view, long) -> py::coroutine<> { co_return; })); // refused
    users.def_static("f", py::bind(&user::of_class));                                                     // refused
#endif
}
