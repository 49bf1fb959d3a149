// tests/cpp/other_library.hpp — a coroutine type of another library.
// SPDX-License-Identifier: MIT
#pragma once

#include <coroutine>
#include <exception>
#include <optional>
#include <utility>

namespace test {

/// A lazy task: operator co_await, symmetric transfer, and its result by reference or moved.
template <class T>
class other_task {
public:
    struct promise_type {
        other_task get_return_object() { return other_task(handle::from_promise(*this)); }
        std::suspend_always initial_suspend() noexcept { return {}; }
        struct final_awaiter {
            bool await_ready() const noexcept { return false; }
            std::coroutine_handle<> await_suspend(std::coroutine_handle<promise_type> ended) const noexcept {
                return ended.promise().continuation;
            }
            void await_resume() const noexcept {}
        };
        final_awaiter final_suspend() noexcept { return {}; }
        void return_value(T given) { value = std::move(given); }
        void unhandled_exception() { error = std::current_exception(); }
        std::coroutine_handle<> continuation;
        std::optional<T> value;
        std::exception_ptr error;
    };
    using handle = std::coroutine_handle<promise_type>;

    explicit other_task(handle coroutine) noexcept : coroutine_(coroutine) {}
    other_task(other_task&& other) noexcept : coroutine_(std::exchange(other.coroutine_, nullptr)) {}
    other_task& operator=(other_task&&) = delete;
    ~other_task() {
        if (coroutine_) {
            coroutine_.destroy();
        }
    }

    struct awaiter_base {
        handle coroutine;
        bool await_ready() const noexcept { return coroutine.done(); }
        std::coroutine_handle<> await_suspend(std::coroutine_handle<> waiting) const noexcept {
            coroutine.promise().continuation = waiting;
            return coroutine;
        }
        T& get() const {
            if (coroutine.promise().error) {
                std::rethrow_exception(coroutine.promise().error);
            }
            return *coroutine.promise().value;
        }
    };
    auto operator co_await() const& noexcept {
        struct awaiter : awaiter_base {
            T& await_resume() const { return this->get(); }
        };
        return awaiter{{coroutine_}};
    }
    auto operator co_await() && noexcept {
        struct awaiter : awaiter_base {
            T&& await_resume() const { return std::move(this->get()); }
        };
        return awaiter{{coroutine_}};
    }

private:
    handle coroutine_;
};

} // namespace test
