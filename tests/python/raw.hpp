// tests/python/raw.hpp — binds functions with CPython's C API alone, for the raw_*.cpp modules.
// SPDX-License-Identifier: MIT
#pragma once

#include <isthmus/python.hpp>

#include <cstddef>
#include <exception>
#include <string>
#include <utility>

namespace raw {

namespace py = isthmus::py;
using py::object;

template <class T>
object to_result(T&& value) {
    if constexpr (requires { py::to_python(std::move(value)); }) {
        return py::to_python(std::move(value));
    } else {
        return py::converter<std::remove_cvref_t<T>>::to_python(std::forward<T>(value));
    }
}

template <class Return, class... Parameters, std::size_t... I>
object call(Return (*function)(Parameters...), [[maybe_unused]] PyObject* const* arguments, std::index_sequence<I...>) {
    if constexpr (std::is_void_v<Return>) {
        function(py::converter<Parameters>::from_python(object::borrow(arguments[I]))...);
        return object::make_none();
    } else {
        return to_result(function(py::converter<Parameters>::from_python(object::borrow(arguments[I]))...));
    }
}

template <auto Function>
struct binding;
template <class Return, class... Parameters, Return (*Function)(Parameters...)>
struct binding<Function> {
    static PyObject* call(PyObject*, PyObject* const* arguments, Py_ssize_t count) noexcept {
        if (count != static_cast<Py_ssize_t>(sizeof...(Parameters))) {
            return PyErr_Format(PyExc_TypeError, "expected %zu arguments, got %zd", sizeof...(Parameters), count);
        }
        try {
            return raw::call(Function, arguments, std::index_sequence_for<Parameters...>()).release();
        } catch (...) {
            py::detail::set_from_exception(std::current_exception(), nullptr);
        }
        return nullptr;
    }
};

/// One entry of a module's table of functions.
template <auto Function>
PyMethodDef def(const char* name) {
    return {name, reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(binding<Function>::call)), METH_FASTCALL,
            nullptr};
}

/// What all test modules can do: run in interpreters with GILs of their own, and without any GIL.
inline PyModuleDef_Slot slots[] = {
#if PY_VERSION_HEX >= 0x030C0000
    {Py_mod_multiple_interpreters, Py_MOD_PER_INTERPRETER_GIL_SUPPORTED},
#endif
#if PY_VERSION_HEX >= 0x030D0000
    {Py_mod_gil, Py_MOD_GIL_NOT_USED},
#endif
    {0, nullptr},
};

/// A module with these functions, for PyModuleDef_Init.
inline PyModuleDef define(const char* name, PyMethodDef* functions) noexcept {
    return {PyModuleDef_HEAD_INIT, name, nullptr, 0, functions, slots, nullptr, nullptr, nullptr};
}

/// Writes to a list when it is destroyed: the C++ counterpart of a `finally` block.
class guard {
public:
    guard(object list, std::string text) : list_(std::move(list)), text_(std::move(text)) {}
    guard(const guard&) = delete;
    guard& operator=(const guard&) = delete;
    ~guard() {
        const py::detail::saved_error outer;
        const object entry = object::steal(PyUnicode_FromString(text_.c_str()));
        if (!entry || PyList_Append(list_.ptr(), entry.ptr()) != 0) {
            PyErr_WriteUnraisable(list_.ptr());
        }
    }

private:
    object list_;
    std::string text_;
};

} // namespace raw
