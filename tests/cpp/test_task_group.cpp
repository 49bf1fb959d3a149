// tests/cpp/test_task_group.cpp — when_all, race, with_timeout and task groups.
// SPDX-License-Identifier: MIT

#include "fake_driver.hpp"
#include "support.hpp"

#include <isthmus/isthmus.hpp>

#include <chrono>
#include <string>
#include <vector>

namespace test_task_group {
namespace {

using namespace std::chrono_literals;
using isthmus::task;
using test::driven;
using test::trace;

/// Sleeps, and notes how it ended.
task<int> work(trace& log, std::string name, std::chrono::milliseconds time, int result) {
    try {
        co_await isthmus::sleep_for(time);
    } catch (const isthmus::cancelled&) {
        log.push_back(name + " cancelled");
        throw;
    }
    log.push_back(name);
    co_return result;
}
task<int> fail(trace& log, std::chrono::milliseconds time, std::string text) {
    co_await work(log, text, time, 0);
    throw test::boom(text);
}
task<> idle(std::chrono::milliseconds time) { co_await isthmus::sleep_for(time); }

task<int> add_all(trace& log) {
    auto [a, b, nothing] = co_await isthmus::when_all(work(log, "a", 20ms, 1), work(log, "b", 10ms, 2), idle(5ms));
    static_assert(std::is_same_v<decltype(nothing), isthmus::none>);
    co_return a + b;
}

TEST(WhenAll, RunsTasksAtOnce) {
    trace log;
    driven<int> sum(add_all(log));
    sum.start();
    EXPECT_EQ(sum.reactor.timers(), 3U);
    sum.advance(10ms);
    EXPECT_FALSE(sum.done());
    sum.advance(10ms);
    EXPECT_EQ(sum.result(), 3);
    EXPECT_EQ(log, (trace{"b", "a"}));
}

task<int> add_or_fail(trace& log) {
    auto [a, b] = co_await isthmus::when_all(work(log, "a", 20ms, 1), fail(log, 10ms, "b"));
    co_return a + b;
}

TEST(WhenAll, CancelsTheOthersAtTheFirstError) {
    trace log;
    driven<int> fails(add_or_fail(log));
    fails.start();
    fails.advance(10ms);
    EXPECT_EQ(test::caught<test::boom>(fails.error()), "b");
    EXPECT_EQ(log, (trace{"b", "a cancelled"}));
    EXPECT_EQ(fails.reactor.timers(), 0U);
}

TEST(WhenAll, IsCancelledWithWhoeverWaits) {
    trace log;
    driven<int> sum(add_all(log));
    sum.start();
    sum.cancel();
    EXPECT_THROW(sum.result(), isthmus::cancelled);
    EXPECT_EQ(log, (trace{"a cancelled", "b cancelled"}));
    EXPECT_EQ(sum.reactor.timers(), 0U);
}

TEST(WhenAll, DestroysItsTasksWithWhoeverWaits) {
    trace log;
    test::fake_reactor reactor;
    const auto target = std::make_shared<test::fake_target>();
    {
        task<int> sum = add_all(log);
        isthmus::pending waits = sum.send().yielded();
        EXPECT_FALSE(waits.start(reactor, isthmus::waker(target, 1)));
        EXPECT_EQ(reactor.timers(), 3U);
    }
    EXPECT_EQ(reactor.timers(), 0U);
    EXPECT_EQ(target.use_count(), 1);
    EXPECT_TRUE(log.empty()); // destroyed, not cancelled
}

task<std::vector<int>> many(trace& log, int count) {
    std::vector<task<int>> tasks;
    for (int i = 0; i < count; ++i) {
        tasks.push_back(work(log, std::to_string(i), std::chrono::milliseconds(count - i), i));
    }
    co_return co_await isthmus::when_all(std::move(tasks));
}

TEST(WhenAll, KeepsTheOrderOfAVector) {
    trace log;
    driven<std::vector<int>> all(many(log, 3));
    all.start();
    all.advance(10ms);
    EXPECT_EQ(all.result(), (std::vector{0, 1, 2}));
    EXPECT_EQ(log, (trace{"2", "1", "0"}));
    driven<std::vector<int>> none_at_all(many(log, 0));
    none_at_all.start();
    EXPECT_TRUE(none_at_all.result().empty());
}

TEST(WhenAll, RunsThousandsUnderRun) {
    trace log;
    EXPECT_EQ(isthmus::run(many(log, 3000)).size(), 3000U);
}

task<std::string> first_of(trace& log) {
    const auto winner = co_await isthmus::race(work(log, "slow", 20ms, 1), idle(10ms), work(log, "slower", 30ms, 3));
    co_return std::to_string(winner.index());
}

TEST(Race, GivesTheFirstAndCancelsTheOthers) {
    trace log;
    driven<std::string> first(first_of(log));
    first.start();
    first.advance(10ms);
    EXPECT_EQ(first.result(), "1");
    EXPECT_EQ(log, (trace{"slow cancelled", "slower cancelled"}));
}

task<int> fail_first(trace& log) {
    const auto winner = co_await isthmus::race(fail(log, 1ms, "first"), work(log, "slow", 20ms, 1));
    co_return std::get<0>(winner);
}

TEST(Race, ThrowsTheErrorOfTheFirst) {
    trace log;
    driven<int> fails(fail_first(log));
    fails.start();
    fails.advance(1ms);
    EXPECT_EQ(test::caught<test::boom>(fails.error()), "first");
}

task<int> limited(trace& log, std::chrono::milliseconds limit) {
    co_return co_await isthmus::with_timeout(limit, work(log, "work", 10ms, 8));
}

TEST(Timeout, GivesTheResultInTime) {
    trace log;
    driven<int> in_time(limited(log, 20ms));
    in_time.start();
    in_time.advance(10ms);
    EXPECT_EQ(in_time.result(), 8);
    EXPECT_EQ(in_time.reactor.timers(), 0U);
}

TEST(Timeout, CancelsWhenTheTimeIsOver) {
    trace log;
    driven<int> late(limited(log, 5ms));
    late.start();
    late.advance(5ms);
    EXPECT_EQ(test::caught<isthmus::timed_out>(late.error()), "timed out");
    EXPECT_EQ(log, trace{"work cancelled"});
}

TEST(Timeout, LetsTheOutsidersCancellationPass) {
    trace log;
    driven<int> late(limited(log, 5ms));
    late.start();
    late.cancel();
    EXPECT_THROW(late.result(), isthmus::cancelled);
}

task<int> stubborn() {
    try {
        co_await isthmus::sleep_for(1h);
    } catch (const isthmus::cancelled&) {}
    co_return 5;
}
task<int> limit_stubborn() { co_return co_await isthmus::with_timeout(1ms, stubborn()); }

TEST(Timeout, GivesTheResultOfATaskThatWasCancelledInVain) {
    driven<int> late(limit_stubborn());
    late.start();
    late.advance(1ms);
    EXPECT_EQ(late.result(), 5);
}

using time_point = isthmus::reactor::clock::time_point;

task<int> until(trace& log, time_point when) {
    co_return co_await isthmus::with_deadline(when, work(log, "work", 10ms, 8));
}

TEST(Deadline, IsAPointOfTheDriversTime) {
    trace log;
    driven<int> late(until(log, time_point(5ms)));
    late.start();
    late.advance(4ms);
    EXPECT_FALSE(late.done());
    late.advance(1ms);
    EXPECT_EQ(test::caught<isthmus::timed_out>(late.error()), "timed out");
    driven<int> in_time(until(log, time_point(10ms + 1ms)));
    in_time.start();
    in_time.advance(10ms);
    EXPECT_EQ(in_time.result(), 8);
    EXPECT_EQ(in_time.reactor.timers(), 0U);
}

TEST(Deadline, ThatIsOverCancelsWhatWaits) {
    trace log;
    driven<int> late(until(log, time_point(-1ms)));
    late.start();
    ASSERT_TRUE(late.done());
    EXPECT_EQ(test::caught<isthmus::timed_out>(late.error()), "timed out");
}

/// Notes what it finds at the inner limit, and goes on after a timeout there.
task<int> inner_scope(trace& log, std::chrono::milliseconds limit) {
    try {
        co_await isthmus::with_timeout(limit, work(log, "work", 100ms, 8));
        log.emplace_back("inner: in time");
    } catch (const isthmus::timed_out&) {
        log.emplace_back("inner: timed out");
    } catch (const isthmus::cancelled&) {
        log.emplace_back("inner: cancelled");
        throw;
    }
    co_await isthmus::sleep_for(100ms);
    co_return 3;
}
task<int> nested_scopes(trace& log, std::chrono::milliseconds outer, std::chrono::milliseconds inner) {
    try {
        co_return co_await isthmus::with_timeout(outer, inner_scope(log, inner));
    } catch (const isthmus::timed_out&) {
        log.emplace_back("outer: timed out");
    }
    co_return 0;
}

TEST(Timeout, OfSeveralThatAreNestedTheOneThatIsOverSaysSo) {
    const auto run = [](std::chrono::milliseconds outer, std::chrono::milliseconds inner) {
        trace log;
        driven<int> nested(nested_scopes(log, outer, inner));
        nested.start();
        for (int i = 0; i < 250; ++i) {
            nested.advance(1ms);
        }
        EXPECT_TRUE(nested.done());
        EXPECT_EQ(nested.reactor.timers(), 0U);
        return log;
    };
    EXPECT_EQ(run(5ms, 20ms), (trace{"work cancelled", "inner: cancelled", "outer: timed out"}));
    EXPECT_EQ(run(50ms, 20ms), (trace{"work cancelled", "inner: timed out", "outer: timed out"}));
    EXPECT_EQ(run(500ms, 20ms), (trace{"work cancelled", "inner: timed out"}));
    // At the same moment: either may come first at the inner one, but the outer one is over in any case.
    const trace both = run(20ms, 20ms);
    EXPECT_EQ(both.back(), "outer: timed out");
}

class no_timers final : public isthmus::reactor {
    void forget(isthmus::registration&) noexcept override {}
};

TEST(Timeout, NeedsTimers) {
    trace log;
    no_timers reactor;
    task<int> late = limited(log, 5ms);
    isthmus::pending waits = late.send().yielded();
    ASSERT_TRUE(waits.start(reactor, isthmus::waker()));
    EXPECT_THROW(late.send(), isthmus::unsupported_operation);
}

task<int> group_of(trace& log, bool failing) {
    auto body = [&](isthmus::task_group& group) -> task<int> {
        group.start(work(log, "a", 5ms, 0));
        co_await isthmus::sleep_for(1ms);
        group.start(work(log, "b", 10ms, 0));
        if (failing) {
            group.start(fail(log, 2ms, "c"));
            group.start(fail(log, 2ms, "d"));
        }
        co_return 4;
    };
    co_return co_await isthmus::with_task_group(body);
}

TEST(TaskGroup, WaitsForAllThatWereStarted) {
    trace log;
    driven<int> group(group_of(log, false));
    group.start();
    group.advance(1ms);
    EXPECT_FALSE(group.done());
    group.advance(4ms);
    EXPECT_FALSE(group.done());
    group.advance(6ms);
    EXPECT_EQ(group.result(), 4);
    EXPECT_EQ(log, (trace{"a", "b"}));
}

TEST(TaskGroup, ReportsAllErrorsAndCancelsTheOthers) {
    trace log;
    driven<int> group(group_of(log, true));
    group.start();
    group.advance(1ms);
    group.advance(2ms);
    ASSERT_TRUE(group.done());
    try {
        group.result();
        FAIL() << "nothing was thrown";
    } catch (const isthmus::exception_group& errors) {
        ASSERT_EQ(errors.errors().size(), 2U);
        EXPECT_EQ(test::caught<test::boom>(errors.errors()[0]), "c");
        EXPECT_EQ(test::caught<test::boom>(errors.errors()[1]), "d");
    }
    EXPECT_EQ(log, (trace{"c", "d", "a cancelled", "b cancelled"}));
}

TEST(TaskGroup, IsCancelledWithWhoeverWaits) {
    trace log;
    driven<int> group(group_of(log, false));
    group.start();
    group.advance(1ms);
    group.cancel();
    EXPECT_THROW(group.result(), isthmus::cancelled);
    EXPECT_EQ(log, (trace{"a cancelled", "b cancelled"}));
}

task<int> late_start(trace& log) {
    auto body = [&](isthmus::task_group& group) -> task<int> {
        try {
            co_await isthmus::sleep_for(1h);
        } catch (const isthmus::cancelled&) {
            group.start(work(log, "late", 1ms, 0)); // not even started, so it notes nothing
            throw;
        }
        co_return 0;
    };
    co_return co_await isthmus::with_task_group(body);
}

TEST(TaskGroup, CancelsWhatIsStartedWhileItIsCancelled) {
    trace log;
    driven<int> group(late_start(log));
    group.start();
    group.cancel();
    ASSERT_TRUE(group.done());
    EXPECT_THROW(group.result(), isthmus::cancelled);
    EXPECT_TRUE(log.empty());
}

} // namespace
} // namespace test_task_group
