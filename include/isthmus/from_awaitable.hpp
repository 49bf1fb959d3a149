// isthmus/from_awaitable.hpp — tasks await what other C++ libraries make awaitable.
// SPDX-License-Identifier: MIT
//
// Such an awaitable resumes a std::coroutine_handle<>, on a thread and at a time of its own choice, where a task is
// resumed by its driver alone. So the handle that it is given is that of a small coroutine, which takes its result and
// wakes the task.
#pragma once

#include "detail/cpp_awaitable.hpp"
#include "detail/shared_state.hpp"

#include <coroutine>
#include <exception>
#include <future>
#include <memory>
#include <type_traits>
#include <utility>

namespace isthmus::inline v1 {

namespace detail {

/// The coroutine that such an awaitable resumes. Its frame goes when it ends.
struct resumed_by_others {
    struct promise_type {
        resumed_by_others get_return_object() const noexcept { return {}; }
        std::suspend_never initial_suspend() const noexcept { return {}; }
        std::suspend_never final_suspend() const noexcept { return {}; }
        void return_void() const noexcept {}
        void unhandled_exception() const noexcept {} // there is none
    };
    using handle = std::coroutine_handle<promise_type>;
};

/// A C++ awaitable, its awaiter, and the result on its way to the task. They live until both the task has gone on and
/// the awaitable has resumed: what it gives may refer to it. `T` is an lvalue reference, or the type of what is kept.
template <class T>
class awaitable_state : public shared_state<typename cpp_result<T>::type> {
    using result = typename cpp_result<T>::type;
    using awaiter = std::remove_reference_t<awaiter_type_of<T>>;
    static_assert(
        requires(awaiter& at, resumed_by_others::handle resumed) { at.await_suspend(resumed); },
        "isthmus: this type can only be awaited in coroutines of its own library: its await_suspend() does not take "
        "any "
        "std::coroutine_handle");
    static_assert(std::is_reference_v<T> || std::is_move_constructible_v<T>,
                  "isthmus: an awaitable that cannot be moved must be awaited by name, not as a temporary: the task "
                  "keeps what it awaits, and may be destroyed before that resumes it");
    static_assert(std::is_void_v<result> || std::is_move_constructible_v<stored<result>>,
                  "isthmus: what await_resume() gives is brought to the task, so it must be movable");

public:
    explicit awaitable_state(T&& awaited)
        : awaited_(std::forward<T>(awaited)), awaiter_(detail::awaiter_of(static_cast<T&&>(awaited_))) {}
    awaitable_state(const awaitable_state&) = delete;
    awaitable_state& operator=(const awaitable_state&) = delete;

    /// Begins the await.
    static resumed_by_others drive(std::shared_ptr<awaitable_state> self) {
        const completes_at_end whatever_happens(*self);
        try {
            waits at(self->awaiter_);
            if constexpr (std::is_void_v<result>) {
                co_await at;
            } else {
                decltype(auto) brought = co_await at;
                self->value.emplace(static_cast<decltype(brought)&&>(brought));
            }
        } catch (...) {
            self->error = current_error();
        }
        self->complete([] {});
    }

private:
    /// Without another operator co_await.
    class waits {
    public:
        explicit waits(awaiter& at) noexcept : awaiter_(at) {}
        bool await_ready() { return static_cast<bool>(awaiter_.await_ready()); }
        decltype(auto) await_suspend(resumed_by_others::handle resumed) { return awaiter_.await_suspend(resumed); }
        decltype(auto) await_resume() { return awaiter_.await_resume(); }

    private:
        awaiter& awaiter_;
    };
    /// The coroutine may be destroyed instead of resumed.
    class completes_at_end {
    public:
        explicit completes_at_end(awaitable_state& state) noexcept : state_(state) {}
        completes_at_end(const completes_at_end&) = delete;
        completes_at_end& operator=(const completes_at_end&) = delete;
        ~completes_at_end() {
            state_.complete([this] {
                state_.error = std::make_exception_ptr(std::future_error(std::future_errc::broken_promise));
            });
        }

    private:
        awaitable_state& state_;
    };

    T awaited_;
    awaiter_type_of<T> awaiter_;
};

template <class T>
class awaitable_operation {
public:
    using awaited_type = std::remove_reference_t<T>;

    explicit awaitable_operation(T&& awaited)
        : state_(std::make_shared<awaitable_state<T>>(std::forward<T>(awaited))) {}
    awaitable_operation(awaitable_operation&&) noexcept = default;
    awaitable_operation& operator=(awaitable_operation&&) = delete;
    ~awaitable_operation() {
        if (state_) {
            state_->abandon();
        }
    }

    // As an operation: see the concept of that name.
    bool start(reactor&, waker wake) {
        if (!std::exchange(started_, true)) {
            awaitable_state<T>::drive(state_);
        }
        return state_->start(std::move(wake));
    }
    bool cancel() noexcept { return state_->over(); }
    typename cpp_result<T>::type result() { return state_->take(); }

private:
    std::shared_ptr<awaitable_state<T>> state_;
    bool started_ = false;
};

template <class T>
struct awaitable_owner {
    awaitable_operation<T> operation;
};

/// `co_await` of a C++ awaitable in a task.
template <class T>
class awaitable_awaiter final : awaitable_owner<T>, public operation_awaiter<awaitable_operation<T>> {
public:
    explicit awaitable_awaiter(T&& awaited)
        : awaitable_owner<T>{awaitable_operation<T>(std::forward<T>(awaited))},
          operation_awaiter<awaitable_operation<T>>(this->operation) {}
};

template <>
struct awaitable_boundary<pending> {
    using crossed = void;
    template <class T>
    static awaitable_awaiter<T> await(T&& awaited) {
        return awaitable_awaiter<T>(std::forward<T>(awaited));
    }
};

template <class T>
task<typename cpp_result<T>::type> await_awaitable(awaitable_operation<T> awaited) {
    co_return co_await awaited;
}

} // namespace detail

/// The task of a C++ awaitable, as with_timeout(), when_all() and race() take it; a task can also `co_await` the
/// awaitable itself. That is an object with await_ready(), await_suspend() and await_resume(), or with an operator
/// co_await, which resumes the handle that it is given on any thread, at once, later, or never. What it gives or throws
/// comes to the task on the thread that drives that; await_resume() is called where the handle was resumed. If the
/// handle is destroyed instead, a std::future_error (broken_promise) is thrown.
///
/// It cannot be cancelled: a task that is cancelled goes on when the awaitable has resumed it. If the task is destroyed
/// before, an awaitable that was given as an rvalue lives on until then; one that was given as an lvalue must do so by
/// itself, as must what either refers to. What never resumes is never freed.
template <detail::cpp_awaitable T>
task<typename detail::cpp_result<T>::type> from_awaitable(T&& awaited) {
    return detail::await_awaitable<T>(detail::awaitable_operation<T>(std::forward<T>(awaited)));
}

} // namespace isthmus::inline v1
