// isthmus/detail/promise.hpp — the promise of a native coroutine: what its co_await, co_yield and co_return do.
// SPDX-License-Identifier: MIT
#pragma once

#include "../concepts.hpp"
#include "closing.hpp"
#include "foreign.hpp"
#include "require.hpp"
#include "values.hpp"

#include <type_traits>

namespace isthmus::inline v1 {

template <class Return = void, class Yield = none, class Send = none>
class coroutine;
template <class Coroutine>
class await_iterator;

namespace detail {

struct frame_access;

template <class Return, class Yield, class Send, class Allocation, bool Noted>
class promise;

/// Whether a coroutine with Yield and Send `Inner` can be a level of a chain of `Outer`: it has the same type, or
/// none, which any chain can carry.
template <class Inner, class Outer>
inline constexpr bool joins = is_none<Inner> || std::is_same_v<Inner, Outer>;

/// What the layer that owns a Yield type keeps in each frame that yields it. That layer specialises it.
template <class Yield>
struct frame_notes {
    /// Whether a coroutine function with these parameters is to be noted, by a call of note() on its frame.
    template <class... Parameters>
    static constexpr bool noteworthy = false;
    void note() noexcept {}
};

template <class Return, class Yield, class Send>
class promise_base;

/// Destroys a finished frame when its result has been taken.
struct finished {
    frame& f;
    ~finished() { destroy(f); }
};

/// `co_await` of a native coroutine: its frames become part of this chain.
template <class Return, class Yield, class Send>
class coroutine_awaiter final : native_link {
public:
    explicit coroutine_awaiter(frame& target) noexcept : target_(&target) {}

    bool await_ready() const noexcept { return false; }
    template <class Promise>
    void await_suspend(std::coroutine_handle<Promise> awaiter) noexcept {
        attach(awaiter.promise(), *target_);
    }
    Return await_resume() {
        activation& step = parent->step();
        if (step.injected != nullptr) [[unlikely]] {
            std::rethrow_exception(step.take_injected());
        }
        if (child == nullptr || failure != misuse::none) [[unlikely]] {
            throw_misuse(failure);
        }
        auto& done = static_cast<promise_base<Return, Yield, Send>&>(*child);
        const finished guard{done};
        return done.take_result();
    }

private:
    frame* target_;
};

struct final_awaiter {
    bool await_ready() const noexcept { return false; }
    template <class Promise>
    void await_suspend(std::coroutine_handle<Promise> ended) noexcept {
        frame& self = ended.promise();
        activation& step = self.step();
        if (native_link* const link = self.up; link != nullptr && link->attached) {
            link->attached = false;
            frame* const awaiter = link->parent;
            awaiter->awaiting = nullptr;
            awaiter->link = self.link;
            step.leaf = awaiter;
        } else {
            step.leaf = nullptr;
        }
    }
    void await_resume() const noexcept {}
};

/// After the compiler's error about what cannot be awaited, so that no other comes first.
struct refused_awaiter : std::suspend_never {
    no_result await_resume() const noexcept { return {}; }
};

template <class Return, class Yield, class Send>
class promise_base : public yielding_promise<Yield, Send>, public returned_value<Return> {
public:
    [[no_unique_address]] frame_notes<Yield> notes;

    std::suspend_always initial_suspend() noexcept { return {}; }
    final_awaiter final_suspend() noexcept { return {}; }
    void unhandled_exception() noexcept { this->error = current_error(); }

    /// What the finished body returned; throws what left it.
    Return take_result() {
        if (this->error) [[unlikely]] {
            std::rethrow_exception(std::move(this->error));
        }
        if constexpr (!std::is_void_v<Return>) {
            return static_cast<Return>(static_cast<Return&&>(this->value()));
        }
    }

    /// Awaiting a coroutine that has not started. Throws already_finished, already_executing or already_awaited
    /// (7.6–7.8) and then leaves it as it was.
    template <class R, class Y, class S>
    coroutine_awaiter<R, Y, S> await_transform(coroutine<R, Y, S>& awaited) {
        require_joins<Y, S>();
        frame* const target = awaited.frame_;
        if (target == nullptr) [[unlikely]] {
            throw_misuse(misuse::already_finished);
        }
        if (target->link != 0) [[unlikely]] {
            throw_misuse(is_running(*target) ? misuse::already_executing : misuse::already_awaited);
        }
        return coroutine_awaiter<R, Y, S>(*target);
    }
    template <class R, class Y, class S>
    coroutine_awaiter<R, Y, S> await_transform(coroutine<R, Y, S>&& awaited) {
        return await_transform(awaited);
    }

    /// Awaiting what await() returned: goes on with the coroutine wherever it is (7.9), in O(1) unless it is taken
    /// from another awaiter.
    template <class C>
    auto await_transform(await_iterator<C>& iterator) {
        return continue_with(iterator.target());
    }
    template <class C>
    auto await_transform(await_iterator<C>&& iterator) {
        return continue_with(iterator.target());
    }

    /// What a layer above makes awaitable names its awaiter, which is constructed from it.
    template <class T>
        requires names_awaiter<T>
    auto await_transform(T&& awaited) {
        using awaiter = typename std::remove_cvref_t<T>::awaiter_type;
        static_assert(std::is_same_v<typename awaiter::yield_type, Yield> &&
                          std::is_same_v<typename awaiter::send_type, Send>,
                      "isthmus: what is awaited yields or takes another type than this coroutine; "
                      "give this coroutine the same Yield and Send");
        return awaiter(std::forward<T>(awaited));
    }

    /// A user's own class takes part by having await(), which gives an await-iterator (3.1, 5.20, 5.21, 6.9). The
    /// operand lives as long as the await, also if it is a temporary.
    template <class T>
        requires(!names_awaiter<T> && has_await<T>)
    auto await_transform(T&& awaited) {
        using source = await_source<std::remove_cvref_t<T>>;
        using iterator = decltype(source::begin(std::forward<T>(awaited)));
        return foreign_awaiter<iterator, Yield, Send>(
            [&]() -> iterator { return source::begin(std::forward<T>(awaited)); });
    }

    template <class T>
        requires(!names_awaiter<T> && !has_await<T>)
    auto await_transform(T&&) {
        [[maybe_unused]] const require_await<T> checked;
        return refused_awaiter();
    }

protected:
    void initialise(std::coroutine_handle<> handle, std::source_location function) noexcept {
        this->self = handle;
        this->where = function;
    }

private:
    template <class Y, class S>
    static void require_joins() {
        static_assert(joins<Y, Yield> && joins<S, Send>,
                      "isthmus: a coroutine can only await one with the same Yield and Send, or with none");
    }

    template <class R, class Y, class S>
    coroutine_awaiter<R, Y, S> continue_with(coroutine<R, Y, S>& awaited) {
        require_joins<Y, S>();
        frame* const target = awaited.frame_;
        if (target == nullptr) [[unlikely]] {
            throw_misuse(misuse::already_finished);
        }
        if (target->link != 0) {
            if (is_running(*target)) [[unlikely]] {
                throw_misuse(misuse::already_executing);
            }
            if (!empty_value<S>::exists) {
                throw_misuse(misuse::missing_value); // awaiting starts by sending None
            }
            if (target->attached()) {
                detach(*target);
            }
        }
        return coroutine_awaiter<R, Y, S>(*target);
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
