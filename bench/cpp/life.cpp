// bench/cpp/life.cpp — to make, await and destroy a child that ends at once; chains of ten; many that are alive at
// once. SPDX-License-Identifier: MIT
#include "coroutines.hpp"
#include "floor.hpp"
#include "suite.hpp"

#include <dlfcn.h>

#include <stdexcept>
#include <vector>

namespace bench {
namespace {

constexpr long batch = 1000; // children that one measured call makes

void bare_life(benchmark::State& state) {
    for (auto _ : state) {
        const bare made = bare_loop();
        benchmark::DoNotOptimize(made.handle.address());
        made.handle.resume();
        made.handle.destroy();
    }
}

least_task least_immediate(long value) { co_return value; }
least_task least_awaits(long count) {
    long sum = 0;
    for (long i = 0; i < count; ++i) {
        sum += co_await least_immediate(1);
    }
    co_return sum;
}
least_task least_chain(long depth) {
    if (depth <= 1) {
        co_return 1;
    }
    co_return 1 + co_await least_chain(depth - 1);
}
least_task least_awaits_chains(long count, long depth) {
    long sum = 0;
    for (long i = 0; i < count; ++i) {
        sum += co_await least_chain(depth);
    }
    co_return sum;
}
long run_least(const least_task& task) {
    task.handle.resume();
    return task.await_resume();
}

template <class Run>
void add_batches(const char* name, const char* who, Run run) {
    add(name, who, [run](benchmark::State& state) {
        while (state.KeepRunningBatch(batch)) {
            benchmark::DoNotOptimize(run());
        }
    });
}

/// The same loop in a shared library that is loaded as Python loads an extension module.
using in_library = long (*)(long count);
in_library load(const char* name) {
    static void* const library = dlopen(BENCH_LIFE_LIBRARY, RTLD_NOW | RTLD_LOCAL);
    if (library == nullptr) {
        throw std::runtime_error(dlerror());
    }
    return reinterpret_cast<in_library>(dlsym(library, name));
}

/// `count` coroutines are made and started, and then destroyed; the time is that of one.
void many_alive(benchmark::State& state, long count) {
    while (state.KeepRunningBatch(count)) {
        std::vector<exchanging> alive;
        alive.reserve(static_cast<std::size_t>(count));
        for (long i = 0; i < count; ++i) {
            alive.push_back(echo());
            alive.back().send();
        }
    }
}
void many_least(benchmark::State& state, long count) {
    while (state.KeepRunningBatch(count)) {
        std::vector<passing> alive;
        alive.reserve(static_cast<std::size_t>(count));
        for (long i = 0; i < count; ++i) {
            alive.push_back(passing_echo());
            alive.back().handle.resume();
        }
        for (const passing& each : alive) {
            each.handle.destroy();
        }
    }
}

} // namespace

void register_life() {
    add("life", "bare handle", bare_life);
    add_batches("life", "least task", [] { return run_least(least_awaits(batch)); });
    add_batches("life", "isthmus", [] { return isthmus::run(awaits(batch)); });
    add_batches("life", "isthmus, malloc", [] { return isthmus::run(awaits_by_malloc(batch)); });
    const in_library recycled = load("awaits_in_library");
    const in_library by_malloc = load("awaits_by_malloc_in_library");
    add_batches("life", "isthmus, library", [recycled] { return recycled(batch); });
    add_batches("life", "isthmus, library, malloc", [by_malloc] { return by_malloc(batch); });

    add_batches("chain of 10", "least task", [] { return run_least(least_awaits_chains(batch, 10)); });
    add_batches("chain of 10", "isthmus", [] { return isthmus::run(awaits_chains(batch, 10)); });

    for (const long count : {1L, 100L, 10'000L, 100'000L, 1'000'000L}) {
        add(at("alive", count), "isthmus", [count](benchmark::State& state) { many_alive(state, count); });
        add(at("alive", count), "least promise", [count](benchmark::State& state) { many_least(state, count); });
    }
}

} // namespace bench
