// isthmus/detail/cpp_awaitable.hpp — what is awaitable by C++'s own rules: await_ready, await_suspend, await_resume.
// SPDX-License-Identifier: MIT
#pragma once

#include <concepts>
#include <coroutine>
#include <type_traits>
#include <utility>

namespace isthmus::inline v1::detail {

/// The awaiter of what stands after `co_await`, as the language finds it: by operator co_await, or the object itself.
template <class T>
decltype(auto) awaiter_of(T&& awaited) {
    if constexpr (requires { static_cast<T&&>(awaited).operator co_await(); }) {
        return static_cast<T&&>(awaited).operator co_await();
    } else if constexpr (requires { operator co_await(static_cast<T&&>(awaited)); }) {
        return operator co_await(static_cast<T&&>(awaited));
    } else {
        return static_cast<T&&>(awaited);
    }
}
template <class T>
using awaiter_type_of = decltype(detail::awaiter_of(std::declval<T>()));

/// Whether C++ can await a T. std::suspend_always does not count, as it resumes nobody.
template <class T>
concept cpp_awaitable = !std::same_as<std::remove_cvref_t<T>, std::suspend_always> &&
                        requires(std::remove_reference_t<awaiter_type_of<T>>& awaiter) {
                            static_cast<bool>(awaiter.await_ready());
                            awaiter.await_resume();
                        };

/// What awaiting a T gives. What that only refers to as an rvalue is moved out.
template <cpp_awaitable T>
struct cpp_result {
    using given = decltype(std::declval<std::remove_reference_t<awaiter_type_of<T>>&>().await_resume());
    using type = std::conditional_t<std::is_lvalue_reference_v<given>, given, std::remove_cvref_t<given>>;
};

} // namespace isthmus::inline v1::detail
