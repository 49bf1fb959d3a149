// expect: a coroutine or generator bound to Python must not take a parameter by reference, pointer or view
// Each kind of function that m.def and .def take, with each kind of parameter that would dangle.
#include <isthmus/nanobind.hpp>

#include <nanobind/stl/function.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/string_view.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/variant.h>
#include <nanobind/stl/vector.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <variant>
#include <vector>

namespace nb = nanobind;
namespace py = isthmus::py;

struct user {
    py::coroutine<> own(int);
    py::coroutine<> own_const(std::string) const;
    py::coroutine<> by_reference(int, const std::string&);
    py::coroutine<> by_view(std::string_view, short) const;
    py::coroutine<> other(user&, short);
    static py::coroutine<> of_class(const char*, short);
};

isthmus::generator<int> generate(const std::vector<int>& numbers);
isthmus::any_coroutine<int> erased(const int& number);
isthmus::coroutine<int> plain(const long& number);

// Legal between C++ coroutines.
py::coroutine<> by_reference(const std::string& text);
py::coroutine<> by_user(user& self, int);

py::coroutine<> fine(std::string, int, bool, double, std::vector<std::string>, std::optional<int>, py::object,
                     nb::object, nb::str, user, std::tuple<int, std::string>, std::variant<int, std::string>,
                     std::function<int(std::string_view)>, std::shared_ptr<user>, int (*)(const char*));

NB_MODULE(test, m) {
    m.def("fine", &fine);
    m.def("fine_lambda", [](std::string text) -> py::coroutine<> { return by_reference(text); });
    // What is no coroutine takes what it likes.
    m.def("plain", [](const std::string&, std::string_view, nb::handle) { return 1; });

    nb::class_<user> users(m, "User");
    users.def("own", &user::own).def("own_const", &user::own_const);
    users.def("fine_self", [](user& self) { return by_user(self, 1); });
    users.def("fine_const_self", [](const user&, int) -> py::coroutine<> { co_return; });
    users.def("fine_pointer_self", [](user*, std::string) -> py::coroutine<> { co_return; });
#if !defined(FIXED)
    m.def("f", &by_reference);                                                                      // refused
    m.def("f", [](std::string&) -> py::coroutine<> { co_return; });                                 // refused
    m.def("f", [](std::string&&) -> py::coroutine<> { co_return; });                                // refused
    m.def("f", [](std::string_view) -> py::coroutine<> { co_return; });                             // refused
    m.def("f", [](const char*) -> py::coroutine<int> { co_return 1; });                             // refused
    m.def("f", [](PyObject*) -> py::coroutine<> { co_return; });                                    // refused
    m.def("f", [](nb::handle) -> py::coroutine<> { co_return; });                                   // refused
    m.def("f", [](const py::object&) -> py::coroutine<> { co_return; });                            // refused
    m.def("f", [](int, const int&) -> py::coroutine<> { co_return; });                              // refused
    m.def("f", [](user&) -> py::coroutine<> { co_return; });                                        // refused
    m.def("f", [](user*) -> py::coroutine<> { co_return; });                                        // refused
    m.def("f", [](std::vector<std::string_view>) -> py::coroutine<> { co_return; });                // refused
    m.def("f", [](std::optional<const char*>) -> py::coroutine<> { co_return; });                   // refused
    m.def("f", [](std::tuple<int, nb::handle>) -> py::coroutine<> { co_return; });                  // refused
    m.def("f", [](std::variant<int, user*>) -> py::coroutine<> { co_return; });                     // refused
    m.def("f", [](std::vector<std::optional<std::string_view>>) -> py::coroutine<> { co_return; }); // refused
    m.def("f", [m](std::string_view, int) -> py::coroutine<> { co_return; });                       // refused
    m.def("f", std::function<py::coroutine<>(std::string_view, bool)>());                           // refused
    users.def("f", &user::by_reference);                                                            // refused
    users.def("f", &user::by_view);                                                                 // refused
    users.def("f", &user::other);                                                                   // refused
    users.def("f", [](user&, std::string_view, long) -> py::coroutine<> { co_return; });            // refused
    users.def_static("f", [](const char*, int) -> py::coroutine<> { co_return; });                  // refused
    users.def_static("f", &user::of_class);                                                         // refused
    m.def("f", &generate);                                                                          // refused
    m.def("f", [](std::string_view, char) -> isthmus::generator<int> { co_yield 1; });              // refused
    m.def("f", &erased);                                                                            // refused
    m.def("f", &plain);                                                                             // refused
    m.attr("f") = nb::cpp_function([](std::string_view, double) -> py::coroutine<> { co_return; }); // refused
#endif
}
