// isthmus/python/awaitable.hpp — what `await` makes of a Python object, its await-iterator, and how C++ drives that.
// SPDX-License-Identifier: MIT
#pragma once

#include "methods.hpp"

#include <cstring>
#include <exception>
#include <stdexcept>

namespace isthmus::inline v1::py::detail {

/// Throws if this thread does not hold the GIL, in the coroutine: a guard that released it undoes that on the way.
inline PyThreadState& require_gil() {
    PyThreadState* const thread = attached_thread();
    if (thread == nullptr) [[unlikely]] {
        throw std::logic_error("isthmus: co_await of a Python object without the GIL; do not keep a guard that "
                               "releases it across a co_await");
    }
    return *thread;
}

inline bool is_iterable_coroutine(PyObject* generator) {
    const object code = checked(PyObject_GetAttr(generator, interpreter_state::get().gi_code));
    return (reinterpret_cast<PyCodeObject*>(code.ptr())->co_flags & CO_ITERABLE_COROUTINE) != 0;
}

/// Whether it is a coroutine, CPython's own or ours, and so its own await-iterator.
inline bool is_coroutine_object(PyObject* object) {
    return PyCoro_CheckExact(object) || Py_TYPE(object) == interpreter_state::get().coroutine_type;
}

/// Whether a coroutine of CPython's awaits something.
inline bool is_awaiting(PyObject* coroutine) {
    // To call the getter of its type takes a tenth of the time that looking the attribute up takes.
    static const PyGetSetDef* const cr_await = [] {
        const PyGetSetDef* attribute = PyCoro_Type.tp_getset;
        while (attribute != nullptr && attribute->name != nullptr && std::strcmp(attribute->name, "cr_await") != 0) {
            ++attribute;
        }
        return attribute;
    }();
    const bool known = cr_await != nullptr && cr_await->get != nullptr;
    PyObject* const awaited = known ? cr_await->get(coroutine, cr_await->closure)
                                    : PyObject_GetAttr(coroutine, interpreter_state::get().cr_await);
    const bool is = checked(awaited).release() != Py_None;
    Py_DECREF(awaited);
    return is;
}

/// Throws already_awaited if this is a coroutine that is suspended, which only its awaiter may resume (7.7), and
/// already_finished if it is null (7.6).
inline void require_driven_by_nobody(PyObject* iterator) {
    if (iterator == nullptr) {
        throw already_finished();
    }
    if (PyCoro_CheckExact(iterator)) {
        if (is_awaiting(iterator)) {
            throw already_awaited();
        }
    } else if (is_coroutine_object(iterator)) {
        checked(am_await(iterator));
    }
}

/// The await-iterator of a Python object, as the interpreter's `await` finds it (7.1–7.4, 7.7).
inline object await_iterator_of(object awaited) {
    PyTypeObject* const type = Py_TYPE(awaited.ptr());
    if (PyCoro_CheckExact(awaited.ptr())) {
        require_driven_by_nobody(awaited.ptr());
        return awaited;
    }
    if (PyGen_CheckExact(awaited.ptr()) && is_iterable_coroutine(awaited.ptr())) {
        return awaited;
    }
    if (type->tp_as_async == nullptr || type->tp_as_async->am_await == nullptr) {
        set_not_awaitable(awaited.ptr());
        throw_raised();
    }
    object iterator = checked(into_python([&] { return type->tp_as_async->am_await(awaited.ptr()); }));
    const bool native = PyCoro_CheckExact(iterator.ptr()) ||
                        (PyGen_CheckExact(iterator.ptr()) && is_iterable_coroutine(iterator.ptr()));
    if (native || !PyIter_Check(iterator.ptr())) {
#if PY_VERSION_HEX >= 0x030F0000
        if (native) { // also if it is a generator
            PyErr_Format(PyExc_TypeError, "%T.__await__() must return an iterator, not coroutine", awaited.ptr());
        } else {
            PyErr_Format(PyExc_TypeError, "%T.__await__() must return an iterator, not %T", awaited.ptr(),
                         iterator.ptr());
        }
#else
        if (native) {
            PyErr_SetString(PyExc_TypeError, "__await__() returned a coroutine");
        } else {
            PyErr_Format(PyExc_TypeError, "__await__() returned non-iterator of type '%.100s'",
                         Py_TYPE(iterator.ptr())->tp_name);
        }
#endif
        throw_raised();
    }
    return iterator;
}

/// C++ levels cost no C stack, but each crossing into Python does (13.3).
class crossing {
public:
    crossing() noexcept : allowed_(Py_EnterRecursiveCall(" while awaiting a Python object in C++") == 0) {}
    ~crossing() {
        if (allowed_) {
            Py_LeaveRecursiveCall();
        }
    }
    crossing(const crossing&) = delete;
    crossing& operator=(const crossing&) = delete;
    /// False: there is not enough stack left, and a RecursionError is set.
    bool allowed() const noexcept { return allowed_; }

private:
    bool allowed_;
};

/// The Python exception for what is thrown in from C++.
inline object exception_object(const std::exception_ptr& error) noexcept {
    set_from_exception(error, nullptr);
    return take_raised();
}

/// After a failed call of throw(): a StopIteration is the result of the await (3.1, 4.6).
inline PySendResult stopped(PyObject** result) noexcept {
    if (!PyErr_ExceptionMatches(PyExc_StopIteration)) {
        return PYGEN_ERROR;
    }
    const object stop = take_raised();
    *result = PyObject_GetAttrString(stop.ptr(), "value");
    return *result != nullptr ? PYGEN_RETURN : PYGEN_ERROR;
}

/// Calls close(), if there is one; what it returned, None without one (6.9). Null: an exception is set.
inline object close_iterator(PyObject* iterator) noexcept {
    object method;
    PyObject* const name = interpreter_state::get().close;
    switch (into_python([&] { return get_optional_attribute(iterator, name, method); })) {
    case 0:
        return object::make_none();
    case 1:
        return object::steal(into_python([&] { return PyObject_CallNoArgs(method.ptr()); }));
    default: // 6.11
        PyErr_WriteUnraisable(iterator);
        return object::make_none();
    }
}

} // namespace isthmus::inline v1::py::detail
