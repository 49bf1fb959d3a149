// isthmus/nothrow.hpp — nothrow, with_error and as_outcome: errors that cost no C++ throw.
// SPDX-License-Identifier: MIT
#pragma once

#include "concepts.hpp"
#include "detail/observed.hpp"

#include <concepts>
#include <exception>
#include <utility>

namespace isthmus::inline v1 {

/// `co_await nothrow(x)` awaits x; if that ends in an error, this coroutine has nothing to say: it ends at that point
/// in the same error, whose C++ throw is saved. Its local variables are destroyed, x's first, and no `catch` block of
/// it runs, nor may one be relied on; meanwhile std::uncaught_exceptions() is 0, so that a guard which asks that takes
/// it for success. A GeneratorExit (5.23, 6.9) passes in the same way. Gives what `co_await x` gives; where converting
/// that throws, the exception is thrown here. x is anything that can be awaited in this coroutine; an lvalue is
/// referred to, and must live as long as the await.
///
/// `co_yield nothrow(x)` yields x, and in the same way ends in what is thrown in there.
template <class T>
detail::nothrow_awaitable<T> nothrow(T&& awaited) {
    return detail::nothrow_awaitable<T>(std::forward<T>(awaited));
}

/// `co_await as_outcome(x)` awaits x and gives an outcome, which has either the result (`done()`, `returned()`) or the
/// error (`failed()`, `error()`), also one of misuse (7.6–7.8) or one that was thrown in: a GeneratorExit, which must
/// then not be followed by another suspension (6.5). Nothing is thrown but by moving the result. x is as in nothrow().
template <class T>
detail::outcome_awaitable<T> as_outcome(T&& awaited) {
    return detail::outcome_awaitable<T>(std::forward<T>(awaited));
}

/// What they give is awaitable where x is.
template <class T, template <class> class Observer>
inline constexpr bool is_awaitable_v<detail::observed_awaitable<T, Observer>> = is_awaitable_v<T>;

/// `co_yield with_error(e)` raises e without a C++ throw: the coroutine or generator ends here in it, as if it had left
/// the body; no `catch` block of the body runs. Throws not_an_exception if e is null.
inline detail::raised_error with_error(std::exception_ptr error) {
    if (!error) {
        throw not_an_exception();
    }
    return detail::raised_error(std::move(error));
}
/// The same with an exception object, which is moved or copied by its static type.
template <class Error>
    requires(!std::convertible_to<Error, std::exception_ptr>)
detail::raised_error with_error(Error&& error) {
    return detail::raised_error(std::make_exception_ptr(std::forward<Error>(error)));
}

} // namespace isthmus::inline v1
