// tests/python/nb_bindings.cpp — what <isthmus/nanobind.hpp> promises; pb_bindings.cpp is its twin for pybind11.
// SPDX-License-Identifier: MIT

#include <isthmus/nanobind.hpp>

#include "bindings.hpp"

#include <nanobind/stl/function.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/shared_ptr.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/unique_ptr.h>
#include <nanobind/stl/vector.h>

#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

namespace nb = nanobind;
namespace py = isthmus::py;
using namespace nb::literals;
using namespace bindings;

namespace {

py::coroutine<nb::object> pass_own_object(nb::object awaited) { co_return co_await py::await<nb::object>(awaited); }

py::coroutine<nb::object> pass_moved(nb::object awaited) {
    co_return co_await py::await<nb::object>(std::move(awaited));
}

py::coroutine<> fail(std::string how) {
    if (how == "translated") {
        throw translated("by the translator");
    }
    if (how == "value_error") {
        throw nb::value_error("value");
    }
    if (how == "key_error") {
        throw nb::key_error("key");
    }
    if (how == "stop_iteration") {
        throw nb::stop_iteration("stop");
    }
    if (how == "out_of_range") {
        throw std::out_of_range("range");
    }
    if (how == "runtime_error") {
        throw std::runtime_error("runtime");
    }
    if (how == "bad_cast") {
        nb::cast<int>(nb::str("text"));
    }
    if (how == "untranslated") {
        throw untranslated();
    }
    co_return;
}

/// Calls a Python function with nanobind, whose error is an nb::python_error.
py::coroutine<nb::object> call(nb::object function) { co_return function(); }

/// The same, but the error passes through a Python frame and C++ again.
py::coroutine<std::string> call_and_catch(nb::object function) {
    try {
        function();
    } catch (const nb::python_error& e) {
        co_return std::string("caught ") + nb::cast<std::string>(nb::str(e.value()));
    }
    co_return "not raised";
}

} // namespace

NB_MODULE(nb_bindings, m) {
    nb::set_leak_warnings(true);

    m.def("alive", [] { return tracked::alive; });

    m.def("add", &add, "a"_a, "b"_a = 2, "Adds two numbers.");
    m.def("greet", &greet);
    m.def("nothing", &nothing);
    m.def("pass_through", &pass_through);
    m.def("pass_own_object", &pass_own_object);
    m.def("pass_moved", &pass_moved);
    m.def("await_vector", &await_vector);
    m.def("pair_if", &pair_if, nb::kw_only(), "wanted"_a = true);
    m.def("overloaded", nb::overload_cast<int>(&overloaded));
    m.def("overloaded", nb::overload_cast<std::string>(&overloaded));
    m.def("total", &total);
    m.def("await_plain", &await_plain);
    m.def("share_plain", &share_plain);
    m.def("by_reference_inside", &by_reference_inside);
    m.def("hidden_reference", &hidden_reference);
    m.def("hidden_unless_started", &hidden_unless_started);

    m.def("plain_lambda", [](int n) -> py::coroutine<int> { co_return 2 * n; });
    m.def("make_adder", [](int base) {
        const auto held = std::make_shared<tracked>();
        return nb::cpp_function([base, held](py::object awaited) -> py::coroutine<int> {
            const int added = co_await py::await<int>(std::move(awaited));
            co_return base + added + 0 * tracked::alive* static_cast<int>(held.use_count());
        });
    });
    const std::function<py::coroutine<int>(int)> tripled = [](int n) -> py::coroutine<int> { co_return 3 * n; };
    m.def("std_function", tripled);

    m.def("plain", &plain);
    m.def("erased_add", &erased_add);
    m.def("count", &count);
    m.def("join", &join);
    m.def("count_as_coroutine", &count_as_coroutine);
    m.def("hidden_reference_in_generator", &hidden_reference_in_generator);
    m.def("make_counter", [](int base) {
        const auto held = std::make_shared<tracked>();
        return nb::cpp_function([base, held](int limit) -> isthmus::generator<int> {
            for (int i = 0; i < limit; ++i) {
                co_yield base + i + 0 * static_cast<int>(held.use_count());
            }
        });
    });

    nb::class_<item>(m, "Item").def_ro("number", &item::number);
    nb::class_<box>(m, "Box")
        .def(nb::init<int>())
        .def("fetch", &box::fetch)
        .def("fetch_after", &box::fetch_after)
        .def("peek", &box::peek, "extra"_a = 100)
        .def("reference_internal", &box::reference, nb::rv_policy::reference_internal)
        .def("reference_copied", &box::reference)
        .def("pointer", &box::pointer, nb::rv_policy::reference_internal)
        .def("copy", &box::copy)
        .def_static("one", &box::one)
        .def("references", &box::references, nb::rv_policy::reference_internal)
        .def("copies", &box::copies)
        .def("by_lambda", [](box& self, int times) -> py::coroutine<int> { co_return self.number() * times; })
        .def("by_const_lambda", [](const box& self) -> py::coroutine<int> { co_return self.number(); })
        .def("by_pointer_lambda", [](box* self) -> py::coroutine<int> { co_return self->number(); })
        .def("by_capturing_lambda",
             [kept = std::make_shared<tracked>()](box& self, py::object awaited) -> py::coroutine<int> {
                 co_await py::await(std::move(awaited));
                 co_return self.number() + 0 * static_cast<int>(kept.use_count());
             })
        .def("native_fetch_after", py::native(&box::fetch_after))
        .def("native_peek", py::native(&box::peek), "extra"_a = 100)
        .def("native_item", py::native(&box::reference), nb::rv_policy::reference_internal)
        .def("native_by_lambda", py::native([](box& self) -> py::coroutine<int> { co_return self.number(); }))
        .def_prop_ro("property", &box::fetch)
        .def("__await__", py::as_await(&box::nothing_awaited));
    nb::class_<derived_box, box>(m, "DerivedBox").def(nb::init<int>()).def("own_peek", &derived_box::peek);
    nb::class_<hiding_box, box>(m, "HidingBox")
        .def(nb::init<int>())
        .def("by_lambda", [](hiding_box& self, int times) -> py::coroutine<int> { co_return -self.number() * times; })
        .def("copy", [](hiding_box& self) { return self.number(); });
    m.def("make_unique_item", &make_unique_item);
    m.def("make_shared_item", &make_shared_item);
    // The coroutine keeps its first argument alive anyway; what is asked for here is the second.
    m.def("keeps_second", [](int, nb::object) { return nothing(); }, nb::keep_alive<0, 2>());

    nb::class_<job>(m, "Job").def(nb::init<py::object>()).def("__await__", py::as_await(&job::run));
    nb::class_<const_job>(m, "ConstJob").def(nb::init<int>()).def("__await__", py::as_await(&const_job::run));

    nb::exception<translated>(m, "Translated");
    m.def("checked_add", &checked_add);
    m.def("call_at_once", &call_at_once);
    m.def("misuse_at_once", &misuse_at_once);
    m.def("unregistered", &make_unregistered, nb::sig("def unregistered() -> object"));
    m.def("fail", &fail);
    m.def("call", &call);
    m.def("call_and_catch", &call_and_catch);

    m.def("mixed", &greet);
    m.def("mixed", &square);
    m.def("mixed_late", &square);
    m.def("mixed_late", &greet);
    m.def("thread_square", py::in_thread(&square), "number"_a);

    m.def("native_add", py::native(&add), "a"_a, "b"_a = 2);
    m.def("native_fail", py::native(&fail));
    m.def("native_square", py::native(py::in_thread(&square)));
    m.def("native_lambda", py::native([](int n) -> py::coroutine<int> { co_return 2 * n; }));
    const auto held = std::make_shared<tracked>();
    m.def("native_closure", py::native([held](py::object awaited) -> py::coroutine<long> {
              co_await py::await(std::move(awaited));
              co_return held.use_count();
          }));
    m.def("overload_later", [m] {
        nb::module_(m).def("overloaded_later", nb::overload_cast<std::string>(&overloaded)).def("mixed_later", &square);
    });
    m.def("overloaded_later", nb::overload_cast<int>(&overloaded));
    m.def("mixed_later", &greet);
}
