// tests/cpp/test_send.cpp — creating a coroutine, send(), what it returns, and its states (clauses 1, 2, 4, 8).
// SPDX-License-Identifier: MIT
#include "support.hpp"

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <utility>

namespace test_send {
namespace {

using isthmus::coroutine;
using isthmus::coroutine_state;
using isthmus::none;
using test::boom;
using test::note;
using test::trace;

coroutine<int> marks(trace& log) {
    log.push_back("ran");
    co_return 1;
}

/// Yields `first`, then each sent value plus one, until 0 is sent; returns how many there were.
coroutine<int, int, int> increments(int first) {
    int count = 0;
    for (int sent = co_yield first; sent != 0; sent = co_yield sent + 1) {
        ++count;
    }
    co_return count;
}

coroutine<std::string, int, std::optional<std::string>> collects(int yields) {
    std::string all;
    for (int i = 0; i < yields; ++i) {
        std::optional<std::string> sent = co_yield i;
        all += sent ? *sent : "-";
    }
    co_return all;
}

coroutine<> fails_after(int yields) {
    for (int i = 0; i < yields; ++i) {
        co_yield {};
    }
    throw boom("left the body");
}

TEST(Send, Clause_1_1_CallingRunsNoBody) {
    trace log;
    coroutine<int> made = marks(log);
    EXPECT_TRUE(log.empty());
    EXPECT_EQ(made.state(), coroutine_state::created);
    EXPECT_EQ(made.send().returned(), 1);
    EXPECT_EQ(log, trace{"ran"});
}

TEST(Send, Clause_2_1_FirstSendStartsAndGivesTheFirstYieldedValue) {
    coroutine<int, int, int> c = increments(10);
    auto step = c.send();
    ASSERT_FALSE(step.done());
    EXPECT_EQ(step.yielded(), 10);
    EXPECT_EQ(c.state(), coroutine_state::suspended);
}

TEST(Send, Clause_2_2_ValueToUnstartedIsRefusedAndItCanStillBeStarted) {
    trace log;
    coroutine<int, int, int> c = increments(10);
    EXPECT_ERROR(c.send(1), isthmus::send_to_unstarted, test::unstarted);
    EXPECT_EQ(c.state(), coroutine_state::created);
    EXPECT_ERROR(c.send(0), isthmus::type_error, std::string("a derived type: ") + test::unstarted);
    EXPECT_EQ(c.send().yielded(), 10);
    EXPECT_EQ(c.send(3).yielded(), 4);
}

TEST(Send, Clause_2_2_TheEmptyValueIsNone) {
    auto c = collects(1);
    EXPECT_ERROR(c.send("text"), isthmus::send_to_unstarted, test::unstarted);
    EXPECT_EQ(c.send(std::nullopt).yielded(), 0);
    auto plain = fails_after(1);
    EXPECT_FALSE(plain.send(none()).done());
}

TEST(Send, Clause_2_2_ReferencesAreRefusedToo) {
    struct local {
        static coroutine<int, none, int&> takes() { co_return co_yield {}; }
    };
    auto c = local::takes();
    int value = 5;
    EXPECT_ERROR(c.send(value), isthmus::send_to_unstarted, test::unstarted);
    c.send();
    EXPECT_EQ(c.send(value).returned(), 5);
}

TEST(Send, Clause_2_3_TheYieldExpressionIsWhatWasSent) {
    coroutine<int, int, int> c = increments(1);
    c.send();
    EXPECT_EQ(c.send(41).yielded(), 42);
    EXPECT_EQ(c.send(-2).yielded(), -1);
    EXPECT_EQ(c.send(0).returned(), 2);

    auto d = collects(4);
    d.send();
    d.send("a");
    d.send();
    d.send(std::nullopt);
    EXPECT_EQ(d.send("b").returned(), "a--b");
}

TEST(Send, Clause_2_3_NoneToAStartedOneWhoseSendHasNoEmptyValueIsRefused) {
    coroutine<int, int, int> c = increments(1);
    c.send();
    EXPECT_ERROR(c.send(), isthmus::missing_value, test::no_none);
    EXPECT_EQ(c.state(), coroutine_state::suspended);
    EXPECT_EQ(c.send(7).yielded(), 8);
}

coroutine<> returns_nothing() { co_return; }

TEST(Send, Clause_2_4_ReturnedValueEndsIt) {
    trace log;
    coroutine<int> c = marks(log);
    auto step = c.send();
    EXPECT_TRUE(step.done());
    EXPECT_EQ(step.returned(), 1);
    EXPECT_EQ(c.state(), coroutine_state::closed);
    EXPECT_THROW(step.yielded(), isthmus::bad_step_access);
    auto suspended = increments(3).send();
    EXPECT_THROW(suspended.returned(), isthmus::bad_step_access);
    EXPECT_TRUE(returns_nothing().send().done());
}

template <class T>
coroutine<T> gives(T value) {
    co_return value;
}

coroutine<int> wrapped(int value) { co_return value; }
coroutine<coroutine<int>> gives_coroutine(int value) { co_return wrapped(value); }
coroutine<coroutine<int>> gives_started(coroutine<int, int, int>& started) {
    static_cast<void>(started.send());
    co_return wrapped(2);
}

TEST(Send, Clause_2_5_TheValueIsNeverReinterpreted) {
    EXPECT_EQ(gives(std::tuple(1, 2)).send().returned(), std::tuple(1, 2));
    EXPECT_EQ(gives(std::optional<int>()).send().returned(), std::nullopt);

    auto error = std::make_exception_ptr(boom("a value"));
    EXPECT_EQ(gives(error).send().returned(), error);
    auto outcome = gives(error).try_send();
    EXPECT_TRUE(outcome.done());
    EXPECT_FALSE(outcome.failed());
    EXPECT_EQ(outcome.returned(), error);
    EXPECT_EQ(gives(isthmus::generator_exit()).send().done(), true);

    auto inner = std::move(gives_coroutine(3).send().returned());
    EXPECT_EQ(inner.state(), coroutine_state::created);
    EXPECT_EQ(inner.send().returned(), 3);
}

TEST(Send, Clause_2_5_ACoroutineGivenBackIsNotAwaited) {
    auto started = increments(1);
    auto step = gives_started(started).send();
    EXPECT_EQ(step.returned().state(), coroutine_state::created);
    EXPECT_EQ(started.state(), coroutine_state::suspended);
}

TEST(Send, Clause_2_6_AnErrorThatLeavesTheBodyPropagatesAndCloses) {
    auto c = fails_after(1);
    c.send();
    EXPECT_ERROR(c.send(), boom, "left the body");
    EXPECT_EQ(c.state(), coroutine_state::closed);
    auto at_once = fails_after(0);
    EXPECT_ERROR(at_once.send(), boom, "left the body");
    EXPECT_EQ(at_once.state(), coroutine_state::closed);
}

coroutine<> throws_int() {
    co_yield {};
    throw 5;
}

TEST(Send, Clause_2_6_WhateverItsType) {
    auto c = throws_int();
    c.send();
    EXPECT_THROW(c.send(), int);
    EXPECT_EQ(c.state(), coroutine_state::closed);
}

TEST(Send, Clause_2_7_AFinishedOneIsNotResumed) {
    trace log;
    auto returned = marks(log);
    returned.send();
    EXPECT_ERROR(returned.send(), isthmus::already_finished, test::finished);
    EXPECT_ERROR(returned.send(none()), isthmus::already_finished, test::finished);

    auto failed = fails_after(0);
    EXPECT_THROW(failed.send(), boom);
    EXPECT_ERROR(failed.send(), isthmus::already_finished, test::finished);

    auto closed = increments(1);
    closed.close();
    EXPECT_ERROR(closed.send(), isthmus::already_finished, test::finished);
    EXPECT_ERROR(closed.send(1), isthmus::already_finished, test::finished);

    coroutine<int> empty;
    EXPECT_EQ(empty.state(), coroutine_state::closed);
    EXPECT_ERROR(empty.send(), isthmus::already_finished, test::finished);

    auto moved = fails_after(1);
    auto to = std::move(moved);
    EXPECT_ERROR(moved.send(), isthmus::already_finished, test::finished); // NOLINT(bugprone-use-after-move)
    EXPECT_FALSE(to.send().done());
}

using self_driven = coroutine<int, int, int>;

self_driven resumes_itself(self_driven*& self, trace& log) {
    log.push_back(test::caught<isthmus::already_executing>([&] { self->send(); }));
    log.push_back(test::caught<isthmus::already_executing>([&] { self->send(1); }));
    int sent = co_yield 1;
    log.push_back(test::caught<isthmus::already_executing>([&] { self->send(2); }));
    co_return sent;
}

TEST(Send, Clause_2_8_ARunningOneIsNotResumed) {
    trace log;
    self_driven* self = nullptr;
    self_driven c = resumes_itself(self, log);
    self = &c;
    EXPECT_EQ(c.send().yielded(), 1);
    EXPECT_EQ(c.send(9).returned(), 9);
    EXPECT_EQ(log, trace({test::executing, test::executing, test::executing}));
}

self_driven states_of(self_driven*& outer, self_driven*& middle, std::vector<coroutine_state>& seen, trace& log) {
    for (int i = 0; i < 2; ++i) {
        seen.push_back(outer->state());
        seen.push_back(middle->state());
        log.push_back(test::caught<isthmus::already_executing>([&] { outer->send(1); }));
        log.push_back(test::caught<isthmus::already_executing>([&] { middle->send(1); }));
        co_yield i;
    }
    co_return 0;
}

self_driven awaits_kept(self_driven& inner) { co_return 1 + co_await inner; }

TEST(Send, Clause_2_8_AllThatAwaitARunningOneAreRunning) {
    std::vector<coroutine_state> seen;
    trace log;
    self_driven* outer_at = nullptr;
    self_driven* middle_at = nullptr;
    auto leaf = states_of(outer_at, middle_at, seen, log);
    auto middle = awaits_kept(leaf);
    auto outer = awaits_kept(middle);
    outer_at = &outer;
    middle_at = &middle;

    EXPECT_EQ(outer.send().yielded(), 0);
    EXPECT_EQ(leaf.state(), coroutine_state::suspended);
    EXPECT_EQ(middle.state(), coroutine_state::suspended);
    EXPECT_EQ(outer.state(), coroutine_state::suspended);
    EXPECT_EQ(outer.send(0).yielded(), 1);
    EXPECT_EQ(outer.send(0).returned(), 2);
    EXPECT_EQ(leaf.state(), coroutine_state::closed);
    EXPECT_EQ(middle.state(), coroutine_state::closed);
    EXPECT_EQ(seen, std::vector(4, coroutine_state::running));
    EXPECT_EQ(log, trace(4, test::executing));
}

coroutine<> lets_out(bool stop_async) {
    co_yield {};
    if (stop_async) {
        throw test::custom_exit(3);
    }
    throw isthmus::generator_exit();
}

TEST(Send, Clause_4_2_GeneratorExitLeavesTheBodyUnchanged) {
    auto c = lets_out(false);
    c.send();
    EXPECT_THROW(c.send(), isthmus::generator_exit);
    EXPECT_EQ(c.state(), coroutine_state::closed);
    auto d = lets_out(true);
    d.send();
    try {
        d.send();
        FAIL();
    } catch (const test::custom_exit& exit) {
        EXPECT_EQ(exit.number, 3);
    }
}

coroutine<> awaits_exit() { co_await lets_out(false); }

TEST(Send, Clause_4_2_AlsoThroughAnAwaiter) {
    auto c = awaits_exit();
    c.send();
    EXPECT_THROW(c.send(), isthmus::generator_exit);
}

TEST(Send, GeneratorExitIsNoStandardException) {
    static_assert(!std::is_base_of_v<std::exception, isthmus::generator_exit>);
    static_assert(!std::is_base_of_v<isthmus::generator_exit, isthmus::protocol_error>);
    static_assert(std::is_base_of_v<isthmus::runtime_error, isthmus::already_awaited>);
    static_assert(std::is_base_of_v<isthmus::runtime_error, isthmus::already_finished>);
    static_assert(std::is_base_of_v<isthmus::runtime_error, isthmus::ignored_generator_exit>);
    static_assert(std::is_base_of_v<isthmus::value_error, isthmus::already_executing>);
    static_assert(std::is_base_of_v<isthmus::type_error, isthmus::send_to_unstarted>);
    static_assert(std::is_base_of_v<isthmus::type_error, isthmus::not_an_exception>);
}

// A sent or yielded object is moved, once at most where the other side takes it.

coroutine<std::unique_ptr<int>, std::unique_ptr<int>, std::unique_ptr<int>> relays() {
    auto own = std::make_unique<int>(1);
    const int* const address = own.get();
    std::unique_ptr<int> sent = co_yield std::move(own);
    EXPECT_EQ(own, nullptr);
    EXPECT_NE(sent.get(), address);
    co_return sent;
}

TEST(Send, MoveOnlyValuesGoBothWays) {
    auto c = relays();
    std::unique_ptr<int> got = c.send().yielded() ? std::make_unique<int>(2) : nullptr;
    const int* const address = got.get();
    auto step = c.send(std::move(got));
    EXPECT_EQ(step.returned().get(), address);
}

coroutine<int, int&, int&> by_reference(int& shared) {
    int& other = co_yield shared;
    other += 100;
    co_return shared;
}

TEST(Send, ReferencesReferToTheOtherSidesObject) {
    int shared = 1;
    int mine = 5;
    auto c = by_reference(shared);
    auto step = c.send();
    EXPECT_EQ(&step.yielded(), &shared);
    step.yielded() = 2;
    EXPECT_EQ(c.send(mine).returned(), 2);
    EXPECT_EQ(mine, 105);
}

coroutine<int, std::string> yields_a_local() {
    std::string local = "kept";
    co_yield local;
    EXPECT_EQ(local, "kept"); // the driver got a copy
    co_yield std::move(local);
    co_yield "temporary";
    co_return 0;
}

TEST(Send, AnLvalueThatIsYieldedIsCopied) {
    auto c = yields_a_local();
    auto step = c.send();
    step.yielded() += " and changed";
    EXPECT_EQ(c.send().yielded(), "kept");
    EXPECT_EQ(c.send().yielded(), "temporary");
    EXPECT_TRUE(c.send().done());
}

TEST(Send, AStepOwnsItsValue) {
    auto c = std::make_unique<coroutine<int, std::string>>(yields_a_local());
    auto step = c->send();
    c.reset();
    EXPECT_EQ(step.yielded(), "kept");
    const auto& constant = step;
    EXPECT_EQ(constant.yielded(), "kept");
    std::string taken = std::move(step).yielded();
    EXPECT_EQ(taken, "kept");
}

// One chain may cross types: a level that yields none sits in any chain whose root can yield None.

coroutine<int> plain(int yields) {
    for (int i = 0; i < yields; ++i) {
        co_yield {};
    }
    co_return yields;
}

coroutine<int, std::optional<int>, std::optional<int>> can_yield_none() {
    const std::optional<int> sent = co_yield 1;
    co_return co_await plain(2) + sent.value_or(0);
}

TEST(Send, APlainCoroutineInAChainOfAnotherTypeYieldsItsEmptyValue) {
    auto c = can_yield_none();
    EXPECT_EQ(c.send().yielded(), 1);
    EXPECT_EQ(c.send(40).yielded(), std::nullopt);
    EXPECT_EQ(c.send(99).yielded(), std::nullopt); // nobody takes what a plain coroutine is sent
    EXPECT_EQ(c.send().returned(), 42);
}

coroutine<std::string, int, int> cannot_yield_none() {
    try {
        co_await plain(1);
    } catch (const isthmus::unexpected_yield& error) {
        co_return error.what();
    }
    co_return "went through";
}

TEST(Send, WhereTheRootHasNoEmptyYieldTheLevelThatYieldsGetsAnError) {
    auto c = cannot_yield_none();
    EXPECT_EQ(c.send().returned(), "can't yield None where the Yield type that is driven has no empty value");
}

coroutine<int, none, int> sends_to_plain() {
    int total = co_yield {};
    total += co_await plain(1);
    total += co_yield {};
    co_return total;
}

TEST(Send, WhatAPlainLevelIsSentDoesNotReachALaterYield) {
    auto c = sends_to_plain();
    c.send();
    EXPECT_FALSE(c.send(10).done());
    EXPECT_FALSE(c.send(1000).done());
    EXPECT_EQ(c.send(100).returned(), 111);
}

coroutine<int, void, void> all_void() {
    co_yield {};
    co_await plain(1);
    co_return 3;
}

TEST(Send, VoidAndNoneAreTheSame) {
    auto c = all_void();
    auto step = c.send();
    step.yielded();
    c.send(none());
    EXPECT_EQ(c.send().returned(), 3);
}

/// A user's own type with an empty value.
struct reply {
    int code = 0;
};

} // namespace
} // namespace test_send

template <>
struct isthmus::empty_value<test_send::reply> {
    static constexpr bool exists = true;
    static test_send::reply make() noexcept { return {}; }
    static bool test(const test_send::reply& value) noexcept { return value.code == 0; }
};

namespace test_send {
namespace {

coroutine<int, reply, reply> with_replies() {
    const reply first = co_yield reply{1};
    co_await plain(1);
    const reply second = co_yield reply{2};
    co_return first.code * 10 + second.code;
}

coroutine<int, int, int> yields_twice_in_one_expression() {
    const int sum = 10 * (co_yield 1) + (co_yield 2);
    co_return sum;
}

// g++ goes on from the first co_yield when the second is resumed, where there is one value for both.
TEST(Send, TwoInOneExpressionNeverGetTheSameValue) {
    auto c = yields_twice_in_one_expression();
    c.send();
    c.send(3);
    const auto ended = c.try_send(4);
    if (ended.failed()) {
        EXPECT_THROW(std::rethrow_exception(ended.error()), isthmus::missing_value);
    } else {
        EXPECT_EQ(ended.returned(), 34);
    }
}

TEST(Send, AnEmptyValueOfTheUsersOwn) {
    auto c = with_replies();
    EXPECT_ERROR(c.send(reply{1}), isthmus::send_to_unstarted, test::unstarted);
    EXPECT_EQ(c.send(reply{}).yielded().code, 1);
    EXPECT_EQ(c.send(reply{7}).yielded().code, 0);
    EXPECT_EQ(c.send().yielded().code, 2);
    EXPECT_EQ(c.send().returned(), 70);
}

} // namespace
} // namespace test_send
