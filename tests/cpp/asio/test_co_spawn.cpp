// tests/cpp/asio/test_co_spawn.cpp — tasks on Asio's executors, and beside its own coroutines.
// SPDX-License-Identifier: MIT

#include "support.hpp"

#include <array>
#include <fcntl.h>
#include <numeric>
#include <unistd.h>
#include <vector>

namespace {

using namespace test;
using isthmus::asio::co_spawn;

task<int> nap(std::chrono::milliseconds time, int result) {
    co_await isthmus::sleep_for(time);
    co_return result;
}
task<> fail(std::string text) {
    co_await isthmus::sleep_for(1ms);
    throw boom(text);
}

// ---- completion tokens ----

TEST(CoSpawn, TellsACallback) {
    asio::io_context io;
    ended<int> result;
    co_spawn(io, nap(1ms, 5), result.handler());
    EXPECT_FALSE(result.done());
    io.run();
    EXPECT_EQ(result.get(), 5);
    std::exception_ptr error;
    co_spawn(io.get_executor(), fail("callback"), [&error](std::exception_ptr e) { error = e; });
    io.restart();
    io.run();
    EXPECT_EQ(caught<boom>(error), "callback");
}

task<int> at_once(std::vector<int>& order) {
    order.push_back(1);
    co_return 0;
}

TEST(CoSpawn, BeginsAndEndsAfterTheCall) {
    asio::io_context io;
    std::vector<int> order;
    asio::post(io, [&] {
        co_spawn(io, at_once(order), [&](std::exception_ptr, int) { order.push_back(2); });
        order.push_back(0);
    });
    io.run();
    EXPECT_EQ(order, (std::vector{0, 1, 2}));
}

TEST(CoSpawn, GivesAFuture) {
    context_thread other;
    EXPECT_EQ(co_spawn(other.io, nap(1ms, 6), asio::use_future).get(), 6);
    EXPECT_ERROR(co_spawn(other.io, fail("future"), asio::use_future).get(), boom, "future");
}

TEST(CoSpawn, CanBeDetached) {
    asio::io_context io;
    int living = 0;
    const auto body = [](int& count) -> task<> {
        const counted alive(count);
        co_await nap(1ms, 0);
    };
    co_spawn(io, body(living), asio::detached);
    io.run_one();
    EXPECT_EQ(living, 1);
    io.run();
    EXPECT_EQ(living, 0);
}

task<std::unique_ptr<int>> make_unique_later(int value) {
    co_await nap(1ms, 0);
    co_return std::make_unique<int>(value);
}
task<int> await_spawned() {
    const auto executor = co_await isthmus::asio::this_executor();
    const std::unique_ptr<int> value = co_await co_spawn(executor, make_unique_later(7), use_coroutine);
    try {
        co_await co_spawn(executor, fail("spawned"), use_coroutine);
    } catch (const boom& error) {
        co_return error.what() == std::string("spawned") ? *value : 0;
    }
    co_return 0;
}

TEST(CoSpawn, CanBeAwaitedByATask) {
    asio::io_context io;
    EXPECT_EQ(run_on(io, await_spawned()), 7);
}

task<> ask_for_executor() { co_await isthmus::asio::this_executor(); }

TEST(CoSpawn, ThisExecutorIsOnlyThatOfASpawnedTask) {
    EXPECT_ERROR(isthmus::run(ask_for_executor()), isthmus::unsupported_operation,
                 "isthmus: whoever drives this task is no Asio executor");
}

TEST(CoSpawn, DestroysTheFrameBeforeItTellsTheResult) {
    asio::io_context io;
    int living = 0;
    int seen = -1;
    const auto body = [](int& count) -> task<int> {
        const counted alive(count);
        co_return co_await nap(1ms, 1);
    };
    co_spawn(io, body(living), [&](std::exception_ptr, int) { seen = living; });
    io.run();
    EXPECT_EQ(seen, 0);
}

// ---- what the executor lends ----

TEST(CoSpawn, Sleeps) {
    asio::io_context io;
    std::vector<int> order;
    for (const int time : {3, 1, 2}) {
        co_spawn(io, nap(time * 5ms, time), [&](std::exception_ptr, int result) { order.push_back(result); });
    }
    const auto before = std::chrono::steady_clock::now();
    io.run();
    EXPECT_EQ(order, (std::vector{1, 2, 3}));
    EXPECT_GE(std::chrono::steady_clock::now() - before, 15ms);
}

task<int> several_at_once() {
    const auto [a, b] = co_await isthmus::when_all(nap(2ms, 1), nap(1ms, 2));
    const auto first = co_await isthmus::race(nap(1h, 1), nap(1ms, 2));
    int errors = 0;
    try {
        co_await isthmus::with_timeout(1ms, nap(1h, 0));
    } catch (const isthmus::timed_out&) {
        ++errors;
    }
    auto body = [](isthmus::task_group& group) -> task<> {
        group.start(nap(1h, 0));
        group.start(fail("one"));
        co_await nap(1h, 0);
    };
    try {
        co_await isthmus::with_task_group(body);
    } catch (const isthmus::exception_group& group) {
        errors += static_cast<int>(group.errors().size());
    }
    co_return a + b + std::get<1>(first) + errors;
}

TEST(CoSpawn, RunsSeveralAtOnce) {
    asio::io_context io;
    EXPECT_EQ(run_on(io, several_at_once()), 1 + 2 + 2 + 2);
}

task<int> answer_of_thread(std::thread& thread) {
    isthmus::completion<int> done;
    thread = std::thread([callback = done.callback()] {
        std::this_thread::sleep_for(2ms);
        callback(42);
    });
    co_return co_await done;
}

TEST(CoSpawn, KeepsItsContextRunningWhileItWaits) {
    asio::io_context io;
    std::thread thread;
    EXPECT_EQ(run_on(io, answer_of_thread(thread)), 42);
    thread.join();
}

task<char> read_byte(int descriptor) {
    co_await isthmus::readable(descriptor);
    char byte = 0;
    EXPECT_EQ(::read(descriptor, &byte, 1), 1);
    co_return byte;
}
task<int> both_ends(int read, int write) {
    int rounds = 0;
    for (int i = 0; i < 3; ++i) {
        co_await isthmus::writable(write);
        auto send = [](int end) -> task<> {
            co_await nap(1ms, 0);
            EXPECT_EQ(::write(end, "ab", 2), 2);
        };
        auto [a, b, none] = co_await isthmus::when_all(read_byte(read), read_byte(read), send(write));
        rounds += a + b == 'a' + 'b' ? 1 : 0;
        try {
            co_await isthmus::with_timeout(1ms, read_byte(read));
        } catch (const isthmus::timed_out&) {
            ++rounds;
        }
    }
    co_return rounds;
}

TEST(CoSpawn, WaitsForDescriptors) {
    int ends[2];
    ASSERT_EQ(::pipe(ends), 0);
    asio::io_context io;
    EXPECT_EQ(run_on(io, both_ends(ends[0], ends[1])), 6);
    EXPECT_EQ(::fcntl(ends[0], F_GETFL) & O_NONBLOCK, 0); // as it was
    EXPECT_EQ(run_on(io, both_ends(ends[0], ends[1])), 6);
    ::close(ends[0]);
    ::close(ends[1]);
    EXPECT_THROW(run_on(io, read_byte(ends[0])), std::system_error);
}

// ---- cancelling ----

task<int> until_cancelled(std::vector<std::string>& log) {
    try {
        co_await nap(1h, 0);
    } catch (const isthmus::cancelled&) {
        log.push_back("cancelled");
    }
    co_await nap(1ms, 0); // cleaning up
    log.push_back("over");
    co_return 3;
}

TEST(CoSpawn, IsCancelledByTheTokensSlot) {
    asio::io_context io;
    std::vector<std::string> log;
    asio::cancellation_signal cancel;
    ended<int> result;
    co_spawn(io, until_cancelled(log), asio::bind_cancellation_slot(cancel.slot(), result.handler()));
    io.poll();
    cancel.emit(asio::cancellation_type::total);
    io.run();
    EXPECT_EQ(log, (std::vector<std::string>{"cancelled", "over"}));
    EXPECT_EQ(result.get(), 3);
    cancel.emit(asio::cancellation_type::total); // it is over
}

task<> cancels_itself(asio::cancellation_signal& cancel, bool& seen) {
    cancel.emit(asio::cancellation_type::terminal); // for its next co_await
    try {
        co_await nap(1h, 0);
    } catch (const isthmus::cancelled&) {
        seen = true;
        throw;
    }
}

TEST(CoSpawn, CanCancelItself) {
    asio::io_context io;
    asio::cancellation_signal cancel;
    bool seen = false;
    std::exception_ptr error;
    co_spawn(io, cancels_itself(cancel, seen),
             asio::bind_cancellation_slot(cancel.slot(), [&](std::exception_ptr e) { error = e; }));
    io.run();
    EXPECT_TRUE(seen);
    ASSERT_NE(error, nullptr);
    EXPECT_THROW(std::rethrow_exception(error), isthmus::cancelled);
}

task<int> cancel_the_awaited() {
    const auto executor = co_await isthmus::asio::this_executor();
    std::vector<std::string> log;
    const auto spawned = [](const asio::any_io_executor& on, std::vector<std::string>& to) -> task<int> {
        co_return co_await co_spawn(on, until_cancelled(to), use_coroutine);
    };
    try {
        co_await isthmus::with_timeout(1ms, spawned(executor, log));
    } catch (const isthmus::timed_out&) {
        co_return static_cast<int>(log.size()); // it went on when the other task was over
    }
    co_return -1;
}

TEST(CoSpawn, CancellingATaskCancelsTheSpawnedOneThatItAwaits) {
    asio::io_context io;
    EXPECT_EQ(run_on(io, cancel_the_awaited()), 2);
}

// ---- Asio's own coroutines ----

asio::awaitable<int> asio_nap(std::chrono::milliseconds time, int result) {
    asio::steady_timer timer(co_await asio::this_coro::executor, time);
    co_await timer.async_wait(asio::use_awaitable);
    if (result < 0) {
        throw boom("awaitable");
    }
    co_return result;
}
asio::awaitable<int> await_tasks() {
    const auto executor = co_await asio::this_coro::executor;
    int sum = co_await co_spawn(executor, nap(1ms, 1), asio::use_awaitable);
    try {
        co_await co_spawn(executor, fail("task"), asio::use_awaitable);
    } catch (const boom&) {
        sum += 10;
    }
    using namespace asio::experimental::awaitable_operators;
    const auto first = co_await (co_spawn(executor, nap(1h, 1), asio::use_awaitable) || asio_nap(1ms, 100));
    co_return sum + std::get<1>(first);
}

TEST(CoSpawn, IsAwaitedByAsiosCoroutines) {
    asio::io_context io;
    auto result = asio::co_spawn(io, await_tasks(), asio::use_future);
    io.run(); // which would last an hour if the task were not cancelled
    EXPECT_EQ(result.get(), 111);
}

task<int> await_awaitables() {
    const auto executor = co_await isthmus::asio::this_executor();
    int sum = co_await asio::co_spawn(executor, asio_nap(1ms, 1), use_coroutine);
    try {
        co_await asio::co_spawn(executor, asio_nap(1ms, -1), use_coroutine);
    } catch (const boom&) {
        sum += 10;
    }
    const auto forever = [](const asio::any_io_executor& on) -> task<int> {
        co_return co_await asio::co_spawn(on, asio_nap(1h, 1), use_coroutine);
    };
    try {
        co_await isthmus::with_timeout(1ms, forever(executor));
    } catch (const isthmus::timed_out&) {
        sum += 100;
    }
    co_return sum;
}

TEST(CoSpawn, AwaitsAsiosCoroutines) {
    asio::io_context io;
    EXPECT_EQ(run_on(io, await_awaitables()), 111);
}

// ---- the context is destroyed ----

task<> read_for_ever(stream_protocol::socket socket, int& living) {
    const counted alive(living);
    std::array<char, 16> bytes;
    co_await asio::async_read(socket, asio::buffer(bytes), use_coroutine);
}
task<> wait_in_many_ways(stream_protocol::socket first, stream_protocol::socket second, int descriptor, int& living,
                         isthmus::completion<int> never) {
    const counted alive(living);
    const auto readable = [](int end) -> task<> { co_await isthmus::readable(end); };
    const auto wait = [](isthmus::completion<int> awaited) -> task<int> { co_return co_await awaited; };
    co_await isthmus::when_all(read_for_ever(std::move(first), living), read_for_ever(std::move(second), living),
                               nap(1h, 0), readable(descriptor), wait(std::move(never)));
}

task<> own_one_by_hand(stream_protocol::socket socket, std::promise<void>& started, int& living) {
    const counted alive(living);
    task<> reads = read_for_ever(std::move(socket), living);
    isthmus::detail::poll_reactor reactor;
    reads.send().yielded().start(reactor, isthmus::waker());
    started.set_value();
    co_await nap(1h, 0);
}

TEST(CoSpawn, WhatATaskDrivesByHandGoesWithItsContext) {
    int living = 0;
    {
        asio::thread_pool pool(1);
        const auto strand = asio::make_strand(pool);
        auto [socket, peer] = connected(asio::any_io_executor(strand));
        std::promise<void> started;
        co_spawn(strand, own_one_by_hand(std::move(socket), started, living), asio::detached);
        started.get_future().get();
        pool.stop();
        pool.join(); // from here on nobody calls a handler
        EXPECT_EQ(living, 2);
    }
    EXPECT_EQ(living, 0);
}

TEST(CoSpawn, NothingIsLeftWhenItsContextIsDestroyed) {
    int ends[2];
    ASSERT_EQ(::pipe(ends), 0);
    int living = 0;
    bool called = false;
    for (const bool spawn_first : {false, true}) { // the services of Asio are shut down in the reverse order
        isthmus::completion<int> never;
        const auto callback = never.callback();
        {
            asio::io_context io;
            if (spawn_first) {
                co_spawn(io, nap(0ms, 1), asio::detached);
            }
            auto [a, b] = connected(io.get_executor());
            co_spawn(io, wait_in_many_ways(std::move(a), std::move(b), ends[0], living, std::move(never)),
                     [&](std::exception_ptr) { called = true; });
            co_spawn(io, nap(1h, 1), asio::detached);
            io.poll();
            co_spawn(io, nap(1h, 1), asio::detached); // which has not begun
            EXPECT_EQ(living, 3);
        }
        EXPECT_EQ(living, 0);
        callback(1); // too late
    }
    EXPECT_FALSE(called);
    ::close(ends[0]);
    ::close(ends[1]);
}

// ---- many, and many threads ----

task<int> ping_pong(stream_protocol::socket one, stream_protocol::socket other, int rounds) {
    auto echo = [](stream_protocol::socket& socket, int times) -> task<> {
        char byte[1];
        for (int i = 0; i < times; ++i) {
            co_await asio::async_read(socket, asio::buffer(byte), use_coroutine);
            co_await asio::async_write(socket, asio::buffer(byte), use_coroutine);
        }
    };
    auto send = [](stream_protocol::socket& socket, int times) -> task<int> {
        int sum = 0;
        for (int i = 0; i < times; ++i) {
            char byte[1] = {static_cast<char>(i % 100)};
            co_await asio::async_write(socket, asio::buffer(byte), use_coroutine);
            co_await asio::async_read(socket, asio::buffer(byte), use_coroutine);
            sum += byte[0];
        }
        co_return sum;
    };
    const auto [none, sum] = co_await isthmus::when_all(echo(one, rounds), send(other, rounds));
    co_return sum;
}

TEST(CoSpawn, RunsAThousandTasks) {
    asio::io_context io{1};
    int sum = 0;
    for (int i = 0; i < 100; ++i) {
        auto [one, other] = connected(io.get_executor());
        co_spawn(io, ping_pong(std::move(one), std::move(other), 20),
                 [&](std::exception_ptr error, int result) { sum += error ? 1'000'000 : result; });
    }
    for (int i = 0; i < 1000; ++i) {
        co_spawn(io, nap(std::chrono::milliseconds(i % 10), 1), [&](std::exception_ptr, int one) { sum += one; });
    }
    io.run();
    EXPECT_EQ(sum, 100 * 190 + 1000);
}

TEST(CoSpawn, RunsOnStrandsOfAThreadPool) {
    asio::thread_pool pool(4);
    std::atomic<int> sum{0};
    for (int i = 0; i < 50; ++i) {
        const auto strand = asio::make_strand(pool);
        auto [one, other] = connected(strand);
        co_spawn(strand, ping_pong(std::move(one), std::move(other), 20),
                 [&](std::exception_ptr error, int result) { sum += error ? 1'000'000 : result; });
        co_spawn(strand, several_at_once(), [&](std::exception_ptr error, int result) { sum += error ? 1 : result; });
    }
    pool.join();
    EXPECT_EQ(sum, 50 * (190 + 7));
}

/// From the main thread, with signals that are emitted on the strand of each: they race with what ends.
TEST(CoSpawn, IsCancelledOnAThreadPoolWhileItEnds) {
    asio::thread_pool pool(4);
    std::atomic<int> over{0};
    std::vector<std::unique_ptr<asio::cancellation_signal>> signals;
    for (int i = 0; i < 300; ++i) {
        const auto strand = asio::make_strand(pool);
        auto [one, other] = connected(strand);
        auto& cancel = *signals.emplace_back(std::make_unique<asio::cancellation_signal>());
        co_spawn(strand, ping_pong(std::move(one), std::move(other), i % 10),
                 asio::bind_cancellation_slot(cancel.slot(), [&](std::exception_ptr, int) { ++over; }));
        asio::post(strand, [&cancel] { cancel.emit(asio::cancellation_type::terminal); });
    }
    pool.join();
    EXPECT_EQ(over, 300);
}

} // namespace
