// isthmus/python/stop_iteration.hpp — the StopIteration that carries a result.
// SPDX-License-Identifier: MIT
//
// From CPython 3.12 to 3.14, `await` calls tp_iternext, and takes each result from a StopIteration (14.3). To make one
// and destroy it again costs more than all the rest of an await that ends at once, so an interpreter keeps one.
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

#if !defined(Py_GIL_DISABLED) && PY_VERSION_HEX >= 0x030C0000 && PY_VERSION_HEX < 0x030F0000

/// Whether nobody but the caller of tp_iternext refers to the coroutine object, which therefore dies with the await.
inline bool dies_with_await(PyObject* self) noexcept {
#if PY_VERSION_HEX >= 0x030E0000
    return PyUnstable_Object_IsUniqueReferencedTemporary(self) != 0; // the caller may have borrowed it from a variable
#else
    return Py_REFCNT(self) == 1;
#endif
}

/// Whether an exception is being handled, as PyErr_GetHandledException() finds it.
inline bool handles_exception(const PyThreadState& thread) noexcept {
    const _PyErr_StackItem* at = thread.exc_info;
    while (at != nullptr && (at->exc_value == nullptr || at->exc_value == Py_None)) {
        at = at->previous_item;
    }
    return at != nullptr;
}

/// Raises StopIteration(value) with the one that the interpreter keeps. Only for a coroutine object of which
/// dies_with_await() is true: when it dies, which is soon, the value is let go of.
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
    }
    kept.holder = self;
    auto* const raised = reinterpret_cast<PyObject*>(kept.exception);
    if (handles_exception(*PyThreadState_Get())) { // which becomes its __context__
        PyErr_SetObject(PyExc_StopIteration, raised);
    } else {
        PyErr_SetRaisedException(Py_NewRef(raised));
    }
}

/// What a StopIteration has been given since it was raised.
ISTHMUS_COLD ISTHMUS_NOINLINE inline void clear_additions(PyStopIterationObject& raised) noexcept {
    PyObject* const fields[] = {std::exchange(raised.traceback, nullptr), std::exchange(raised.context, nullptr),
                                std::exchange(raised.cause, nullptr), std::exchange(raised.notes, nullptr),
                                std::exchange(raised.dict, nullptr)};
    for (PyObject* const each : fields) {
        Py_XDECREF(each);
    }
}

/// Makes a new object of one that was kept, for the collector, which may have found nothing in it, or was told by
/// gc.freeze() to leave it alone.
ISTHMUS_COLD inline void track_anew(PyObject* kept) noexcept {
    PyObject_GC_UnTrack(kept);
    PyObject_GC_Track(kept);
}

/// Empties the StopIteration that a dying coroutine object has raised, or leaves it to whoever has got hold of it. What
/// it lets go of may run any code, which may raise the next one: `holder` is still set.
inline void empty_stop_iteration(kept_stop_iteration& kept) noexcept {
    PyStopIterationObject* const held = kept.exception;
    if (held == nullptr) { // the interpreter ends
        return;
    }
    if (Py_REFCNT(held) != 1 || Py_REFCNT(held->args) != 1 || PyTuple_GET_SIZE(held->args) != 1) [[unlikely]] {
        kept = kept_stop_iteration();
        track_anew(reinterpret_cast<PyObject*>(held));
        if (PyTuple_GET_SIZE(held->args) != 0) { // the empty one is never tracked
            track_anew(held->args);
        }
        Py_DECREF(held);
        return;
    }
    PyObject* const value = std::exchange(held->value, nullptr);
    PyObject* const argument = PyTuple_GET_ITEM(held->args, 0);
    PyTuple_SET_ITEM(held->args, 0, Py_None);
#if PY_VERSION_HEX >= 0x030E0000
    reinterpret_cast<PyTupleObject*>(held->args)->ob_hash = -1; // a tracer may have asked for it
#endif
    held->suppress_context = 0;
    if (held->traceback != nullptr || held->context != nullptr || held->cause != nullptr || held->notes != nullptr ||
        held->dict != nullptr) [[unlikely]] {
        clear_additions(*held);
    }
    Py_XDECREF(value);
    Py_XDECREF(argument);
    kept.holder = nullptr;
}

/// A coroutine object dies.
inline void release_stop_iteration(PyObject* self) noexcept {
    kept_stop_iteration& kept = coroutine_object::of(self)->state->stop_iteration;
    if (kept.holder == self) [[unlikely]] {
        empty_stop_iteration(kept);
    }
}

#else // nothing takes results from one, or another thread may look at it

inline bool dies_with_await(PyObject*) noexcept { return false; }
inline void raise_kept_stop_iteration(PyObject*, PyObject* value) noexcept { raise_stop_iteration(value); }
inline void release_stop_iteration(PyObject*) noexcept {}

#endif

} // namespace isthmus::inline v1::py::detail
