// tests/python/raw_isolation.cpp — chains that cross modules, and threads in several interpreters.
// raw_isolation_twin.cpp is the same once more, as another module. SPDX-License-Identifier: MIT

#include "raw.hpp"

#include <chrono>
#include <optional>
#include <thread>
#include <utility>

#if !defined(MODULE)
#define MODULE raw_isolation
#endif
#define TO_TEXT_(name) #name
#define TO_TEXT(name) TO_TEXT_(name)
#define INIT_(name) PyInit_##name
#define INIT(name) INIT_(name)

namespace {

namespace py = isthmus::py;
using py::object;

struct tower;
using floor_function = py::coroutine<object> (*)(tower);

/// `levels` coroutines, each in the other module than the one that awaits it, above one that awaits a Python object.
struct tower {
    int levels;
    floor_function here;
    floor_function there;
    object awaited;
};

py::coroutine<object> floor_of(tower parts) {
    if (parts.levels == 0) {
        co_return co_await py::await(std::move(parts.awaited));
    }
    tower below{parts.levels - 1, parts.there, parts.here, std::move(parts.awaited)};
    py::coroutine<object> next = parts.there(std::move(below));
    co_return co_await std::move(next);
}

constexpr const char* capsule_name = "floor_function";

object share() { return py::checked(PyCapsule_New(reinterpret_cast<void*>(&floor_of), capsule_name, nullptr)); }

py::coroutine<object> build(int levels, object other, object awaited) {
    void* const there = PyCapsule_GetPointer(other.ptr(), capsule_name);
    if (there == nullptr) {
        py::throw_raised();
    }
    return floor_of(tower{levels, &floor_of, reinterpret_cast<floor_function>(there), std::move(awaited)});
}

/// The same through Python objects: a coroutine object of whatever module.
py::coroutine<object> pass_through(object awaited) { co_return co_await py::await(std::move(awaited)); }

long steps = 0;
sendfunc plain_send = nullptr;
PySendResult counting_send(PyObject* self, PyObject* value, PyObject** result) {
    ++steps;
    return plain_send(self, value, result);
}

/// How often a coroutine object of ours is sent to, by whoever awaits it as a Python object, while `function` is
/// called.
long count_steps(object function) {
    sendfunc& send = py::detail::interpreter_state::get().coroutine_type->tp_as_async->am_send;
    steps = 0;
    plain_send = std::exchange(send, counting_send);
    PyObject* const result = PyObject_CallNoArgs(function.ptr());
    send = plain_send;
    py::checked(result);
    return steps;
}

/// A coroutine in the middle of a chain of Python objects that C++ has, and takes steps of.
std::optional<py::coroutine<object>>& middle() {
    static std::optional<py::coroutine<object>> kept;
    return kept;
}
py::coroutine<object> await_middle(object awaited) {
    middle().emplace(pass_through(std::move(awaited)));
    co_return co_await *middle();
}
/// What it yields; what it raises is raised.
object send_to_middle(object value) {
    auto step = middle()->send(std::move(value));
    return step.done() ? std::move(step).returned() : std::move(step).yielded();
}
object close_middle() { return middle()->close().value_or(object::make_none()); }
void destroy_middle() { middle().reset(); }

int slow_square(int x) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
    return x * x;
}
py::coroutine<int> square(int x) {
    auto call = py::in_thread([x] { return slow_square(x); });
    co_return co_await std::move(call);
}

PyMethodDef functions[] = {
    raw::def<share>("share"),
    raw::def<build>("build"),
    raw::def<pass_through>("pass_through"),
    raw::def<count_steps>("count_steps"),
    raw::def<await_middle>("await_middle"),
    raw::def<send_to_middle>("send_to_middle"),
    raw::def<close_middle>("close_middle"),
    raw::def<destroy_middle>("destroy_middle"),
    raw::def<square>("square"),
    {nullptr, nullptr, 0, nullptr},
};

PyModuleDef module = raw::define(TO_TEXT(MODULE), functions);

} // namespace

PyMODINIT_FUNC INIT(MODULE)() { return PyModuleDef_Init(&module); }
