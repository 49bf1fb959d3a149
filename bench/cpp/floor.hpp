// bench/cpp/floor.hpp — the least that C++20 allows: what Isthmus is compared with where no other library is.
// SPDX-License-Identifier: MIT
#pragma once

#include <coroutine>
#include <exception>
#include <utility>

namespace bench {

/// A handle that is resumed, and nothing else.
struct bare {
    struct promise_type {
        bare get_return_object() { return {std::coroutine_handle<promise_type>::from_promise(*this)}; }
        std::suspend_always initial_suspend() noexcept { return {}; }
        std::suspend_always final_suspend() noexcept { return {}; }
        void return_void() noexcept {}
        void unhandled_exception() noexcept { std::terminate(); }
    };
    std::coroutine_handle<promise_type> handle;
};

inline bare bare_loop() {
    while (true) {
        co_await std::suspend_always();
    }
}

/// The least promise that passes a value in and one out.
struct passing {
    struct promise_type {
        int* sent = nullptr;
        int* yielded = nullptr;

        struct exchange {
            promise_type& promise;
            explicit exchange(promise_type& of) noexcept : promise(of) {}
            bool await_ready() const noexcept { return false; }
            void await_suspend(std::coroutine_handle<>) const noexcept {}
            int await_resume() const noexcept { return *promise.sent; }
        };

        passing get_return_object() { return {std::coroutine_handle<promise_type>::from_promise(*this)}; }
        std::suspend_always initial_suspend() noexcept { return {}; }
        std::suspend_always final_suspend() noexcept { return {}; }
        exchange yield_value(int& value) noexcept {
            yielded = &value;
            return exchange(*this);
        }
        void return_void() noexcept {}
        void unhandled_exception() noexcept { std::terminate(); }
    };
    std::coroutine_handle<promise_type> handle;

    int send(int value) {
        handle.promise().sent = &value;
        handle.resume();
        return *handle.promise().yielded;
    }
};

inline passing passing_echo() {
    int value = 0;
    while (true) {
        value = co_yield value;
    }
}

/// The least task that can be awaited: lazy, started and ended by symmetric transfer, its frame from operator new.
struct least_task {
    struct promise_type {
        std::coroutine_handle<> awaiter = std::noop_coroutine();
        long value = 0;
        std::exception_ptr error;

        struct to_awaiter {
            bool await_ready() const noexcept { return false; }
            std::coroutine_handle<> await_suspend(std::coroutine_handle<promise_type> ended) const noexcept {
                return ended.promise().awaiter;
            }
            void await_resume() const noexcept {}
        };

        least_task get_return_object() { return least_task(std::coroutine_handle<promise_type>::from_promise(*this)); }
        std::suspend_always initial_suspend() noexcept { return {}; }
        to_awaiter final_suspend() noexcept { return {}; }
        void return_value(long given) noexcept { value = given; }
        void unhandled_exception() noexcept { error = std::current_exception(); }
    };

    explicit least_task(std::coroutine_handle<promise_type> made) noexcept : handle(made) {}
    least_task(least_task&& other) noexcept : handle(std::exchange(other.handle, nullptr)) {}
    least_task& operator=(least_task&&) = delete;
    ~least_task() {
        if (handle) {
            handle.destroy();
        }
    }

    bool await_ready() const noexcept { return false; }
    std::coroutine_handle<> await_suspend(std::coroutine_handle<> awaiter) const noexcept {
        handle.promise().awaiter = awaiter;
        return handle;
    }
    long await_resume() const {
        if (handle.promise().error) {
            std::rethrow_exception(handle.promise().error);
        }
        return handle.promise().value;
    }

    std::coroutine_handle<promise_type> handle;
};

} // namespace bench
