// bench/cpp/context.cpp — Boost.Context's fibers as peers: coroutines with stacks of their own.
// SPDX-License-Identifier: MIT
#include "suite.hpp"

#include <boost/context/fiber.hpp>
#include <boost/context/pooled_fixedsize_stack.hpp>

#include <memory>
#include <stdexcept>
#include <utility>

namespace bench {
namespace {

namespace context = boost::context;

/// A fiber that yields what it is sent, through a variable of its driver.
context::fiber echo(int& value) {
    return context::fiber([&value](context::fiber&& driver) {
        int own = 0;
        while (true) {
            value = own;
            driver = std::move(driver).resume();
            own = value;
        }
        return std::move(driver);
    });
}

void send(benchmark::State& state) {
    int value = 0;
    context::fiber fiber = echo(value);
    fiber = std::move(fiber).resume();
    for (auto _ : state) {
        fiber = std::move(fiber).resume();
        benchmark::DoNotOptimize(value);
    }
}

void life(benchmark::State& state) {
    context::pooled_fixedsize_stack stacks;
    long sum = 0;
    for (auto _ : state) {
        context::fiber fiber(std::allocator_arg, stacks, [&sum](context::fiber&& driver) {
            ++sum;
            return std::move(driver);
        });
        fiber = std::move(fiber).resume();
    }
    benchmark::DoNotOptimize(sum);
}

/// An exception is thrown on the fiber's stack, caught there, and the fiber goes on.
void throw_to_leaf(benchmark::State& state) {
    context::fiber fiber([](context::fiber&& driver) {
        while (true) {
            try {
                driver = std::move(driver).resume();
            } catch (const std::pair<std::runtime_error, std::shared_ptr<context::fiber>>& thrown) {
                driver = std::move(*thrown.second);
            }
        }
        return std::move(driver);
    });
    fiber = std::move(fiber).resume();
    for (auto _ : state) {
        fiber = std::move(fiber).resume_with([](context::fiber&& driver) -> context::fiber {
            throw std::pair(std::runtime_error("thrown in"), std::make_shared<context::fiber>(std::move(driver)));
        });
    }
}

} // namespace

void register_context() {
    add("send/0", "Boost.Context", send);
    add("life", "Boost.Context", life);
    add("throw to leaf/0", "Boost.Context", throw_to_leaf);
}

} // namespace bench
