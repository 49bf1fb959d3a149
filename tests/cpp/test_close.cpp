// tests/cpp/test_close.cpp — close(): by state, its value, and what is awaited (clause 6).
// SPDX-License-Identifier: MIT
#include "support.hpp"

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>

namespace test_close {
namespace {

using isthmus::coroutine;
using isthmus::coroutine_state;
using isthmus::generator_exit;
using isthmus::none;
using test::boom;
using test::custom_exit;
using test::note;
using test::trace;

/// What a body does when generator_exit reaches it.
enum class on_exit { passes, returns, raises_exit, raises, raises_int, yields };

/// Throws what a handler of generator_exit is to throw. Otherwise: whether the body is to return rather than yield.
bool leaves(const std::string& name, on_exit what) {
    switch (what) {
    case on_exit::passes:
        throw;
    case on_exit::raises_exit:
        throw custom_exit(1);
    case on_exit::raises:
        throw boom(name + " failed");
    case on_exit::raises_int:
        throw 5;
    case on_exit::returns:
        return true;
    case on_exit::yields:
        break;
    }
    return false;
}

coroutine<int, int> ends(trace& log, std::string name, on_exit what) {
    note end(log, name + " ends");
    bool again = false;
    try {
        co_yield 1;
    } catch (const generator_exit&) {
        log.push_back(name + " exits");
        if (leaves(name, what)) {
            co_return 5;
        }
        again = true;
    }
    if (again) {
        co_yield 2;
    }
    co_return 6;
}

coroutine<int, int> awaits(trace& log, std::string name, coroutine<int, int>& inner, on_exit what) {
    note end(log, name + " ends");
    bool again = false;
    int value = 0;
    try {
        value = co_await inner;
    } catch (const generator_exit&) {
        log.push_back(name + " exits");
        if (leaves(name, what)) {
            co_return 50;
        }
        again = true;
    } catch (const std::exception& error) {
        log.push_back(name + " caught " + error.what());
        throw;
    }
    if (again) {
        co_yield 20;
    }
    co_return value;
}

TEST(Close, Clause_6_1_AnUnstartedOneEndsWithoutRunning) {
    trace log;
    auto c = ends(log, "c", on_exit::returns);
    EXPECT_EQ(c.close(), std::nullopt);
    EXPECT_EQ(c.state(), coroutine_state::closed);
    EXPECT_TRUE(log.empty());
    EXPECT_ERROR(c.send(), isthmus::already_finished, test::finished);
}

TEST(Close, Clause_6_2_AnExitThatComesOutIsSilent) {
    trace log;
    auto same = ends(log, "same", on_exit::passes);
    same.send();
    EXPECT_EQ(same.close(), std::nullopt);
    EXPECT_EQ(same.state(), coroutine_state::closed);
    auto another = ends(log, "another", on_exit::raises_exit);
    another.send();
    EXPECT_EQ(another.close(), std::nullopt);
    EXPECT_EQ(another.state(), coroutine_state::closed);
    EXPECT_EQ(log, trace({"same exits", "same ends", "another exits", "another ends"}));
}

TEST(Close, Clause_6_3_AReturnedValueIsGivenBack) {
    trace log;
    auto c = ends(log, "c", on_exit::returns);
    c.send();
    EXPECT_EQ(c.close(), 5);
    EXPECT_EQ(c.close(), std::nullopt);
}

coroutine<void, int> returns_void() {
    try {
        co_yield 1;
    } catch (const generator_exit&) {}
}
coroutine<int&, int> returns_reference(int& value) {
    try {
        co_yield 1;
    } catch (const generator_exit&) {}
    co_return value;
}
coroutine<std::unique_ptr<int>, int> returns_move_only() {
    try {
        co_yield 1;
    } catch (const generator_exit&) {}
    co_return std::make_unique<int>(3);
}
coroutine<std::optional<int>, int> returns_optional() {
    try {
        co_yield 1;
    } catch (const generator_exit&) {}
    co_return std::nullopt;
}

TEST(Close, Clause_6_3_TheValueOfEachKind) {
    auto of_void = returns_void();
    of_void.send();
    std::optional<none> nothing = of_void.close();
    EXPECT_TRUE(nothing.has_value());
    EXPECT_EQ(of_void.close(), std::nullopt);

    int value = 1;
    auto of_reference = returns_reference(value);
    of_reference.send();
    std::optional<std::reference_wrapper<int>> reference = of_reference.close();
    ASSERT_TRUE(reference.has_value());
    EXPECT_EQ(&reference->get(), &value);

    auto of_move_only = returns_move_only();
    of_move_only.send();
    std::optional<std::unique_ptr<int>> pointer = of_move_only.close();
    ASSERT_TRUE(pointer.has_value());
    EXPECT_EQ(**pointer, 3);

    auto of_optional = returns_optional();
    of_optional.send();
    std::optional<std::optional<int>> both = of_optional.close();
    ASSERT_TRUE(both.has_value());
    EXPECT_FALSE(both->has_value());
}

TEST(Close, Clause_6_4_AFinishedOneIsClosedAnyNumberOfTimes) {
    trace log;
    auto c = ends(log, "c", on_exit::passes);
    c.send();
    EXPECT_TRUE(c.send().done());
    for (int i = 0; i < 3; ++i) {
        EXPECT_EQ(c.close(), std::nullopt);
    }
    coroutine<int> empty;
    EXPECT_EQ(empty.close(), std::nullopt);
}

TEST(Close, Clause_6_5_YieldingOnCloseIsRefused) {
    trace log;
    auto c = ends(log, "c", on_exit::yields);
    c.send();
    EXPECT_ERROR(c.close(), isthmus::ignored_generator_exit, test::ignored);
    EXPECT_EQ(c.state(), coroutine_state::suspended);
    EXPECT_EQ(c.close(), std::nullopt);
    EXPECT_EQ(c.state(), coroutine_state::closed);

    auto goes_on = ends(log, "c", on_exit::yields);
    goes_on.send();
    EXPECT_ERROR(goes_on.close(), isthmus::ignored_generator_exit, test::ignored);
    EXPECT_EQ(goes_on.send().returned(), 6);
}

coroutine<> suspends() { co_yield {}; }
coroutine<> awaits_in_clean_up() {
    bool exits = false;
    try {
        co_yield {};
    } catch (const generator_exit&) {
        exits = true;
    }
    co_await suspends();
    if (exits) {
        throw generator_exit();
    }
}

TEST(Close, Clause_6_5_AnAwaitInCleanUpThatSuspendsIsAYield) {
    auto c = awaits_in_clean_up();
    c.send();
    EXPECT_ERROR(c.close(), isthmus::ignored_generator_exit, test::ignored);
    EXPECT_EQ(c.state(), coroutine_state::suspended);
    EXPECT_THROW(c.send(), generator_exit);
}

TEST(Close, Clause_6_6_AnErrorPropagates) {
    trace log;
    auto c = ends(log, "c", on_exit::raises);
    c.send();
    EXPECT_ERROR(c.close(), boom, "c failed");
    EXPECT_EQ(c.state(), coroutine_state::closed);
    auto d = ends(log, "d", on_exit::raises_int);
    d.send();
    EXPECT_THROW(d.close(), int);
    EXPECT_EQ(d.close(), std::nullopt);
}

coroutine<> closes_itself(coroutine<>*& self, trace& log) {
    log.push_back(test::caught<isthmus::already_executing>([&] { self->close(); }));
    try {
        co_yield {};
    } catch (const generator_exit&) {
        log.push_back(test::caught<isthmus::already_executing>([&] { self->close(); }));
        throw;
    }
}

TEST(Close, Clause_6_7_ARunningOneRefuses) {
    trace log;
    coroutine<>* self = nullptr;
    auto c = closes_itself(self, log);
    self = &c;
    c.send();
    c.close();
    EXPECT_EQ(log, trace({test::executing, test::executing}));
    EXPECT_EQ(c.state(), coroutine_state::closed);
}

TEST(Close, Clause_6_9_InnerFirstAndItsValueIsDropped) {
    for (const on_exit what : {on_exit::passes, on_exit::returns, on_exit::raises_exit}) {
        trace log;
        auto inner = ends(log, "inner", what);
        auto outer = awaits(log, "outer", inner, on_exit::passes);
        outer.send();
        EXPECT_EQ(outer.close(), std::nullopt);
        EXPECT_EQ(log, trace({"inner exits", "inner ends", "outer exits", "outer ends"}));
        EXPECT_EQ(inner.state(), coroutine_state::closed);
        EXPECT_EQ(outer.state(), coroutine_state::closed);
    }
}

TEST(Close, Clause_6_9_TheOutersOwnValueIsGivenBack) {
    trace log;
    auto inner = ends(log, "inner", on_exit::returns);
    auto outer = awaits(log, "outer", inner, on_exit::returns);
    outer.send();
    EXPECT_EQ(outer.close(), 50);
}

TEST(Close, Clause_6_9_WhatTheInnersCloseRaisesIsRaisedInTheOuter) {
    trace log;
    auto inner = ends(log, "inner", on_exit::raises);
    auto middle = awaits(log, "middle", inner, on_exit::passes);
    auto outer = awaits(log, "outer", middle, on_exit::passes);
    outer.send();
    EXPECT_ERROR(outer.close(), boom, "inner failed");
    EXPECT_EQ(log, trace({"inner exits", "inner ends", "middle caught inner failed", "middle ends",
                          "outer caught inner failed", "outer ends"}));
}

TEST(Close, Clause_6_9_AnInnerThatYieldsIsLeftSuspended) {
    trace log;
    auto inner = ends(log, "inner", on_exit::yields);
    auto middle = awaits(log, "middle", inner, on_exit::passes);
    auto outer = awaits(log, "outer", middle, on_exit::passes);
    outer.send();
    EXPECT_ERROR(outer.close(), isthmus::ignored_generator_exit, test::ignored);
    EXPECT_EQ(log, trace({"inner exits", std::string("middle caught ") + test::ignored, "middle ends",
                          std::string("outer caught ") + test::ignored, "outer ends"}));
    EXPECT_EQ(inner.state(), coroutine_state::suspended);
    EXPECT_EQ(middle.state(), coroutine_state::closed);
    EXPECT_EQ(inner.send().returned(), 6);
}

TEST(Close, Clause_6_9_AMiddleThatYieldsIsLeftSuspended) {
    trace log;
    auto inner = ends(log, "inner", on_exit::passes);
    auto middle = awaits(log, "middle", inner, on_exit::yields);
    auto outer = awaits(log, "outer", middle, on_exit::passes);
    outer.send();
    EXPECT_ERROR(outer.close(), isthmus::ignored_generator_exit, test::ignored);
    EXPECT_EQ(inner.state(), coroutine_state::closed);
    EXPECT_EQ(middle.state(), coroutine_state::suspended);
    EXPECT_EQ(outer.state(), coroutine_state::closed);
    EXPECT_EQ(middle.send().returned(), 0);
}

TEST(Close, Clause_6_9_AnOuterThatYieldsKeepsNothingBelow) {
    trace log;
    auto inner = ends(log, "inner", on_exit::passes);
    auto outer = awaits(log, "outer", inner, on_exit::yields);
    outer.send();
    EXPECT_ERROR(outer.close(), isthmus::ignored_generator_exit, test::ignored);
    EXPECT_EQ(inner.state(), coroutine_state::closed);
    EXPECT_EQ(outer.state(), coroutine_state::suspended);
    EXPECT_EQ(outer.send().returned(), 0);
}

/// The same where nothing but the awaiting frame owns the inner one.
coroutine<int, int> awaits_owned(trace& log, std::string name, coroutine<int, int> inner) {
    int value = -1;
    try {
        value = co_await std::move(inner);
    } catch (const std::exception& error) {
        log.push_back(name + " caught " + error.what());
    }
    log.push_back(name + " goes on");
    co_return value;
}

TEST(Close, Clause_6_9_AnOwnedInnerThatYieldsIsDestroyedLater) {
    trace log;
    auto outer = awaits_owned(log, "outer", ends(log, "inner", on_exit::yields));
    outer.send();
    EXPECT_EQ(outer.close(), -1);
    EXPECT_EQ(log, trace({"inner exits", std::string("outer caught ") + test::ignored, "outer goes on", "inner ends"}));
}

coroutine<int, int> reenters(trace& log, coroutine<int, int>*& outer) {
    try {
        co_yield 1;
    } catch (const generator_exit&) {
        EXPECT_EQ(outer->state(), coroutine_state::running);
        log.push_back(test::caught<isthmus::already_executing>([&] { outer->close(); }));
        throw;
    }
    co_return 0;
}

TEST(Close, Clause_6_12_ClosingTheOuterFromTheInnersCloseIsRefused) {
    trace log;
    coroutine<int, int>* outer_at = nullptr;
    auto inner = reenters(log, outer_at);
    auto outer = awaits(log, "outer", inner, on_exit::passes);
    outer_at = &outer;
    outer.send();
    EXPECT_EQ(outer.close(), std::nullopt);
    EXPECT_EQ(log, trace({test::executing, "outer exits", "outer ends"}));
}

TEST(Close, Clause_6_13_EveryLevelFromTheInnermost) {
    trace log;
    auto first = ends(log, "1", on_exit::passes);
    auto second = awaits(log, "2", first, on_exit::passes);
    auto third = awaits(log, "3", second, on_exit::passes);
    auto fourth = awaits(log, "4", third, on_exit::passes);
    fourth.send();
    fourth.close();
    EXPECT_EQ(log, trace({"1 exits", "1 ends", "2 exits", "2 ends", "3 exits", "3 ends", "4 exits", "4 ends"}));
}

coroutine<> awaits_while_closing(trace& log, coroutine<int, int>& other) {
    try {
        co_yield {};
    } catch (const generator_exit&) {
        log.push_back("drives " + std::to_string(other.send().yielded()));
    }
    co_await suspends();
}

TEST(Close, Clause_6_5_OneThatIgnoredTheExitCanBeClosedAgain) {
    trace log;
    auto other = ends(log, "other", on_exit::passes);
    auto c = awaits_while_closing(log, other);
    c.send();
    EXPECT_ERROR(c.close(), isthmus::ignored_generator_exit, test::ignored);
    EXPECT_FALSE(c.close().has_value());
    EXPECT_EQ(c.state(), coroutine_state::closed);
    EXPECT_EQ(log, trace{"drives 1"});
}

/// Each level of a chain of three, each with each behaviour: whatever happens, every level sees an exit or the
/// error from below, and afterwards is closed unless it yielded.
TEST(Close, EveryCombinationOfThreeLevels) {
    const on_exit all[] = {on_exit::passes, on_exit::returns,    on_exit::raises_exit,
                           on_exit::raises, on_exit::raises_int, on_exit::yields};
    for (const on_exit a : all) {
        for (const on_exit b : all) {
            for (const on_exit c : all) {
                trace log;
                auto first = ends(log, "1", a);
                auto second = awaits(log, "2", first, b);
                auto third = awaits(log, "3", second, c);
                third.send();
                auto ended = third.try_close();
                const bool quiet_a = a == on_exit::passes || a == on_exit::returns || a == on_exit::raises_exit;
                const bool quiet_b =
                    quiet_a && (b == on_exit::passes || b == on_exit::returns || b == on_exit::raises_exit);
                if (quiet_b && c == on_exit::returns) {
                    EXPECT_TRUE(ended.done());
                } else if (quiet_b && (c == on_exit::passes || c == on_exit::raises_exit)) {
                    EXPECT_TRUE(ended.closed());
                } else {
                    EXPECT_TRUE(ended.failed());
                }
                EXPECT_EQ(first.state(), a == on_exit::yields ? coroutine_state::suspended : coroutine_state::closed);
                EXPECT_EQ(second.state(),
                          quiet_a && b == on_exit::yields ? coroutine_state::suspended : coroutine_state::closed);
                EXPECT_EQ(third.state(),
                          quiet_b && c == on_exit::yields ? coroutine_state::suspended : coroutine_state::closed);
            }
        }
    }
}

} // namespace
} // namespace test_close
