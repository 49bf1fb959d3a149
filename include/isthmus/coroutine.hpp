// isthmus/coroutine.hpp — coroutine<Return, Yield, Send>: Python's coroutine object as a C++ value.
// SPDX-License-Identifier: MIT
#pragma once

#include "await_iterator.hpp"
#include "detail/access.hpp"
#include "detail/allocator.hpp"
#include "detail/promise.hpp"
#include "step.hpp"

#include <concepts>
#include <exception>
#include <optional>
#include <type_traits>
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
class [[nodiscard]] coroutine {
    static_assert(!std::is_rvalue_reference_v<Return> && !std::is_rvalue_reference_v<Yield> &&
                      !std::is_rvalue_reference_v<Send>,
                  "isthmus: Return, Yield and Send may be lvalue references, not rvalue references");
    static_assert(std::is_void_v<Return> || std::is_move_constructible_v<stored<Return>>,
                  "isthmus: Return must be void, a reference or move-constructible");
    static_assert(std::is_void_v<Yield> || std::is_move_constructible_v<stored<Yield>>,
                  "isthmus: Yield must be void, a reference or move-constructible");
    static_assert(std::is_void_v<Send> || std::is_move_constructible_v<stored<Send>>,
                  "isthmus: Send must be void, a reference or move-constructible");
    static_assert(
        alignof(stored<Return>) <= __STDCPP_DEFAULT_NEW_ALIGNMENT__ &&
            alignof(stored<Yield>) <= __STDCPP_DEFAULT_NEW_ALIGNMENT__ &&
            alignof(stored<Send>) <= __STDCPP_DEFAULT_NEW_ALIGNMENT__,
        "isthmus: Return, Yield and Send must not be over-aligned, as compilers do not align coroutine frames");

public:
    using return_type = Return;
    using yield_type = Yield;
    using send_type = Send;
    using step_type = step<Yield, Return>;
    using outcome_type = outcome<Yield, Return>;

    /// An empty coroutine behaves like a finished one.
    coroutine() noexcept = default;
    coroutine(coroutine&& other) noexcept : frame_(std::exchange(other.frame_, nullptr)) { own(); }
    coroutine& operator=(coroutine&& other) noexcept {
        if (this != &other) {
            coroutine old(std::move(*this));
            frame_ = std::exchange(other.frame_, nullptr);
            own();
        }
        return *this;
    }
    ~coroutine() {
        if (frame_ != nullptr) {
            frame_->owner = nullptr;
            detail::discard(*frame_);
        }
    }

    /// Starts the coroutine, or resumes it with the empty value of Send: Python's send(None). Runs until the chain
    /// yields, or this coroutine returns; an error that leaves the body is thrown, and the coroutine is closed then.
    /// Throws already_finished (2.7) or already_executing (2.8), and missing_value on a started coroutine whose Send
    /// has no empty value; these leave the coroutine as it was. O(1) at any depth of awaiting.
    step_type send() { return drive<step_type>(nullptr); }

    /// Resumes the coroutine: its co_yield becomes `value`. Otherwise as send(). Throws send_to_unstarted if it has
    /// not started, unless `value` is Send's empty value (2.2).
    step_type send(detail::sendable<Send> value) { return drive<step_type>(std::addressof(value)); }

    /// Raises `error` where the coroutine is suspended: in the innermost one it awaits, except a generator_exit, which
    /// closes those and is raised here (5.19, 5.23). One that has not started ends at once, with this error (5.8).
    /// Gives and throws what send() does; a finished one drops `error` (5.10); not_an_exception if it is null.
    step_type throw_(std::exception_ptr error) { return raise<step_type>(std::move(error)); }

    /// The same with an exception object, which is moved or copied by its static type: do not pass a reference to a
    /// base class.
    template <class Error>
        requires(!std::convertible_to<Error, std::exception_ptr>)
    step_type throw_(Error&& error) {
        return throw_(std::make_exception_ptr(std::forward<Error>(error)));
    }

    /// Ends the coroutine: raises generator_exit where it is suspended, in all that it awaits first (6). Returns what
    /// the body returned then, as CPython 3.13 does (6.3); nullopt if it let the generator_exit out, had not started
    /// or had finished. Throws what else leaves the body, already_executing (6.7), and ignored_generator_exit if it
    /// yielded, in which case it stays suspended (6.5).
    std::optional<stored<Return>> close() {
        outcome_type ended = try_close();
        if (ended.failed()) {
            std::rethrow_exception(ended.error());
        }
        if (ended.closed()) {
            return std::nullopt;
        }
        if constexpr (std::is_void_v<Return>) {
            return none();
        } else {
            return std::optional<stored<Return>>(std::in_place, std::move(ended).returned());
        }
    }

    /// send(), throw_() and close() that report every error, misuse too, as a failed outcome. They throw only what
    /// moving a value throws.
    outcome_type try_send() { return drive<outcome_type>(nullptr); }
    outcome_type try_send(detail::sendable<Send> value) { return drive<outcome_type>(std::addressof(value)); }
    outcome_type try_throw(std::exception_ptr error) { return raise<outcome_type>(std::move(error)); }
    outcome_type try_close();

    /// `__await__`: the await-iterator, which refers to this coroutine; that of an expiring one owns it.
    await_iterator<coroutine&> await() & noexcept { return await_iterator<coroutine&>(*this); }
    await_iterator<coroutine> await() && noexcept { return await_iterator<coroutine>(std::move(*this)); }

    /// created, running, suspended or closed (8). O(1), or O(levels above) for one that is being awaited.
    coroutine_state state() const noexcept {
        if (frame_ == nullptr) {
            return coroutine_state::closed;
        }
        if (frame_->link == 0) {
            return coroutine_state::created;
        }
        return detail::is_running(*frame_) ? coroutine_state::running : coroutine_state::suspended;
    }

private:
    template <class R, class Y, class S, class Allocation, bool Noted>
    friend class detail::promise;
    template <class R, class Y, class S>
    friend class detail::promise_base;
    friend struct detail::frame_access;

    using promise_base = detail::promise_base<Return, Yield, Send>;

    explicit coroutine(detail::frame& f) noexcept : frame_(&f) { own(); }

    void own() noexcept {
        if (frame_ != nullptr) {
            frame_->owner = &frame_;
        }
    }

    template <class Result>
    Result drive(detail::sendable_pointer<Send> value);
    template <class Result>
    Result raise(std::exception_ptr error);
    template <class Result>
    static Result settle(detail::frame& f, detail::activation& step);
    template <class Result>
    static Result fail(std::exception_ptr error);
    template <class Result>
    static Result refuse(detail::misuse code);
    template <class Result>
    static Result yielded(detail::activation& step);

    detail::frame* frame_ = nullptr;
};

template <class Return, class Yield, class Send>
template <class Result>
Result coroutine<Return, Yield, Send>::drive(detail::sendable_pointer<Send> value) {
    detail::activation step;
    step.accepts_none = empty_value<Yield>::exists;
    if (const detail::misuse refused = detail::begin(frame_, step); refused != detail::misuse::none) [[unlikely]] {
        return refuse<Result>(refused);
    }
    detail::frame& f = *frame_;
    if (f.link == 0) {
        if constexpr (empty_value<Send>::exists) {
            if (value != nullptr && !empty_value<Send>::test(*value)) [[unlikely]] {
                return refuse<Result>(detail::misuse::send_to_unstarted);
            }
        } else if (value != nullptr) [[unlikely]] {
            return refuse<Result>(detail::misuse::send_to_unstarted);
        }
    } else if (!detail::is_none<Send>) {
        if (!empty_value<Send>::exists && value == nullptr) [[unlikely]] {
            return refuse<Result>(detail::misuse::missing_value);
        }
        step.sent = const_cast<void*>(static_cast<const void*>(value));
    }
    detail::run_step(f, step);
    return settle<Result>(f, step);
}

template <class Return, class Yield, class Send>
template <class Result>
Result coroutine<Return, Yield, Send>::raise(std::exception_ptr error) {
    if (error == nullptr) {
        return refuse<Result>(detail::misuse::not_an_exception);
    }
    detail::activation step;
    step.accepts_none = empty_value<Yield>::exists;
    if (const detail::misuse refused = detail::begin(frame_, step); refused != detail::misuse::none) [[unlikely]] {
        return refuse<Result>(refused);
    }
    detail::frame& f = *frame_;
    if (f.link == 0) {
        detail::destroy(f);
        return fail<Result>(std::move(error));
    }
    detail::throw_step(f, step, error);
    if (step.yielded == &step.refused) [[unlikely]] {
        const detail::at_rest guard{f};
        return fail<Result>(std::exchange(step.leaf->error, nullptr));
    }
    return settle<Result>(f, step);
}

template <class Return, class Yield, class Send>
auto coroutine<Return, Yield, Send>::try_close() -> outcome_type {
    if (const coroutine_state now = state(); now == coroutine_state::closed || now == coroutine_state::created) {
        if (frame_ != nullptr) {
            detail::destroy(*frame_);
        }
        return outcome_type(std::in_place_index<3>);
    }
    outcome_type ended = raise<outcome_type>(std::make_exception_ptr(generator_exit()));
    if (ended.done()) {
        return ended;
    }
    if (!ended.failed()) {
        return refuse<outcome_type>(detail::misuse::ignored_generator_exit);
    }
    if (detail::is_generator_exit(ended.error())) {
        return outcome_type(std::in_place_index<3>);
    }
    return ended;
}

template <class Return, class Yield, class Send>
template <class Result>
Result coroutine<Return, Yield, Send>::settle(detail::frame& f, detail::activation& step) {
    if (step.yielded != nullptr) {
        const detail::at_rest guard{f};
        return yielded<Result>(step);
    }
    auto& ended = static_cast<promise_base&>(f);
    const detail::finished guard{f};
    if (ended.error) [[unlikely]] {
        return fail<Result>(std::move(ended.error));
    }
    return Result(std::in_place_index<1>, std::move(ended.value()));
}

template <class Return, class Yield, class Send>
template <class Result>
Result coroutine<Return, Yield, Send>::yielded(detail::activation& step) {
    if constexpr (detail::is_none<Yield>) {
        return Result(std::in_place_index<0>);
    } else {
        if constexpr (empty_value<Yield>::exists) {
            if (step.yielded == &step.none_yielded) {
                return Result(std::in_place_index<0>, empty_value<Yield>::make());
            }
        }
        auto* const value = static_cast<std::remove_reference_t<Yield>*>(step.yielded);
        return Result(std::in_place_index<0>, static_cast<Yield&&>(*value));
    }
}

template <class Return, class Yield, class Send>
template <class Result>
Result coroutine<Return, Yield, Send>::fail(std::exception_ptr error) {
    if constexpr (std::is_same_v<Result, step_type>) {
        std::rethrow_exception(std::move(error));
    } else {
        return Result(std::in_place_index<2>, std::move(error));
    }
}

template <class Return, class Yield, class Send>
template <class Result>
Result coroutine<Return, Yield, Send>::refuse(detail::misuse code) {
    if constexpr (std::is_same_v<Result, step_type>) {
        detail::throw_misuse(code);
    } else {
        return Result(std::in_place_index<2>, detail::make_misuse(code));
    }
}

} // namespace isthmus::inline v1
