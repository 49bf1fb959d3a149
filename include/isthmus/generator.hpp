// isthmus/generator.hpp — generator<Yield, Send, Return>: Python's generator as a C++ value, which is an input range.
// SPDX-License-Identifier: MIT
#pragma once

#include "detail/allocator.hpp"
#include "detail/generator_iterator.hpp"
#include "detail/generator_promise.hpp"
#include "detail/resumable.hpp"
#include "yield_from.hpp"

#include <coroutine>
#include <iterator>
#include <ranges>
#include <type_traits>

namespace isthmus::inline v1 {

/// A generator: created by calling a function whose body has co_yield or co_return, and no co_await. It is driven as a
/// coroutine is, with send(), throw_() and close(), and `co_yield yield_from(sub)` hands over to another. `Yield`,
/// `Send` and `Return` may be what they may be for a coroutine, and ownership, destruction and threads are the same
/// too. What differs is CPython's difference (15.7): a finished generator can be resumed and gives nothing more, and
/// nothing is said about one that is taken from another that waits for it.
///
/// If Send has an empty value, which each increment sends, a generator is also a move-only std::ranges::input_range and
/// view over what it yields: `T&&` for a Yield of T, and the reference itself for one of T&, as of std::generator. What
/// it returns is dropped then; what leaves the body leaves begin() or ++. begin() goes on where the generator is.
template <class Yield, class Send, class Return>
class [[nodiscard]] generator : public detail::resumable<detail::frame_kind::generator, Return, Yield, Send>,
                                public std::ranges::view_base {
public:
    using iterator = detail::generator_iterator<generator>;

    /// An empty generator behaves like a finished one.
    generator() noexcept = default;

    /// Resumes the generator, like Python's next(); the iterator is at what it yields. The generator must outlive it.
    iterator begin()
        requires(empty_value<Send>::exists)
    {
        return iterator(*this);
    }
    std::default_sentinel_t end() const noexcept
        requires(empty_value<Send>::exists)
    {
        return std::default_sentinel;
    }

private:
    template <class Object, class Body, class Allocation, bool Noted>
    friend class detail::promise;

    explicit generator(detail::frame& f) noexcept : generator::resumable(f) {}
};

} // namespace isthmus::inline v1

template <class Yield, class Send, class Return, class... Parameters>
struct std::coroutine_traits<isthmus::generator<Yield, Send, Return>, Parameters...> {
    using promise_type = isthmus::detail::promise<isthmus::generator<Yield, Send, Return>,
                                                  isthmus::detail::generator_promise<Return, Yield, Send>,
                                                  typename isthmus::detail::allocation<Parameters...>::type,
                                                  isthmus::detail::frame_notes<Yield>::template borrows<Parameters...>>;
};
