// isthmus/from_generator.hpp — from_generator: Python's types.coroutine, which makes a generator awaitable.
// SPDX-License-Identifier: MIT
#pragma once

#include "generator.hpp"

#include <concepts>
#include <functional>
#include <type_traits>
#include <utility>

namespace isthmus::inline v1 {

/// A generator that a coroutine with the same Yield and Send can `co_await`; one with none can be awaited in any. It is
/// still a generator in all else, and neither models `awaitable` nor `coroutine_like`, as in Python (15.3). Awaiting
/// one that has started goes on with it (7.9), awaiting a finished one gives what its send() gives.
template <class Yield, class Send = none, class Return = void>
class [[nodiscard]] generator_based_coroutine : public generator<Yield, Send, Return> {
public:
    using awaiter_type = detail::generator_awaiter<Yield, Send, Return>;

    generator_based_coroutine() noexcept = default;
    explicit generator_based_coroutine(generator<Yield, Send, Return> source) noexcept
        : generator<Yield, Send, Return>(std::move(source)) {}
};

namespace detail {

template <class T>
concept from_generator_already = any_generator<T> && requires { typename T::awaiter_type; };

// There is no asking a class whether it has an operator(), which may be a template. But a name that two bases declare
// is ambiguous.
struct declares_call {
    void operator()();
};
template <class T>
struct declares_call_too : T, declares_call {};
template <class T>
concept callable_class = std::is_class_v<T> && (std::is_final_v<T> || !requires { &declares_call_too<T>::operator(); });

/// What from_generator() makes of a function.
template <class Function>
class generator_function {
    static_assert(callable_class<Function> || std::is_pointer_v<Function> || std::is_member_pointer_v<Function>,
                  "isthmus: from_generator() expects a generator or a callable");

public:
    explicit generator_function(Function function) : function_(std::move(function)) {}

    template <class... Args>
        requires std::invocable<Function&, Args...>
    decltype(auto) operator()(Args&&... args) {
        return call(function_, std::forward<Args>(args)...);
    }
    template <class... Args>
        requires std::invocable<const Function&, Args...>
    decltype(auto) operator()(Args&&... args) const {
        return call(function_, std::forward<Args>(args)...);
    }

private:
    template <class F, class... Args>
    static decltype(auto) call(F& function, Args&&... args);

    Function function_;
};

template <class T>
inline constexpr bool is_generator_function = false;
template <class Function>
inline constexpr bool is_generator_function<generator_function<Function>> = true;

} // namespace detail

/// Makes a generator awaitable (15.3); it may have been driven. One that is awaitable already comes back as it was.
template <class Yield, class Send, class Return>
generator_based_coroutine<Yield, Send, Return> from_generator(generator<Yield, Send, Return> source) noexcept {
    return generator_based_coroutine<Yield, Send, Return>(std::move(source));
}

/// As a decorator: a function object that calls `function`, which it owns, and returns from_generator of the generator
/// that comes back; anything else, such as a coroutine, is returned as it is (15.2, 15.4). A lambda that is itself a
/// generator function and has captures must outlive the generator, and so must what this returns then.
template <class Function>
    requires(!detail::any_generator<std::remove_reference_t<Function>>)
auto from_generator(Function&& function) {
    using callable = std::decay_t<Function>;
    if constexpr (detail::is_generator_function<callable>) {
        return callable(std::forward<Function>(function));
    } else {
        return detail::generator_function<callable>(std::forward<Function>(function));
    }
}

template <class Function>
template <class F, class... Args>
decltype(auto) detail::generator_function<Function>::call(F& function, Args&&... args) {
    using result = std::invoke_result_t<F&, Args...>;
    if constexpr (any_generator<result> && !std::is_reference_v<result> && !from_generator_already<result>) {
        return from_generator(std::invoke(function, std::forward<Args>(args)...));
    } else {
        return std::invoke(function, std::forward<Args>(args)...);
    }
}

} // namespace isthmus::inline v1
