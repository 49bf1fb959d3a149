// isthmus/python/coroutine_like.hpp — hands any coroutine_like class to Python, where it is a coroutine.
// SPDX-License-Identifier: MIT
#pragma once

#include "../any_coroutine.hpp"
#include "../yield_from.hpp"
#include "coroutine.hpp"

#include <source_location>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace isthmus::inline v1::py {

namespace detail {

/// The types of a coroutine_like class, which yields and takes Python objects or nothing.
template <class T>
struct types_of {
    using target = isthmus::detail::target_of<T>;
    using step_types = isthmus::detail::step_types<isthmus::detail::step_of<target>>;
    using return_type = typename step_types::return_type;
    using yield_type = typename step_types::yield_type;
    using send_type = std::conditional_t<isthmus::detail::takes<target, object>, object, none>;
    static_assert(isthmus::detail::joins<yield_type, object> && isthmus::detail::takes<target, send_type>,
                  "isthmus: a coroutine that is handed to Python must yield and take py::object, or nothing");
    using erased = any_coroutine<return_type, yield_type, send_type>;
};

template <class Return, class Yield, class Send>
inline constexpr bool is_ownable<isthmus::coroutine<Return, Yield, Send>> = true;
template <class Return, class Yield, class Send>
inline constexpr bool is_ownable<any_coroutine<Return, Yield, Send>> = true;
template <class Return, class Yield, class Send>
inline constexpr bool is_coroutine<isthmus::coroutine<Return, Yield, Send>> = true;
template <class Return, class Yield, class Send>
inline constexpr bool is_coroutine<any_coroutine<Return, Yield, Send>> = true;
template <class Return, class Yield, class Send>
inline constexpr bool gives_coroutine<isthmus::coroutine<Return, Yield, Send>> = true;
template <class Return, class Yield, class Send>
inline constexpr bool gives_coroutine<any_coroutine<Return, Yield, Send>> = true;

/// What Python is given: it goes on with what it owns wherever that is (7.9).
template <class Return, class Owned>
coroutine<Return> await_owned(Owned owned) {
    co_return co_await std::move(owned).await();
}

/// The last part of a class's name, without template arguments.
inline std::string_view unqualified(std::string_view name) noexcept {
    name = name.substr(0, name.find('<'));
    const std::size_t scope = name.rfind("::");
    return scope == std::string_view::npos ? name : name.substr(scope + 2);
}

/// Gives a coroutine object a name of its own.
inline void rename(const object& made, std::string_view name) {
    const object text = checked(PyUnicode_FromStringAndSize(name.data(), static_cast<Py_ssize_t>(name.size())));
    for (const extras::field each : {&extras::fields::name, &extras::fields::qualname}) {
        if (!coroutine_object::of(made.ptr())->more.set(each, text.ptr())) {
            throw_raised();
        }
    }
}

} // namespace detail

/// The same for a coroutine that knows nothing of Python: a level of its own, below one that does. What it takes by
/// reference is not noticed here, as it is of a py::coroutine.
template <class Binding = detail::by_converter, class Return, class Yield, class Send>
    requires(!detail::is_plain_coroutine<isthmus::coroutine<Return, Yield, Send>>)
object to_python(isthmus::coroutine<Return, Yield, Send>&& source, object keep_alive = object(), int policy = 0) {
    const isthmus::detail::frame* const f = isthmus::detail::frame_access::get(source);
    const std::string name(f != nullptr ? isthmus::detail::plain_name(f->where.function_name()) : "coroutine");
    object made =
        to_python<Binding>(detail::await_owned<Return, isthmus::coroutine<Return, Yield, Send>>(std::move(source)),
                           std::move(keep_alive), policy);
    detail::rename(made, detail::unqualified(name));
    return made;
}

/// The same for any other class that is coroutine_like: one that derives from abc::coroutine, an any_coroutine, a class
/// of your own with its members, or a std::unique_ptr to one. It must yield and take py::object, or nothing. `source`
/// is moved or copied into the Python object, which is a coroutine that awaits it: so the misuse errors are those of
/// every coroutine, what is sent, thrown and closed after the start goes to `source` as from any awaiter (5.20, 5.23),
/// and one that was started goes on where it is (7.9). Before the start a throw() or close() only destroys it.
/// `__name__` is that of its class. Each step costs what awaiting `source` costs.
template <class Binding = detail::by_converter, class Source>
    requires(coroutine_like<isthmus::detail::target_of<Source>> && !std::is_lvalue_reference_v<Source> &&
             !isthmus::detail::any_coroutine_type<Source>)
object to_python(Source&& source, object keep_alive = object(), int policy = 0) {
    using erased = typename detail::types_of<Source>::erased;
    erased owned(std::forward<Source>(source));
    const std::string name = isthmus::detail::await_target<erased>::type_of(owned);
    object made = py::to_python<Binding>(detail::await_owned<typename erased::return_type, erased>(std::move(owned)),
                                         std::move(keep_alive), policy);
    detail::rename(made, detail::unqualified(name));
    return made;
}

} // namespace isthmus::inline v1::py
