// isthmus/detail/promise.hpp — the promise that coroutines and generators share, and how one awaits another.
// SPDX-License-Identifier: MIT
#pragma once

#include "closing.hpp"
#include "foreign.hpp"
#include "values.hpp"

#include <type_traits>

namespace isthmus::inline v1 {

template <class Return = void, class Yield = none, class Send = none>
class coroutine;
template <class Yield, class Send = none, class Return = void>
class generator;

namespace detail {

template <class Object, class Body, class Allocation, bool Noted>
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
    if (target.link != 0) {
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

/// `co_await` of a native coroutine, or `yield_from` a generator: its frames become part of this chain. `target` is
/// null for a finished generator.
template <frame_kind Kind, class Return, class Yield, class Send>
class native_awaiter : native_link {
public:
    explicit native_awaiter(frame* target) noexcept : native_link(Kind), target_(target) {}

    bool await_ready() const noexcept { return Kind == frame_kind::generator && target_ == nullptr; }
    template <class Promise>
    void await_suspend(std::coroutine_handle<Promise> awaiter) noexcept {
        attach(awaiter.promise(), *target_);
    }
    Return await_resume() {
        if (Kind == frame_kind::generator && target_ == nullptr) {
            return exhausted_result<Return>();
        }
        activation& step = parent->step();
        if (step.injected != nullptr) [[unlikely]] {
            std::rethrow_exception(step.take_injected());
        }
        if (child == nullptr || failure != misuse::none) [[unlikely]] {
            if constexpr (Kind == frame_kind::generator) {
                if (failure == misuse::already_finished) {
                    return exhausted_result<Return>();
                }
            }
            throw_misuse(failure, Kind);
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

template <class Return, class Yield, class Send>
class promise_base : public yielding_promise<Yield, Send>, public returned_value<Return> {
public:
    [[no_unique_address]] frame_notes<Yield> notes;

    std::suspend_always initial_suspend() noexcept { return {}; }
    final_awaiter final_suspend() noexcept { return {}; }
    void unhandled_exception() noexcept {
        this->error = std::current_exception();
        if (!this->error) [[unlikely]] { // a foreign exception cannot be kept; the frame has failed all the same
            this->error = std::make_exception_ptr(std::bad_exception());
        }
    }

    /// What the finished body returned; throws what left it.
    Return take_result() {
        if (this->error) [[unlikely]] {
            std::rethrow_exception(std::move(this->error));
        }
        if constexpr (!std::is_void_v<Return>) {
            return static_cast<Return>(static_cast<Return&&>(this->value()));
        }
    }

protected:
    explicit promise_base(frame_kind of) noexcept { this->kind = of; }
    void initialise(std::coroutine_handle<> handle, std::source_location function) noexcept {
        this->self = handle;
        this->where = function;
    }
};

} // namespace detail
} // namespace isthmus::inline v1
