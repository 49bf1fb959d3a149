// isthmus/python/generator_members.hpp — the methods of a generator object, and its gi_ attributes.
// SPDX-License-Identifier: MIT
#pragma once

#include "introspection.hpp"

namespace isthmus::inline v1::py::detail {

// ---- methods; throw and close are the coroutine's ----

inline PyObject* generator_send(PyObject* self, PyObject* value) noexcept {
    PyObject* result = nullptr;
    const PySendResult how = send_to_generator(self, value, &result);
    return as_method_result(how, result);
}

inline PyObject* generator_next(PyObject* self) noexcept {
    PyObject* result = nullptr;
    const PySendResult how = send_to_generator(self, Py_None, &result);
    return as_next_result(how, result);
}

/// am_await: only from_generator() makes a generator awaitable, and then it is never refused (7.9, 15.3).
inline PyObject* await_generator(PyObject* self) noexcept {
    if (!coroutine_object::of(self)->operations->awaitable) {
        set_not_awaitable(self);
        return nullptr;
    }
    return Py_NewRef(self);
}

inline PyMethodDef generator_methods[] = {
    {"send", generator_send, METH_O,
#if PY_VERSION_HEX >= 0x030E0000
     PyDoc_STR("send(value) -> send 'value' into generator,\nreturn next yielded value or raise StopIteration.")},
#else
     PyDoc_STR("send(arg) -> send 'arg' into generator,\nreturn next yielded value or raise StopIteration.")},
#endif
    {"throw", reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(throw_method)), METH_FASTCALL,
     PyDoc_STR("throw(value)\nthrow(type[,value[,tb]])\n\n"
               "Raise exception in generator, return next yielded value or raise\nStopIteration."
#if PY_VERSION_HEX >= 0x030C0000
               "\nthe (type, val, tb) signature is deprecated, \nand may be removed in a future version of Python."
#endif
               )},
    {"close", close, METH_NOARGS, PyDoc_STR("close() -> raise GeneratorExit inside generator.")},
#if PY_VERSION_HEX >= 0x030D0000
    {"__class_getitem__", Py_GenericAlias, METH_O | METH_CLASS, PyDoc_STR("See PEP 585")},
#endif
    {"__reduce__", refuse_pickling, METH_NOARGS, nullptr},
    {"__reduce_ex__", refuse_pickling, METH_O, nullptr},
    {nullptr, nullptr, 0, nullptr},
};

// ---- attributes ----

/// gi_yieldfrom: the Python object that is yielded from, None for a C++ generator, which is none.
inline PyObject* gi_yieldfrom(const chain_level& level) noexcept {
    return Py_NewRef(level.awaited ? level.awaited.ptr() : Py_None);
}

/// What inspect.getgeneratorstate() says, and asks for since 3.15.
inline PyObject* gi_state(const chain_level& level) noexcept {
    switch (level.state) {
    case coroutine_state::created:
        return PyUnicode_FromString("GEN_CREATED");
    case coroutine_state::running:
        return PyUnicode_FromString("GEN_RUNNING");
    case coroutine_state::suspended:
        return PyUnicode_FromString("GEN_SUSPENDED");
    case coroutine_state::closed:
        break;
    }
    return PyUnicode_FromString("GEN_CLOSED");
}

inline int flags_of(PyObject* generator) noexcept {
    return coroutine_object::of(generator)->operations->awaitable ? awaitable_generator_flags : generator_flags;
}

/// As cr_frame and cr_code.
inline PyObject* gi_frame(const chain_level& level) noexcept {
    if (PySys_Audit("object.__getattr__", "Os", level.shown_by, "gi_frame") < 0) {
        return nullptr;
    }
    if (level.state == coroutine_state::closed) {
        Py_RETURN_NONE;
    }
    interpreter_state* const state = state_or_null();
    return state != nullptr ? frame_for(*state, level.where, level.line, flags_of(level.shown_by)).release() : nullptr;
}

inline PyObject* gi_code(const chain_level& level) noexcept {
    if (PySys_Audit("object.__getattr__", "Os", level.shown_by, "gi_code") < 0) {
        return nullptr;
    }
    interpreter_state* const state = state_or_null();
    return state != nullptr ? code_for(*state, level.where, 0, flags_of(level.shown_by)).release() : nullptr;
}

/// Makes isinstance(x, types.GeneratorType) true, as inspect asks (16.2). type(x) stays honest.
inline PyObject* get_generator_class(PyObject*, void*) noexcept {
    return Py_NewRef(reinterpret_cast<PyObject*>(&PyGen_Type));
}

inline PyGetSetDef generator_attributes[] = {
    {"__name__", get_name, set_name, PyDoc_STR("name of the generator"), nullptr},
    {"__qualname__", get_qualname, set_qualname, PyDoc_STR("qualified name of the generator"), nullptr},
    {"__class__", get_generator_class, nullptr, nullptr, nullptr},
    {"gi_running", get<level_of_coroutine, cr_running>, nullptr, nullptr, nullptr},
    {"gi_suspended", get<level_of_coroutine, cr_suspended>, nullptr, nullptr, nullptr},
    {"gi_state", get<level_of_coroutine, gi_state>, nullptr, nullptr, nullptr},
    {"gi_frame", get<level_of_coroutine, gi_frame>, nullptr, nullptr, nullptr},
    {"gi_code", get<level_of_coroutine, gi_code>, set_code, nullptr, nullptr},
    {"gi_yieldfrom", get<level_of_coroutine, gi_yieldfrom>, nullptr,
     PyDoc_STR("object being iterated by yield from, or None"), nullptr},
    {nullptr, nullptr, nullptr, nullptr, nullptr},
};

} // namespace isthmus::inline v1::py::detail
