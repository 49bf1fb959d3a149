// isthmus/python/names.hpp — __name__, __qualname__ and repr of a coroutine or generator object, and where it was made.
// SPDX-License-Identifier: MIT
#pragma once

#include "code.hpp"
#include "drive.hpp"

#include <utility>

namespace isthmus::inline v1::py::detail {

/// A new reference to a field that may be set meanwhile; null if it is not set.
inline PyObject* get_text(PyObject* const& field) noexcept {
    const field_lock lock;
    return Py_XNewRef(field);
}

inline PyObject* get_name(PyObject* self, void* = nullptr) noexcept {
    const coroutine_object& coroutine = *coroutine_object::of(self);
    PyObject* const name = get_text(coroutine.name);
    return name != nullptr ? name : function_name(coroutine.where).release();
}

inline PyObject* get_qualname(PyObject* self, void* = nullptr) noexcept {
    const coroutine_object& coroutine = *coroutine_object::of(self);
    PyObject* const name = get_text(coroutine.qualname);
    return name != nullptr ? name : function_name(coroutine.where).release();
}

inline int set_text(PyObject*& field, PyObject* value, const char* error) noexcept {
    if (value == nullptr || !PyUnicode_Check(value)) {
        PyErr_SetString(PyExc_TypeError, error);
        return -1;
    }
    PyObject* before = Py_NewRef(value);
    {
        const field_lock lock;
        std::swap(field, before);
    }
    Py_XDECREF(before);
    return 0;
}
inline int set_name(PyObject* self, PyObject* value, void*) noexcept {
    return set_text(coroutine_object::of(self)->name, value, "__name__ must be set to a string object");
}
inline int set_qualname(PyObject* self, PyObject* value, void*) noexcept {
    return set_text(coroutine_object::of(self)->qualname, value, "__qualname__ must be set to a string object");
}

inline PyObject* repr(PyObject* self) noexcept {
    const object qualname = object::steal(get_qualname(self));
    return qualname ? PyUnicode_FromFormat("<%s object %S at %p>", Py_TYPE(self)->tp_name, qualname.ptr(),
                                           static_cast<void*>(self))
                    : nullptr;
}

/// The Python frames that led here, newest first, at most `depth`. Null, with no exception set, if they cannot be had.
ISTHMUS_NOINLINE inline PyObject* capture_frames(PyThreadState* thread, int depth) noexcept {
    const object entries = object::steal(PyList_New(0));
    object at = object::steal(reinterpret_cast<PyObject*>(PyThreadState_GetFrame(thread)));
    for (int i = 0; entries && at && i < depth; ++i) {
        auto* const python_frame = reinterpret_cast<PyFrameObject*>(at.ptr());
        const object code = object::steal(reinterpret_cast<PyObject*>(PyFrame_GetCode(python_frame)));
        const auto* const fields = reinterpret_cast<PyCodeObject*>(code.ptr());
        const object entry = object::steal(
            Py_BuildValue("(OiO)", fields->co_filename, PyFrame_GetLineNumber(python_frame), fields->co_name));
        if (!entry || PyList_Append(entries.ptr(), entry.ptr()) != 0) {
            break;
        }
        at = object::steal(reinterpret_cast<PyObject*>(PyFrame_GetBack(python_frame)));
    }
    PyObject* const origin = entries ? PyList_AsTuple(entries.ptr()) : nullptr;
    PyErr_Clear();
    return origin;
}

/// cr_origin, as deep as sys.set_coroutine_origin_tracking_depth asks for (11.5); null if it asks for none.
inline PyObject* capture_origin(PyThreadState& thread) noexcept {
    const int depth = thread.coroutine_origin_tracking_depth;
    return depth > 0 ? capture_frames(&thread, depth) : nullptr;
}

} // namespace isthmus::inline v1::py::detail
