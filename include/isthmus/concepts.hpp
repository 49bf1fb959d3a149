// isthmus/concepts.hpp — the structural checks: what is a coroutine, and what can be awaited.
// SPDX-License-Identifier: MIT
#pragma once

#include <concepts>
#include <exception>
#include <utility>

namespace isthmus::inline v1 {

/// collections.abc.Awaitable by structure (17.3): has await(), which gives an await-iterator.
template <class T>
concept awaitable = requires(T& object) {
    { object.await().send() };
};

/// collections.abc.Coroutine by structure (17.3, 17.11): awaitable, with send, throw_ and close.
template <class T>
concept coroutine_like = awaitable<T> && requires(T& object, std::exception_ptr error) {
    { object.send().done() } -> std::convertible_to<bool>;
    { object.throw_(error).done() } -> std::convertible_to<bool>;
    object.close();
};

} // namespace isthmus::inline v1
