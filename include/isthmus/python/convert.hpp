// isthmus/python/convert.hpp — values between C++ and Python, and which C++ types only borrow.
// SPDX-License-Identifier: MIT
#pragma once

#include "error.hpp"

#include <concepts>
#include <functional>
#include <limits>
#include <optional>
#include <ranges>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

namespace isthmus::inline v1::py {

/// How the binding library of this translation unit converts a type that `converter` does not know: nanobind.hpp and
/// pybind11.hpp each define it. `static object to_python(T)` and `static T from_python(const object&)`, both with the
/// GIL, both throwing.
template <class T>
struct binding_converter;

/// Converts values between C++ and Python. The types below mean the same in every translation unit, whichever binding
/// library it includes; all others go to that library. May be specialised for a type of your own.
template <class T>
struct converter {
    static object to_python(T value) { return binding_converter<T>::to_python(std::forward<T>(value)); }
    static T from_python(const object& value) { return binding_converter<T>::from_python(value); }
};

template <>
struct converter<object> {
    static object to_python(object value) noexcept { return value ? std::move(value) : object::make_none(); }
    static object from_python(object value) noexcept { return value; }
};

template <>
struct converter<none> {
    static object to_python(none) noexcept { return object::make_none(); }
    static none from_python(const object&) noexcept { return {}; }
};

template <>
struct converter<bool> {
    static object to_python(bool value) noexcept { return object::borrow(value ? Py_True : Py_False); }
    static bool from_python(const object& value) {
        if (!PyBool_Check(value.ptr())) {
            throw error(PyExc_TypeError, "expected a bool");
        }
        return value.ptr() == Py_True;
    }
};

template <class T>
    requires(std::integral<T> && !std::same_as<T, char> && !std::same_as<T, wchar_t> && !std::same_as<T, char8_t> &&
             !std::same_as<T, char16_t> && !std::same_as<T, char32_t>)
struct converter<T> {
    static object to_python(T value) {
        if constexpr (std::signed_integral<T>) {
            return checked(PyLong_FromLongLong(value));
        } else {
            return checked(PyLong_FromUnsignedLongLong(value));
        }
    }
    static T from_python(const object& value) {
        if constexpr (std::signed_integral<T>) {
            return narrow(PyLong_AsLongLong(value.ptr()));
        } else {
            const object index = checked(PyNumber_Index(value.ptr()));
            return narrow(PyLong_AsUnsignedLongLong(index.ptr()));
        }
    }

private:
    template <class Wide>
    static T narrow(Wide wide) {
        if (wide == static_cast<Wide>(-1) && PyErr_Occurred()) {
            throw_raised();
        }
        if (!std::in_range<T>(wide)) {
            throw error(PyExc_OverflowError, "the int does not fit into the C++ type");
        }
        return static_cast<T>(wide);
    }
};

template <std::floating_point T>
struct converter<T> {
    static object to_python(T value) { return checked(PyFloat_FromDouble(static_cast<double>(value))); }
    static T from_python(const object& value) {
        const double wide = PyFloat_AsDouble(value.ptr());
        if (wide == -1.0 && PyErr_Occurred()) {
            throw_raised();
        }
        return static_cast<T>(wide);
    }
};

template <>
struct converter<std::string> {
    static object to_python(const std::string& value) {
        return checked(PyUnicode_DecodeUTF8(value.data(), static_cast<Py_ssize_t>(value.size()), nullptr));
    }
    static std::string from_python(const object& value) {
        Py_ssize_t size = 0;
        const char* const text = PyUnicode_AsUTF8AndSize(value.ptr(), &size);
        if (text == nullptr) {
            throw_raised();
        }
        return std::string(text, static_cast<std::size_t>(size));
    }
};

/// Whether a T refers to something it does not own, so that a coroutine, which outlives the call that made it, must
/// not take it from a binding library's converter (C++ Core Guidelines CP.53). Specialise it for a type of your own.
template <class T>
inline constexpr bool enable_borrowed = (std::is_pointer_v<T> && !std::is_function_v<std::remove_pointer_t<T>>) ||
                                        std::is_null_pointer_v<T> || std::ranges::view<T> || requires(T value) {
                                            // a handle: an object of a binding library that does not own
                                            requires std::is_trivially_destructible_v<T>;
                                            { value.ptr() } -> std::convertible_to<PyObject*>;
                                        };
template <class T>
inline constexpr bool enable_borrowed<std::reference_wrapper<T>> = true;

namespace detail {

/// Whether T is one of the standard library's.
template <class T>
consteval bool is_standard() {
    constexpr std::string_view name = __PRETTY_FUNCTION__;
    constexpr std::size_t at = name.find("T = ");
    return at != std::string_view::npos &&
           (name.substr(at + 4).starts_with("std::") || name.substr(at + 4).starts_with("const std::"));
}

template <class T>
struct borrows : std::bool_constant<enable_borrowed<T>> {};
template <class T>
struct borrows<T&> : std::true_type {};
template <class T>
struct borrows<T&&> : std::true_type {};
template <class T>
struct borrows<const T> : borrows<T> {};
template <template <class...> class Holder, class... Held>
    requires(!enable_borrowed<Holder<Held...>> && is_standard<Holder<Held...>>())
struct borrows<Holder<Held...>> : std::bool_constant<(borrows<Held>::value || ...)> {};
// What a function takes or returns is not held by it: std::function and its like.
template <template <class> class Function, class R, class... Args>
struct borrows<Function<R(Args...)>> : std::false_type {};
template <>
struct borrows<void> : std::false_type {};

template <class T>
inline constexpr bool is_borrowed = borrows<T>::value;

/// Of a closure it can be told before its type is complete, as where a lambda is a coroutine function.
template <class T>
concept has_call_operator = requires { &T::operator(); };

/// Whether a parameter may be `self`: a reference or pointer to a class of the user's, and not to a Python object.
template <class T, class Class = std::remove_cv_t<std::remove_pointer_t<std::remove_reference_t<T>>>>
concept may_be_self =
    (std::is_reference_v<T> || std::is_pointer_v<T>) && std::is_class_v<Class> && !is_standard<Class>() &&
    !std::is_same_v<Class, PyObject> && (has_call_operator<Class> || !requires(Class& object) {
        { object.ptr() } -> std::convertible_to<PyObject*>;
    });
/// Whether it may be the closure of a lambda, after which comes what the lambda takes.
template <class T>
concept may_be_closure = may_be_self<T> && has_call_operator<std::remove_cvref_t<T>>;

/// Whether a coroutine function with these parameters, `self` and closures among them, borrows what was converted.
template <class... Parameters>
inline constexpr bool any_borrows = (is_borrowed<Parameters> || ...);
template <may_be_self First, class... Rest>
inline constexpr bool any_borrows<First, Rest...> = (is_borrowed<Rest> || ...);
template <may_be_closure Closure, may_be_self First, class... Rest>
inline constexpr bool any_borrows<Closure, First, Rest...> = (is_borrowed<Rest> || ...);

} // namespace detail
} // namespace isthmus::inline v1::py
