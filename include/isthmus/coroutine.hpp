// isthmus/coroutine.hpp — coroutine<Return, Yield, Send>: Python's coroutine object as a C++ value.
// SPDX-License-Identifier: MIT
#pragma once

#include "await_iterator.hpp"
#include "detail/allocator.hpp"
#include "detail/coroutine_promise.hpp"
#include "detail/resumable.hpp"

#include <coroutine>
#include <utility>

namespace isthmus::inline v1 {

/// A coroutine: created by calling a function whose body has co_await, co_yield or co_return, and resumed by whoever
/// drives it. `Return` is what co_return gives, `Yield` what co_yield passes out, `Send` what it becomes. Each may be
/// void or an lvalue reference, and need be neither copyable nor default-constructible.
///
/// Owns the frame. Moving it is always allowed, also while it runs. Destroying an unfinished one runs the destructors
/// of its frame and of all that it awaits in its chain, leaf first, and throws nothing into them (12.1); close() is the
/// exact way to end one. Destroying one that is running puts that off until it suspends. It may be driven by different
/// threads in turn, by one at a time.
template <class Return, class Yield, class Send>
class [[nodiscard]] coroutine : public detail::resumable<detail::frame_kind::coroutine, Return, Yield, Send> {
public:
    /// An empty coroutine behaves like a finished one.
    coroutine() noexcept = default;

    /// `__await__`: the await-iterator, which refers to this coroutine; that of an expiring one owns it.
    await_iterator<coroutine&> await() & noexcept { return await_iterator<coroutine&>(*this); }
    await_iterator<coroutine> await() && noexcept { return await_iterator<coroutine>(std::move(*this)); }

private:
    template <class Object, class Body, class Allocation, bool Noted>
    friend class detail::promise;

    explicit coroutine(detail::frame& f) noexcept : coroutine::resumable(f) {}
};

} // namespace isthmus::inline v1

template <class Return, class Yield, class Send, class... Parameters>
struct std::coroutine_traits<isthmus::coroutine<Return, Yield, Send>, Parameters...> {
    using promise_type = isthmus::detail::promise<isthmus::coroutine<Return, Yield, Send>,
                                                  isthmus::detail::coroutine_promise<Return, Yield, Send>,
                                                  typename isthmus::detail::allocation<Parameters...>::type,
                                                  isthmus::detail::frame_notes<Yield>::template borrows<Parameters...>>;
};
