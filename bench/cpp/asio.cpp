// bench/cpp/asio.cpp — Asio's coroutines as peers: asio::awaitable, and asio::experimental::coro, which takes values
// in. SPDX-License-Identifier: MIT
#include "suite.hpp"

#include <asio/awaitable.hpp>
#include <asio/co_spawn.hpp>
#include <asio/experimental/coro.hpp>
#include <asio/experimental/use_coro.hpp>
#include <asio/io_context.hpp>
#include <asio/post.hpp>
#include <asio/use_awaitable.hpp>

#include <exception>

namespace bench {
namespace {

constexpr long batch = 1000;

asio::awaitable<long> immediate(long value) { co_return value; }
asio::awaitable<long> awaits(long count) {
    long sum = 0;
    for (long i = 0; i < count; ++i) {
        sum += co_await immediate(1);
    }
    co_return sum;
}
asio::awaitable<long> chain_of(long depth) {
    if (depth <= 1) {
        co_return 1;
    }
    const long below = co_await chain_of(depth - 1);
    co_return 1 + below;
}
asio::awaitable<long> awaits_chains(long count) {
    long sum = 0;
    for (long i = 0; i < count; ++i) {
        sum += co_await chain_of(10);
    }
    co_return sum;
}

long run(asio::io_context& context, asio::awaitable<long> awaited) {
    long result = 0;
    asio::co_spawn(context, std::move(awaited), [&result](const std::exception_ptr& error, long value) {
        if (error) {
            std::rethrow_exception(error);
        }
        result = value;
    });
    context.run();
    context.restart();
    return result;
}

using echoing = asio::experimental::coro<int(int), void>;
using running = asio::experimental::coro<void, long>;

echoing echo(asio::io_context& /*executor*/) {
    int value = 0;
    while (true) {
        value = co_yield value;
    }
}
running sends(asio::io_context& context, long count) {
    echoing child = echo(context);
    long last = 0;
    for (long i = 0; i < count; ++i) {
        const auto got = co_await child(static_cast<int>(i));
        last = *got;
    }
    co_return last;
}
running immediate_coro(asio::io_context& /*executor*/, long value) { co_return value; }
running awaits_coro(asio::io_context& context, long count) {
    long sum = 0;
    for (long i = 0; i < count; ++i) {
        running child = immediate_coro(context, 1);
        sum += co_await child;
    }
    co_return sum;
}

long run(asio::io_context& context, running made) {
    long result = 0;
    made.async_resume([&result](const std::exception_ptr& error, long value) {
        if (error) {
            std::rethrow_exception(error);
        }
        result = value;
    });
    context.run();
    context.restart();
    return result;
}

template <class Make>
void add_batches(const char* name, const char* who, Make make) {
    add(name, who, [make](benchmark::State& state) {
        asio::io_context context(1);
        while (state.KeepRunningBatch(batch)) {
            benchmark::DoNotOptimize(run(context, make(context)));
        }
    });
}

} // namespace

void register_asio() {
    add_batches("life", "asio::awaitable", [](asio::io_context&) { return awaits(batch); });
    add_batches("life", "asio coro", [](asio::io_context& context) { return awaits_coro(context, batch); });
    add_batches("chain of 10", "asio::awaitable", [](asio::io_context&) { return awaits_chains(batch); });
    add_batches("send/0", "asio coro", [](asio::io_context& context) { return sends(context, batch); });
}

} // namespace bench
