// isthmus/python/trio.hpp — how a coroutine waits under trio, by the functions of trio.lowlevel.
// SPDX-License-Identifier: MIT
#pragma once

#include "await.hpp"

namespace isthmus::inline v1::py::detail {

/// trio.lowlevel if trio is imported, else null: nothing runs on a library that is not imported.
inline object trio_if_imported() {
    std::atomic<PyObject*>& shared = interpreter_state::get().trio;
    PyObject* module = shared.load(std::memory_order_acquire);
    if (module == nullptr) {
        const object name = checked(PyUnicode_FromString("trio.lowlevel"));
        object imported = object::steal(PyImport_GetModule(name.ptr()));
        if (!imported && PyErr_Occurred()) {
            throw_raised();
        }
        module = imported ? keep_first(shared, std::move(imported)) : nullptr;
    }
    return object::borrow(module);
}

/// The trio task that runs now; null outside of one.
inline object running_trio_task(const object& trio) {
    object task = object::steal(PyObject_CallMethod(trio.ptr(), "current_task", nullptr));
    if (!task) {
        if (!PyErr_ExceptionMatches(PyExc_RuntimeError)) {
            throw_raised();
        }
        PyErr_Clear();
    }
    return task;
}

/// The await-iterator with which the running task sleeps until it is rescheduled. `abort` is called if it is cancelled
/// instead.
inline object trio_sleep(const object& trio, const object& abort) {
    return checked(PyObject_CallMethod(trio.ptr(), "wait_task_rescheduled", "O", abort.ptr()));
}

/// What such an `abort` returns: SUCCEEDED, if the task need not wait any longer, or FAILED. Null with an exception set
/// if trio lacks it.
inline PyObject* trio_abort_result(const char* name) noexcept {
    const object trio = object::borrow(interpreter_state::get().trio);
    const object abort = object::steal(PyObject_GetAttrString(trio.ptr(), "Abort"));
    return abort ? PyObject_GetAttrString(abort.ptr(), name) : nullptr;
}

/// Wakes a task that sleeps so.
inline void trio_reschedule(PyObject* task) noexcept {
    const object trio = object::borrow(interpreter_state::get().trio);
    const object done = object::steal(PyObject_CallMethod(trio.ptr(), "reschedule", "O", task));
    if (!done) {
        PyErr_WriteUnraisable(task);
    }
}

// A template, and so is all that leads to it from the awaiters, which are templates too: g++ at -O0 compiles a
// coroutine in each file that sees it, used or not.

/// Calls a function of no arguments whenever a descriptor is readable, for ever.
template <class = void>
coroutine<> trio_reader(object trio, int descriptor, object callback) {
    while (true) {
        object readable = checked(PyObject_CallMethod(trio.ptr(), "wait_readable", "i", descriptor));
        co_await py::await<void>(std::move(readable));
        checked(PyObject_CallNoArgs(callback.ptr()));
    }
}

/// As asyncio's loop.add_reader(), for as long as the running trio.run() lasts.
template <class = void>
void trio_add_reader(const object& trio, int descriptor, const object& callback) {
    const object reader = to_python(trio_reader(trio, descriptor, callback));
    static PyMethodDef method{"isthmus_trio_reader", [](PyObject* self, PyObject*) { return Py_NewRef(self); },
                              METH_NOARGS, nullptr};
    const object function = checked(PyCFunction_New(&method, reader.ptr()));
    checked(PyObject_CallMethod(trio.ptr(), "spawn_system_task", "O", function.ptr()));
}

} // namespace isthmus::inline v1::py::detail
