// isthmus/detail/promise.hpp — the promise of a native coroutine: what its co_await, co_yield and co_return do.
// SPDX-License-Identifier: MIT
#pragma once

#include "chain.hpp"

#include <memory>
#include <optional>
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

template <class T>
inline constexpr bool is_none = std::is_void_v<T> || std::is_same_v<T, none>;

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

/// `co_yield`: suspends the whole chain, and becomes what the driver sends.
template <class Send>
class yield_awaiter_base {
public:
    bool await_ready() const noexcept { return false; }

    Send await_resume() {
        activation& step = frame_->step();
        if (step.injected != nullptr) [[unlikely]] {
            std::rethrow_exception(step.take_injected());
        }
        void* const sent = std::exchange(step.sent, nullptr);
        if constexpr (std::is_void_v<Send>) {
            return;
        } else if constexpr (is_none<Send>) {
            return {};
        } else if constexpr (std::is_reference_v<Send>) {
            return static_cast<Send>(*static_cast<std::remove_reference_t<Send>*>(require(sent)));
        } else if constexpr (empty_value<Send>::exists) {
            return sent != nullptr ? std::move(*static_cast<Send*>(sent)) : empty_value<Send>::make();
        } else {
            return std::move(*static_cast<Send*>(require(sent)));
        }
    }

    yield_awaiter_base(const yield_awaiter_base&) = delete;
    yield_awaiter_base& operator=(const yield_awaiter_base&) = delete;

protected:
    explicit yield_awaiter_base(frame& yielding) noexcept : frame_(&yielding) {}
    ~yield_awaiter_base() = default;
    void suspend(const void* value) noexcept { frame_->step().yielded = const_cast<void*>(value); }

private:
    static void* require(void* sent) {
        if (sent == nullptr) [[unlikely]] {
            throw_misuse(misuse::missing_value);
        }
        return sent;
    }

    frame* frame_;
};

/// Yields an object that outlives the suspension: a temporary of the co_yield expression, or a referent.
template <class Send>
class yield_reference final : public yield_awaiter_base<Send> {
public:
    yield_reference(frame& yielding, const void* value) noexcept
        : yield_awaiter_base<Send>(yielding), value_(value) {}
    void await_suspend(std::coroutine_handle<>) noexcept { this->suspend(value_); }

private:
    const void* value_;
};

/// Yields a copy, so that the driver can move it out.
template <class Yield, class Send>
class yield_copy final : public yield_awaiter_base<Send> {
public:
    yield_copy(frame& yielding, const Yield& value) : yield_awaiter_base<Send>(yielding), value_(value) {}
    void await_suspend(std::coroutine_handle<>) noexcept { this->suspend(std::addressof(value_)); }

private:
    std::remove_cv_t<Yield> value_;
};

/// co_yield for each kind of Yield.
template <class Yield, class Send>
class yielding_promise : public frame {
public:
    yield_reference<Send> yield_value(Yield&& value) noexcept {
        return yield_reference<Send>(*this, std::addressof(value));
    }
    yield_copy<Yield, Send> yield_value(const Yield& value)
        requires std::is_copy_constructible_v<Yield>
    {
        return yield_copy<Yield, Send>(*this, value);
    }
};
template <class Yield, class Send>
class yielding_promise<Yield&, Send> : public frame {
public:
    yield_reference<Send> yield_value(Yield& value) noexcept {
        return yield_reference<Send>(*this, std::addressof(value));
    }
};
template <class Yield, class Send>
    requires is_none<Yield>
class yielding_promise<Yield, Send> : public frame {
public:
    yield_reference<Send> yield_value(none) {
        if (!step().accepts_none) [[unlikely]] {
            throw unexpected_yield();
        }
        return yield_reference<Send>(*this, &step().none_yielded);
    }
};

/// co_return for each kind of Return, and the way out of the frame for what it returned.
template <class Return>
class returned_value {
public:
    template <class U = std::remove_cv_t<Return>>
        requires std::is_constructible_v<stored<Return>, U&&> && std::is_convertible_v<U&&, Return>
    void return_value(U&& value) {
        value_.emplace(std::forward<U>(value));
    }
    stored<Return>& value() noexcept { return *value_; }

private:
    std::optional<stored<Return>> value_;
};
template <class Return>
class returned_value<Return&> {
public:
    void return_value(Return& value) noexcept { value_ = std::addressof(value); }
    std::reference_wrapper<Return> value() noexcept { return *value_; }

private:
    Return* value_ = nullptr;
};
template <>
class returned_value<void> {
public:
    void return_void() noexcept {}
    none value() noexcept { return {}; }
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
    void unhandled_exception() noexcept { this->error = std::current_exception(); }

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
        requires requires { typename std::remove_cvref_t<T>::awaiter_type; }
    auto await_transform(T&& awaited) {
        using awaiter = typename std::remove_cvref_t<T>::awaiter_type;
        static_assert(std::is_same_v<typename awaiter::yield_type, Yield> &&
                          std::is_same_v<typename awaiter::send_type, Send>,
                      "isthmus: what is awaited yields or takes another type than this coroutine; "
                      "give this coroutine the same Yield and Send");
        return awaiter(std::forward<T>(awaited));
    }

    template <class T>
        requires(!requires { typename std::remove_cvref_t<T>::awaiter_type; })
    std::suspend_never await_transform(T&&) {
        static_assert(!std::is_same_v<T, T>, "isthmus: this type cannot be awaited in an isthmus coroutine");
        return {};
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
};

} // namespace detail
} // namespace isthmus::inline v1
