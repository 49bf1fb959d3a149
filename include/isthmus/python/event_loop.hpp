// isthmus/python/event_loop.hpp — which event loop runs, by sniffio's rules.
// SPDX-License-Identifier: MIT
#pragma once

#include "trio.hpp"

#include <string>
#include <string_view>
#include <utility>

namespace isthmus::inline v1::py::detail {

/// The name of the library whose event loop runs, as that has told sniffio, for this thread or in this context. Null if
/// none has: asyncio and uvloop do not.
inline object library_told_to_sniffio() {
    interpreter_state& state = interpreter_state::get();
    PyObject* module = state.sniffio.load(std::memory_order_acquire);
    if (module == nullptr) {
        object imported = object::steal(PyImport_GetModule(state.sniffio_name));
        if (!imported) {
            if (PyErr_Occurred()) {
                throw_raised();
            }
            return object(); // nobody has told it anything
        }
        module = keep_first(state.sniffio, std::move(imported));
    }
    object told =
        checked(PyObject_GetAttr(checked(PyObject_GetAttr(module, state.thread_local_name)).ptr(), state.name));
    if (told.is_none()) {
        const object variable = checked(PyObject_GetAttr(module, state.current_async_library_cvar));
        PyObject* value = nullptr;
        if (PyContextVar_Get(variable.ptr(), Py_None, &value) != 0) {
            throw_raised();
        }
        told = object::steal(value);
    }
    return told.is_none() ? object() : told;
}

/// asyncio's loop that runs on this thread, or None.
inline object running_asyncio_loop() {
    std::atomic<PyObject*>& shared = interpreter_state::get().get_running_loop;
    PyObject* function = shared.load(std::memory_order_acquire);
    if (function == nullptr) {
        const object asyncio = checked(PyImport_ImportModule("asyncio"));
        function = keep_first(shared, checked(PyObject_GetAttrString(asyncio.ptr(), "_get_running_loop")));
    }
    return checked(PyObject_CallNoArgs(function));
}

/// The event loop that runs, and whom it runs.
struct event_loop {
    object key;       ///< asyncio's loop, or trio's token
    object trio_task; ///< under trio, the task; null under asyncio

    /// Found as sniffio does it, but that asyncio (or uvloop) also counts outside of a task. No exception is raised on
    /// the way. Throws py::error: RuntimeError with a text that says what is needed.
    static event_loop running() {
        const object told = library_told_to_sniffio();
        const char* const library = told ? PyUnicode_AsUTF8(told.ptr()) : "asyncio";
        if (library == nullptr) {
            throw_raised();
        }
        const std::string_view name = library;
        if (name == "asyncio") {
            if (object loop = running_asyncio_loop(); !loop.is_none()) {
                return {std::move(loop), object()};
            }
        } else if (const object trio = name == "trio" ? trio_if_imported() : object()) {
            if (object task = running_trio_task(trio)) {
                return {checked(PyObject_CallMethod(trio.ptr(), "current_trio_token", nullptr)), std::move(task)};
            }
        }
        std::string text = "isthmus: waiting needs a running event loop: asyncio, uvloop or trio";
        if (name != "asyncio" && name != "trio") {
            text.append("; this is ").append(name);
        }
        throw error(PyExc_RuntimeError, text.c_str());
    }
};

} // namespace isthmus::inline v1::py::detail
