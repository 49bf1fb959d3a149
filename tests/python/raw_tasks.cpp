// tests/python/raw_tasks.cpp — tasks of a library that knows no Python, as Python coroutines.
// SPDX-License-Identifier: MIT

#include "raw.hpp"

#include "task_library.hpp"

#include <chrono>
#include <coroutine>
#include <source_location>
#include <string>
#include <string_view>
#include <thread>
#include <unistd.h>
#include <utility>

namespace {

namespace py = isthmus::py;

using namespace std::chrono_literals;

/// An awaitable of another library.
struct others {
    bool await_ready() const noexcept { return false; }
    void await_suspend(std::coroutine_handle<> waiting) const { std::thread(waiting).detach(); }
    std::string await_resume() const { return "others"; }
};

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

/// All that can be awaited without a task: each in turn, in a py::coroutine.
py::coroutine<std::string> each_directly(int readable, int writable) {
    std::string log;
    co_await isthmus::sleep_for(1ms);
    co_await isthmus::sleep_until(std::chrono::steady_clock::now() + 1ms);
    log += "slept";
    co_await isthmus::writable(writable);
    if (::write(writable, "x", 1) == 1) {
        log += ", wrote";
    }
    co_await isthmus::readable(readable);
    char buffer[8];
    if (::read(readable, buffer, sizeof(buffer)) == 1) {
        log += ", read";
    }
    isthmus::event flag;
    std::thread([flag]() mutable {
        std::this_thread::sleep_for(1ms);
        flag.set();
    }).detach();
    co_await flag.wait();
    log += ", event";
    isthmus::completion<std::string> done;
    std::thread([callback = done.callback()] { callback("completion"); }).detach();
    std::string text = co_await done;
    log += ", " + text;
    py::completion<std::string> loops;
    std::thread([callback = loops.callback()] { callback("py::completion"); }).detach();
    text = co_await loops;
    log += ", " + text;
    const others resumed_by_thread;
    text = co_await resumed_by_thread;
    log += ", " + text;
    try {
        co_await isthmus::with_deadline(std::chrono::steady_clock::now() + 1ms, task_library::nap(10'000, 1));
    } catch (const isthmus::timed_out&) {
        log += ", late";
    }
    co_return log;
}

py::coroutine<> wait_for_signal(isthmus::event signal) { co_await signal.wait(); }
/// Waits for an event that nobody sets.
py::coroutine<> wait_for_ever() { return wait_for_signal(isthmus::event()); }

py::coroutine<py::object> await_python(py::object awaitable) { co_return co_await py::await(std::move(awaitable)); }

/// What a limit in milliseconds makes of a Python awaitable, by each of the forms.
py::coroutine<py::object> limit_await(int limit, py::object awaitable) {
    co_return co_await py::with_timeout(std::chrono::milliseconds(limit), py::await(std::move(awaitable)));
}
py::coroutine<py::object> limit_coroutine(int limit, py::object awaitable) {
    co_return co_await py::with_timeout(std::chrono::milliseconds(limit), await_python(std::move(awaitable)));
}
py::coroutine<py::object> limit_until(int limit, py::object awaitable) {
    const auto when = std::chrono::steady_clock::now() + std::chrono::milliseconds(limit);
    co_return co_await py::with_deadline(when, await_python(std::move(awaitable)));
}
py::coroutine<> await_nothing(py::object awaitable) { co_await py::await<void>(std::move(awaitable)); }
py::coroutine<> limit_nothing(int limit, py::object awaitable) {
    co_await py::with_deadline(std::chrono::steady_clock::now() + std::chrono::milliseconds(limit),
                               await_nothing(std::move(awaitable)));
}

/// Goes on after a timeout; passes a cancellation on.
py::coroutine<> inner_scope(py::object log, int limit, int afterwards, py::object awaitable) {
    const char* found = "inner: in time";
    try {
        co_await limit_await(limit, std::move(awaitable));
    } catch (const isthmus::timed_out&) {
        found = "inner: timed out";
    } catch (const isthmus::cancelled&) {
        found = "inner: cancelled";
        PyList_Append(log.ptr(), py::checked(PyUnicode_FromString(found)).ptr());
        throw;
    }
    PyList_Append(log.ptr(), py::checked(PyUnicode_FromString(found)).ptr());
    co_await isthmus::sleep_for(std::chrono::milliseconds(afterwards));
}
py::coroutine<py::object> nested_scopes(int outer, int inner, int afterwards, py::object awaitable) {
    py::object log = py::checked(PyList_New(0));
    const char* found = "outer: in time";
    try {
        co_await py::with_timeout(std::chrono::milliseconds(outer),
                                  inner_scope(log, inner, afterwards, std::move(awaitable)));
    } catch (const isthmus::timed_out&) {
        found = "outer: timed out";
    }
    PyList_Append(log.ptr(), py::checked(PyUnicode_FromString(found)).ptr());
    co_return log;
}

/// Steps a limited coroutine once, and destroys it without closing it.
void drop_limited(int limit, py::object awaitable) {
    py::coroutine<py::object> limited = limit_await(limit, std::move(awaitable));
    static_cast<void>(limited.send());
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
    raw::def<task_library::others_answer>("others_answer"),
    raw::def<task_library::others_answer_or_limit>("others_answer_or_limit"),
    raw::def<task_library::wait_for_event>("wait_for_event"),
    raw::def<each_directly>("each_directly"),
    raw::def<wait_for_ever>("wait_for_ever"),
    raw::def<limit_await>("limit_await"),
    raw::def<limit_coroutine>("limit_coroutine"),
    raw::def<limit_until>("limit_until"),
    raw::def<limit_nothing>("limit_nothing"),
    raw::def<nested_scopes>("nested_scopes"),
    raw::def<drop_limited>("drop_limited"),
    raw::def<mixed>("mixed"),
    raw::def<await_twice>("await_twice"),
    raw::def<never_awaited>("never_awaited"),
    {nullptr, nullptr, 0, nullptr},
};

PyModuleDef definition = raw::define("raw_tasks", functions);

} // namespace

PyMODINIT_FUNC PyInit_raw_tasks() { return PyModuleDef_Init(&definition); }
