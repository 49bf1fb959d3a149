// tests/cpp/test_depth.cpp — a million levels (fewer under a sanitizer), ten million awaits, on a stack of 8 MB.
// SPDX-License-Identifier: MIT
#include "support.hpp"

#include <memory>
#include <optional>
#include <utility>
#include <vector>

namespace test_depth {
namespace {

using isthmus::coroutine;
using isthmus::coroutine_state;
using isthmus::generator_exit;
using test::boom;

constexpr int levels = test::deep;

/// A chain of n + 1 coroutines; the innermost yields twice. Each level is a temporary of the one above.
coroutine<long, int, int> chain(int n) {
    if (n == 0) {
        int sum = co_yield 1;
        sum += co_yield 2;
        co_return sum;
    }
    co_return 1 + co_await chain(n - 1);
}

TEST(Depth, AMillionLevelsAreBuiltAndResumed) {
    test::on_8_mb_stack([] {
        auto c = chain(levels);
        EXPECT_EQ(c.send().yielded(), 1);
        EXPECT_EQ(c.send(10).yielded(), 2);
        EXPECT_EQ(c.state(), coroutine_state::suspended);
        EXPECT_EQ(c.send(20).returned(), levels + 30);
    });
}

TEST(Depth, AMillionLevelsAreThrownInto) {
    test::on_8_mb_stack([] {
        auto c = chain(levels);
        c.send();
        EXPECT_ERROR(c.throw_(boom("through all levels")), boom, "through all levels");
        EXPECT_EQ(c.state(), coroutine_state::closed);
    });
}

TEST(Depth, AMillionLevelsAreClosed) {
    test::on_8_mb_stack([] {
        auto c = chain(levels);
        c.send();
        EXPECT_EQ(c.close(), std::nullopt);
        EXPECT_EQ(c.state(), coroutine_state::closed);
    });
}

TEST(Depth, AMillionLevelsAreDestroyed) {
    test::on_8_mb_stack([] {
        auto c = chain(levels);
        c.send();
    });
}

/// Each level is a local variable, which outlives what it awaited.
coroutine<int, int> chain_of_locals(int n) {
    coroutine<int, int> inner = n == 0 ? coroutine<int, int>() : chain_of_locals(n - 1);
    if (n == 0) {
        co_yield 1;
        co_return 1;
    }
    const int value = co_await inner;
    co_return value;
}

TEST(Depth, AMillionLocalsAreDestroyed) {
    test::on_8_mb_stack([] {
        auto resumed = chain_of_locals(levels);
        resumed.send();
        EXPECT_EQ(resumed.send().returned(), 1);
        auto dropped = chain_of_locals(levels);
        dropped.send();
    });
}

/// A chain that is continued: the root awaits what was driven before, a million levels deep; this is O(1).
coroutine<long, int> pauses(int n) {
    if (n == 0) {
        for (int i = 0; i < levels; ++i) {
            co_yield i;
        }
        co_return 0;
    }
    co_return co_await pauses(n - 1);
}
coroutine<long, int> continues(coroutine<long, int>& inner) { co_return co_await inner.await(); }

TEST(Depth, Clause_7_9_AMillionLevelsAreContinuedAgainAndAgain) {
    test::on_8_mb_stack([] {
        auto inner = pauses(levels);
        EXPECT_EQ(inner.send().yielded(), 0);
        std::vector<decltype(inner)> outers; // one that died would end `inner`
        for (int i = 1; i < 10'000; ++i) {
            outers.push_back(continues(inner));
            ASSERT_EQ(outers.back().send().yielded(), i);
            ASSERT_EQ(inner.send().yielded(), ++i);
        }
    });
}

/// Plain coroutines, whose Yield is none, under one that yields something else.
coroutine<int> plain_chain(int n) {
    if (n == 0) {
        co_yield {};
        co_yield {};
        co_return 0;
    }
    co_return 1 + co_await plain_chain(n - 1);
}
coroutine<int, std::optional<int>, std::optional<int>> crosses_types() {
    int sum = (co_yield 1).value_or(0);
    sum += co_await plain_chain(1000);
    co_return sum;
}
coroutine<int, std::optional<int>, std::optional<int>> awaits_crossing(int n) {
    if (n == 0) {
        co_return co_await crosses_types();
    }
    co_return co_await awaits_crossing(n - 1);
}

TEST(Depth, AThousandPlainLevelsInAChainOfAnotherType) {
    auto c = awaits_crossing(1000);
    EXPECT_EQ(c.send().yielded(), 1);
    EXPECT_EQ(c.send(5).yielded(), std::nullopt);
    EXPECT_EQ(c.send(6).yielded(), std::nullopt);
    EXPECT_EQ(c.send().returned(), 1005);
    auto dropped = awaits_crossing(1000);
    dropped.send();
    dropped.send(5);
}

// Nested through parameters: each coroutine owns the next one before any has run.

coroutine<int> innermost() { co_return 0; }
coroutine<int> nest(coroutine<int> inner) { co_return 1 + co_await inner; }

coroutine<int> nested() {
    coroutine<int> c = innermost();
    for (int i = 0; i < levels; ++i) {
        c = nest(std::move(c));
    }
    return c;
}

TEST(Depth, AMillionUnstartedParametersAreDestroyed) {
    test::on_8_mb_stack([] {
        auto c = nested();
        EXPECT_EQ(c.state(), coroutine_state::created);
    });
}

TEST(Depth, AMillionUnstartedParametersAreRunClosedAndThrownInto) {
    test::on_8_mb_stack([] {
        EXPECT_EQ(nested().send().returned(), levels);
        auto closed = nested();
        EXPECT_EQ(closed.close(), std::nullopt);
        auto thrown_into = nested();
        EXPECT_ERROR(thrown_into.throw_(boom("x")), boom, "x");
    });
}

/// Has started and is suspended, but not in the one it owns.
coroutine<int, int> started(coroutine<int, int> inner) {
    co_yield 1;
    co_return co_await inner;
}

TEST(Depth, AMillionStartedParametersAreDestroyed) {
    test::on_8_mb_stack([] {
        coroutine<int, int> c;
        for (int i = 0; i < levels; ++i) {
            c = started(std::move(c));
            c.send();
        }
    });
}

coroutine<int> owns_several(std::vector<coroutine<int>> owned) {
    int sum = 1;
    for (coroutine<int>& each : owned) {
        sum += co_await each;
    }
    co_return sum;
}
coroutine<int> tree(int depth) {
    std::vector<coroutine<int>> branches;
    for (int i = 0; depth > 0 && i < 10; ++i) {
        branches.push_back(tree(depth - 1));
    }
    return owns_several(std::move(branches));
}

TEST(Depth, ATreeIsDestroyed) {
    test::on_8_mb_stack([] {
        EXPECT_EQ(tree(5).send().returned(), 111'111);
        auto unstarted = tree(5);
    });
}

// A thread_local that was made before the thread's first coroutine outlives the thread's cache of frames.

TEST(Depth, AMillionUnstartedParametersAreDestroyedAtTheEndOfAThread) {
    test::on_8_mb_stack([] {
        static thread_local std::optional<coroutine<int>> held;
        held.emplace();
        *held = nested();
    });
}

coroutine<int> immediate(int value) { co_return value; }
coroutine<long> awaits_many(int times) {
    long sum = 0;
    for (int i = 0; i < times; ++i) {
        sum += co_await immediate(i);
    }
    co_return sum;
}

TEST(Depth, TenMillionAwaitsCompleteSynchronously) {
    test::on_8_mb_stack([] {
        constexpr int times = 10 * test::deep;
        EXPECT_EQ(awaits_many(times).send().returned(), long{times} * (times - 1) / 2);
    });
}

coroutine<int, int> yields_many(int times) {
    for (int i = 0; i < times; ++i) {
        co_yield i;
    }
    co_return times;
}

TEST(Depth, RunResumesInALoop) {
    test::on_8_mb_stack([] {
        long sum = 0;
        EXPECT_EQ(isthmus::run(yields_many(levels), [&](int value) { sum += value; }), levels);
        EXPECT_EQ(sum, long{levels} * (levels - 1) / 2);
    });
}

/// Every level catches the error and throws it again.
coroutine<int> rethrows(int n) {
    try {
        if (n == 0) {
            co_yield {};
        } else {
            co_await rethrows(n - 1);
        }
    } catch (const boom&) {
        throw;
    } catch (const generator_exit&) {
        throw;
    }
    co_return n;
}

TEST(Depth, AHundredThousandHandlers) {
    test::on_8_mb_stack([] {
        auto c = rethrows(levels / 10);
        c.send();
        EXPECT_ERROR(c.throw_(boom("x")), boom, "x");
        auto d = rethrows(levels / 10);
        d.send();
        EXPECT_EQ(d.close(), std::nullopt);
    });
}

} // namespace
} // namespace test_depth
