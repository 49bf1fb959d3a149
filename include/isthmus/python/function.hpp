// isthmus/python/function.hpp — py::as_coroutine_function: what Python's tools take for an `async def` function.
// SPDX-License-Identifier: MIT
//
// The functions that binding libraries make cannot be marked: they take no attributes. So one that returns a coroutine
// gets a callable around it, which passes calls on and otherwise looks like the `async def` function that it stands
// for. What inspect asks of a function (16.5) is answered by a native `async def` function of the same signature, the
// *model*, which is made when it is first asked for, and is never run.
#pragma once

#include "model.hpp"
#include "type.hpp"

#include <algorithm>
#include <cstring>
#include <iterator>
#include <string>
#include <string_view>

namespace isthmus::inline v1::py {
namespace detail {

struct function_object {
    PyObject_HEAD
    vectorcallfunc vectorcall;
    PyObject* callable; ///< the binding library's function
    PyObject* model;    ///< null until something is asked of it
    PyObject* dictionary;
    PyObject* replaced; ///< attributes of `callable` that were set here
    PyObject* weak_references;

    static function_object& of(PyObject* self) noexcept { return *reinterpret_cast<function_object*>(self); }
};

inline PyObject* call_function(PyObject* self, PyObject* const* arguments, std::size_t count, PyObject* names) {
    return PyObject_Vectorcall(function_object::of(self).callable, arguments, count, names);
}

/// As a function's: `object.method`. Its type has METHOD_DESCRIPTOR, so that a call of it makes no such object.
inline PyObject* bind_function(PyObject* self, PyObject* target, PyObject*) noexcept {
    return target == nullptr || target == Py_None ? Py_NewRef(self) : PyMethod_New(self, target);
}

/// An attribute of the model; `name` is a C string.
inline PyObject* get_of_model(PyObject* self, void* name) noexcept {
    function_object& function = function_object::of(self);
    if (function.model == nullptr) {
        PyObject* const made = make_model(function.callable, self);
        if (made == nullptr) {
            return nullptr;
        }
        Py_XSETREF(function.model, made); // meanwhile somebody else may have made one
    }
    return PyObject_GetAttrString(function.model, static_cast<const char*>(name));
}

/// What the binding library's function answers. Not in the type's own table, since a type has such names itself. The
/// last one is for nanobind's stub generator.
inline constexpr const char* forwarded[] = {"__name__", "__qualname__", "__module__", "__doc__", "__nb_signature__"};

inline bool is_forwarded(PyObject* name) noexcept {
    return std::any_of(std::begin(forwarded), std::end(forwarded),
                       [&](const char* one) { return PyUnicode_CompareWithASCIIString(name, one) == 0; });
}

inline PyObject* get_attribute(PyObject* self, PyObject* name) noexcept {
    if (!is_forwarded(name)) {
        return PyObject_GenericGetAttr(self, name);
    }
    const function_object& function = function_object::of(self);
    PyObject* const set = function.replaced != nullptr ? PyDict_GetItemWithError(function.replaced, name) : nullptr;
    return set != nullptr ? Py_NewRef(set) : PyObject_GetAttr(function.callable, name);
}
inline int set_attribute(PyObject* self, PyObject* name, PyObject* value) noexcept {
    if (!is_forwarded(name) || value == nullptr) {
        return PyObject_GenericSetAttr(self, name, value);
    }
    function_object& function = function_object::of(self);
    if (function.replaced == nullptr) {
        function.replaced = PyDict_New();
    }
    if (function.replaced == nullptr) {
        return -1;
    }
    return PyDict_SetItem(function.replaced, name, value);
}

/// Pickled by its name, as functions are.
inline PyObject* reduce_function(PyObject* self, PyObject*) noexcept {
    return PyObject_GetAttrString(self, "__qualname__");
}

inline int traverse_function(PyObject* self, visitproc visit, void* arg) noexcept {
    const function_object& function = function_object::of(self);
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(function.callable);
    Py_VISIT(function.model);
    Py_VISIT(function.dictionary);
    Py_VISIT(function.replaced);
    return 0;
}

/// `callable` stays, so that it can be called at any time: no cycle consists of such references alone.
inline int clear_function(PyObject* self) noexcept {
    Py_CLEAR(function_object::of(self).model);
    Py_CLEAR(function_object::of(self).dictionary);
    Py_CLEAR(function_object::of(self).replaced);
    return 0;
}

inline void deallocate_function(PyObject* self) noexcept {
    PyTypeObject* const type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    if (function_object::of(self).weak_references != nullptr) {
        PyObject_ClearWeakRefs(self);
    }
    clear_function(self);
    Py_CLEAR(function_object::of(self).callable);
    type->tp_free(self);
    Py_DECREF(type);
}

inline PyGetSetDef attribute_of_model(const char* name) noexcept {
    return {name, get_of_model, nullptr, nullptr, const_cast<char*>(name)};
}

inline PyGetSetDef function_attributes[] = {
    // isinstance(f, types.FunctionType), which Starlette and pytest ask; type() tells the truth.
    {"__class__",
     [](PyObject*, void*) -> PyObject* { return Py_NewRef(reinterpret_cast<PyObject*>(&PyFunction_Type)); }, nullptr,
     nullptr, nullptr},
    {"__dict__", PyObject_GenericGetDict, PyObject_GenericSetDict, nullptr, nullptr},
    attribute_of_model("__code__"),
    attribute_of_model("__defaults__"),
    attribute_of_model("__kwdefaults__"),
    attribute_of_model("__annotations__"),
    attribute_of_model("__annotate__"),
    attribute_of_model("__type_params__"),
    attribute_of_model("__globals__"),
    attribute_of_model("__builtins__"),
    attribute_of_model("__closure__"),
    {nullptr, nullptr, nullptr, nullptr, nullptr},
};

inline PyMemberDef function_members[] = {
    {"__vectorcalloffset__", member_size_type, offsetof(function_object, vectorcall), member_read_only, nullptr},
    {"__dictoffset__", member_size_type, offsetof(function_object, dictionary), member_read_only, nullptr},
    {"__weaklistoffset__", member_size_type, offsetof(function_object, weak_references), member_read_only, nullptr},
    {nullptr, 0, 0, 0, nullptr},
};

inline PyMethodDef function_methods[] = {
    {"__reduce__", reduce_function, METH_NOARGS, nullptr},
    {nullptr, nullptr, 0, nullptr},
};

/// The type for functions of that name; `binds`: as attributes of a class they are methods.
inline object make_function_type(const char* name, bool binds) {
    PyType_Slot slots[] = {
        {Py_tp_call, slot(PyVectorcall_Call)},
        {Py_tp_repr, slot(+[](PyObject* self) { return PyObject_Repr(function_object::of(self).callable); })},
        {Py_tp_getattro, slot(get_attribute)},
        {Py_tp_setattro, slot(set_attribute)},
        {Py_tp_getset, function_attributes},
        {Py_tp_members, function_members},
        {Py_tp_methods, function_methods},
        {Py_tp_traverse, slot(traverse_function)},
        {Py_tp_clear, slot(clear_function)},
        {Py_tp_dealloc, slot(deallocate_function)},
        {binds ? Py_tp_descr_get : 0, binds ? slot(bind_function) : nullptr},
        {0, nullptr},
    };
    constexpr unsigned flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_HAVE_VECTORCALL |
                               Py_TPFLAGS_DISALLOW_INSTANTIATION | Py_TPFLAGS_IMMUTABLETYPE;
    constexpr unsigned method_flags = flags | Py_TPFLAGS_METHOD_DESCRIPTOR;
    PyType_Spec spec{name, sizeof(function_object), 0, binds ? method_flags : flags, slots};
    return checked(PyType_FromSpec(&spec));
}

/// The type for what stands for `callable`. nanobind's stub generator knows functions by the name of their type, so
/// that one is the same.
inline object function_type_for(PyTypeObject* callable, bool binds) {
    interpreter_state& state = interpreter_state::get();
    if (state.function_types == nullptr) {
        state.function_types = checked(PyDict_New()).release();
    }
    std::string name = callable->tp_name;
    if (!std::string_view(name).starts_with("nanobind.")) {
        name = binds ? "isthmus.coroutine_method" : "isthmus.coroutine_function";
    }
    if (PyObject* const found = PyDict_GetItemString(state.function_types, name.c_str())) {
        return object::borrow(found);
    }
    object made = make_function_type(name.c_str(), binds);
    if (PyDict_SetItemString(state.function_types, name.c_str(), made.ptr()) != 0) {
        throw_raised();
    }
    return made;
}

/// The binding library's function in one of as_coroutine_function()'s; null if it is something else. Borrowed.
inline PyObject* unwrap_function(PyObject* function) {
    interpreter_state& state = interpreter_state::get();
    PyObject *name = nullptr, *type = nullptr;
    for (Py_ssize_t i = 0; state.function_types != nullptr && PyDict_Next(state.function_types, &i, &name, &type);) {
        if (type == reinterpret_cast<PyObject*>(Py_TYPE(function))) {
            return function_object::of(function).callable;
        }
    }
    return nullptr;
}

} // namespace detail

/// What Python's tools take for an `async def` function, around a callable that always returns a coroutine:
/// inspect.iscoroutinefunction() is true of it and of its bound methods, and so are asyncio's, and those of the
/// frameworks (16.3, 16.5). Its name, documentation and signature are those of `callable`; calls are passed on, which
/// costs a few nanoseconds. It can be pickled where `callable` can be found under its name. It has a `__dict__`.
///
/// nanobind.hpp and pybind11.hpp use it; this is for functions that are made with CPython's C API: a function or a
/// method of a class, a static or class method (which stays one). Needs the GIL. Throws py::error: a TypeError if
/// `callable` is something else.
inline object as_coroutine_function(const object& callable) {
    PyObject* function = callable.ptr();
    if (PyObject_TypeCheck(function, &PyStaticMethod_Type) || PyObject_TypeCheck(function, &PyClassMethod_Type)) {
        const object inner = py::as_coroutine_function(checked(PyObject_GetAttrString(function, "__func__")));
        return checked(PyObject_CallOneArg(reinterpret_cast<PyObject*>(Py_TYPE(function)), inner.ptr()));
    }
    if (!PyCallable_Check(function)) {
        throw error(PyExc_TypeError, "isthmus: as_coroutine_function() needs a function");
    }
    if (detail::unwrap_function(function) != nullptr) {
        return callable;
    }
    bool binds = PyType_HasFeature(Py_TYPE(function), Py_TPFLAGS_METHOD_DESCRIPTOR);
    if (PyInstanceMethod_Check(function)) { // pybind11's methods
        function = PyInstanceMethod_GET_FUNCTION(function);
        binds = true;
    } else if (std::strcmp(Py_TYPE(function)->tp_name, "functools.partial") == 0) {
        binds = PY_VERSION_HEX >= 0x030E0000; // 3.13 only warns that it will
    } else if (!binds && Py_TYPE(function)->tp_descr_get != nullptr && !PyMethod_Check(function)) {
        throw error(PyExc_TypeError, "isthmus: as_coroutine_function() does not know this kind of method");
    }
    const object type = detail::function_type_for(Py_TYPE(function), binds);
    auto* const heap_type = reinterpret_cast<PyTypeObject*>(type.ptr());
    object made = checked(heap_type->tp_alloc(heap_type, 0));
    detail::function_object::of(made.ptr()).vectorcall = detail::call_function;
    detail::function_object::of(made.ptr()).callable = Py_NewRef(function);
    return made;
}

} // namespace isthmus::inline v1::py
