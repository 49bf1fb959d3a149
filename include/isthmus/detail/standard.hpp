// isthmus/detail/standard.hpp — std::reference_wrapper, std::invoke and the concepts of ranges, without the rest of
// <functional> and <ranges>, which takes a compiler longer to read than our own headers.
// SPDX-License-Identifier: MIT
#pragma once

#include <iterator>
#include <memory>
#include <string_view>
#include <type_traits>
#include <utility>

// libstdc++ has them in headers of their own, which those above bring in anyway.
#if defined(__GLIBCXX__) && __has_include(<bits/refwrap.h>) && __has_include(<bits/ranges_base.h>)
#include <bits/ranges_base.h>
#include <bits/refwrap.h>
#else
#include <functional>
#include <ranges>
#endif

namespace isthmus::inline v1::detail {

template <class T>
inline constexpr bool is_reference_wrapper = false;
template <class T>
inline constexpr bool is_reference_wrapper<std::reference_wrapper<T>> = true;

template <class Member, class Object, class... Args>
constexpr decltype(auto) invoke_member(Member member, Object&& object, Args&&... args) {
    if constexpr (is_reference_wrapper<std::remove_cvref_t<Object>>) {
        return (object.get().*member)(std::forward<Args>(args)...);
    } else if constexpr (requires { (std::forward<Object>(object).*member)(std::forward<Args>(args)...); }) {
        return (std::forward<Object>(object).*member)(std::forward<Args>(args)...);
    } else {
        return ((*std::forward<Object>(object)).*member)(std::forward<Args>(args)...);
    }
}

/// std::invoke of a function.
template <class Function, class... Args>
constexpr std::invoke_result_t<Function, Args...> invoke(Function&& function, Args&&... args) {
    if constexpr (std::is_member_function_pointer_v<std::remove_cvref_t<Function>>) {
        return detail::invoke_member(function, std::forward<Args>(args)...);
    } else {
        return std::forward<Function>(function)(std::forward<Args>(args)...);
    }
}

} // namespace isthmus::inline v1::detail
