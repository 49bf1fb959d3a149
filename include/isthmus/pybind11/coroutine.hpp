// isthmus/pybind11/coroutine.hpp — pybind11.hpp with less around it: coroutines and generators, and awaiting Python;
// not tasks, threads, completions and timeouts. It compiles sooner. Include it before other headers, as Python.h.
// SPDX-License-Identifier: MIT
#pragma once

#if defined(ISTHMUS_BINDING_LIBRARY)
#error "isthmus: include isthmus/nanobind.hpp or isthmus/pybind11.hpp in a translation unit, not both"
#endif
#define ISTHMUS_BINDING_LIBRARY

#include "../python/object.hpp"

#include "../python/await.hpp"
#include "../python/coroutine.hpp"
#include "../python/coroutine_like.hpp"
#include "../python/error.hpp"
#include "../python/function.hpp"
#include "../python/generator.hpp"
#include "../python/native.hpp"
#include "../python/self.hpp"

#include <pybind11/pybind11.h>

#include <string>
#include <string_view>
#include <utility>

namespace isthmus::inline v1::py {

template <class T>
struct binding_converter {
    static object to_python(T value) { return object::steal(::pybind11::cast(std::forward<T>(value)).release().ptr()); }
    static T from_python(const object& value) { return ::pybind11::cast<T>(::pybind11::handle(value.ptr())); }
};

/// pybind11's own handles are taken and given as they are.
template <class T>
    requires std::derived_from<T, ::pybind11::object>
struct binding_converter<T> {
    static object to_python(T value) noexcept { return object::steal(value.release().ptr()); }
    static T from_python(const object& value) { return ::pybind11::cast<T>(::pybind11::handle(value.ptr())); }
};

namespace detail {

inline bool translate_by_pybind11(const std::exception_ptr& exception) noexcept {
    try {
        std::rethrow_exception(exception);
    } catch (::pybind11::error_already_set& e) {
        e.restore();
        return true;
    } catch (...) {
        ::pybind11::detail::try_translate_exceptions();
        return PyErr_Occurred() != nullptr;
    }
}

/// Once a module: lets its functions throw py::error also where there is no coroutine.
inline void register_translator() {
    static const bool registered = [] {
        ::pybind11::register_local_exception_translator([](std::exception_ptr e) { set_from_own(e); });
        return true;
    }();
    static_cast<void>(registered);
}

/// Results are converted by pybind11's casters, with the return value policy and the `self` of the bound function.
struct by_pybind11 {
    template <class T>
    static PyObject* convert(T&& value, const coroutine_object& self) {
        if constexpr (std::derived_from<std::remove_cvref_t<T>, ::pybind11::object>) { // cast() does not take these
            return converter<object>::to_python(object::borrow(value.ptr())).release();
        } else {
            const auto policy = static_cast<::pybind11::return_value_policy>(self.more.result_policy());
            return ::pybind11::cast(std::forward<T>(value), policy, ::pybind11::handle(self.more.keep_alive()))
                .release()
                .ptr();
        }
    }
    static constexpr exception_translator translate = translate_by_pybind11;
};

} // namespace detail

/// For `m.def` and `.def`: gives back what it is given, if a coroutine or generator may take its parameters. A closure
/// with captures is copied into an owner that each of them keeps.
template <class Return, class... Parameters>
    requires detail::outlives_call<Return>
auto bind(Return (*function)(Parameters...)) {
    detail::require_owned_parameters<Parameters...>();
    detail::register_translator();
    return function;
}
template <class Return, class Class, class... Parameters>
    requires detail::outlives_call<Return>
auto bind(Return (Class::*method)(Parameters...)) {
    detail::require_owned_parameters<Parameters...>();
    detail::register_translator();
    return method;
}
template <class Return, class Class, class... Parameters>
    requires detail::outlives_call<Return>
auto bind(Return (Class::*method)(Parameters...) const) {
    detail::require_owned_parameters<Parameters...>();
    detail::register_translator();
    return method;
}

namespace detail {

template <bool Method, class Closure, class Class, class Return, class... Parameters>
auto bind_closure(Closure closure, Return (Class::*)(Parameters...) const) {
    if constexpr (Method) {
        require_owned_method_parameters<Parameters...>();
    } else {
        require_owned_parameters<Parameters...>();
    }
    register_translator();
    if constexpr (std::is_empty_v<Closure> || !is_ownable<Return>) {
        return closure;
    } else {
        return own_closure(std::move(closure), static_cast<Return (*)(Parameters...)>(nullptr));
    }
}

} // namespace detail

template <class Closure>
    requires std::is_class_v<Closure>
auto bind(Closure closure) {
    constexpr bool is_method = requires { requires Closure::is_method; }; // of py::native()
    return detail::bind_closure<is_method>(std::move(closure), &Closure::operator());
}
/// The same for a lambda that is bound as a method: its first parameter is the object, and may be a reference.
template <class Closure>
    requires std::is_class_v<Closure>
auto bind_method(Closure closure) {
    return detail::bind_closure<true>(std::move(closure), &Closure::operator());
}

} // namespace isthmus::inline v1::py

namespace pybind11::detail {

template <>
struct type_caster<isthmus::py::object> {
    PYBIND11_TYPE_CASTER(isthmus::py::object, const_name("object"));

    bool load(handle source, bool) {
        value = isthmus::py::object::borrow(source.ptr());
        return true;
    }
    static handle cast(const isthmus::py::object& source, return_value_policy, handle) {
        return isthmus::py::object(source ? source : isthmus::py::object::make_none()).release();
    }
};

template <class Class>
struct type_caster<isthmus::py::self<Class>> {
    PYBIND11_TYPE_CASTER(isthmus::py::self<Class>, make_caster<Class>::name);

    bool load(handle source, bool) {
        make_caster<Class> caster;
        if (!caster.load(source, false) || source.is_none()) { // no implicit conversion, which makes a temporary
            return false;
        }
        value = isthmus::py::self<Class>(cast_op<Class&>(caster), isthmus::py::object::borrow(source.ptr()));
        return true;
    }
};

template <class T>
inline constexpr auto isthmus_name = make_caster<std::conditional_t<std::is_void_v<T>, void_type, T>>::name;
template <>
inline constexpr auto isthmus_name<isthmus::none> = const_name("None");

/// What the casters below share: what they make can only be returned.
template <class Made>
struct returned_caster {
    static handle make(auto&& source, isthmus::py::object keep_alive, return_value_policy policy) {
        try {
            // Found by the type of `keep_alive`, also if it is declared later, as that for tasks.
            return to_python<isthmus::py::detail::by_pybind11>(std::move(source), std::move(keep_alive),
                                                               static_cast<int>(policy))
                .release();
        } catch (const isthmus::py::base_exception& e) {
            e.restore();
            throw error_already_set();
        }
    }
    static handle cast(Made&& source, return_value_policy policy, handle parent) {
        return make(std::move(source), isthmus::py::object::borrow(parent.ptr()), policy);
    }
};

template <class Return>
inline constexpr auto coroutine_name =
    const_name("collections.abc.Coroutine[typing.Any, typing.Any, ") + isthmus_name<Return> + const_name("]");

template <class Return, class Yield, class Send>
struct type_caster<isthmus::coroutine<Return, Yield, Send>> : returned_caster<isthmus::coroutine<Return, Yield, Send>> {
    static constexpr auto name = coroutine_name<Return>;
};

template <class Return, class Yield, class Send>
struct type_caster<isthmus::any_coroutine<Return, Yield, Send>>
    : returned_caster<isthmus::any_coroutine<Return, Yield, Send>> {
    static constexpr auto name = coroutine_name<Return>;
};

template <class Yield, class Send, class Return>
struct type_caster<isthmus::generator<Yield, Send, Return>> : returned_caster<isthmus::generator<Yield, Send, Return>> {
    static constexpr auto name = const_name("collections.abc.Generator[") + isthmus_name<Yield> + const_name(", ") +
                                 isthmus_name<Send> + const_name(", ") + isthmus_name<Return> + const_name("]");
};

/// A generator that can be awaited has no type of its own in Python's typing.
template <class Yield, class Send, class Return>
struct type_caster<isthmus::generator_based_coroutine<Yield, Send, Return>>
    : returned_caster<isthmus::generator_based_coroutine<Yield, Send, Return>> {
    static constexpr auto name = make_caster<isthmus::generator<Yield, Send, Return>>::name;
};

template <class Made>
struct type_caster<isthmus::py::detail::owned<Made>> : returned_caster<isthmus::py::detail::owned<Made>> {
    static constexpr auto name = make_caster<Made>::name;

    static handle cast(isthmus::py::detail::owned<Made>&& source, return_value_policy policy, handle parent) {
        isthmus::py::object keep = std::move(source.owner);
        if (parent) {
            keep = isthmus::py::checked(PyTuple_Pack(2, parent.ptr(), keep.ptr()));
        }
        return type_caster::make(std::move(source.value), std::move(keep), policy);
    }
};

template <class Return>
struct type_caster<isthmus::py::detail::native_coroutine<Return>>
    : returned_caster<isthmus::py::detail::native_coroutine<Return>> {
    static constexpr auto name = coroutine_name<Return>;
};

template <class Return>
struct type_caster<isthmus::py::detail::awaited_coroutine<Return>>
    : returned_caster<isthmus::py::detail::awaited_coroutine<Return>> {
    static constexpr auto name =
        const_name("collections.abc.Generator[typing.Any, typing.Any, ") + isthmus_name<Return> + const_name("]");

    static handle cast(isthmus::py::detail::awaited_coroutine<Return>&& source, return_value_policy policy,
                       handle parent) {
        const isthmus::py::object made = isthmus::py::object::steal(
            type_caster::make(std::move(source.value), isthmus::py::object::borrow(parent.ptr()), policy).ptr());
        PyObject* const iterator = isthmus::py::detail::make_iterator(made.ptr(), nullptr);
        if (iterator == nullptr) {
            throw error_already_set();
        }
        return iterator;
    }
};

} // namespace pybind11::detail

namespace isthmus::inline v1::py {
namespace detail {

/// The first of the overloads that a function of pybind11 has; null if it is something else.
inline const ::pybind11::detail::function_record* overloads_of(PyObject* function) {
    if (PyInstanceMethod_Check(function)) {
        function = PyInstanceMethod_GET_FUNCTION(function);
    }
    if (!PyCFunction_Check(function) || PyCFunction_GET_SELF(function) == nullptr) {
        return nullptr;
    }
    PyObject* const holder = PyCFunction_GET_SELF(function);
#if PYBIND11_VERSION_HEX >= 0x03000000
    return ::pybind11::detail::function_record_ptr_from_PyObject(holder);
#else
    const char* const name = ::pybind11::detail::get_function_record_capsule_name();
    return PyCapsule_IsValid(holder, name)
               ? static_cast<const ::pybind11::detail::function_record*>(PyCapsule_GetPointer(holder, name))
               : nullptr;
#endif
}

/// Whether all overloads say that they return a coroutine: an `async def` function does so whatever the arguments.
inline bool gives_only_coroutines(PyObject* function) {
    const auto* const first = overloads_of(function);
    for (const auto* overload = first; overload != nullptr; overload = overload->next) {
        const std::string_view signature(overload->signature);
        const std::size_t arrow = signature.rfind(" -> ");
        if (arrow == std::string_view::npos || !signature.substr(arrow).starts_with(" -> collections.abc.Coroutine[")) {
            return false;
        }
    }
    return first != nullptr;
}

} // namespace detail

/// The last line of a PYBIND11_MODULE: the functions of the module and of its classes that return coroutines are then
/// coroutine functions in the eyes of inspect.iscoroutinefunction() and of frameworks (16.3), as made by
/// py::as_coroutine_function. One with overloads is if all of them return coroutines. It is the last line since
/// pybind11 adds an overload only to a function of its own kind, and tells nobody when it has added one.
///
/// `scope` is a module or class. Needs the GIL. Throws what Python raises.
inline void mark_coroutine_functions(::pybind11::handle scope) {
    const bool in_class = PyType_Check(scope.ptr());
    const auto text = [](::pybind11::handle value) { return std::string(::pybind11::str(value)); };
    const std::string module = text(scope.attr(in_class ? "__module__" : "__name__"));
    const std::string prefix = in_class ? text(scope.attr("__qualname__")) + "." : "";
    for (const ::pybind11::handle item : ::pybind11::list(scope.attr("__dict__").attr("items")())) {
        const auto [name, value] = item.cast<std::pair<std::string, ::pybind11::object>>();
        const std::string qualname = prefix + name;
        if (PyType_Check(value.ptr())) {
            if (text(value.attr("__module__")) == module && text(value.attr("__qualname__")) == qualname) {
                py::mark_coroutine_functions(value);
            }
            continue;
        }
        object function = object::borrow(value.ptr());
        const bool is_static = PyObject_TypeCheck(value.ptr(), &PyStaticMethod_Type);
        if (is_static) {
            function = checked(PyObject_GetAttrString(value.ptr(), "__func__"));
        }
        if (detail::gives_only_coroutines(function.ptr())) {
            function = py::as_coroutine_function(function);
            ::pybind11::setattr(function.ptr(), "__qualname__",
                                ::pybind11::str(qualname)); // pybind11's own names its record
            function = is_static ? checked(PyStaticMethod_New(function.ptr())) : std::move(function);
            ::pybind11::setattr(scope, name.c_str(), function.ptr());
        }
    }
}

} // namespace isthmus::inline v1::py
