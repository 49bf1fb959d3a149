// bench/core.cpp — what a resume and a life of a C++ coroutine cost, beside the least that C++20 allows.
// SPDX-License-Identifier: MIT
#include <isthmus/isthmus.hpp>

#include <benchmark/benchmark.h>

#include <coroutine>
#include <exception>
#include <utility>

namespace {

// ---- the floor: a handle that is resumed, and the least promise that passes a value in and one out ----

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

bare bare_loop() {
    while (true) {
        co_await std::suspend_always();
    }
}

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

passing passing_echo() {
    int value = 0;
    while (true) {
        value = co_yield value;
    }
}

// ---- Isthmus ----

isthmus::coroutine<void, int, int> echo() {
    int value = 0;
    while (true) {
        value = co_yield value;
    }
}

isthmus::coroutine<void, int, int> nested(long depth) {
    if (depth == 0) {
        co_await echo();
    } else {
        co_await nested(depth - 1);
    }
}

isthmus::coroutine<int> immediate(int value) { co_return value; }

isthmus::coroutine<long> awaits(long count) {
    long sum = 0;
    for (long i = 0; i < count; ++i) {
        sum += co_await immediate(1);
    }
    co_return sum;
}

void handle_resume(benchmark::State& state) {
    const bare loop = bare_loop();
    for (auto _ : state) {
        loop.handle.resume();
    }
    loop.handle.destroy();
}
BENCHMARK(handle_resume);

void handle_exchange(benchmark::State& state) {
    passing loop = passing_echo();
    loop.handle.resume();
    int value = 0;
    for (auto _ : state) {
        benchmark::DoNotOptimize(value = loop.send(value));
    }
    loop.handle.destroy();
}
BENCHMARK(handle_exchange);

void isthmus_send(benchmark::State& state) {
    auto chain = state.range(0) == 0 ? echo() : nested(static_cast<long>(state.range(0)) - 1);
    chain.send();
    int value = 0;
    for (auto _ : state) {
        benchmark::DoNotOptimize(value = chain.send(value).yielded());
    }
}
BENCHMARK(isthmus_send)->Arg(0)->Arg(1000)->Arg(1000000);

// The same, erased: driven through an any_coroutine, and with an any_coroutine halfway down the chain.
isthmus::coroutine<void, int, int> nested_around(long depth, isthmus::any_coroutine<void, int, int> inner) {
    if (depth == 0) {
        co_await inner;
    } else {
        co_await nested_around(depth - 1, std::move(inner));
    }
}

void isthmus_send_erased(benchmark::State& state) {
    isthmus::any_coroutine<void, int, int> erased = echo();
    erased.send();
    int value = 0;
    for (auto _ : state) {
        benchmark::DoNotOptimize(value = erased.send(value).yielded());
    }
}
BENCHMARK(isthmus_send_erased);

void isthmus_send_through_erased(benchmark::State& state) {
    auto chain = nested_around(static_cast<long>(state.range(0)), nested(static_cast<long>(state.range(0))));
    chain.send();
    int value = 0;
    for (auto _ : state) {
        benchmark::DoNotOptimize(value = chain.send(value).yielded());
    }
}
BENCHMARK(isthmus_send_through_erased)->Arg(0)->Arg(1000);

// As many children are made, awaited and destroyed as the benchmark asks for iterations.
void isthmus_create_await_destroy(benchmark::State& state) {
    while (state.KeepRunningBatch(1000)) {
        benchmark::DoNotOptimize(isthmus::run(awaits(1000)));
    }
}
BENCHMARK(isthmus_create_await_destroy);

void handle_create_destroy(benchmark::State& state) {
    for (auto _ : state) {
        const bare made = bare_loop();
        benchmark::DoNotOptimize(made.handle.address());
        made.handle.resume();
        made.handle.destroy();
    }
}
BENCHMARK(handle_create_destroy);

} // namespace
