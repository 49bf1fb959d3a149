// isthmus/python/names.hpp — __name__, __qualname__ and repr of a coroutine or generator object, and where it was made.
// SPDX-License-Identifier: MIT
#pragma once

#include "code.hpp"
#include "drive.hpp"

#include <utility>

namespace isthmus::inline v1::py::detail {

ISTHMUS_COLD inline PyObject* get_name(PyObject* self, void* = nullptr) noexcept {
    const coroutine_object& coroutine = *coroutine_object::of(self);
    PyObject* const name = coroutine.more.get(&extras::fields::name);
    return name != nullptr ? name : function_name(coroutine.where).release();
}

ISTHMUS_COLD inline PyObject* get_qualname(PyObject* self, void* = nullptr) noexcept {
    const coroutine_object& coroutine = *coroutine_object::of(self);
    PyObject* const name = coroutine.more.get(&extras::fields::qualname);
    return name != nullptr ? name : function_name(coroutine.where).release();
}

ISTHMUS_COLD inline int set_text(PyObject* self, extras::field field, PyObject* value, const char* error) noexcept {
    if (value == nullptr || !PyUnicode_Check(value)) {
        PyErr_SetString(PyExc_TypeError, error);
        return -1;
    }
    return coroutine_object::of(self)->more.set(field, value) ? 0 : -1;
}
ISTHMUS_COLD inline int set_name(PyObject* self, PyObject* value, void*) noexcept {
    return set_text(self, &extras::fields::name, value, "__name__ must be set to a string object");
}
ISTHMUS_COLD inline int set_qualname(PyObject* self, PyObject* value, void*) noexcept {
    return set_text(self, &extras::fields::qualname, value, "__qualname__ must be set to a string object");
}

ISTHMUS_COLD inline PyObject* repr(PyObject* self) noexcept {
    const object qualname = object::steal(get_qualname(self));
    return qualname ? PyUnicode_FromFormat("<%s object %S at %p>", Py_TYPE(self)->tp_name, qualname.ptr(),
                                           static_cast<void*>(self))
                    : nullptr;
}

/// The Python frames that led here, newest first, at most `depth`. Null, with no exception set, if they cannot be had.
ISTHMUS_COLD ISTHMUS_NOINLINE inline PyObject* capture_frames(PyThreadState* thread, int depth) noexcept {
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

/// Sets cr_origin, as deep as sys.set_coroutine_origin_tracking_depth asks for (11.5); not if it asks for none.
inline void capture_origin(PyThreadState& thread, extras& of) noexcept {
    const int depth = thread.coroutine_origin_tracking_depth;
    if (depth > 0) [[unlikely]] {
        const object origin = object::steal(capture_frames(&thread, depth));
        if (origin && !of.set(&extras::fields::origin, origin.ptr())) {
            PyErr_Clear();
        }
    }
}

} // namespace isthmus::inline v1::py::detail
