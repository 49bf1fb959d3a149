// isthmus/detail/coroutine_promise.hpp — the promise of a coroutine: what it can co_await.
// SPDX-License-Identifier: MIT
#pragma once

#include "access.hpp"
#include "cpp_awaitable.hpp"
#include "promise.hpp"

#include <coroutine>
#include <cstdint>
#include <type_traits>
#include <utility>

namespace isthmus::inline v1 {

template <class Coroutine>
class await_iterator;

namespace detail {

template <class Return, class Yield, class Send>
class coroutine_promise : public promise_base<Return, Yield, Send> {
    template <class R, class Y, class S>
    using awaiter_of = native_awaiter<frame_kind::coroutine, R, Y, S>;

public:
    /// The line is no std::source_location, of which g++ keeps one in the frame for each co_await.
    template <class T>
    auto await_transform(T&& awaited, std::uint32_t at = __builtin_LINE()) {
        this->line = at;
        this->make_room();
        return awaiter_for(std::forward<T>(awaited));
    }

    using promise_base<Return, Yield, Send>::yield_value;
    template <class Sub>
    auto yield_value(delegation<Sub>&&) {
        static_assert(!std::is_same_v<Sub, Sub>, "isthmus: a coroutine cannot yield_from; use co_await");
        return std::suspend_never();
    }

protected:
    coroutine_promise() noexcept : promise_base<Return, Yield, Send>(frame_kind::coroutine) {}

private:
    /// Awaiting a coroutine that has not started. Throws already_finished, already_executing or already_awaited
    /// (7.6–7.8) and then leaves it as it was.
    template <class R, class Y, class S>
        requires crosses<Y, Yield>
    auto awaiter_for(coroutine<R, Y, S>& awaited) {
        require_created(frame_access::get(awaited));
        return boundary<Y, Yield>::await(std::move(awaited));
    }
    template <class R, class Y, class S>
        requires(!crosses<Y, Yield>)
    awaiter_of<R, Y, S> awaiter_for(coroutine<R, Y, S>& awaited) {
        require_joins<Y, S>();
        return awaiter_of<R, Y, S>(*this, [&] {
            frame* const target = frame_access::get(awaited);
            require_created(target);
            return target;
        });
    }
    template <class R, class Y, class S>
    auto awaiter_for(coroutine<R, Y, S>&& awaited) {
        return awaiter_for(awaited);
    }
    static void require_created(frame* target) {
        if (target == nullptr) [[unlikely]] {
            throw_misuse(misuse::already_finished);
        }
        if (!target->created()) [[unlikely]] {
            throw_misuse(is_running(*target) ? misuse::already_executing : misuse::already_awaited);
        }
    }

    /// Awaiting what await() returned: goes on with the coroutine wherever it is (7.9), in O(1) unless it is taken
    /// from another awaiter.
    template <class C>
    auto awaiter_for(await_iterator<C>& iterator) {
        return continue_with(iterator.target());
    }
    template <class C>
    auto awaiter_for(await_iterator<C>&& iterator) {
        return continue_with(iterator.target());
    }

    /// What is awaitable without having await() names its awaiter, which is constructed from it.
    template <class T>
        requires names_awaiter<T>
    auto awaiter_for(T&& awaited) {
        using awaiter = typename named_awaiter<std::remove_cvref_t<T>>::type;
        if constexpr (crosses<typename awaiter::yield_type, Yield>) {
            return boundary<typename awaiter::yield_type, Yield>::await(awaited);
        } else {
            static_assert(joins<typename awaiter::yield_type, Yield> && joins<typename awaiter::send_type, Send>,
                          "isthmus: what is awaited yields or takes another type than this coroutine; "
                          "give this coroutine the same Yield and Send");
            if constexpr (std::is_constructible_v<awaiter, frame&, T&&>) { // it becomes part of the chain at once
                return awaiter(*this, std::forward<T>(awaited));
            } else {
                return awaiter(std::forward<T>(awaited));
            }
        }
    }

    /// A user's own class takes part by having await(), which gives an await-iterator (3.1, 5.20, 5.21, 6.9). The
    /// operand lives as long as the await, also if it is a temporary.
    template <class T>
        requires(!names_awaiter<T> && has_await<T>)
    auto awaiter_for(T&& awaited) {
        using source = await_source<std::remove_cvref_t<T>>;
        using iterator = decltype(source::begin(std::forward<T>(awaited)));
        return foreign_awaiter<iterator, Yield, Send>(
            [&]() -> iterator { return source::begin(std::forward<T>(awaited)); });
    }

    /// What is awaitable by C++'s own rules resumes whoever awaits it by itself, which a driver has to know.
    template <class T>
        requires(!names_awaiter<T> && !has_await<T> && !observed<T> && cpp_awaitable<T>)
    auto awaiter_for(T&& awaited) {
        if constexpr (takes_awaitables<Yield>) {
            return awaitable_boundary<Yield>::await(std::forward<T>(awaited));
        } else {
            static_assert(!std::is_same_v<T, T>,
                          "isthmus: this type resumes whoever awaits it by itself: an isthmus::task can await it, with "
                          "<isthmus/from_awaitable.hpp>, and a py::coroutine, but not this coroutine");
            return refused_awaiter();
        }
    }

    template <class T>
        requires(!names_awaiter<T> && !has_await<T> && !observed<T> && !cpp_awaitable<T>)
    auto awaiter_for(T&&) {
        if constexpr (any_generator<std::remove_reference_t<T>>) {
            static_assert(!std::is_same_v<T, T>,
                          "isthmus: a generator cannot be awaited; await isthmus::from_generator(generator)");
        } else {
            [[maybe_unused]] const require_await<T> checked;
        }
        return refused_awaiter();
    }

    /// nothrow() and as_outcome().
    template <observed T>
    auto awaiter_for(T&& awaited) {
        using awaiter = decltype(awaiter_for(awaited.get()));
        using observer = typename std::remove_reference_t<T>::template observer<awaiter>;
        return observer([&]() -> awaiter { return awaiter_for(awaited.get()); });
    }

    template <class Y, class S>
    static void require_joins() {
        static_assert(joins<Y, Yield> && joins<S, Send>,
                      "isthmus: a coroutine can only await one with the same Yield and Send, or with none");
    }

    template <class R, class Y, class S>
    awaiter_of<R, Y, S> continue_with(coroutine<R, Y, S>& awaited) {
        require_joins<Y, S>();
        return awaiter_of<R, Y, S>(*this, [&] {
            frame* const target = frame_access::get(awaited);
            if (target == nullptr) [[unlikely]] {
                throw_misuse(misuse::already_finished);
            }
            take_over<S>(*target);
            return target;
        });
    }
    template <class Erased>
    auto continue_with(Erased& awaited) {
        using source = await_source<Erased>;
        using iterator = decltype(source::go_on(awaited));
        return foreign_awaiter<iterator, Yield, Send>([&]() -> iterator { return source::go_on(awaited); });
    }
};

} // namespace detail
} // namespace isthmus::inline v1
