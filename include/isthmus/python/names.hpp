// isthmus/python/names.hpp — __name__, __qualname__, repr and cr_origin of a coroutine object.
// SPDX-License-Identifier: MIT
#pragma once

#include "../detail/names.hpp"
#include "drive.hpp"

#include <string_view>
#include <utility>

namespace isthmus::inline v1::py::detail {

/// The last `parts` parts of a name, with Python's dots.
inline PyObject* dotted(std::string_view name, int parts) noexcept {
    std::size_t begin = name.size();
    while (parts > 0 && begin != std::string_view::npos && begin != 0) {
        begin = name.rfind("::", begin - 1);
        --parts;
    }
    name.remove_prefix(begin == std::string_view::npos ? 0 : begin == 0 ? 0 : begin + 2);
    PyObject* const text = PyUnicode_FromStringAndSize(name.data(), static_cast<Py_ssize_t>(name.size()));
    return text;
}

/// A new reference to a field that may be set meanwhile; null if it is not set.
inline PyObject* get_text(PyObject* const& field) noexcept {
    const field_lock lock;
    return Py_XNewRef(field);
}

inline PyObject* get_name(PyObject* self, void* = nullptr) noexcept {
    const coroutine_object& coroutine = *coroutine_object::of(self);
    PyObject* const name = get_text(coroutine.name);
    return name != nullptr ? name : dotted(isthmus::detail::plain_name(coroutine.where.function_name()), 1);
}

inline PyObject* get_qualname(PyObject* self, void* = nullptr) noexcept {
    const coroutine_object& coroutine = *coroutine_object::of(self);
    PyObject* const name = get_text(coroutine.qualname);
    return name != nullptr ? name : dotted(isthmus::detail::plain_name(coroutine.where.function_name()), 1);
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

inline PyObject* get_origin(PyObject* self, void*) noexcept {
    PyObject* const origin = coroutine_object::of(self)->origin;
    return Py_NewRef(origin != nullptr ? origin : Py_None);
}

inline PyObject* repr(PyObject* self) noexcept {
    const object qualname = object::steal(get_qualname(self));
    return qualname ? PyUnicode_FromFormat("<coroutine object %S at %p>", qualname.ptr(), static_cast<void*>(self))
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
inline PyObject* capture_origin() noexcept {
    PyThreadState* const thread = PyThreadState_Get();
    const int depth = thread->coroutine_origin_tracking_depth;
    return depth > 0 ? capture_frames(thread, depth) : nullptr;
}

inline PyGetSetDef coroutine_attributes[] = {
    {"__name__", get_name, set_name, PyDoc_STR("name of the coroutine"), nullptr},
    {"__qualname__", get_qualname, set_qualname, PyDoc_STR("qualified name of the coroutine"), nullptr},
    {"cr_origin", get_origin, nullptr, nullptr, nullptr},
    {nullptr, nullptr, nullptr, nullptr, nullptr},
};

} // namespace isthmus::inline v1::py::detail
