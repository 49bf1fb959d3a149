// tests/python/pb_bindings.cpp — what <isthmus/pybind11.hpp> promises; nb_bindings.cpp is its twin for nanobind.
// SPDX-License-Identifier: MIT

#include <isthmus/pybind11.hpp>

#include "bindings.hpp"

#include <pybind11/functional.h>
#include <pybind11/stl.h>

#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

namespace pb = pybind11;
namespace py = isthmus::py;
using namespace pb::literals;
using namespace bindings;

namespace {

py::coroutine<pb::object> pass_own_object(pb::object awaited) { co_return co_await py::await<pb::object>(awaited); }

py::coroutine<pb::object> pass_moved(pb::object awaited) {
    co_return co_await py::await<pb::object>(std::move(awaited));
}

py::coroutine<> fail(std::string how) {
    if (how == "translated") {
        throw translated("by the translator");
    }
    if (how == "value_error") {
        throw pb::value_error("value");
    }
    if (how == "key_error") {
        throw pb::key_error("key");
    }
    if (how == "stop_iteration") {
        throw pb::stop_iteration("stop");
    }
    if (how == "out_of_range") {
        throw std::out_of_range("range");
    }
    if (how == "runtime_error") {
        throw std::runtime_error("runtime");
    }
    if (how == "bad_cast") {
        pb::str("text").cast<int>();
    }
    if (how == "untranslated") {
        throw untranslated();
    }
    co_return;
}

/// Calls a Python function with pybind11, whose error is a pb::error_already_set.
py::coroutine<pb::object> call(pb::object function) { co_return function(); }

/// The same, but the error passes through a Python frame and C++ again.
py::coroutine<std::string> call_and_catch(pb::object function) {
    try {
        function();
    } catch (const pb::error_already_set& e) {
        co_return "caught " + pb::str(e.value()).cast<std::string>();
    }
    co_return "not raised";
}

} // namespace

PYBIND11_MODULE(pb_bindings, m) {
    m.def("alive", [] { return tracked::alive; });

    m.def("add", py::bind(&add), "a"_a, "b"_a = 2, "Adds two numbers.");
    m.def("greet", py::bind(&greet));
    m.def("nothing", py::bind(&nothing));
    m.def("pass_through", py::bind(&pass_through));
    m.def("pass_own_object", py::bind(&pass_own_object));
    m.def("pass_moved", py::bind(&pass_moved));
    m.def("await_vector", py::bind(&await_vector));
    m.def("pair_if", py::bind(&pair_if), pb::kw_only(), "wanted"_a = true);
    m.def("overloaded", py::bind(pb::overload_cast<int>(&overloaded)));
    m.def("overloaded", py::bind(pb::overload_cast<std::string>(&overloaded)));
    m.def("total", py::bind(&total));
    m.def("await_plain", py::bind(&await_plain));
    m.def("share_plain", &share_plain);
    m.def("by_reference_inside", py::bind(&by_reference_inside));
    m.def("hidden_reference", &hidden_reference);
    m.def("hidden_unless_started", &hidden_unless_started);

    m.def("plain_lambda", py::bind([](int n) -> py::coroutine<int> { co_return 2 * n; }));
    m.def("make_adder", [](int base) {
        const auto held = std::make_shared<tracked>();
        return pb::cpp_function(py::bind([base, held](py::object awaited) -> py::coroutine<int> {
            const int added = co_await py::await<int>(std::move(awaited));
            co_return base + added + 0 * tracked::alive* static_cast<int>(held.use_count());
        }));
    });
    const std::function<py::coroutine<int>(int)> tripled = [](int n) -> py::coroutine<int> { co_return 3 * n; };
    m.def("std_function", py::bind(tripled));

    m.def("plain", py::bind(&plain));
    m.def("erased_add", py::bind(&erased_add));
    m.def("count", py::bind(&count));
    m.def("join", py::bind(&join));
    m.def("count_as_coroutine", py::bind(&count_as_coroutine));
    m.def("hidden_reference_in_generator", &hidden_reference_in_generator);
    m.def("make_counter", [](int base) {
        const auto held = std::make_shared<tracked>();
        return pb::cpp_function(py::bind([base, held](int limit) -> isthmus::generator<int> {
            for (int i = 0; i < limit; ++i) {
                co_yield base + i + 0 * static_cast<int>(held.use_count());
            }
        }));
    });

    pb::classh<item>(m, "Item").def_readonly("number", &item::number);
    pb::class_<box>(m, "Box")
        .def(pb::init<int>())
        .def("fetch", py::bind(&box::fetch))
        .def("fetch_after", py::bind(&box::fetch_after))
        .def("peek", py::bind(&box::peek), "extra"_a = 100)
        .def("reference_internal", py::bind(&box::reference), pb::return_value_policy::reference_internal)
        .def("reference_copied", py::bind(&box::reference))
        .def("pointer", py::bind(&box::pointer), pb::return_value_policy::reference_internal)
        .def("copy", py::bind(&box::copy))
        .def_static("one", py::bind(&box::one))
        .def("references", py::bind(&box::references), pb::return_value_policy::reference_internal)
        .def("copies", py::bind(&box::copies))
        .def("by_lambda",
             py::bind_method([](box& self, int times) -> py::coroutine<int> { co_return self.number() * times; }))
        .def("by_const_lambda", py::bind_method([](const box& self) -> py::coroutine<int> { co_return self.number(); }))
        .def("by_pointer_lambda", py::bind_method([](box* self) -> py::coroutine<int> { co_return self->number(); }))
        .def("by_capturing_lambda",
             py::bind_method([kept = std::make_shared<tracked>()](box& self, py::object awaited) -> py::coroutine<int> {
                 co_await py::await(std::move(awaited));
                 co_return self.number() + 0 * static_cast<int>(kept.use_count());
             }))
        .def("native_fetch_after", py::bind(py::native(&box::fetch_after)))
        .def("native_peek", py::bind(py::native(&box::peek)), "extra"_a = 100)
        .def("native_item", py::bind(py::native(&box::reference)), pb::return_value_policy::reference_internal)
        .def("native_by_lambda",
             py::bind_method(py::native([](box& self) -> py::coroutine<int> { co_return self.number(); })))
        .def_property_readonly("property", py::bind(&box::fetch))
        .def("__await__", py::as_await(&box::nothing_awaited));
    pb::class_<derived_box, box>(m, "DerivedBox").def(pb::init<int>()).def("own_peek", py::bind(&derived_box::peek));
    pb::class_<hiding_box, box>(m, "HidingBox")
        .def(pb::init<int>())
        .def("by_lambda", py::bind_method([](hiding_box& self, int times) -> py::coroutine<int> {
                 co_return -self.number() * times;
             }))
        .def("copy", [](hiding_box& self) { return self.number(); });
    m.def("make_unique_item", py::bind(&make_unique_item));
    m.def("make_shared_item", py::bind(&make_shared_item));
    // The coroutine keeps its first argument alive anyway; what is asked for here is the second.
    m.def("keeps_second", [](int, pb::object) { return nothing(); }, pb::keep_alive<0, 2>());

    pb::class_<job>(m, "Job").def(pb::init<py::object>()).def("__await__", py::as_await(&job::run));
    pb::class_<const_job>(m, "ConstJob").def(pb::init<int>()).def("__await__", py::as_await(&const_job::run));

    pb::register_exception<translated>(m, "Translated");
    m.def("checked_add", py::bind(&checked_add));
    m.def("call_at_once", py::bind(&call_at_once));
    m.def("misuse_at_once", &misuse_at_once);
    m.def("unregistered", py::bind(&make_unregistered));
    m.def("fail", py::bind(&fail));
    m.def("call", py::bind(&call));
    m.def("call_and_catch", py::bind(&call_and_catch));

    m.def("mixed", py::bind(&greet));
    m.def("mixed", &square);
    m.def("mixed_late", &square);
    m.def("mixed_late", py::bind(&greet));
    m.def("thread_square", py::bind(py::in_thread(&square)), "number"_a);

    m.def("native_add", py::bind(py::native(&add)), "a"_a, "b"_a = 2);
    m.def("native_fail", py::bind(py::native(&fail)));
    m.def("native_square", py::bind(py::native(py::in_thread(&square))));
    m.def("native_lambda", py::bind(py::native([](int n) -> py::coroutine<int> { co_return 2 * n; })));
    const auto held = std::make_shared<tracked>();
    m.def("native_closure", py::bind(py::native([held](py::object awaited) -> py::coroutine<long> {
              co_await py::await(std::move(awaited));
              co_return held.use_count();
          })));

    py::mark_coroutine_functions(m);
}
