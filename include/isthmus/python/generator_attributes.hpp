// isthmus/python/generator_attributes.hpp — what CPython's generators tell of themselves: the gi_ attributes.
// SPDX-License-Identifier: MIT
#pragma once

#include "names.hpp"

namespace isthmus::inline v1::py::detail {

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
    {"gi_yieldfrom", get_yield_from, nullptr, PyDoc_STR("object being iterated by yield from, or None"), nullptr},
    {nullptr, nullptr, nullptr, nullptr, nullptr},
};

} // namespace isthmus::inline v1::py::detail
