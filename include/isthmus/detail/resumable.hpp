// isthmus/detail/resumable.hpp — what coroutine and generator are made of: an owned frame that is driven as a root.
// SPDX-License-Identifier: MIT
#pragma once

#include "../never_awaited.hpp"
#include "../step.hpp"
#include "access.hpp"
#include "step_result.hpp"

#include <concepts>
#include <exception>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

namespace isthmus::inline v1::detail {

/// send, throw_, close, their try_ forms and state(). What is said of the coroutine goes for a generator too, with the
/// generator's texts, and with one difference (15.7): a finished one gives send() the empty value of Return, or throws
/// generator_exhausted if there is none, and raises what is thrown into it.
template <frame_kind Kind, class Return, class Yield, class Send>
class resumable {
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
    resumable() noexcept = default;
    resumable(resumable&& other) noexcept : frame_(std::exchange(other.frame_, nullptr)) { own(); }
    resumable& operator=(resumable&& other) noexcept {
        if (this != &other) {
            resumable old(std::move(*this));
            frame_ = std::exchange(other.frame_, nullptr);
            own();
        }
        return *this;
    }
    ~resumable() {
        if (frame_ != nullptr) {
            if (Kind == frame_kind::coroutine && frame_->created()) [[unlikely]] {
                report_never_awaited(frame_->where);
            }
            frame_->owner = nullptr;
            discard(frame_);
        }
    }

    /// Starts the coroutine, or resumes it with the empty value of Send: Python's send(None). Runs until the chain
    /// yields, or this coroutine returns; an error that leaves the body is thrown, and the coroutine is closed then.
    /// Throws already_finished (2.7) or already_executing (2.8), and missing_value on a started coroutine whose Send
    /// has no empty value; these leave the coroutine as it was. O(1) at any depth of awaiting.
    ISTHMUS_ALWAYS_INLINE step_type send() { return drive<step_type, false>(nullptr); }

    /// Resumes the coroutine: its co_yield becomes `value`. Otherwise as send(). Throws send_to_unstarted if it has
    /// not started, unless `value` is Send's empty value (2.2).
    ISTHMUS_ALWAYS_INLINE step_type send(sendable<Send> value) { return drive<step_type, true>(std::addressof(value)); }

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
    std::optional<stored<Return>> close() { return detail::take_closed(try_close()); }

    /// send(), throw_() and close() that report every error, misuse too, as a failed outcome. They throw only what
    /// moving a value throws.
    outcome_type try_send() { return drive<outcome_type, false>(nullptr); }
    outcome_type try_send(sendable<Send> value) { return drive<outcome_type, true>(std::addressof(value)); }
    outcome_type try_throw(std::exception_ptr error) { return raise<outcome_type>(std::move(error)); }
    outcome_type try_close();

    /// created, running, suspended or closed (8). O(1), or O(levels above) for one that is being awaited.
    coroutine_state state() const noexcept { return state_of(frame_); }

protected:
    explicit resumable(frame& f) noexcept : frame_(&f) { own(); }

private:
    friend struct frame_access;

    template <class Result>
    using end_of_step = step_result<Kind, Return, Yield, Send, Result>;

    void own() noexcept {
        if (frame_ != nullptr) {
            frame_->owner = &frame_;
        }
    }

    static constexpr driver_traits driver{.accepts_none = empty_value<Yield>::exists};

    static void* to_send(sendable_pointer<Send> value) noexcept {
        return is_none<Send> ? nullptr : const_cast<void*>(static_cast<const void*>(value));
    }
    template <class Result, bool WithValue>
    Result drive(sendable_pointer<Send> value);
    template <class Result, bool WithValue>
    Result drive_slowly(sendable_pointer<Send> value);
    template <class Result>
    static Result go_on(frame& f, activation& step);
    template <class Result>
    Result raise(std::exception_ptr error);

    frame* frame_ = nullptr;
};

/// Becomes part of the driver's loop: a resume costs little more than its stores, and a call is several of them.
template <frame_kind Kind, class Return, class Yield, class Send>
template <class Result, bool WithValue>
ISTHMUS_ALWAYS_INLINE inline Result resumable<Kind, Return, Yield, Send>::drive(sendable_pointer<Send> value) {
    activation step(to_send(value));
    step.guard.lock();
    frame* const f = frame_;
    frame* const leaf = f != nullptr && (WithValue || empty_value<Send>::exists) ? f->link().suspended_leaf() : nullptr;
    if (leaf == nullptr || leaf->awaiting != nullptr) [[unlikely]] {
        step.guard.unlock();
        return drive_slowly<Result, WithValue>(value);
    }
    step.leaf = leaf;
    join_step(*f, step, driver)->handle().resume();
    if (step.yielded == nullptr) [[unlikely]] {
        return go_on<Result>(*f, step);
    }
    return end_of_step<Result>::settle_yield(*f, step);
}

/// When the first leaf that was resumed has awaited another, or ended.
template <frame_kind Kind, class Return, class Yield, class Send>
template <class Result>
ISTHMUS_NOINLINE Result resumable<Kind, Return, Yield, Send>::go_on(frame& f, activation& step) {
    if (step.leaf != nullptr) {
        drive_further(step);
    }
    return end_of_step<Result>::settle(f, step);
}

/// The first step, and any other that does not just resume the leaf of a root at rest, or is refused.
template <frame_kind Kind, class Return, class Yield, class Send>
template <class Result, bool WithValue>
ISTHMUS_NOINLINE Result resumable<Kind, Return, Yield, Send>::drive_slowly(sendable_pointer<Send> value) {
    activation step(to_send(value));
    frame* f = nullptr;
    if (const misuse refused = begin(frame_, step, driver, f); refused != misuse::none) [[unlikely]] {
        return end_of_step<Result>::refuse_send(refused);
    }
    if (f->created()) {
        if (WithValue && !(empty_value<Send>::exists && is_empty(*value))) [[unlikely]] { // 2.2
            return end_of_step<Result>::refuse(misuse::send_to_unstarted);
        }
        step.sent = nullptr;
    } else if (!(WithValue || empty_value<Send>::exists)) {
        return end_of_step<Result>::refuse(misuse::missing_value);
    }
    run_step(*f, step, driver);
    return end_of_step<Result>::settle(*f, step);
}

template <frame_kind Kind, class Return, class Yield, class Send>
template <class Result>
Result resumable<Kind, Return, Yield, Send>::raise(std::exception_ptr error) {
    if (error == nullptr) {
        return end_of_step<Result>::refuse(misuse::not_an_exception);
    }
    activation step;
    frame* f = nullptr;
    if (const misuse refused = begin(frame_, step, driver, f); refused != misuse::none) [[unlikely]] {
        if (Kind == frame_kind::generator && refused == misuse::already_finished) {
            return end_of_step<Result>::fail(std::move(error));
        }
        return end_of_step<Result>::refuse(refused);
    }
    if (f->created()) {
        destroy_unstarted(*f, step);
        return end_of_step<Result>::fail(std::move(error));
    }
    throw_step(*f, step, driver, error);
    return end_of_step<Result>::settle_thrown(*f, step);
}

template <frame_kind Kind, class Return, class Yield, class Send>
auto resumable<Kind, Return, Yield, Send>::try_close() -> outcome_type {
    activation step;
    frame* f = nullptr;
    if (const misuse refused = begin(frame_, step, driver, f); refused != misuse::none) {
        return refused == misuse::already_finished ? outcome_type(std::in_place_index<3>)
                                                   : end_of_step<outcome_type>::refuse(refused);
    }
    if (f->created()) {
        destroy_unstarted(*f, step);
        return outcome_type(std::in_place_index<3>);
    }
    throw_step(*f, step, driver, std::make_exception_ptr(generator_exit()));
    outcome_type ended = end_of_step<outcome_type>::settle_thrown(*f, step);
    if (ended.done()) {
        return ended;
    }
    if (!ended.failed()) {
        return end_of_step<outcome_type>::refuse(misuse::ignored_generator_exit);
    }
    if (is_generator_exit(ended.error())) {
        return outcome_type(std::in_place_index<3>);
    }
    return ended;
}

} // namespace isthmus::inline v1::detail
