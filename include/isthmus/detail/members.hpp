// isthmus/detail/members.hpp — the members of the protocol, one by one: await, send, throw_ and close.
// SPDX-License-Identifier: MIT
#pragma once

#include "../step.hpp"

#include <concepts>
#include <exception>
#include <type_traits>
#include <utility>

namespace isthmus::inline v1::detail {

/// What send() and throw_() return: isthmus::step, or a class of the same form.
template <class T>
concept step_like = requires(T& step) {
    { step.done() } -> std::convertible_to<bool>;
    step.yielded();
    step.returned();
};

/// Python's None as an argument, in whichever type has one.
struct none_argument {
    template <class T>
        requires empty_value<T>::exists
    operator T() const {
        return empty_value<T>::make();
    }
};

/// Whether None can be sent: with send(), or with one that takes a type that has None.
template <class T>
concept accepts_none = requires(T& target) { target.send(); } || requires(T& target) { target.send(none_argument()); };

/// send(None). A class that overrides abc::coroutine's send(value) hides the send() it inherits, hence the second form.
template <accepts_none T>
decltype(auto) send_none(T& target) {
    if constexpr (requires { target.send(); }) {
        return target.send();
    } else {
        return target.send(none_argument());
    }
}

template <class T>
using step_of = std::remove_cvref_t<decltype(detail::send_none(std::declval<T&>()))>;
template <class T>
using throw_step_of = std::remove_cvref_t<decltype(std::declval<T&>().throw_(std::declval<std::exception_ptr>()))>;

template <class T>
concept has_send = accepts_none<T> && step_like<step_of<T>>;
template <class T>
concept calls_throw = requires(T& target, std::exception_ptr error) { target.throw_(std::move(error)); };
template <class T>
concept has_throw = calls_throw<T> && has_send<T> && std::convertible_to<throw_step_of<T>, step_of<T>>;
template <class T>
concept has_close = requires(T& target) { target.close(); };

template <class T>
concept calls_await =
    requires(T& target) { target.await(); } || requires(T&& target) { static_cast<T&&>(target).await(); };

/// await() of an operand of co_await, which lives as long as the await: an rvalue's own overload, if there is one.
template <calls_await T>
decltype(auto) call_await(T&& awaited) {
    if constexpr (requires { static_cast<T&&>(awaited).await(); }) {
        return static_cast<T&&>(awaited).await();
    } else {
        return awaited.await();
    }
}

/// collections.abc.Awaitable by structure (17.3): await() gives something to send None to (7.3).
template <class T>
concept has_await =
    calls_await<T> && has_send<std::remove_reference_t<decltype(detail::call_await(std::declval<T>()))>>;

/// collections.abc.Coroutine by structure (17.3): what drives or holds something needs all of this.
template <class T>
concept has_protocol = has_await<T> && has_send<T> && has_throw<T> && has_close<T>;

} // namespace isthmus::inline v1::detail
