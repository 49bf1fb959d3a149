// isthmus/python/stop_iteration.hpp — the StopIteration that carries a result.
// SPDX-License-Identifier: MIT
//
// From CPython 3.12 to 3.14, `await` calls tp_iternext, and takes each result from a StopIteration (14.3). To make one
// and destroy it again costs more than all the rest of an await that ends at once, so an interpreter keeps one: in 3.12
// and 3.13, where a reference count of one says that the object dies with the await. Since 3.14 a caller may not count.
#pragma once

#include "drive.hpp"

#include <utility>

namespace isthmus::inline v1::py::detail {

/// A new StopIteration(value), as a call of the type makes it, in half the time: a tuple or an exception stays one
/// value (2.5). Null with an exception set if there is no memory.
inline PyStopIterationObject* make_stop_iteration(PyObject* value) noexcept {
    auto* const type = reinterpret_cast<PyTypeObject*>(PyExc_StopIteration);
    PyObject* const arguments = PyTuple_Pack(1, value);
    if (arguments == nullptr) {
        return nullptr;
    }
    auto* const made = reinterpret_cast<PyStopIterationObject*>(type->tp_alloc(type, 0));
    if (made == nullptr) {
        Py_DECREF(arguments);
        return nullptr;
    }
    made->args = arguments;
    made->value = Py_NewRef(value);
    return made;
}

/// Raises StopIteration(value).
inline void raise_stop_iteration(PyObject* value) noexcept {
    if (PyStopIterationObject* const made = make_stop_iteration(value)) {
        PyErr_SetObject(PyExc_StopIteration, reinterpret_cast<PyObject*>(made));
        Py_DECREF(made);
    }
}

#if !defined(Py_GIL_DISABLED) && PY_VERSION_HEX >= 0x030C0000 && PY_VERSION_HEX < 0x030E0000

/// The same, with the one that the interpreter keeps. Only for a coroutine object that nobody but the caller refers to:
/// when it dies, which is soon, the value is let go of.
inline void raise_kept_stop_iteration(PyObject* self, PyObject* value) noexcept {
    interpreter_state& state = *coroutine_object::of(self)->state;
    kept_stop_iteration& kept = state.stop_iteration;
    if (kept.holder != nullptr || !state.alive) { // two at once: a finalizer runs, or a caller is slow
        raise_stop_iteration(value);
        return;
    }
    if (kept.exception == nullptr) {
        kept.exception = make_stop_iteration(value);
        if (kept.exception == nullptr) {
            return;
        }
    } else {
        kept.exception->value = Py_NewRef(value);
        PyTuple_SET_ITEM(kept.exception->args, 0, Py_NewRef(value)); // in place of None, which is immortal
        if (PyObject_GC_IsTracked(kept.exception->args) == 0) {      // a collection has found nothing in it
            PyObject_GC_Track(kept.exception->args);
        }
    }
    kept.holder = self;
    auto* const raised = reinterpret_cast<PyObject*>(kept.exception);
    if (PyObject* const handled = PyErr_GetHandledException()) { // becomes its __context__
        Py_DECREF(handled);
        PyErr_SetObject(PyExc_StopIteration, raised);
    } else {
        PyErr_SetRaisedException(Py_NewRef(raised));
    }
}

/// A coroutine object dies: empties the StopIteration that it has raised, or leaves it to whoever has got hold of it.
inline void release_stop_iteration(PyObject* self) noexcept {
    kept_stop_iteration& kept = coroutine_object::of(self)->state->stop_iteration;
    if (kept.holder != self) [[likely]] {
        return;
    }
    PyStopIterationObject* const held = kept.exception;
    if (held == nullptr) { // the interpreter ends
        return;
    }
    if (Py_REFCNT(held) != 1 || Py_REFCNT(held->args) != 1 || PyTuple_GET_SIZE(held->args) != 1) {
        kept = kept_stop_iteration();
        Py_DECREF(held);
        return;
    }
    PyObject* const fields[] = {std::exchange(held->value, nullptr),     PyTuple_GET_ITEM(held->args, 0),
                                std::exchange(held->traceback, nullptr), std::exchange(held->context, nullptr),
                                std::exchange(held->cause, nullptr),     std::exchange(held->notes, nullptr),
                                std::exchange(held->dict, nullptr)};
    PyTuple_SET_ITEM(held->args, 0, Py_None);
    held->suppress_context = 0;
    for (PyObject* const each : fields) { // may run any code, which may raise the next one: `holder` is still set
        Py_XDECREF(each);
    }
    kept.holder = nullptr;
}

#else // nothing takes results from one, or nobody can know who else looks at it

inline void raise_kept_stop_iteration(PyObject*, PyObject* value) noexcept { raise_stop_iteration(value); }
inline void release_stop_iteration(PyObject*) noexcept {}

#endif

} // namespace isthmus::inline v1::py::detail
