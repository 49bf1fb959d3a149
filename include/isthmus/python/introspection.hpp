// isthmus/python/introspection.hpp — cr_await, cr_frame and their like: what Python's tools ask of a coroutine.
// SPDX-License-Identifier: MIT
#pragma once

#include "methods.hpp"
#include "names.hpp"
#include "view.hpp"

namespace isthmus::inline v1::py::detail {

// ---- the attributes ----

/// What is awaited (8.3): the await-iterator of a Python object, the view of a C++ coroutine; None for what is neither.
ISTHMUS_COLD inline PyObject* cr_await(const chain_level& level) noexcept {
    PyObject* const view = view_below(level);
    if (view != nullptr || PyErr_Occurred()) {
        return view;
    }
    return Py_NewRef(level.awaited ? level.awaited.ptr() : Py_None);
}

ISTHMUS_COLD inline PyObject* cr_running(const chain_level& level) noexcept {
    return PyBool_FromLong(level.state == coroutine_state::running);
}

ISTHMUS_COLD inline PyObject* cr_suspended(const chain_level& level) noexcept {
    return PyBool_FromLong(level.state == coroutine_state::suspended);
}

/// What inspect.getcoroutinestate() says, and asks for since 3.15 (8.9).
ISTHMUS_COLD inline PyObject* cr_state(const chain_level& level) noexcept {
    switch (level.state) {
    case coroutine_state::created:
        return PyUnicode_FromString("CORO_CREATED");
    case coroutine_state::running:
        return PyUnicode_FromString("CORO_RUNNING");
    case coroutine_state::suspended:
        return PyUnicode_FromString("CORO_SUSPENDED");
    case coroutine_state::closed:
        break;
    }
    return PyUnicode_FromString("CORO_CLOSED");
}

/// A new frame at the line of the co_await or co_yield that the coroutine came to last; at the function's if it has
/// not started.
ISTHMUS_COLD inline PyObject* cr_frame(const chain_level& level) noexcept {
    if (PySys_Audit("object.__getattr__", "Os", level.shown_by, "cr_frame") < 0) { // 8.6
        return nullptr;
    }
    if (level.state == coroutine_state::closed) {
        Py_RETURN_NONE;
    }
    interpreter_state* const state = state_or_null();
    return state != nullptr ? frame_for(*state, level.where, level.line).release() : nullptr;
}

ISTHMUS_COLD inline PyObject* cr_code(const chain_level& level) noexcept {
    if (PySys_Audit("object.__getattr__", "Os", level.shown_by, "cr_code") < 0) {
        return nullptr;
    }
    interpreter_state* const state = state_or_null();
    return state != nullptr ? code_for(*state, level.where, 0).release() : nullptr;
}

// ---- of the coroutine, of its wrapper, and of a view ----

ISTHMUS_COLD inline chain_level level_of_coroutine(PyObject* self) noexcept {
    coroutine_object& coroutine = *coroutine_object::of(self);
    chain_level level{self, coroutine.where};
    const turn::looking look(coroutine.whose_turn);
    if (look.elsewhere()) {
        level.state = coroutine_state::running;
    } else {
        level.look_at(coroutine.root);
        level.look_below();
    }
    return level;
}
ISTHMUS_COLD inline chain_level level_of_iterator(PyObject* self) noexcept {
    return level_of_coroutine(iterator_object::target(self));
}

/// An attribute of a level: its getter is the same function for all of them, which costs a module less code.
struct level_attribute {
    chain_level (*of)(PyObject* self) noexcept;
    PyObject* (*read)(const chain_level& level) noexcept;

    ISTHMUS_COLD static PyObject* get(PyObject* self, void* closure) noexcept {
        const auto& attribute = *static_cast<const level_attribute*>(closure);
        return attribute.read(attribute.of(self));
    }
};
template <chain_level (*Of)(PyObject*) noexcept, PyObject* (*Read)(const chain_level&) noexcept>
inline constexpr level_attribute attribute_of{Of, Read};

template <chain_level (*Of)(PyObject*) noexcept, PyObject* (*Read)(const chain_level&) noexcept>
constexpr PyGetSetDef define_attribute(const char* name, setter set = nullptr, const char* doc = nullptr) noexcept {
    return {name, level_attribute::get, set, doc, const_cast<level_attribute*>(&attribute_of<Of, Read>)};
}

ISTHMUS_COLD inline PyObject* get_origin(PyObject* self, void*) noexcept {
    PyObject* const origin = coroutine_object::of(self)->more.get(&extras::fields::origin);
    return origin != nullptr ? origin : Py_NewRef(Py_None);
}

/// inspect.iscoroutine() and isinstance() ask for it (16.1); type() tells the truth.
ISTHMUS_COLD inline PyObject* get_class(PyObject*, void*) noexcept {
    return Py_NewRef(reinterpret_cast<PyObject*>(&PyCoro_Type));
}

/// What is a member in CPython's type, and not a property, has a message of its own (8.5).
ISTHMUS_COLD inline int refuse_to_set_member(PyObject*, PyObject*, void*) noexcept {
    PyErr_SetString(PyExc_AttributeError, "readonly attribute");
    return -1;
}
inline constexpr setter set_code = PY_VERSION_HEX < 0x030C0000 ? refuse_to_set_member : nullptr;

inline constexpr const char* cr_await_doc = PyDoc_STR("object being awaited on, or None");

template <class = void>
inline PyGetSetDef coroutine_attributes[] = {
    {"__name__", get_name, set_name, PyDoc_STR("name of the coroutine"), nullptr},
    {"__qualname__", get_qualname, set_qualname, PyDoc_STR("qualified name of the coroutine"), nullptr},
    {"__class__", get_class, nullptr, nullptr, nullptr},
    define_attribute<level_of_coroutine, cr_await>("cr_await", nullptr, cr_await_doc),
    define_attribute<level_of_coroutine, cr_running>("cr_running"),
    define_attribute<level_of_coroutine, cr_suspended>("cr_suspended"),
    define_attribute<level_of_coroutine, cr_state>("cr_state"),
    define_attribute<level_of_coroutine, cr_frame>("cr_frame"),
    define_attribute<level_of_coroutine, cr_code>("cr_code", set_code),
    {"cr_origin", get_origin, refuse_to_set_member, nullptr, nullptr},
    {nullptr, nullptr, nullptr, nullptr, nullptr},
};

/// With these, a walk along a chain goes on where CPython's own coroutines await the wrapper (18.11, 20.2).
template <class = void>
inline PyGetSetDef iterator_attributes[] = {
    define_attribute<level_of_iterator, cr_await>("cr_await", nullptr, cr_await_doc),
    define_attribute<level_of_iterator, cr_running>("cr_running"),
    define_attribute<level_of_iterator, cr_suspended>("cr_suspended"),
    define_attribute<level_of_iterator, cr_state>("cr_state"),
    define_attribute<level_of_iterator, cr_frame>("cr_frame"),
    define_attribute<level_of_iterator, cr_code>("cr_code"),
    {nullptr, nullptr, nullptr, nullptr, nullptr},
};

ISTHMUS_COLD inline PyObject* get_view_name(PyObject* self, void*) noexcept {
    return function_name(view_object::of(self)->where).release();
}

template <class = void>
inline PyGetSetDef view_attributes[] = {
    {"__name__", get_view_name, nullptr, PyDoc_STR("name of the coroutine"), nullptr},
    {"__qualname__", get_view_name, nullptr, PyDoc_STR("qualified name of the coroutine"), nullptr},
    define_attribute<level_of_view, cr_await>("cr_await", nullptr, cr_await_doc),
    define_attribute<level_of_view, cr_running>("cr_running"),
    define_attribute<level_of_view, cr_suspended>("cr_suspended"),
    define_attribute<level_of_view, cr_state>("cr_state"),
    define_attribute<level_of_view, cr_frame>("cr_frame"),
    define_attribute<level_of_view, cr_code>("cr_code"),
    {nullptr, nullptr, nullptr, nullptr, nullptr},
};

template <class = void>
inline PyMethodDef view_methods[] = {
    {"__reduce__", refuse_pickling, METH_NOARGS, nullptr},
    {"__reduce_ex__", refuse_pickling, METH_O, nullptr},
    {nullptr, nullptr, 0, nullptr},
};

ISTHMUS_COLD inline PyTypeObject* make_view_type() noexcept {
    constexpr auto repr = [](PyObject* self) -> PyObject* {
        const object name = object::steal(get_view_name(self, nullptr));
        return name ? PyUnicode_FromFormat("<coroutine_view object %U at %p>", name.ptr(), static_cast<void*>(self))
                    : nullptr;
    };
    PyType_Slot slots[] = {
        {Py_tp_doc, const_cast<char*>("A C++ coroutine that is awaited by another one: its attributes.")},
        {Py_tp_getset, view_attributes<>},
        {Py_tp_repr, reinterpret_cast<void*>(+repr)},
        {Py_tp_methods, view_methods<>},
        {Py_tp_dealloc, reinterpret_cast<void*>(deallocate_view)},
#if defined(Py_GIL_DISABLED)
        {Py_tp_traverse, reinterpret_cast<void*>(traverse_view)},
#endif
        {0, nullptr},
    };
    PyType_Spec spec{"isthmus.coroutine_view", sizeof(view_object), 0,
                     view_flags | Py_TPFLAGS_DISALLOW_INSTANTIATION | Py_TPFLAGS_IMMUTABLETYPE, slots};
    return reinterpret_cast<PyTypeObject*>(PyType_FromSpec(&spec));
}

} // namespace isthmus::inline v1::py::detail
