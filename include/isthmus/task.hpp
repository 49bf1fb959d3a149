// isthmus/task.hpp — asynchronous C++ that knows no event loop: tasks, the operations that they wait for, and what
// whoever drives them lends to those.
// SPDX-License-Identifier: MIT
//
// A task is a coroutine that yields `pending`, as asyncio's coroutines yield Futures: "start this operation, and resume
// me when it wakes you". The same object code runs under run(), an Asio executor, a Python loop, or by hand in a test:
//
//     pending operation = task.send().yielded();
//     if (!operation.start(reactor, waker)) { ... until the waker is called ... }
//     task.send();
#pragma once

#include "coroutine.hpp"
#include "detail/frame.hpp"
#include "detail/names.hpp"

#include <chrono>
#include <concepts>
#include <cstdint>
#include <exception>
#include <memory>
#include <new>
#include <type_traits>
#include <utility>

namespace isthmus::inline v1 {

/// Whom a waker wakes: a driver, or whoever waits for several operations. Shared by all its wakers, so that one that
/// comes too late finds it alive.
class wake_target {
public:
    /// One of its wakers was called. Any thread. `turn` is what that waker was made with: a target that waits again
    /// tells by it the wake that it waits for from an older one.
    virtual void wake(std::uint64_t turn) noexcept = 0;

protected:
    ~wake_target() = default;
};

/// Resumes a task that waits, once: the first call counts. May be called, and destroyed, on any thread, but not by two
/// at once.
class waker {
public:
    waker() noexcept = default;
    waker(std::shared_ptr<wake_target> target, std::uint64_t turn) noexcept : target_(std::move(target)), turn_(turn) {}
    waker(waker&&) noexcept = default;
    waker& operator=(waker&&) noexcept = default;

    void operator()() noexcept {
        if (const std::shared_ptr<wake_target> target = std::exchange(target_, nullptr)) {
            target->wake(turn_);
        }
    }
    explicit operator bool() const noexcept { return target_ != nullptr; }

private:
    std::shared_ptr<wake_target> target_;
    std::uint64_t turn_ = 0;
};

/// An operation asked the driver for something that this one cannot do. Thrown where the operation is awaited.
class ISTHMUS_EXPORT unsupported_operation : public protocol_error {
public:
    explicit unsupported_operation(const char* text) noexcept : protocol_error(text) {}
};

/// Whoever drives a task resumed it without having started the operation that it waits for. Raised at the co_await, as
/// a Future does ("await wasn't used with future").
class ISTHMUS_EXPORT operation_not_started : public runtime_error {
public:
    operation_not_started() noexcept
        : runtime_error("a task was resumed, but the operation that it waits for was not started") {}
};

class registration;

/// What a file descriptor is waited for.
enum class io_event : std::uint8_t { readable, writable };

namespace detail {

/// Calls `wait(context)`, which blocks this thread until another one has done something.
using blocking_call = void (*)(void (*wait)(void*), void* context);
inline void just_block(void (*wait)(void*), void* context) { wait(context); }

} // namespace detail

/// What a driver lends to the operations of its task: time, and waiting for descriptors. It is used on the thread that
/// drives the task. A driver overrides what it can do; the rest is unsupported_operation.
class reactor {
public:
    using clock = std::chrono::steady_clock;

    virtual clock::time_point now() const { return clock::now(); }
    /// Calls `wake` when it is `when`, unless `timer` is forgotten before. Throws unsupported_operation.
    inline virtual void wake_at(clock::time_point when, registration& timer, waker wake);
    /// Calls `wake` when `descriptor` is ready or in error, unless `watched` is forgotten before. Throws
    /// unsupported_operation.
    inline virtual void wake_when(int descriptor, io_event event, registration& watched, waker wake);
    /// How operations wait for another thread where they must, which is when they are destroyed. A driver that holds
    /// what that thread may need, as Python's GIL, gives it up meanwhile. May be kept longer than the reactor.
    virtual detail::blocking_call blocking() const noexcept { return detail::just_block; }
    /// Drops what was asked for with `dropped`: its waker is not called any more. Called by `dropped`.
    virtual void forget(registration& dropped) noexcept = 0;

protected:
    ~reactor() = default;
};

/// A member of an operation: what it asked a reactor for, until that is forgotten; its destructor forgets it.
class registration {
public:
    registration() noexcept = default;
    ~registration() { forget(); }
    registration(const registration&) = delete;
    registration& operator=(const registration&) = delete;

    /// For the reactor, when it has taken note of what was asked for, and when it wakes.
    void attach(reactor& owner) noexcept { owner_ = &owner; }
    void detach() noexcept { owner_ = nullptr; }
    /// From now on the reactor knows nothing of it.
    void forget() noexcept {
        if (reactor* const owner = std::exchange(owner_, nullptr)) {
            owner->forget(*this);
        }
    }

private:
    reactor* owner_ = nullptr;
};

inline void reactor::wake_at(clock::time_point, registration&, waker) {
    throw unsupported_operation("isthmus: whoever drives this task has no timers");
}
inline void reactor::wake_when(int, io_event, registration&, waker) {
    throw unsupported_operation("isthmus: whoever drives this task cannot wait for file descriptors");
}

/// What a task can `co_await` beside coroutines. A class of a user's own takes part by having
///
/// - `bool start(reactor&, waker)`: begins, and returns true if there is nothing to wait for. Otherwise the waker is
///   called once, on any thread, when the operation is over. It may be called again before that, with a waker that
///   replaces the first. What it throws is thrown at the co_await.
/// - `bool cancel() noexcept`: true: it is over, and the waker will not be called; false: it ends as soon as it can.
///   Then the waker is called.
/// - `T result()`: what the co_await gives, or throws, when it is over.
/// - `bool finished()`, if it has to look after itself when it was woken: false: it goes on, and is started once more.
///
/// All are called on the thread that drives the task. If the task is closed or destroyed while it waits, only the
/// destructor is called, which leaves nothing behind that refers to the operation. It may be immovable; a temporary
/// lives as long as the await.
///
/// An operation that cannot end at once, and whose destructor cannot wait for that, also has these two; one that holds
/// another passes them on:
///
/// - `bool outlasts() noexcept`: the task is to be closed or destroyed. True: it is being cancelled, but cannot end
///   before whoever does that has returned. Then close() throws ignored_generator_exit, and the task waits as after
///   cancel().
/// - `void keep(const std::shared_ptr<void>& frames) noexcept`: after that, if the task is destroyed. Its frames live,
///   at rest, as long as somebody shares `frames`. The operation does until it is over, on whatever thread that is; it
///   forgets what it asked the reactor for, which may be gone next. Another task may have awaited this one: then keep()
///   is called for both, and what came last goes first.
template <class T>
concept operation = requires(T& op, reactor& lent, waker wake) {
    { op.start(lent, std::move(wake)) } -> std::same_as<bool>;
    { op.cancel() } noexcept -> std::same_as<bool>;
    op.result();
};

namespace detail {

/// A task that waits: its side of a `pending`.
class waiting {
public:
    virtual bool start(reactor& lent, waker wake) noexcept = 0;
    virtual bool is_cancelled() const noexcept = 0;

protected:
    ~waiting() = default;
};

} // namespace detail

/// What a task yields: the operation that it waits for. Valid until the task is resumed, closed or destroyed.
class pending {
public:
    explicit pending(detail::waiting& waits) noexcept : waits_(&waits) {}

    /// For the driver, once each time the task yields: starts the operation. True: the task can be resumed at once;
    /// false: `wake` will be called, on any thread, and then it is to be resumed. `lent` must live until then.
    ///
    /// To cancel, throw into the task, isthmus::cancelled for instance: it may yield once more before it raises that.
    bool start(reactor& lent, waker wake) const noexcept { return waits_->start(lent, std::move(wake)); }
    /// Whether the task was cancelled, and only waits until its operation is over.
    bool is_cancelled() const noexcept { return waits_->is_cancelled(); }

private:
    detail::waiting* waits_;
};

/// Asynchronous C++ that knows no loop and no Python: it waits for operations, and for other tasks.
template <class Return = void>
using task = coroutine<Return, pending>;

namespace detail {

/// Destroys them with the last of its owners.
class kept_frames {
public:
    explicit kept_frames(left_frames frames) noexcept : frames_(frames) {}
    kept_frames(const kept_frames&) = delete;
    kept_frames& operator=(const kept_frames&) = delete;
    ~kept_frames() { frames_.destroy(frames_.what); }

private:
    left_frames frames_;
};

/// `co_await` of an operation.
template <class Operation>
class operation_awaiter : delegate, waiting {
public:
    using yield_type = pending;
    using send_type = none;

    explicit operation_awaiter(Operation& awaited) noexcept : operation_(awaited) {}
    explicit operation_awaiter(Operation&& awaited) noexcept : operation_(awaited) {} // it lives as long as the await

    bool await_ready() const noexcept { return false; }
    template <class Promise>
    void await_suspend(std::coroutine_handle<Promise> awaiting) noexcept {
        suspend(awaiting.promise());
    }
    decltype(auto) await_resume() {
        if (const std::exception_ptr error = take_failure()) {
            std::rethrow_exception(error);
        }
        return operation_.result();
    }

    /// The error that await_resume() would throw, which counts as delivered then; null if there is none, or if only
    /// result() knows it.
    std::exception_ptr take_failure() noexcept {
        activation& step = parent->step();
        return step.injected != nullptr ? step.take_injected() : std::exchange(error_, nullptr);
    }
    using delegate::pass_errors;

private:
    static constexpr bool can_outlast = requires(Operation& awaited, const std::shared_ptr<void>& frames) {
        { awaited.outlasts() } noexcept -> std::same_as<bool>;
        { awaited.keep(frames) } noexcept;
    };

    enum class state : std::uint8_t { created, yielded, started, over };

    void advance(activation& step) noexcept override {
        step.sent = nullptr;
        if (step.injected != nullptr) {
            const bool asked = error_ != nullptr; // before; the latest error wins
            error_ = step.take_injected();
            if (state_ == state::started && (asked || !operation_.cancel())) { // raised when the operation is over
                yield(step);
                return;
            }
            state_ = state::over;
        } else if (state_ == state::created) {
            state_ = state::yielded;
            yield(step);
            return;
        } else {
            if (state_ == state::started && !is_finished()) {
                yield(step);
                return;
            }
            if (state_ == state::yielded) {
                error_ = std::make_exception_ptr(operation_not_started());
            }
            state_ = state::over;
        }
        finish(error_);
    }

    bool is_finished() noexcept {
        if constexpr (requires { operation_.finished(); }) {
            return operation_.finished();
        }
        return true;
    }

    void yield(activation& step) noexcept { step.yielded = &pending_; }

    bool start(reactor& lent, waker wake) noexcept override {
        try {
            const bool ready = operation_.start(lent, std::move(wake));
            state_ = state::started;
            return ready;
        } catch (...) {
            if (!error_) {
                error_ = current_error();
            }
            state_ = state::over;
            return true;
        }
    }

    bool is_cancelled() const noexcept override { return error_ != nullptr; }

    std::exception_ptr close() noexcept override {
        state_ = state::over;
        return nullptr;
    }
    bool outlasts() noexcept override {
        if constexpr (can_outlast) {
            return state_ == state::started && operation_.outlasts();
        } else {
            return false;
        }
    }
    void keep([[maybe_unused]] left_frames frames) noexcept override {
        if constexpr (can_outlast) {
            try {
                operation_.keep(std::make_shared<kept_frames>(frames));
            } catch (const std::bad_alloc&) {
                return; // they are better never destroyed than too early
            }
        }
    }
    std::string awaited_type() const override {
        if constexpr (requires { typename Operation::awaited_type; }) {
            return type_name(typeid(typename Operation::awaited_type));
        } else {
            return type_name(typeid(Operation));
        }
    }

    Operation& operation_;
    pending pending_{*this};
    std::exception_ptr error_;
    state state_ = state::created;
};

template <operation T>
struct named_awaiter<T> {
    using type = operation_awaiter<T>;
};

} // namespace detail
} // namespace isthmus::inline v1
