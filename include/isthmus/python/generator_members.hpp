// isthmus/python/generator_members.hpp — the type of generator objects, with their methods and gi_ attributes.
// SPDX-License-Identifier: MIT
#pragma once

#include "type.hpp"

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

template <class = void>
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
ISTHMUS_COLD inline PyObject* gi_yieldfrom(const chain_level& level) noexcept {
    return Py_NewRef(level.awaited ? level.awaited.ptr() : Py_None);
}

/// What inspect.getgeneratorstate() says, and asks for since 3.15.
ISTHMUS_COLD inline PyObject* gi_state(const chain_level& level) noexcept {
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

ISTHMUS_COLD inline int flags_of(PyObject* generator) noexcept {
    return coroutine_object::of(generator)->operations->awaitable ? awaitable_generator_flags : generator_flags;
}

/// As cr_frame and cr_code.
ISTHMUS_COLD inline PyObject* gi_frame(const chain_level& level) noexcept {
    if (PySys_Audit("object.__getattr__", "Os", level.shown_by, "gi_frame") < 0) {
        return nullptr;
    }
    if (level.state == coroutine_state::closed) {
        Py_RETURN_NONE;
    }
    interpreter_state* const state = state_or_null();
    return state != nullptr ? frame_for(*state, level.where, level.line, flags_of(level.shown_by)).release() : nullptr;
}

ISTHMUS_COLD inline PyObject* gi_code(const chain_level& level) noexcept {
    if (PySys_Audit("object.__getattr__", "Os", level.shown_by, "gi_code") < 0) {
        return nullptr;
    }
    interpreter_state* const state = state_or_null();
    return state != nullptr ? code_for(*state, level.where, 0, flags_of(level.shown_by)).release() : nullptr;
}

/// Makes isinstance(x, types.GeneratorType) true, as inspect asks (16.2). type(x) stays honest.
ISTHMUS_COLD inline PyObject* get_generator_class(PyObject*, void*) noexcept {
    return Py_NewRef(reinterpret_cast<PyObject*>(&PyGen_Type));
}

template <class = void>
inline PyGetSetDef generator_attributes[] = {
    {"__name__", get_name, set_name, PyDoc_STR("name of the generator"), nullptr},
    {"__qualname__", get_qualname, set_qualname, PyDoc_STR("qualified name of the generator"), nullptr},
    {"__class__", get_generator_class, nullptr, nullptr, nullptr},
    define_attribute<level_of_coroutine, cr_running>("gi_running"),
    define_attribute<level_of_coroutine, cr_suspended>("gi_suspended"),
    define_attribute<level_of_coroutine, gi_state>("gi_state"),
    define_attribute<level_of_coroutine, gi_frame>("gi_frame"),
    define_attribute<level_of_coroutine, gi_code>("gi_code", set_code),
    define_attribute<level_of_coroutine, gi_yieldfrom>("gi_yieldfrom", nullptr,
                                                       PyDoc_STR("object being iterated by yield from, or None")),
    {nullptr, nullptr, nullptr, nullptr, nullptr},
};

// ---- the type, which is made with the first generator: most modules have none ----

/// Null with an exception set if it cannot be made.
ISTHMUS_COLD inline PyTypeObject* make_generator_type(interpreter_state& state) noexcept {
    PyType_Slot slots[] = {
        {Py_tp_iter, slot(PyObject_SelfIter)},
        {Py_tp_iternext, slot(generator_next)},
        {Py_am_send, slot(send_to_generator)},
        {Py_tp_methods, generator_methods<>},
        {Py_tp_getset, generator_attributes<>},
        {Py_tp_members, coroutine_members<>},
        {Py_tp_repr, slot(repr)},
        {Py_tp_finalize, slot(finalize)},
        {Py_tp_traverse, slot(traverse)},
        {Py_tp_clear, slot(clear)},
        {Py_tp_dealloc, slot(deallocate)},
        {0, nullptr},
    };
    PyType_Spec spec{"isthmus.generator", sizeof(coroutine_object), 0, type_flags, slots};
    object made = object::steal(PyType_FromSpec(&spec));
    if (!made) {
        return nullptr;
    }
    auto* const type = reinterpret_cast<PyTypeObject*>(made.ptr());
    // Set now, it makes the generator awaitable without an __await__ method, so that it stays no
    // collections.abc.Awaitable (15.3).
    type->tp_as_async->am_await = await_generator;
    type->tp_name = "generator"; // messages of the interpreter print it (7.13)
    return reinterpret_cast<PyTypeObject*>(keep_first(state.generator_type, std::move(made)));
}

/// Throws what Python raises if it cannot be made.
inline PyTypeObject* generator_type(interpreter_state& state) {
    PyObject* type = state.generator_type.load(std::memory_order_acquire);
    if (type == nullptr) [[unlikely]] {
        type = reinterpret_cast<PyObject*>(make_generator_type(state));
        if (type == nullptr) {
            throw_raised();
        }
    }
    return reinterpret_cast<PyTypeObject*>(type);
}

} // namespace isthmus::inline v1::py::detail
