// isthmus/concepts.hpp — what is a coroutine, and what can be awaited: Python's abstract base classes by structure.
// SPDX-License-Identifier: MIT
#pragma once

#include "detail/config.hpp"
#include "detail/members.hpp"

#include <memory>
#include <type_traits>

namespace isthmus::inline v1 {

/// collections.abc.Coroutine.register (17.5): specialise it as true, and a class counts as awaitable and coroutine_like
/// whatever its members are. It only answers these questions: what awaits, drives or holds an object checks the
/// members. It is asked of the class itself, not of its bases. False, the default, takes nothing away: to opt out,
/// delete a member, as Python's `close = None` does (17.4).
template <class T>
inline constexpr bool enable_coroutine = false;

/// collections.abc.Awaitable (17.3): has await(), which gives an await-iterator: an object whose send() returns a step.
/// Inherited members count; deleted, inaccessible and differently called ones do not.
template <class T>
concept awaitable = enable_coroutine<std::remove_cvref_t<T>> || detail::has_await<T>;

/// collections.abc.Coroutine (17.3, 17.11): awaitable, with send(), throw_(std::exception_ptr) and close(). send() may
/// also be one that takes a type with an empty value.
template <class T>
concept coroutine_like = awaitable<T> && (enable_coroutine<std::remove_cvref_t<T>> || detail::has_protocol<T>);

namespace detail {

/// Base of the nominal classes in namespace abc, so that the dynamic type of an object can be asked.
class ISTHMUS_EXPORT nominal_awaitable {
public:
    virtual ~nominal_awaitable() = default;

protected:
    nominal_awaitable() = default;
    nominal_awaitable(const nominal_awaitable&) = default;
    nominal_awaitable(nominal_awaitable&&) = default;
    nominal_awaitable& operator=(const nominal_awaitable&) = default;
    nominal_awaitable& operator=(nominal_awaitable&&) = default;
};

/// The awaiter of what this library makes awaitable in its own way, where it does not name one: `type`.
template <class T>
struct named_awaiter {};
template <class T>
    requires requires { typename T::awaiter_type::yield_type; }
struct named_awaiter<T> : std::type_identity<typename T::awaiter_type> {};
template <class T>
concept names_awaiter = requires { typename named_awaiter<std::remove_cvref_t<T>>::type; };

} // namespace detail

/// inspect.isawaitable (16.2) of a type: awaitable, or awaitable without a member await(), as py::await(x) is. An
/// await-iterator is none (9.2), although `co_await` goes on with one.
template <class T>
inline constexpr bool is_awaitable_v = awaitable<T> || detail::names_awaiter<T>;

/// inspect.isawaitable of an object (16.2): is_awaitable_v of its type, or that its dynamic type derives from one of
/// the classes in namespace abc. An empty any_coroutine is not awaitable.
template <class T>
constexpr bool is_awaitable([[maybe_unused]] const T& object) {
    if constexpr (is_awaitable_v<T>) {
        return true;
    } else if constexpr (std::is_polymorphic_v<T>) {
        return dynamic_cast<const detail::nominal_awaitable*>(std::addressof(object)) != nullptr;
    } else {
        return false;
    }
}

} // namespace isthmus::inline v1
