// tests/python/raw_tasks.cpp — tasks of a library that knows no Python, as Python coroutines.
// SPDX-License-Identifier: MIT

#include "raw.hpp"

#include "task_library.hpp"

#include <chrono>
#include <source_location>
#include <string_view>
#include <utility>

namespace {

namespace py = isthmus::py;

/// A py::coroutine that awaits tasks, operations and Python.
py::coroutine<py::object> mixed(py::object awaitable) {
    const int first = co_await task_library::nap(1, 1);
    co_await isthmus::sleep_for(std::chrono::milliseconds(1));
    py::object second = co_await py::await(std::move(awaitable));
    const int third = co_await isthmus::with_timeout(std::chrono::seconds(10), task_library::nap(1, 3));
    co_return py::object::steal(Py_BuildValue("(iOi)", first, second.ptr(), third));
}

py::coroutine<int> await_twice() {
    isthmus::task<int> once = task_library::nap(0, 1);
    const int result = co_await once;
    co_return result + co_await once;
}

// How many coroutines C++ has reported that were never awaited.
int reported = 0;
void count_report(std::string_view, const std::source_location&) { ++reported; }
int never_awaited() {
    isthmus::set_never_awaited_hook(count_report);
    return reported;
}

PyMethodDef functions[] = {
    raw::def<task_library::nap>("nap"),
    raw::def<task_library::answer_of_thread>("answer_of_thread"),
    raw::def<task_library::fail>("fail"),
    raw::def<task_library::sum_of_naps>("sum_of_naps"),
    raw::def<task_library::with_limit>("with_limit"),
    raw::def<task_library::read_some>("read_some"),
    raw::def<task_library::note_cancellation>("note_cancellation"),
    raw::def<task_library::first_of>("first_of"),
    raw::def<task_library::failing_group>("failing_group"),
    raw::def<task_library::cannot_be_cancelled>("cannot_be_cancelled"),
    raw::def<task_library::many_answers>("many_answers"),
    raw::def<task_library::in_flight>("in_flight"),
    raw::def<task_library::cancellations>("cancellations"),
    raw::def<mixed>("mixed"),
    raw::def<await_twice>("await_twice"),
    raw::def<never_awaited>("never_awaited"),
    {nullptr, nullptr, 0, nullptr},
};

PyModuleDef definition{PyModuleDef_HEAD_INIT, "raw_tasks", nullptr, -1, functions, nullptr, nullptr, nullptr, nullptr};

} // namespace

PyMODINIT_FUNC PyInit_raw_tasks() { return PyModule_Create(&definition); }
