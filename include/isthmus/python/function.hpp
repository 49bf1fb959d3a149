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
    PyObject* callable;           ///< the binding library's function
    std::atomic<PyObject*> model; ///< null until something is asked of it
    PyObject* dictionary;
    std::atomic<PyObject*> replaced; ///< attributes of `callable` that were set here; null until one is
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
    PyObject* model = function.model.load(std::memory_order_acquire);
    if (model == nullptr) {
        object made = object::steal(make_model(function.callable, self));
        if (!made) {
            return nullptr;
        }
        model = keep_first(function.model, std::move(made));
    }
    return PyObject_GetAttrString(model, static_cast<const char*>(name));
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
    if (PyObject* const replaced = function.replaced.load(std::memory_order_acquire)) {
        if (object set = find_item(replaced, name); set || PyErr_Occurred()) {
            return set.release();
        }
    }
    return PyObject_GetAttr(function.callable, name);
}
ISTHMUS_COLD inline int set_attribute(PyObject* self, PyObject* name, PyObject* value) noexcept {
    if (!is_forwarded(name) || value == nullptr) {
        return PyObject_GenericSetAttr(self, name, value);
    }
    function_object& function = function_object::of(self);
    PyObject* replaced = function.replaced.load(std::memory_order_acquire);
    if (replaced == nullptr) {
        object made = object::steal(PyDict_New());
        replaced = made ? keep_first(function.replaced, std::move(made)) : nullptr;
    }
    return replaced != nullptr ? PyDict_SetItem(replaced, name, value) : -1;
}

/// Pickled by its name, as functions are.
ISTHMUS_COLD inline PyObject* reduce_function(PyObject* self, PyObject*) noexcept {
    return PyObject_GetAttrString(self, "__qualname__");
}

inline int traverse_function(PyObject* self, visitproc visit, void* arg) noexcept {
    const function_object& function = function_object::of(self);
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(function.callable);
    Py_VISIT(function.model.load(std::memory_order_relaxed));
    Py_VISIT(function.dictionary);
    Py_VISIT(function.replaced.load(std::memory_order_relaxed));
    return 0;
}

/// `callable` stays, so that it can be called at any time: no cycle consists of such references alone.
inline int clear_function(PyObject* self) noexcept {
    Py_XDECREF(function_object::of(self).model.exchange(nullptr));
    Py_CLEAR(function_object::of(self).dictionary);
    Py_XDECREF(function_object::of(self).replaced.exchange(nullptr));
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

constexpr PyGetSetDef attribute_of_model(const char* name) noexcept {
    return {name, get_of_model, nullptr, nullptr, const_cast<char*>(name)};
}

template <class = void>
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

template <class = void>
inline PyMemberDef function_members[] = {
    {"__vectorcalloffset__", member_size_type, offsetof(function_object, vectorcall), member_read_only, nullptr},
    {"__dictoffset__", member_size_type, offsetof(function_object, dictionary), member_read_only, nullptr},
    {"__weaklistoffset__", member_size_type, offsetof(function_object, weak_references), member_read_only, nullptr},
    {nullptr, 0, 0, 0, nullptr},
};

template <class = void>
inline PyMethodDef function_methods[] = {
    {"__reduce__", reduce_function, METH_NOARGS, nullptr},
    {nullptr, nullptr, 0, nullptr},
};

/// The type for functions of that name; `binds`: as attributes of a class they are methods.
ISTHMUS_COLD inline object make_function_type(const char* name, bool binds) {
    PyType_Slot slots[] = {
        {Py_tp_call, slot(PyVectorcall_Call)},
        {Py_tp_repr, slot(+[](PyObject* self) { return PyObject_Repr(function_object::of(self).callable); })},
        {Py_tp_getattro, slot(get_attribute)},
        {Py_tp_setattro, slot(set_attribute)},
        {Py_tp_getset, function_attributes<>},
        {Py_tp_members, function_members<>},
        {Py_tp_methods, function_methods<>},
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
ISTHMUS_COLD inline object function_type_for(PyTypeObject* callable, bool binds) {
    std::string name = callable->tp_name;
    if (!std::string_view(name).starts_with("nanobind.")) {
        name = binds ? "isthmus.coroutine_method" : "isthmus.coroutine_function";
    }
    PyObject* const types = interpreter_state::get().function_types;
    const object key = checked(PyUnicode_FromString(name.c_str()));
    if (object found = find_item(types, key.ptr())) {
        return found;
    }
    if (PyErr_Occurred()) {
        throw_raised();
    }
    const object made = make_function_type(name.c_str(), binds);
    // While it was made, another thread may have done the same.
    PyObject* const shared = PyDict_SetDefault(types, key.ptr(), made.ptr());
    if (shared == nullptr) {
        throw_raised();
    }
    return object::borrow(shared);
}

/// The binding library's function in one of as_coroutine_function()'s; null if it is something else. Borrowed.
ISTHMUS_COLD inline PyObject* unwrap_function(PyObject* function) {
    PyTypeObject* const type = Py_TYPE(function);
    const object name = checked(PyUnicode_FromString(type->tp_name));
    const object known = find_item(interpreter_state::get().function_types, name.ptr());
    if (PyErr_Occurred()) {
        throw_raised();
    }
    return known.ptr() == reinterpret_cast<PyObject*>(type) ? function_object::of(function).callable : nullptr;
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
ISTHMUS_COLD inline object as_coroutine_function(const object& callable) {
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
