// isthmus/detail/generator_promise.hpp — the promise of a generator: what it can co_yield.
// SPDX-License-Identifier: MIT
#pragma once

#include "../yield_from.hpp"
#include "access.hpp"
#include "promise.hpp"

#include <coroutine>
#include <cstdint>
#include <type_traits>

namespace isthmus::inline v1::detail {

/// Goes on with a generator wherever it is (7.9, 15.3), in O(1) unless it is taken from another that waits for it.
/// Throws already_executing, missing_value if it has started and its Send has no empty value, and generator_exhausted
/// if it has finished and its Return has none.
template <class Yield, class Send, class Return>
class generator_awaiter final : public native_awaiter<frame_kind::generator, Return, Yield, Send> {
public:
    using yield_type = Yield;
    using send_type = Send;

    generator_awaiter(frame& awaiting, generator<Yield, Send, Return>& awaited)
        : generator_awaiter::native_awaiter(awaiting, [&] { return target_of(awaited); }) {}
    generator_awaiter(frame& awaiting, generator<Yield, Send, Return>&& awaited)
        : generator_awaiter(awaiting, awaited) {}

private:
    static frame* target_of(generator<Yield, Send, Return>& awaited) {
        frame* const target = frame_access::get(awaited);
        if (target != nullptr) {
            take_over<Send>(*target);
        } else if (!empty_value<Return>::exists) {
            throw_misuse(misuse::generator_exhausted);
        }
        return target;
    }
};

template <class Return, class Yield, class Send>
class generator_promise : public promise_base<Return, Yield, Send> {
public:
    using promise_base<Return, Yield, Send>::yield_value;

    /// `co_yield yield_from(sub)`.
    template <class Sub>
    auto yield_value(delegation<Sub>&& from, std::uint32_t at = __builtin_LINE()) {
        this->line = at;
        this->make_room();
        using sub_type = std::remove_reference_t<Sub>;
        if constexpr (any_generator<sub_type>) {
            return yield_from_generator(from.sub());
        } else if constexpr (names_delegate<sub_type>) {
            using delegate_type = typename sub_type::delegate_type;
            static_assert(joins<typename delegate_type::yield_type, Yield> &&
                              joins<typename delegate_type::send_type, Send>,
                          "isthmus: what is yielded from yields or takes another type than this generator; give this "
                          "generator the same Yield and Send");
            return delegate_type(static_cast<Sub&&>(from.sub()));
        } else if constexpr (has_send<sub_type>) {
            return foreign_awaiter<sub_type&, Yield, Send>([&]() -> sub_type& { return from.sub(); });
        } else if constexpr (std::ranges::input_range<sub_type>) {
            using iterator = range_iterator<sub_type, Yield>;
            return foreign_awaiter<iterator, Yield, Send>([&] { return iterator(from.sub()); });
        } else {
            return std::suspend_never(); // the delegation has said what is wrong
        }
    }

    template <class T>
    auto await_transform(T&&) {
        static_assert(!std::is_same_v<T, T>,
                      "isthmus: a generator cannot co_await; use co_yield isthmus::yield_from(...), or a coroutine");
        return std::suspend_never();
    }

protected:
    generator_promise() noexcept : promise_base<Return, Yield, Send>(frame_kind::generator) {}

private:
    template <class Y, class S, class R>
    generator_awaiter<Y, S, R> yield_from_generator(generator<Y, S, R>& sub) {
        static_assert(joins<Y, Yield> && joins<S, Send>,
                      "isthmus: a generator can only yield from one with the same Yield and Send, or with none");
        return generator_awaiter<Y, S, R>(*this, sub);
    }
};

} // namespace isthmus::inline v1::detail
