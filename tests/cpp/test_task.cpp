// tests/cpp/test_task.cpp — tasks, the operations that they wait for, and run().
// SPDX-License-Identifier: MIT

#include "fake_driver.hpp"
#include "support.hpp"

#include <isthmus/isthmus.hpp>

#include <chrono>
#include <future>
#include <memory>
#include <string>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>
#include <utility>
#include <vector>

namespace test_task {
namespace {

using namespace std::chrono_literals;
using isthmus::task;
using test::driven;

task<int> nap(std::chrono::milliseconds time, int result) {
    co_await isthmus::sleep_for(time);
    co_return result;
}

TEST(Task, SleepsByTheDriversClock) {
    driven<int> nine(nap(10ms, 9));
    nine.start();
    EXPECT_FALSE(nine.done());
    nine.advance(9ms);
    EXPECT_FALSE(nine.done());
    nine.advance(1ms);
    ASSERT_TRUE(nine.done());
    EXPECT_EQ(nine.result(), 9);
}

TEST(Task, DoesNotWaitForWhatIsOver) {
    driven<int> at_once(nap(0ms, 1));
    at_once.start();
    EXPECT_TRUE(at_once.done());
}

task<int> sum_of_naps() {
    const int first = co_await nap(5ms, 1);
    const int second = co_await nap(5ms, 2);
    co_return first + second;
}

TEST(Task, AwaitsTasks) {
    driven<int> sum(sum_of_naps());
    sum.start();
    sum.advance(5ms);
    EXPECT_FALSE(sum.done());
    sum.advance(5ms);
    EXPECT_EQ(sum.result(), 3);
}

task<std::string> note_cancellation() {
    std::string seen;
    try {
        co_await isthmus::sleep_for(1h);
    } catch (const isthmus::cancelled&) {
        seen = "cancelled";
    }
    co_return seen;
}

TEST(Task, SeesItsCancellationWhereItWaits) {
    driven<std::string> noted(note_cancellation());
    noted.start();
    EXPECT_EQ(noted.reactor.timers(), 1U);
    noted.cancel();
    EXPECT_EQ(noted.result(), "cancelled");
    EXPECT_EQ(noted.reactor.timers(), 0U);
}

TEST(Task, LeavesNothingBehindWhenItIsDestroyedInFlight) {
    test::fake_reactor reactor;
    const auto target = std::make_shared<test::fake_target>();
    {
        task<int> sleeper = nap(1h, 1);
        isthmus::pending waits = sleeper.send().yielded();
        EXPECT_FALSE(waits.start(reactor, isthmus::waker(target, 1)));
        EXPECT_EQ(reactor.timers(), 1U);
    }
    EXPECT_EQ(reactor.timers(), 0U);
    EXPECT_EQ(target.use_count(), 1);
}

TEST(Task, LeavesNothingBehindWhenItIsClosedInFlight) {
    driven<int> sleeper(nap(1h, 1));
    sleeper.start();
    sleeper.body().close();
    EXPECT_EQ(sleeper.reactor.timers(), 0U);
}

TEST(Task, IsNotResumedBeforeItsOperationIsStarted) {
    task<int> sleeper = nap(1h, 1);
    sleeper.send();
    EXPECT_ERROR(sleeper.send(), isthmus::operation_not_started,
                 "a task was resumed, but the operation that it waits for was not started");
}

TEST(Task, CanBeCancelledBeforeItsOperationIsStarted) {
    task<int> sleeper = nap(1h, 1);
    sleeper.send();
    EXPECT_THROW(sleeper.throw_(isthmus::cancelled()), isthmus::cancelled);
}

task<> wait_for_descriptor() { co_await isthmus::readable(0); }

TEST(Task, IsToldWhatItsDriverCannotDo) {
    driven<void> waits(wait_for_descriptor());
    waits.start();
    ASSERT_TRUE(waits.done());
    EXPECT_EQ(test::caught<isthmus::unsupported_operation>(waits.error()),
              "isthmus: whoever drives this task cannot wait for file descriptors");
}

/// An operation that ends only when the test says so, also after it was cancelled.
class slow_operation {
public:
    struct control {
        isthmus::waker wake;
        int starts = 0;
        int cancels = 0;
        bool alive = false;
        bool over = false;
        void end() {
            over = true;
            wake();
        }
    };
    explicit slow_operation(control& by) noexcept : by_(by) { by_.alive = true; }
    slow_operation(const slow_operation&) = delete;
    slow_operation& operator=(const slow_operation&) = delete;
    ~slow_operation() { by_.alive = false; }

    bool start(isthmus::reactor&, isthmus::waker wake) {
        ++by_.starts;
        by_.wake = std::move(wake);
        return by_.over;
    }
    bool cancel() noexcept {
        ++by_.cancels;
        return false;
    }
    int result() const { return 7; }

private:
    control& by_;
};
static_assert(isthmus::operation<slow_operation>);
static_assert(isthmus::is_awaitable_v<slow_operation>);
static_assert(!isthmus::operation<int>);

task<int> wait_slowly(slow_operation::control& by) { co_return co_await slow_operation(by); }

TEST(Task, WaitsUntilACancelledOperationIsOver) {
    slow_operation::control control;
    driven<int> slow(wait_slowly(control));
    slow.start();
    slow.cancel();
    EXPECT_FALSE(slow.done());
    EXPECT_TRUE(control.alive);
    EXPECT_EQ(control.starts, 2); // once more, for the new waker
    control.end();
    slow.resume_if_woken();
    ASSERT_TRUE(slow.done());
    EXPECT_THROW(slow.result(), isthmus::cancelled); // cancellation wins over the result
    EXPECT_FALSE(control.alive);
}

TEST(Task, RaisesTheLatestErrorWhenCancelledTwice) {
    slow_operation::control control;
    driven<int> slow(wait_slowly(control));
    slow.start();
    slow.cancel();
    slow.throw_in(std::make_exception_ptr(test::boom("second")));
    EXPECT_EQ(control.cancels, 1);
    control.end();
    slow.resume_if_woken();
    EXPECT_ERROR(slow.result(), test::boom, "second");
}

TEST(Task, IgnoresAnOldWake) {
    slow_operation::control control;
    driven<int> slow(wait_slowly(control));
    slow.start();
    isthmus::waker old = std::move(control.wake);
    slow.cancel();
    old();
    EXPECT_FALSE(slow.target->woken);
    control.end();
    EXPECT_TRUE(slow.target->woken);
}

TEST(Task, DestroysTheOperationWithItself) {
    slow_operation::control control;
    {
        driven<int> slow(wait_slowly(control));
        slow.start();
    }
    EXPECT_FALSE(control.alive);
    EXPECT_EQ(control.cancels, 0);
}

// ---- what outlasts its task ----

/// An operation that cannot end at once, nor wait for its end.
class outlasting_operation {
public:
    struct control {
        isthmus::waker wake;
        std::vector<std::shared_ptr<void>> frames;
        bool cancelled = false;
        bool over = false;
        void end() {
            over = true;
            wake();
            for (auto left = std::exchange(frames, {}); !left.empty();) {
                left.pop_back();
            }
        }
    };
    explicit outlasting_operation(control& by) noexcept : by_(by) {}
    bool start(isthmus::reactor&, isthmus::waker wake) {
        by_.wake = std::move(wake);
        return by_.over;
    }
    bool cancel() noexcept {
        by_.cancelled = true;
        return by_.over;
    }
    bool outlasts() noexcept { return !cancel(); }
    void keep(const std::shared_ptr<void>& frames) noexcept { by_.frames.push_back(frames); }
    int result() const { return 7; }

private:
    control& by_;
};

class noting_end {
public:
    noting_end(std::string& log, const char* what) : log_(log), what_(what) {}
    ~noting_end() { log_ += what_; }
    noting_end(const noting_end&) = delete;
    noting_end& operator=(const noting_end&) = delete;

private:
    std::string& log_;
    const char* what_;
};

task<int> outlasted(outlasting_operation::control& by, std::string& log, const char* name) {
    const noting_end note(log, name);
    co_return co_await outlasting_operation(by);
}
task<int> await_outlasted(outlasting_operation::control& by, std::string& log) {
    const noting_end note(log, "outer ");
    co_return co_await outlasted(by, log, "inner ");
}
using erased_task = isthmus::any_coroutine<int, isthmus::pending>;
task<int> await_erased(erased_task& inner, std::string& log) {
    const noting_end note(log, "outer ");
    co_return co_await inner;
}
task<int> await_erased_twice(outlasting_operation::control& by, std::string& log) {
    const noting_end note(log, "outer ");
    erased_task inner(outlasted(by, log, "inner "));
    erased_task outer(std::ref(inner));
    co_return co_await outer;
}
task<int> await_own_erased(outlasting_operation::control& by, std::string& log) {
    const noting_end note(log, "outer ");
    erased_task inner(outlasted(by, log, "inner "));
    co_return co_await inner;
}
task<> sleep_and_note(std::string& log) {
    const noting_end note(log, "slept ");
    co_await isthmus::sleep_for(1h);
}
task<int> await_two(outlasting_operation::control& first, outlasting_operation::control& second, std::string& log) {
    const noting_end note(log, "outer ");
    auto [a, b, c] = co_await isthmus::when_all(outlasted(first, log, "first "), outlasted(second, log, "second "),
                                                sleep_and_note(log));
    co_return a + b;
}

TEST(Outlasted, FramesLiveUntilTheOperationIsOver) {
    for (const auto function : {&await_outlasted, &await_own_erased, &await_erased_twice}) {
        outlasting_operation::control control;
        std::string log;
        {
            driven<int> waits(function(control, log));
            waits.start();
        }
        EXPECT_TRUE(control.cancelled);
        EXPECT_EQ(log, "");
        control.end();
        EXPECT_EQ(log, "inner outer ");
    }
}

TEST(Outlasted, AParentLivesUntilTheLastOfItsChildrenIsOver) {
    outlasting_operation::control first;
    outlasting_operation::control second;
    std::string log;
    {
        driven<int> waits(await_two(first, second, log));
        waits.start();
        EXPECT_EQ(waits.reactor.timers(), 1U);
    }
    EXPECT_EQ(log, "slept "); // what the driver has lent is not needed any more
    second.end();
    EXPECT_EQ(log, "slept ");
    first.end();
    EXPECT_EQ(log, "slept first second outer ");
}

TEST(Outlasted, ATaskThatSomebodyElseOwnsComesBeforeItsAwaiter) {
    outlasting_operation::control control;
    std::string log;
    {
        erased_task inner(outlasted(control, log, "inner "));
        driven<int> waits(await_erased(inner, log));
        waits.start();
    }
    EXPECT_EQ(control.frames.size(), 2U);
    EXPECT_EQ(log, "");
    control.end();
    EXPECT_EQ(log, "inner outer ");
}

TEST(Outlasted, CloseIsIgnoredUntilTheOperationIsOver) {
    for (const auto function : {&await_outlasted, &await_own_erased, &await_erased_twice}) {
        outlasting_operation::control control;
        std::string log;
        driven<int> waits(function(control, log));
        waits.start();
        EXPECT_THROW(waits.body().close(), isthmus::ignored_generator_exit);
        EXPECT_TRUE(control.cancelled);
        EXPECT_EQ(waits.body().state(), isthmus::coroutine_state::suspended);
        EXPECT_EQ(log, "");
        control.over = true;
        EXPECT_THROW(waits.body().send(), isthmus::generator_exit);
        EXPECT_EQ(log, "inner outer ");
    }
}

TEST(Outlasted, CloseOfChildrenIsIgnoredUntilTheyAreOver) {
    outlasting_operation::control first;
    outlasting_operation::control second;
    std::string log;
    driven<int> waits(await_two(first, second, log));
    waits.start();
    EXPECT_THROW(waits.body().close(), isthmus::ignored_generator_exit);
    first.end();
    second.end();
    EXPECT_THROW(waits.body().send(), isthmus::generator_exit);
}

TEST(Outlasted, CanBeClosedOrDestroyedWhenTheOperationIsOver) {
    outlasting_operation::control control;
    std::string log;
    {
        driven<int> waits(await_outlasted(control, log));
        waits.start();
        control.end();
    }
    EXPECT_EQ(log, "inner outer ");
    driven<int> waits(await_outlasted(control, log));
    waits.start();
    EXPECT_TRUE(waits.done());
}

class failing_operation {
public:
    bool start(isthmus::reactor&, isthmus::waker) { throw test::boom("start"); }
    bool cancel() noexcept { return true; }
    void result() const {}
};
task<> wait_for_failing() {
    failing_operation fails;
    co_await fails;
}

TEST(Task, RaisesWhatStartThrowsWhereItWaits) {
    driven<void> fails(wait_for_failing());
    fails.start();
    EXPECT_EQ(test::caught<test::boom>(fails.error()), "start");
}

// ---- completion ----

TEST(Completion, BringsAValueOfAnotherThread) {
    isthmus::completion<std::unique_ptr<int>> done;
    std::thread other([callback = done.callback()] { callback(std::make_unique<int>(5)); });
    const auto wait = [](isthmus::completion<std::unique_ptr<int>> awaited) -> task<int> {
        const std::unique_ptr<int> value = co_await awaited;
        co_return *value;
    };
    EXPECT_EQ(isthmus::run(wait(std::move(done))), 5);
    other.join();
}

task<int> await_completion(isthmus::completion<int>& done) { co_return co_await done; }

TEST(Completion, CountsTheFirstCallAlone) {
    isthmus::completion<int> done;
    const auto callback = done.callback();
    callback(1);
    callback(2);
    callback.set_exception(std::make_exception_ptr(test::boom("late")));
    EXPECT_EQ(isthmus::run(await_completion(done)), 1);
    EXPECT_ERROR(isthmus::run(await_completion(done)), isthmus::already_finished, test::finished);
}

TEST(Completion, BringsAnError) {
    isthmus::completion<int> done;
    done.callback().set_exception(std::make_exception_ptr(test::boom("far")));
    EXPECT_ERROR(isthmus::run(await_completion(done)), test::boom, "far");
}

TEST(Completion, IsBrokenWhenAllCallbacksAreGone) {
    isthmus::completion<int> done;
    EXPECT_THROW(isthmus::run(await_completion(done)), std::future_error);
    isthmus::completion<int> later;
    std::thread other([callback = later.callback()]() mutable {
        std::this_thread::sleep_for(1ms);
        const auto last = std::move(callback);
    });
    EXPECT_THROW(isthmus::run(await_completion(later)), std::future_error);
    other.join();
}

TEST(Completion, MayBeCompletedAfterItsTaskIsGone) {
    auto value = std::make_shared<int>(1);
    std::optional<isthmus::completion<std::shared_ptr<int>>::callback_type> callback;
    {
        const auto wait = [](auto& kept) -> task<> {
            isthmus::completion<std::shared_ptr<int>> done;
            kept = done.callback();
            co_await done;
        };
        driven<void> waits(wait(callback));
        waits.start();
        waits.cancel();
        EXPECT_THROW(waits.result(), isthmus::cancelled);
    }
    (*callback)(value);
    callback.reset();
    EXPECT_EQ(value.use_count(), 1);
}

// ---- run() ----

TEST(RunTask, Sleeps) {
    const auto before = std::chrono::steady_clock::now();
    EXPECT_EQ(isthmus::run(nap(20ms, 4)), 4);
    EXPECT_GE(std::chrono::steady_clock::now() - before, 20ms);
}

task<std::string> read_some(int socket) {
    char buffer[16];
    co_await isthmus::readable(socket);
    const auto size = ::read(socket, buffer, sizeof(buffer));
    co_return std::string(buffer, size > 0 ? static_cast<std::size_t>(size) : 0);
}

task<> note_at(isthmus::reactor::clock::time_point when, std::vector<int>& order, int number) {
    co_await isthmus::sleep_until(when);
    order.push_back(number);
}

task<> await_all(std::vector<task<>> all) { co_await isthmus::when_all(std::move(all)); }

TEST(RunTask, WakesInOrderWhatIsDueAtOnce) {
    std::vector<int> order;
    std::vector<int> expected;
    std::vector<task<>> all;
    const auto when = isthmus::reactor::clock::now() + 20ms;
    for (int i = 0; i < 50; ++i) {
        all.push_back(note_at(when, order, i));
        expected.push_back(i);
    }
    isthmus::run(await_all(std::move(all)));
    EXPECT_EQ(order, expected);
}

TEST(RunTask, WaitsForDescriptors) {
    int ends[2];
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    std::thread writer([&] {
        std::this_thread::sleep_for(2ms);
        EXPECT_EQ(::write(ends[1], "hello", 5), 5);
    });
    EXPECT_EQ(isthmus::run(read_some(ends[0])), "hello");
    writer.join();
    const auto write_one = [](int socket) -> task<long> {
        co_await isthmus::writable(socket);
        co_return ::write(socket, "x", 1);
    };
    EXPECT_EQ(isthmus::run(write_one(ends[1])), 1);
    ::close(ends[0]);
    ::close(ends[1]);
}

TEST(RunTask, GoesOnWithAStartedTask) {
    task<int> sleeper = nap(1ms, 3);
    sleeper.send();
    EXPECT_THROW(isthmus::run(sleeper), isthmus::operation_not_started); // nobody started what it had yielded
    task<int> fresh = nap(1ms, 3);
    EXPECT_EQ(isthmus::run(fresh), 3);
}

TEST(RunTask, ThrowsWhatLeavesTheTask) {
    const auto fail = []() -> task<> {
        co_await isthmus::sleep_for(1ms);
        throw test::boom("after a while");
    };
    EXPECT_ERROR(isthmus::run(fail()), test::boom, "after a while");
}

TEST(RunTask, CanStandForAnyCoroutine) {
    isthmus::any_coroutine<int, isthmus::pending> erased(nap(1ms, 6));
    EXPECT_EQ(isthmus::run(erased), 6);
}

// Many completions by several threads, each of which races with a timeout: nothing is lost, and nothing comes twice.
task<int> count_completions(int rounds) {
    int brought = 0;
    for (int i = 0; i < rounds; ++i) {
        isthmus::completion<int> done;
        std::thread other([callback = done.callback(), i] {
            if (i % 3 == 0) {
                std::this_thread::yield();
            }
            callback(1);
        });
        try {
            brought += co_await isthmus::with_timeout(std::chrono::microseconds(i % 50), await_completion(done));
        } catch (const isthmus::timed_out&) {
            ++brought;
        }
        other.join();
    }
    co_return brought;
}

TEST(RunTask, SurvivesWakesThatRaceWithCancellation) { EXPECT_EQ(isthmus::run(count_completions(500)), 500); }

} // namespace
} // namespace test_task
