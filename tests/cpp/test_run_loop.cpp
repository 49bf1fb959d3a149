// tests/cpp/test_run_loop.cpp — tasks awaited by the coroutines of other libraries.
// SPDX-License-Identifier: MIT

#include "other_library.hpp"
#include "support.hpp"

#include <isthmus/isthmus.hpp>

#include <atomic>
#include <chrono>
#include <coroutine>
#include <exception>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace test_run_loop {
namespace {

using namespace std::chrono_literals;
using isthmus::as_awaitable;
using isthmus::run_loop;
using isthmus::task;

/// A coroutine type of another library, which starts at once and keeps its result.
template <class T>
class other_job {
public:
    struct promise_type {
        other_job get_return_object() { return other_job(std::coroutine_handle<promise_type>::from_promise(*this)); }
        std::suspend_never initial_suspend() const noexcept { return {}; }
        std::suspend_always final_suspend() const noexcept { return {}; }
        void return_value(T given) { value = std::move(given); }
        void unhandled_exception() { error = std::current_exception(); }
        std::optional<T> value;
        std::exception_ptr error;
    };
    other_job(other_job&& other) noexcept : coroutine_(std::exchange(other.coroutine_, nullptr)) {}
    other_job& operator=(other_job&&) = delete;
    ~other_job() {
        if (coroutine_) {
            coroutine_.destroy();
        }
    }
    bool done() const { return coroutine_.done(); }
    T get() {
        if (coroutine_.promise().error) {
            std::rethrow_exception(coroutine_.promise().error);
        }
        return std::move(*coroutine_.promise().value);
    }

private:
    explicit other_job(std::coroutine_handle<promise_type> coroutine) noexcept : coroutine_(coroutine) {}
    std::coroutine_handle<promise_type> coroutine_;
};

/// A loop on a thread of its own.
class running {
public:
    running() : thread_([this] { loop.run(); }) {}
    void join() {
        loop.finish();
        thread_.join();
    }
    std::thread::id id() const { return thread_.get_id(); }
    run_loop loop;

private:
    std::thread thread_;
};

task<std::unique_ptr<int>> nap(std::chrono::milliseconds time, int result) {
    co_await isthmus::sleep_for(time);
    co_return std::make_unique<int>(result);
}
task<> fail_later() {
    co_await isthmus::sleep_for(1ms);
    throw test::boom("later");
}
task<int> answer_of_thread(int value) {
    isthmus::completion<int> done;
    std::thread([callback = done.callback(), value] { callback(value); }).detach();
    co_return co_await done;
}

other_job<int> sum_of_naps(run_loop& loop) {
    const std::unique_ptr<int> first = co_await as_awaitable(loop, nap(1ms, 1));
    const std::unique_ptr<int> second = co_await as_awaitable(loop, nap(0ms, 2));
    const int third = co_await as_awaitable(loop, answer_of_thread(3));
    co_return *first + *second + third;
}

TEST(RunLoop, DrivesTasksForCoroutinesOfOtherLibraries) {
    running on;
    other_job<int> sum = sum_of_naps(on.loop);
    on.join(); // what they await later is waited for too
    ASSERT_TRUE(sum.done());
    EXPECT_EQ(sum.get(), 6);
}

other_job<bool> notes_thread(run_loop& loop, std::thread::id& seen) {
    bool failed = false;
    try {
        co_await as_awaitable(loop, fail_later());
    } catch (const test::boom&) {
        failed = true;
    }
    seen = std::this_thread::get_id();
    co_return failed;
}

TEST(RunLoop, ResumesThemOnItsThreadWithTheError) {
    running on;
    const std::thread::id expected = on.id();
    std::thread::id seen;
    other_job<bool> job = notes_thread(on.loop, seen);
    on.join();
    EXPECT_TRUE(job.get());
    EXPECT_EQ(seen, expected);
}

TEST(RunLoop, ReturnsAtOnceIfThereIsNothingToDo) {
    run_loop loop;
    loop.finish();
    loop.run();
}

TEST(RunLoop, ManyThreadsAwaitTasksOnOneLoop) {
    running on;
    std::vector<std::thread> threads;
    std::vector<other_job<int>> jobs[4];
    for (auto& mine : jobs) {
        threads.emplace_back([&mine, &on] {
            for (int i = 0; i < 100; ++i) {
                mine.push_back(sum_of_naps(on.loop));
            }
        });
    }
    for (std::thread& each : threads) {
        each.join();
    }
    on.join();
    int sum = 0;
    for (auto& mine : jobs) {
        for (auto& each : mine) {
            sum += each.get();
        }
    }
    EXPECT_EQ(sum, 4 * 100 * 6);
}

task<int> note_end(std::atomic<int>& over) {
    co_await isthmus::sleep_for(1ms);
    co_return ++over;
}
other_job<int> await_end(run_loop& loop, std::atomic<int>& over) {
    const int result = co_await as_awaitable(loop, note_end(over));
    over += 100;
    co_return result;
}

TEST(RunLoop, ACoroutineThatIsDestroyedMeanwhileIsNotResumed) {
    run_loop loop;
    std::atomic<int> over{0};
    { const other_job<int> dropped = await_end(loop, over); }
    loop.finish();
    loop.run();
    EXPECT_EQ(over, 1);
}

/// Both ways: a task awaits a coroutine of another library, which awaits a task.
test::other_task<int> await_task(run_loop& loop, int value) {
    co_return co_await as_awaitable(loop, answer_of_thread(value));
}
task<int> both_ways(run_loop& loop) {
    int sum = 0;
    for (int i = 0; i < 50; ++i) {
        sum += co_await await_task(loop, i);
    }
    co_return sum;
}

TEST(RunLoop, BothWays) {
    running on;
    EXPECT_EQ(isthmus::run(both_ways(on.loop)), 49 * 50 / 2);
    on.join();
}

} // namespace
} // namespace test_run_loop
