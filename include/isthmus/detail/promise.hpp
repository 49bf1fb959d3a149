// isthmus/detail/promise.hpp — the promise that coroutines and generators share, and how one awaits another.
// SPDX-License-Identifier: MIT
#pragma once

#include "../concepts.hpp"
#include "closing.hpp"
#include "foreign.hpp"
#include "observed.hpp"
#include "require.hpp"
#include "values.hpp"

#include <type_traits>

namespace isthmus::inline v1 {

template <class Return = void, class Yield = none, class Send = none>
class coroutine;
template <class Yield, class Send = none, class Return = void>
class generator;

namespace detail {

template <class Object, class Body, class Allocation, bool Borrows>
class promise;

template <class Sub>
class delegation;

template <class Yield, class Send, class Return>
void match_generator(generator<Yield, Send, Return>&);

/// Whether T is a generator, or derived from one.
template <class T>
concept any_generator = requires(T& object) { detail::match_generator(object); };

/// Whether a coroutine with Yield and Send `Inner` can be a level of a chain of `Outer`: it has the same type, or
/// none, which any chain can carry.
template <class Inner, class Outer>
inline constexpr bool joins = is_none<Inner> || std::is_same_v<Inner, Outer>;

/// How a coroutine with Yield `To` awaits what yields `From`, where the layer that owns `To` knows: it specialises this
/// with `await(x)`, which gives the awaiter.
template <class From, class To>
struct boundary {};
template <class From, class To>
concept crosses = requires { typename boundary<From, To>::crossed; };

/// How a coroutine with this Yield awaits what is awaitable by C++'s own rules, where the layer that owns Yield knows:
/// the same.
template <class Yield>
struct awaitable_boundary {};
template <class Yield>
concept takes_awaitables = requires { typename awaitable_boundary<Yield>::crossed; };

template <class Return, class Yield, class Send>
class promise_base;

/// Destroys a finished frame when its result has been taken.
struct finished {
    frame& f;
    ~finished() { destroy_finished(f); }
};

/// What a finished generator gives whoever starts or resumes it (15.7).
template <class Return>
Return exhausted_result() {
    if constexpr (empty_value<Return>::exists) {
        return static_cast<Return>(empty_value<Return>::make());
    } else {
        throw_misuse(misuse::generator_exhausted);
    }
}

/// Prepares `target`, which others may have driven or be awaiting, to be awaited where it is (7.9). Throws what is in
/// the way, and then leaves it as it was.
template <class Send>
void take_over(frame& target) {
    if (!target.created()) {
        if (is_running(target)) [[unlikely]] {
            throw_misuse(misuse::already_executing, target.kind);
        }
        if (!empty_value<Send>::exists) {
            throw_misuse(misuse::missing_value, target.kind); // awaiting starts by sending None
        }
        if (target.attached()) {
            detach(target);
        }
    }
}

/// `co_await` of a native coroutine, or `yield_from` a generator: its frames become part of this chain.
template <frame_kind Kind, class Return, class Yield, class Send>
class native_awaiter : native_link {
public:
    /// For the running leaf `awaiting`, which suspends then. `find` gives the frame to await, null for a finished
    /// generator, and throws what is in the way of awaiting it. What others do to it before this suspends, attach()
    /// sees.
    template <class Find>
    native_awaiter(frame& awaiting, const Find& find, const chain_lock& = chain_lock())
        : native_awaiter(awaiting, find()) {}
    /// Of two co_awaits in one expression, g++ takes no result before both have ended, and perhaps not then.
    ~native_awaiter() {
        bool untaken = false;
        {
            const chain_lock lock;
            untaken = child != nullptr && ended();
        }
        if (untaken) [[unlikely]] {
            destroy_finished(*child);
        }
    }

    bool await_ready() const noexcept { return Kind == frame_kind::generator && parent == nullptr; }
    void await_suspend(std::coroutine_handle<>) noexcept { attach(); }
    Return await_resume() {
        // In this order: a child that has not ended in this chain is somebody else's, perhaps another thread's.
        if (!ended() || child == nullptr || child->failed) [[unlikely]] {
            return fail();
        }
        auto& done = static_cast<promise_base<Return, Yield, Send>&>(*child);
        const finished guard{done};
        return done.take_value();
    }

    /// The error that await_resume() would throw, which counts as delivered then; null if there is none.
    std::exception_ptr take_failure() noexcept {
        if (await_ready()) {
            return nullptr;
        }
        activation& step = parent->step();
        if (step.injected != nullptr) [[unlikely]] {
            return step.take_injected();
        }
        if (failure != misuse::none || child == nullptr) [[unlikely]] {
            const bool empty_result = Kind == frame_kind::generator && failure == misuse::none;
            return empty_result ? nullptr : make_misuse(failure, Kind);
        }
        if (child->failed) [[unlikely]] {
            const finished guard{*child};
            return child->take_error();
        }
        return nullptr;
    }

    using native_link::pass_errors;

private:
    static constexpr misuse when_gone = Kind == frame_kind::coroutine ? misuse::already_finished
                                        : empty_value<Return>::exists ? misuse::none
                                                                      : misuse::generator_exhausted;

    native_awaiter(frame& awaiting, frame* target) noexcept
        requires(Kind == frame_kind::coroutine)
        : native_link(Kind, when_gone, awaiting, *target) {}
    native_awaiter(frame& awaiting, frame* target) noexcept
        requires(Kind == frame_kind::generator)
        : native_link(Kind, when_gone) {
        if (target != nullptr) {
            parent = &awaiting;
            child = target;
            next = std::exchange(target->up, static_cast<native_link*>(this));
        }
    }

    ISTHMUS_NOINLINE Return fail() {
        if (const std::exception_ptr error = take_failure()) {
            std::rethrow_exception(error);
        }
        return exhausted_result<Return>();
    }
};

/// After the compiler's error about what cannot be awaited, so that no other comes first.
struct refused_awaiter : std::suspend_never {
    no_result await_resume() const noexcept { return {}; }
};

template <class Return, class Yield, class Send>
class promise_base : public returning_promise<Return, yielding_promise<Yield, Send>> {
public:
    std::suspend_always initial_suspend() noexcept { return {}; }
    // Not in await_suspend(): g++ takes the handle for that from memory. Whoever is handed the chain comes to it when
    // this frame has been left.
    std::suspend_always final_suspend() noexcept {
        hand_over(*this);
        return {};
    }
    void unhandled_exception() noexcept {
        this->make_room(); // a destructor may have thrown after co_return
        this->fail(current_error());
    }

    /// What the finished body returned, if no error left it.
    Return take_value() {
        if constexpr (!std::is_void_v<Return>) {
            return static_cast<Return>(static_cast<Return&&>(this->value()));
        }
    }

    using returning_promise<Return, yielding_promise<Yield, Send>>::yield_value;
    /// `co_yield nothrow(value)`.
    template <class T>
        requires std::is_convertible_v<T&&, std::conditional_t<std::is_void_v<Yield>, none, Yield>>
    auto yield_value(nothrow_awaitable<T>&& from, std::uint32_t at = __builtin_LINE()) {
        this->line = at;
        this->make_room();
        if constexpr (is_none<Yield>) {
            this->require_none_accepted();
            return nothrow_yield_awaiter<Send, yielded_none>(*this);
        } else if constexpr (std::is_reference_v<Yield>) {
            static_assert(std::is_convertible_v<T&&, stored<Yield>>,
                          "isthmus: co_yield nothrow(x) needs an lvalue here");
            const stored<Yield> referent = from.get(); // a base of it perhaps, at another address
            return nothrow_yield_awaiter<Send, yielded_elsewhere>(*this, std::addressof(referent.get()));
        } else {
            return nothrow_yield_awaiter<Send, yielded_here<Yield>>(*this, from.get());
        }
    }
    /// `co_yield with_error(...)`: the frame ends here.
    raising_awaiter yield_value(const raised_error& raised, std::uint32_t at = __builtin_LINE()) noexcept {
        this->line = at;
        this->make_room();
        this->fail(raised.error());
        return {};
    }

protected:
    explicit promise_base(frame_kind of) noexcept : returning_promise<Return, yielding_promise<Yield, Send>>(of) {}
};

} // namespace detail
} // namespace isthmus::inline v1
