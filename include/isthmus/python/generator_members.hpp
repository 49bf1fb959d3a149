// isthmus/python/generator_members.hpp — the methods of a generator object, and its gi_ attributes.
// SPDX-License-Identifier: MIT
#pragma once

#include "code.hpp"
#include "methods.hpp"
#include "names.hpp"

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
     PyDoc_STR("send(arg) -> send 'arg' into generator,\nreturn next yielded value or raise StopIteration.")},
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

/// Whether it runs; a suspended one does not (8).
inline PyObject* get_running(PyObject* self, void*) noexcept {
    frame* const root = coroutine_object::of(self)->root;
    return PyBool_FromLong(root != nullptr && !root->created() && isthmus::detail::is_running(*root));
}
inline PyObject* get_suspended(PyObject* self, void*) noexcept {
    frame* const root = coroutine_object::of(self)->root;
    return PyBool_FromLong(root != nullptr && !root->created() && !isthmus::detail::is_running(*root));
}

/// gi_yieldfrom: None, since what a C++ generator yields from is no Python object.
inline PyObject* get_yield_from(PyObject*, void*) noexcept { return Py_NewRef(Py_None); }

inline int flags_of(const coroutine_object& generator) noexcept {
    return generator.operations->awaitable ? awaitable_generator_flags : generator_flags;
}

/// gi_frame: None if it has finished.
inline PyObject* get_generator_frame(PyObject* self, void*) noexcept {
    const coroutine_object& generator = *coroutine_object::of(self);
    if (PySys_Audit("object.__getattr__", "Os", self, "gi_frame") < 0) {
        return nullptr;
    }
    if (generator.root == nullptr) {
        Py_RETURN_NONE;
    }
    return frame_for(interpreter_state::get(), generator.where, generator.root->line, flags_of(generator)).release();
}

inline PyObject* get_generator_code(PyObject* self, void*) noexcept {
    const coroutine_object& generator = *coroutine_object::of(self);
    if (PySys_Audit("object.__getattr__", "Os", self, "gi_code") < 0) {
        return nullptr;
    }
    return code_for(interpreter_state::get(), generator.where, 0, flags_of(generator)).release();
}

/// Makes isinstance(x, types.GeneratorType) true, as inspect asks (16.2). type(x) stays honest.
inline PyObject* get_generator_class(PyObject*, void*) noexcept {
    return Py_NewRef(reinterpret_cast<PyObject*>(&PyGen_Type));
}

inline PyGetSetDef generator_attributes[] = {
    {"__name__", get_name, set_name, PyDoc_STR("name of the generator"), nullptr},
    {"__qualname__", get_qualname, set_qualname, PyDoc_STR("qualified name of the generator"), nullptr},
    {"__class__", get_generator_class, nullptr, nullptr, nullptr},
    {"gi_running", get_running, nullptr, nullptr, nullptr},
    {"gi_suspended", get_suspended, nullptr, nullptr, nullptr},
    {"gi_frame", get_generator_frame, nullptr, nullptr, nullptr},
    {"gi_code", get_generator_code, nullptr, nullptr, nullptr},
    {"gi_yieldfrom", get_yield_from, nullptr, PyDoc_STR("object being iterated by yield from, or None"), nullptr},
    {nullptr, nullptr, nullptr, nullptr, nullptr},
};

} // namespace isthmus::inline v1::py::detail
