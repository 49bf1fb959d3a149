// isthmus/nanobind/coroutine.hpp — nanobind.hpp with less around it: coroutines and generators, and awaiting Python;
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
#include "../python/definition.hpp"
#include "../python/error.hpp"
#include "../python/function.hpp"
#include "../python/generator.hpp"
#include "../python/native.hpp"
#include "../python/self.hpp"

#include <nanobind/nanobind.h>

namespace isthmus::inline v1::py {

template <class T>
struct binding_converter {
    static object to_python(T value) { return object::steal(nanobind::cast(std::forward<T>(value)).release().ptr()); }
    static T from_python(const object& value) { return nanobind::cast<T>(nanobind::handle(value.ptr())); }
};

/// nanobind's own handles are taken and given as they are.
template <class T>
    requires std::derived_from<T, nanobind::object>
struct binding_converter<T> {
    static object to_python(T value) noexcept { return object::steal(value.release().ptr()); }
    static T from_python(const object& value) { return nanobind::cast<T>(nanobind::borrow(value.ptr())); }
};

namespace detail {

/// nanobind has no public way to ask its exception translators; a call through it does.
inline bool translate_by_nanobind(const std::exception_ptr& exception) noexcept {
    try {
        const nanobind::object rethrow = nanobind::cpp_function([&exception] { std::rethrow_exception(exception); });
        Py_XDECREF(PyObject_CallNoArgs(rethrow.ptr()));
        return PyErr_Occurred() != nullptr;
    } catch (const std::exception&) {
        return false;
    }
}

/// Once a module: lets its functions throw py::error also where there is no coroutine.
inline void register_translator() {
    static const bool registered = [] {
        nanobind::register_exception_translator([](const std::exception_ptr& e, void*) { set_from_own(e); });
        return true;
    }();
    static_cast<void>(registered);
}

/// Results are converted by nanobind's casters, with the return value policy and the `self` of the bound function.
struct by_nanobind {
    template <class T>
    static PyObject* convert(T&& value, const coroutine_object& self) {
        return nanobind::cast(std::forward<T>(value), as_policy<nanobind::rv_policy>(self.more.result_policy()),
                              nanobind::handle(self.more.keep_alive()))
            .release()
            .ptr();
    }
    /// An enumeration in nanobind 2, a class around one in nanobind 3.
    template <class Policy>
    static Policy as_policy(int number) noexcept {
        if constexpr (std::is_enum_v<Policy>) {
            return static_cast<Policy>(number);
        } else {
            return Policy(static_cast<typename Policy::value>(number));
        }
    }
    static constexpr exception_translator translate = translate_by_nanobind;
};

} // namespace detail
} // namespace isthmus::inline v1::py

namespace nanobind::detail {

template <>
struct type_caster<isthmus::py::object> {
    NB_TYPE_CASTER(isthmus::py::object, const_name("object"))

    bool from_python(handle source, std::uint32_t, cleanup_list*) noexcept {
        value = isthmus::py::object::borrow(source.ptr());
        return true;
    }
    static handle from_cpp(const isthmus::py::object& source, rv_policy, cleanup_list*) noexcept {
        return isthmus::py::object(source ? source : isthmus::py::object::make_none()).release();
    }
};

template <class Class>
struct type_caster<isthmus::py::self<Class>> {
    NB_TYPE_CASTER(isthmus::py::self<Class>, make_caster<Class>::Name)

    template <class Flags> // std::uint8_t in nanobind 2, std::uint32_t in nanobind 3
    bool from_python(handle source, Flags flags, cleanup_list* cleanup) noexcept {
        // No implicit conversion: it would make a temporary object.
        constexpr auto no_conversion = static_cast<Flags>(~static_cast<Flags>(cast_flags::convert));
        make_caster<Class> caster;
        if (!caster.from_python(source, static_cast<Flags>(flags & no_conversion), cleanup) || source.is_none()) {
            return false;
        }
        value = isthmus::py::self<Class>(caster.operator Class&(), isthmus::py::object::borrow(source.ptr()));
        return true;
    }
};

template <class T>
inline constexpr auto isthmus_name = make_caster<std::conditional_t<std::is_void_v<T>, void_type, T>>::Name;
template <>
inline constexpr auto isthmus_name<isthmus::none> = const_name("None");

/// What the casters below share: what they make can only be returned.
template <class Made>
struct returned_caster {
    using Value = Made;
    template <class>
    using Cast = Value;

    static handle make(auto&& source, isthmus::py::object keep_alive, rv_policy policy) noexcept {
        try {
            // Found by the type of `keep_alive`, also if it is declared later, as that for tasks.
            return to_python<isthmus::py::detail::by_nanobind>(std::move(source), std::move(keep_alive),
                                                               static_cast<int>(policy))
                .release();
        } catch (const isthmus::py::base_exception& e) {
            e.restore();
        } catch (const std::exception& e) {
            PyErr_SetString(PyExc_RuntimeError, e.what());
        }
        return handle();
    }
    static isthmus::py::object self(cleanup_list* cleanup) noexcept {
        return isthmus::py::object::borrow(cleanup != nullptr ? cleanup->self() : nullptr);
    }
    static handle from_cpp(Made&& source, rv_policy policy, cleanup_list* cleanup) noexcept {
        return make(std::move(source), self(cleanup), policy);
    }
};

template <class Return>
inline constexpr auto coroutine_name =
    const_name("collections.abc.Coroutine[typing.Any, typing.Any, ") + isthmus_name<Return> + const_name("]");

template <class Return, class Yield, class Send>
struct type_caster<isthmus::coroutine<Return, Yield, Send>> : returned_caster<isthmus::coroutine<Return, Yield, Send>> {
    static constexpr auto Name = coroutine_name<Return>;
};

template <class Return, class Yield, class Send>
struct type_caster<isthmus::any_coroutine<Return, Yield, Send>>
    : returned_caster<isthmus::any_coroutine<Return, Yield, Send>> {
    static constexpr auto Name = coroutine_name<Return>;
};

template <class Yield, class Send, class Return>
struct type_caster<isthmus::generator<Yield, Send, Return>> : returned_caster<isthmus::generator<Yield, Send, Return>> {
    static constexpr auto Name = const_name("collections.abc.Generator[") + isthmus_name<Yield> + const_name(", ") +
                                 isthmus_name<Send> + const_name(", ") + isthmus_name<Return> + const_name("]");
};

/// A generator that can be awaited has no type of its own in Python's typing.
template <class Yield, class Send, class Return>
struct type_caster<isthmus::generator_based_coroutine<Yield, Send, Return>>
    : returned_caster<isthmus::generator_based_coroutine<Yield, Send, Return>> {
    static constexpr auto Name = make_caster<isthmus::generator<Yield, Send, Return>>::Name;
};

template <class Made>
struct type_caster<isthmus::py::detail::owned<Made>> : returned_caster<isthmus::py::detail::owned<Made>> {
    using Value = isthmus::py::detail::owned<Made>;
    static constexpr auto Name = make_caster<Made>::Name;

    static handle from_cpp(Value&& source, rv_policy policy, cleanup_list* cleanup) noexcept {
        isthmus::py::object keep = type_caster::self(cleanup);
        if (keep) {
            keep = isthmus::py::object::steal(PyTuple_Pack(2, keep.ptr(), source.owner.ptr()));
            if (!keep) {
                return handle();
            }
        } else {
            keep = std::move(source.owner);
        }
        return type_caster::make(std::move(source.value), std::move(keep), policy);
    }
};

template <class Return>
struct type_caster<isthmus::py::detail::native_coroutine<Return>>
    : returned_caster<isthmus::py::detail::native_coroutine<Return>> {
    static constexpr auto Name = coroutine_name<Return>;
};

template <class Return>
struct type_caster<isthmus::py::detail::awaited_coroutine<Return>>
    : returned_caster<isthmus::py::detail::awaited_coroutine<Return>> {
    using Value = isthmus::py::detail::awaited_coroutine<Return>;
    static constexpr auto Name =
        const_name("collections.abc.Generator[typing.Any, typing.Any, ") + isthmus_name<Return> + const_name("]");

    static handle from_cpp(Value&& source, rv_policy policy, cleanup_list* cleanup) noexcept {
        const isthmus::py::object made = isthmus::py::object::steal(
            type_caster::make(std::move(source.value), type_caster::self(cleanup), policy).ptr());
        return made ? isthmus::py::detail::make_iterator(made.ptr(), nullptr) : nullptr;
    }
};

/// Whether one of nanobind's annotations says that the first parameter is `self`.
template <class... Extra>
inline constexpr bool binds_method = (std::is_same_v<Extra, is_method> || ...);

template <bool Method, class Return, class... Parameters>
constexpr void check_parameters(Return (*)(Parameters...)) {
    if constexpr (Method && sizeof...(Parameters) > 0) {
        isthmus::py::detail::require_owned_method_parameters<Parameters...>();
    } else {
        isthmus::py::detail::require_owned_parameters<Parameters...>();
    }
}

/// A member function as a callable. Unlike a closure, it need not live as long as a coroutine that it made.
template <class Member>
struct member_caller {
    Member member;
    template <class Object, class... Args>
    decltype(auto) operator()(Object* object, Args&&... args) const {
        return (object->*member)(std::forward<Args>(args)...);
    }
};
template <class Callable>
inline constexpr bool is_closure = std::is_class_v<Callable> && !std::is_empty_v<Callable>;
template <class Member>
inline constexpr bool is_closure<member_caller<Member>> = false;

/// func_create for a callable that returns a coroutine or generator.
template <bool ReturnReference, class Func, class Return, class... Parameters, class... Extra>
PyObject* create_coroutine_function(Func&& f, Return (*signature)(Parameters...), const Extra&... extra) {
    check_parameters<binds_method<Extra...>>(signature);
    isthmus::py::detail::register_translator();
    using closure = std::remove_cvref_t<Func>;
    constexpr std::index_sequence_for<Parameters...> indices;
    if constexpr (is_closure<closure> && isthmus::py::detail::is_ownable<Return>) {
        return func_create<ReturnReference, true>(
            isthmus::py::detail::own_closure<closure>(std::forward<Func>(f), signature),
            static_cast<isthmus::py::detail::owned<Return> (*)(Parameters...)>(nullptr), indices, extra...);
    } else {
        return func_create<ReturnReference, true>(std::forward<Func>(f), signature, indices, extra...);
    }
}

/// Begins to add a function where its annotations, those of m.def and .def among them, say.
template <class... Extra>
isthmus::py::detail::definition begin_definition(const Extra&... extra) {
    PyObject* where = nullptr;
    const char* called = nullptr;
    const auto note = [&](const auto& annotation) {
        using annotation_type = std::remove_cvref_t<decltype(annotation)>;
        if constexpr (std::is_same_v<annotation_type, scope>) {
            where = annotation.value;
        } else if constexpr (std::is_same_v<annotation_type, name>) {
            called = annotation.value;
        }
    };
    (note(extra), ...);
    return isthmus::py::detail::definition(where, called);
}

template <class Func>
using signature_of = typename analyze_method<decltype(&std::remove_reference_t<Func>::operator())>::func;

/// cpp_function_def and cpp_function of whatever can be called.
template <class Func, class Return, class... Args, class... Extra>
void define_function(Func&& f, Return (*signature)(Args...), const Extra&... extra) {
    const isthmus::py::detail::definition defined = begin_definition(extra...);
    if constexpr (isthmus::py::detail::outlives_call<Return>) {
        create_coroutine_function<false>(std::forward<Func>(f), signature, extra...);
    } else {
        func_create<false, true>(std::forward<Func>(f), signature, std::index_sequence_for<Args...>(), extra...);
    }
    if constexpr (isthmus::py::detail::gives_coroutine<Return>) {
        defined.mark();
    }
}
template <class Func, class Return, class... Args, class... Extra>
object make_function(Func&& f, Return (*signature)(Args...), const Extra&... extra) {
    object made = steal(create_coroutine_function<true>(std::forward<Func>(f), signature, extra...));
    constexpr bool is_accessor = binds_method<Extra...> || (std::is_same_v<Extra, is_getter> || ...);
    if constexpr (isthmus::py::detail::gives_coroutine<Return> && !is_accessor) {
        return steal(isthmus::py::as_coroutine_function(isthmus::py::object::borrow(made.ptr())).release());
    } else {
        return made;
    }
}

/// Checks a member function, and makes it callable. A coroutine of it keeps the object alive.
template <class Object, class Return, class Member, class... Args>
member_caller<Member> as_callable(Member member, Return (*)(Object*, Args...)) {
    if constexpr (isthmus::py::detail::outlives_call<Return>) {
        isthmus::py::detail::require_owned_parameters<Args...>();
    }
    return {member};
}

/// Always true: a constrained function is preferred to the same one without constraints.
template <class Return>
concept any_result = true;

} // namespace nanobind::detail

// nanobind's own cpp_function, for functions that return a coroutine or generator, and cpp_function_def, for all, since
// any function may be an overload of one that returns a coroutine: being more constrained, they are the ones that
// `m.def`, `.def` and `.def_static` find.
namespace nanobind {

template <typename = void, typename Return, typename... Args, typename... Extra>
    requires isthmus::py::detail::outlives_call<Return>
object cpp_function(Return (*f)(Args...), const Extra&... extra) {
    return detail::make_function(f, f, extra...);
}

template <typename = void, typename Return, typename... Args, typename... Extra>
    requires detail::any_result<Return>
void cpp_function_def(Return (*f)(Args...), const Extra&... extra) {
    detail::define_function(f, f, extra...);
}

namespace detail {

template <class Signature>
inline constexpr bool result_outlives_call = false;
template <class Return, class... Args>
inline constexpr bool result_outlives_call<Return(Args...)> = isthmus::py::detail::outlives_call<Return>;

} // namespace detail

template <typename = void, typename Func, typename... Extra,
          detail::enable_if_t<detail::is_lambda_v<std::remove_reference_t<Func>>> = 0>
    requires detail::result_outlives_call<detail::signature_of<Func>>
object cpp_function(Func&& f, const Extra&... extra) {
    return detail::make_function(std::forward<Func>(f), static_cast<detail::signature_of<Func>*>(nullptr), extra...);
}

template <typename = void, typename Func, typename... Extra,
          detail::enable_if_t<detail::is_lambda_v<std::remove_reference_t<Func>>> = 0>
    requires detail::any_result<detail::signature_of<Func>>
void cpp_function_def(Func&& f, const Extra&... extra) {
    detail::define_function(std::forward<Func>(f), static_cast<detail::signature_of<Func>*>(nullptr), extra...);
}

template <typename Target = void, typename Return, typename Class, typename... Args, typename... Extra>
    requires isthmus::py::detail::outlives_call<Return>
object cpp_function(Return (Class::*f)(Args...), const Extra&... extra) {
    using T = std::conditional_t<std::is_void_v<Target>, Class, Target>;
    constexpr Return (*signature)(T*, Args...) = nullptr;
    return detail::make_function(detail::as_callable(f, signature), signature, extra...);
}

template <typename Target = void, typename Return, typename Class, typename... Args, typename... Extra>
    requires detail::any_result<Return>
void cpp_function_def(Return (Class::*f)(Args...), const Extra&... extra) {
    using T = std::conditional_t<std::is_void_v<Target>, Class, Target>;
    constexpr Return (*signature)(T*, Args...) = nullptr;
    detail::define_function(detail::as_callable(f, signature), signature, extra...);
}

template <typename Target = void, typename Return, typename Class, typename... Args, typename... Extra>
    requires isthmus::py::detail::outlives_call<Return>
object cpp_function(Return (Class::*f)(Args...) const, const Extra&... extra) {
    using T = std::conditional_t<std::is_void_v<Target>, Class, Target>;
    constexpr Return (*signature)(const T*, Args...) = nullptr;
    return detail::make_function(detail::as_callable(f, signature), signature, extra...);
}

template <typename Target = void, typename Return, typename Class, typename... Args, typename... Extra>
    requires detail::any_result<Return>
void cpp_function_def(Return (Class::*f)(Args...) const, const Extra&... extra) {
    using T = std::conditional_t<std::is_void_v<Target>, Class, Target>;
    constexpr Return (*signature)(const T*, Args...) = nullptr;
    detail::define_function(detail::as_callable(f, signature), signature, extra...);
}

} // namespace nanobind
