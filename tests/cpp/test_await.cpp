// tests/cpp/test_await.cpp — co_await of another coroutine, and its await-iterator (clauses 3, 7, 9).
// SPDX-License-Identifier: MIT
#include "support.hpp"

#include <iterator>
#include <memory>
#include <ranges>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace test_await {
namespace {

using isthmus::coroutine;
using isthmus::coroutine_state;
using isthmus::generator_exit;
using isthmus::none;
using test::boom;
using test::note;
using test::trace;

/// Yields ints and may be resumed without a value.
using counting = coroutine<int, int>;

/// Yields from, from + 1, ..., to - 1, and returns `to`.
counting counts(int from, int to) {
    for (int i = from; i < to; ++i) {
        co_yield i;
    }
    co_return to;
}

counting awaits(counting& inner) { co_return 100 + co_await inner; }
counting awaits_owned(counting inner) { co_return 100 + co_await inner; }
counting continues(counting& inner) { co_return 1000 + co_await inner.await(); }

/// Awaits by `awaits`, and returns instead of its value -1 and the text of the error, if there is one.
counting observes(counting& inner, std::string& text, bool by_iterator) {
    int value = -1;
    try {
        if (by_iterator) {
            value = co_await inner.await();
        } else {
            value = co_await inner;
        }
    } catch (const isthmus::value_error& error) {
        text = std::string("value_error: ") + error.what();
    } catch (const isthmus::runtime_error& error) {
        text = std::string("runtime_error: ") + error.what();
    } catch (const isthmus::type_error& error) {
        text = std::string("type_error: ") + error.what();
    }
    co_yield value;
    co_return value;
}

const std::string is_finished = std::string("runtime_error: ") + test::finished;
const std::string is_awaited = std::string("runtime_error: ") + test::awaited;
const std::string is_executing = std::string("value_error: ") + test::executing;

/// Drives to the end; the yielded values, and at last the returned one.
std::vector<int> all(counting& c) {
    std::vector<int> values;
    while (true) {
        auto step = c.send();
        values.push_back(step.done() ? step.returned() : step.yielded());
        if (step.done()) {
            return values;
        }
    }
}

TEST(Await, Clause_3_1_TheValueIsWhatWasReturned) {
    counting inner = counts(1, 3);
    counting outer = awaits(inner);
    EXPECT_EQ(all(outer), std::vector({1, 2, 103}));
    EXPECT_EQ(inner.state(), coroutine_state::closed);
    counting at_once = awaits_owned(counts(5, 5));
    EXPECT_EQ(all(at_once), std::vector({105}));
}

coroutine<std::unique_ptr<int>> gives_pointer() { co_return std::make_unique<int>(4); }
coroutine<int&> gives_reference(int& value) { co_return value; }
coroutine<> gives_nothing(trace& log) {
    log.push_back("ran");
    co_return;
}
coroutine<int> awaits_each_kind(trace& log) {
    int value = 1;
    decltype(auto) pointer = co_await gives_pointer();
    static_assert(std::is_same_v<decltype(pointer), std::unique_ptr<int>>);
    decltype(auto) reference = co_await gives_reference(value);
    static_assert(std::is_same_v<decltype(reference), int&>);
    EXPECT_EQ(&reference, &value);
    co_await gives_nothing(log);
    co_return *pointer + reference;
}

TEST(Await, Clause_3_1_OfEachKind) {
    trace log;
    EXPECT_EQ(awaits_each_kind(log).send().returned(), 5);
    EXPECT_EQ(log, trace{"ran"});
}

coroutine<int> awaits_temporaries(int count) {
    int sum = 0;
    for (int i = 0; i < count; ++i) {
        sum += *(co_await gives_pointer()) + co_await awaits_temporaries(0);
    }
    co_return sum;
}

TEST(Await, SeveralInOneExpression) { EXPECT_EQ(awaits_temporaries(10).send().returned(), 40); }

// g++ makes both awaiters before the first suspends, and takes both results when the second has ended.
TEST(Await, TheSecondInOneExpressionIsGivenUp) {
    struct local {
        static counting holds(std::shared_ptr<int> held, int yields) {
            for (int i = 0; i < yields; ++i) {
                co_yield i;
            }
            co_return *held;
        }
        static counting adds(std::shared_ptr<int> held) { co_return co_await holds(held, 0) + co_await holds(held, 1); }
    };
    const auto held = std::make_shared<int>(3);
    {
        auto destroyed = local::adds(held);
        destroyed.send();
    }
    EXPECT_EQ(held.use_count(), 1);
    auto closed = local::adds(held);
    closed.send();
    closed.close();
    EXPECT_EQ(held.use_count(), 1);
    auto thrown_into = local::adds(held);
    thrown_into.send();
    EXPECT_THROW(thrown_into.throw_(boom("in")), boom);
    EXPECT_EQ(held.use_count(), 1);
    auto ended = local::adds(held);
    ended.send();
    EXPECT_EQ(ended.send().returned(), 6);
    EXPECT_EQ(held.use_count(), 1);
}

// The same: what the second awaits may be gone, or in use, when its turn comes.
TEST(Await, TheFirstInOneExpressionHasTouchedWhatTheSecondAwaits) {
    struct local {
        static counting drives(counting& other, int steps) {
            for (int i = 0; i < steps; ++i) {
                other.send();
            }
            co_return 1;
        }
        static counting destroys(counting& other) {
            other.send();
            other = counting();
            co_return 1;
        }
        static counting twice(counting& other) { co_return co_await other + co_await other; }
        static counting after_driving(counting& other, int steps) {
            co_return co_await drives(other, steps) + co_await other;
        }
        static counting after_destroying(counting& other) { co_return co_await destroys(other) + co_await other; }
    };
    const auto runs = [](counting& c) {
        while (!c.send().done()) {}
    };
    counting target = counts(0, 2);
    counting twice = local::twice(target);
    EXPECT_THROW(runs(twice), isthmus::protocol_error);
    EXPECT_EQ(target.state(), coroutine_state::closed);

    target = counts(0, 2);
    counting ended = local::after_driving(target, 3);
    EXPECT_THROW(runs(ended), isthmus::already_finished);

    target = counts(0, 2);
    counting destroyed = local::after_destroying(target);
    EXPECT_THROW(runs(destroyed), isthmus::already_finished);
}

TEST(Await, Clause_7_6_OneThatHasFinished) {
    std::string text;
    counting returned = counts(1, 1);
    returned.send();
    observes(returned, text, false).send();
    EXPECT_EQ(text, is_finished);

    counting closed = counts(1, 3);
    closed.send();
    closed.close();
    text.clear();
    observes(closed, text, false).send();
    EXPECT_EQ(text, is_finished);

    counting failed = counts(1, 3);
    EXPECT_THROW(failed.throw_(boom("x")), boom);
    text.clear();
    observes(failed, text, false).send();
    EXPECT_EQ(text, is_finished);

    counting empty;
    text.clear();
    observes(empty, text, false).send();
    EXPECT_EQ(text, is_finished);
    text.clear();
    observes(empty, text, true).send();
    EXPECT_EQ(text, is_finished);
}

counting awaits_twice(counting& inner, std::string& text) {
    int value = co_await inner;
    try {
        value += co_await inner;
    } catch (const isthmus::already_finished& error) {
        text = error.what();
    }
    co_return value;
}

TEST(Await, Clause_7_6_Twice) {
    std::string text;
    counting inner = counts(1, 2);
    counting outer = awaits_twice(inner, text);
    EXPECT_EQ(all(outer), std::vector({1, 2}));
    EXPECT_EQ(text, test::finished);
}

TEST(Await, Clause_7_7_OneThatWasStartedByHandIsRefusedAndUnharmed) {
    std::string text;
    counting inner = counts(1, 4);
    inner.send();
    counting outer = observes(inner, text, false);
    EXPECT_EQ(all(outer), std::vector({-1, -1}));
    EXPECT_EQ(text, is_awaited);
    EXPECT_EQ(inner.state(), coroutine_state::suspended);
    EXPECT_EQ(all(inner), std::vector({2, 3, 4}));
}

TEST(Await, Clause_7_7_OneThatAnotherAwaitsIsRefusedAndUnharmed) {
    std::string text;
    counting inner = counts(1, 4);
    counting middle = awaits(inner);
    counting outer = awaits(middle);
    outer.send();
    counting other = observes(inner, text, false);
    EXPECT_EQ(all(other), std::vector({-1, -1}));
    EXPECT_EQ(text, is_awaited);
    counting another = observes(middle, text, false);
    text.clear();
    EXPECT_EQ(all(another), std::vector({-1, -1}));
    EXPECT_EQ(text, is_awaited);
    EXPECT_EQ(all(outer), std::vector({2, 3, 204}));
}

TEST(Await, Clause_7_7_TheErrorPropagates) {
    counting inner = counts(1, 4);
    inner.send();
    counting outer = awaits(inner);
    EXPECT_ERROR(outer.send(), isthmus::already_awaited, test::awaited);
    EXPECT_EQ(outer.state(), coroutine_state::closed);
    EXPECT_EQ(inner.send().yielded(), 2);
}

counting awaits_pointee(counting*& target, std::string& text, bool by_iterator) {
    counting checked = observes(*target, text, by_iterator);
    co_return co_await checked;
}

TEST(Await, Clause_7_8_ItselfThroughAChild) {
    for (const bool by_iterator : {false, true}) {
        std::string text;
        counting* at = nullptr;
        counting c = awaits_pointee(at, text, by_iterator);
        at = &c;
        EXPECT_EQ(all(c), std::vector({-1, -1}));
        EXPECT_EQ(text, is_executing);
    }
}

counting awaits_itself(counting*& self, trace& log) {
    try {
        co_await *self;
    } catch (const isthmus::already_executing& error) {
        log.push_back(error.what());
    }
    try {
        co_await self->await();
    } catch (const isthmus::already_executing& error) {
        log.push_back(error.what());
    }
    co_return 1;
}

TEST(Await, Clause_7_8_Itself) {
    trace log;
    counting* self = nullptr;
    counting c = awaits_itself(self, log);
    self = &c;
    EXPECT_EQ(c.send().returned(), 1);
    EXPECT_EQ(log, trace({test::executing, test::executing}));
}

counting awaits_mutually(counting*& other) { co_return co_await *other; }

TEST(Await, Clause_7_8_EachOther) {
    counting* first_at = nullptr;
    counting* second_at = nullptr;
    counting first = awaits_mutually(second_at);
    counting second = awaits_mutually(first_at);
    first_at = &first;
    second_at = &second;
    EXPECT_ERROR(first.send(), isthmus::already_executing, test::executing);
    EXPECT_EQ(first.state(), coroutine_state::closed);
    EXPECT_EQ(second.state(), coroutine_state::closed);
}

// 7.9: continuing.

TEST(Await, Clause_7_9_OneStartedByHandIsContinued) {
    counting inner = counts(1, 4);
    EXPECT_EQ(inner.send().yielded(), 1);
    counting outer = continues(inner);
    EXPECT_EQ(all(outer), std::vector({2, 3, 1004}));
    EXPECT_EQ(inner.state(), coroutine_state::closed);
}

TEST(Await, Clause_7_9_ChecksNothingOfAnUnstartedOne) {
    counting inner = counts(1, 3);
    counting outer = continues(inner);
    EXPECT_EQ(all(outer), std::vector({1, 2, 1003}));
}

counting continues_temporary() { co_return 1 + co_await counts(7, 8).await(); }
counting continues_moved(counting inner) { co_return 1 + co_await std::move(inner).await(); }

TEST(Await, Clause_7_9_AnIteratorThatOwns) {
    counting outer = continues_temporary();
    EXPECT_EQ(all(outer), std::vector({7, 9}));
    counting started = counts(1, 3);
    started.send();
    counting moved = continues_moved(std::move(started));
    EXPECT_EQ(all(moved), std::vector({2, 4}));
}

TEST(Await, Clause_7_9_AWholeChainIsContinued) {
    counting inner = counts(1, 4);
    counting middle = awaits(inner);
    EXPECT_EQ(middle.send().yielded(), 1);
    counting outer = continues(middle);
    EXPECT_EQ(outer.send().yielded(), 2);
    EXPECT_EQ(inner.state(), coroutine_state::suspended);
    EXPECT_EQ(all(outer), std::vector({3, 1104}));
}

TEST(Await, Clause_7_9_TakenFromAnotherAwaiter) {
    counting inner = counts(1, 5);
    counting first = awaits(inner);
    EXPECT_EQ(first.send().yielded(), 1);
    counting second = continues(inner);
    EXPECT_EQ(second.send().yielded(), 2);
    EXPECT_EQ(first.state(), coroutine_state::suspended);
    EXPECT_EQ(all(first), std::vector({3, 4, 105}));
    EXPECT_ERROR(second.send(), isthmus::already_finished, test::finished);
    EXPECT_EQ(second.state(), coroutine_state::closed);
}

TEST(Await, Clause_7_9_TwoIteratorsInterleave) {
    counting inner = counts(0, 9);
    counting a = continues(inner);
    counting b = continues(inner);
    for (int i = 0; i < 8; i += 2) {
        EXPECT_EQ(a.send().yielded(), i);
        EXPECT_EQ(b.send().yielded(), i + 1);
    }
    EXPECT_EQ(a.send().yielded(), 8);
    EXPECT_EQ(b.send().returned(), 1009);
    EXPECT_ERROR(a.send(), isthmus::already_finished, test::finished);
}

TEST(Await, Clause_7_9_ThreeIteratorsAndByHandOnAChain) {
    counting leaf = counts(0, 100);
    counting middle = awaits(leaf);
    counting a = continues(middle);
    counting b = continues(leaf);
    counting c = continues(middle);
    int expected = 0;
    for (int round = 0; round < 5; ++round) {
        EXPECT_EQ(a.send().yielded(), expected++);
        EXPECT_EQ(b.send().yielded(), expected++);
        EXPECT_EQ(leaf.send().yielded(), expected++);
        EXPECT_EQ(c.send().yielded(), expected++);
        EXPECT_EQ(middle.send().yielded(), expected++);
    }
    for (counting* each : {&a, &b, &c, &middle, &leaf}) {
        EXPECT_EQ(each->state(), coroutine_state::suspended);
    }
    leaf.close();
    EXPECT_ERROR(b.send(), isthmus::already_finished, test::finished);
    EXPECT_EQ(middle.state(), coroutine_state::suspended);
    EXPECT_ERROR(c.send(), isthmus::already_finished, test::finished); // from the leaf, through middle
    EXPECT_EQ(middle.state(), coroutine_state::closed);
    EXPECT_ERROR(a.send(), isthmus::already_finished, test::finished);
}

coroutine<int, int, int> adds() {
    int sum = 0;
    while (sum < 10) {
        sum += co_yield sum;
    }
    co_return sum;
}
coroutine<int, int, int> continues_adds(coroutine<int, int, int>& inner, std::string& text) {
    int value = -1;
    try {
        value = co_await inner.await();
    } catch (const isthmus::missing_value& error) {
        text = error.what();
    }
    co_return value;
}

TEST(Await, Clause_7_9_AwaitingSendsNoneWhichASendTypeMayNotHave) {
    std::string text;
    auto inner = adds();
    inner.send();
    EXPECT_EQ(continues_adds(inner, text).send().returned(), -1);
    EXPECT_EQ(text, test::no_none);
    EXPECT_EQ(inner.state(), coroutine_state::suspended);
    EXPECT_EQ(inner.send(20).returned(), 20);

    auto unstarted = adds();
    auto outer = continues_adds(unstarted, text);
    EXPECT_EQ(outer.send().yielded(), 0);
    EXPECT_EQ(outer.send(11).returned(), 11);
}

TEST(Await, Clause_7_9_AStepIsStolenByHand) {
    counting inner = counts(1, 5);
    counting outer = awaits(inner);
    EXPECT_EQ(outer.send().yielded(), 1);
    EXPECT_EQ(inner.send().yielded(), 2);
    EXPECT_EQ(outer.state(), coroutine_state::suspended);
    EXPECT_EQ(inner.state(), coroutine_state::suspended);
    EXPECT_EQ(outer.send().yielded(), 3);
    EXPECT_EQ(inner.send().yielded(), 4);
    EXPECT_EQ(outer.send().returned(), 105);
}

TEST(Await, Clause_7_9_StepsAreStolenAtEveryLevel) {
    counting leaf = counts(0, 1000);
    std::vector<counting> levels;
    levels.reserve(6);
    levels.push_back(awaits(leaf));
    for (std::size_t i = 1; i < 6; ++i) {
        levels.push_back(awaits(levels[i - 1]));
    }
    int expected = 0;
    EXPECT_EQ(levels.back().send().yielded(), expected++);
    for (unsigned order = 1; order < 500; ++order) {
        const std::size_t which = (order * 7919) % 7;
        counting& target = which == 6 ? leaf : levels[which];
        ASSERT_EQ(target.send().yielded(), expected++);
        ASSERT_EQ(levels.back().state(), coroutine_state::suspended);
    }
    EXPECT_EQ(levels.back().send().yielded(), expected);
}

TEST(Await, Clause_7_9_StealingTheLastStep) {
    counting inner = counts(1, 2);
    counting outer = awaits(inner);
    outer.send();
    EXPECT_EQ(inner.send().returned(), 2);
    EXPECT_ERROR(outer.send(), isthmus::already_finished, test::finished);
    EXPECT_EQ(outer.state(), coroutine_state::closed);
}

TEST(Await, Clause_7_6_ClosedBehindTheAwaitersBack) {
    std::string text;
    counting inner = counts(1, 3);
    counting outer = observes(inner, text, false);
    outer.send();
    inner.close();
    EXPECT_EQ(outer.state(), coroutine_state::suspended);
    EXPECT_EQ(outer.send().yielded(), -1);
    EXPECT_EQ(text, is_finished);
    EXPECT_EQ(outer.send().returned(), -1);
}

TEST(Await, Clause_7_6_DestroyedBehindTheAwaitersBack) {
    std::string text;
    auto inner = std::make_unique<counting>(counts(1, 3));
    counting outer = observes(*inner, text, false);
    outer.send();
    inner.reset();
    EXPECT_EQ(outer.send().yielded(), -1);
    EXPECT_EQ(text, is_finished);
}

TEST(Await, Clause_7_6_AMiddleDestroyedBehindTheAwaitersBack) {
    trace log;
    struct local {
        static counting leaf(trace& log) {
            note end(log, "leaf");
            co_yield 1;
            co_return 0;
        }
        static counting level(trace& log, counting& inner) {
            note end(log, "middle");
            co_return co_await inner;
        }
    };
    std::string text;
    counting inner = local::leaf(log);
    auto middle = std::make_unique<counting>(local::level(log, inner));
    counting outer = observes(*middle, text, false);
    outer.send();
    middle.reset(); // with all that it awaits, leaf first
    EXPECT_EQ(log, trace({"leaf", "middle"}));
    EXPECT_EQ(inner.state(), coroutine_state::closed);
    EXPECT_EQ(outer.send().yielded(), -1);
    EXPECT_EQ(text, is_finished);
}

TEST(Await, Clause_7_6_ThrownIntoBehindTheAwaitersBack) {
    counting inner = counts(1, 3);
    counting outer = awaits(inner);
    outer.send();
    EXPECT_ERROR(inner.throw_(boom("x")), boom, "x");
    EXPECT_ERROR(outer.throw_(boom("dropped")), isthmus::already_finished, test::finished);
    EXPECT_EQ(outer.state(), coroutine_state::closed);
}

TEST(Await, Clause_7_6_AGeneratorExitIsNotDroppedWhenTheInnerIsGone) {
    counting inner = counts(1, 3);
    counting outer = awaits(inner);
    outer.send();
    inner.close();
    EXPECT_THROW(outer.throw_(generator_exit()), generator_exit);
}

counting says(trace& log) {
    try {
        co_yield 1;
        co_yield 2;
    } catch (const boom& error) {
        log.push_back(error.what());
    } catch (const generator_exit&) {
        log.push_back("exit");
        throw;
    }
    co_yield 3;
    co_return 4;
}

TEST(Await, Clause_7_9_AnErrorFindsTheInnerAfterAStolenStep) {
    trace log;
    counting inner = says(log);
    counting outer = awaits(inner);
    outer.send();
    EXPECT_EQ(inner.send().yielded(), 2);
    EXPECT_EQ(outer.throw_(boom("x")).yielded(), 3);
    EXPECT_EQ(log, trace{"x"});
    EXPECT_EQ(outer.send().returned(), 104);
}

TEST(Await, Clause_7_9_ClosingFindsTheInnerAfterAStolenStep) {
    trace log;
    counting inner = says(log);
    counting outer = awaits(inner);
    outer.send();
    inner.send();
    EXPECT_EQ(outer.close(), std::nullopt);
    EXPECT_EQ(log, trace{"exit"});
    EXPECT_EQ(inner.state(), coroutine_state::closed);
}

TEST(Await, Clause_7_9_ClosingOneOfTwoAwaitersClosesTheInner) {
    trace log;
    counting inner = says(log);
    counting a = awaits(inner);
    counting b = continues(inner);
    a.send();
    b.send();
    EXPECT_EQ(a.close(), std::nullopt);
    EXPECT_EQ(log, trace{"exit"});
    EXPECT_EQ(inner.state(), coroutine_state::closed);
    EXPECT_ERROR(b.send(), isthmus::already_finished, test::finished);
}

/// While the inner one runs for one awaiter, or by hand, the other is driven.
counting drives_from_within(counting*& other, char how, trace& log) {
    co_yield 1;
    switch (how) {
    case 's':
        log.push_back(test::caught<isthmus::already_executing>([&] { other->send(); }));
        break;
    case 't':
        log.push_back(test::caught<isthmus::already_executing>([&] { other->throw_(boom("dropped")); }));
        break;
    default:
        log.push_back(test::caught<isthmus::already_executing>([&] { other->close(); }));
    }
    co_yield 2;
    co_return 3;
}

TEST(Await, Clause_7_9_TheOtherAwaiterIsDrivenWhileTheInnerRuns) {
    for (const char how : {'s', 't', 'c'}) {
        for (const bool by_hand : {false, true}) {
            trace log;
            counting* other = nullptr;
            counting inner = drives_from_within(other, how, log);
            counting a = awaits(inner);
            counting b = continues(inner);
            EXPECT_EQ(a.send().yielded(), 1);
            other = &a;
            EXPECT_EQ(by_hand ? inner.send().yielded() : b.send().yielded(), 2);
            EXPECT_EQ(log, trace{test::executing});
            EXPECT_EQ(a.state(), coroutine_state::closed);
            if (by_hand) {
                EXPECT_EQ(all(inner), std::vector({3}));
            } else {
                EXPECT_EQ(all(b), std::vector({1003}));
            }
        }
    }
}

/// The awaiter survives the refused step and awaits the inner one again.
counting awaits_until_it_works(counting& inner, int& refusals) {
    while (true) {
        try {
            co_return co_await inner.await();
        } catch (const isthmus::already_executing&) {
            ++refusals;
        }
        co_yield -1;
    }
}
counting drives_once(counting*& other) {
    co_yield 1;
    EXPECT_EQ(other->send().yielded(), -1);
    co_yield 2;
    co_return 3;
}

TEST(Await, Clause_7_9_ARefusedAwaiterMayTryAgain) {
    int refusals = 0;
    counting* other = nullptr;
    counting inner = drives_once(other);
    counting outer = awaits_until_it_works(inner, refusals);
    EXPECT_EQ(outer.send().yielded(), 1);
    other = &outer;
    EXPECT_EQ(inner.send().yielded(), 2);
    EXPECT_EQ(refusals, 1);
    EXPECT_EQ(outer.send().returned(), 3);
}

// 12.1: whoever dies suspended ends what it awaits, also if somebody else drove that last (7.9).
TEST(Await, AnAwaiterThatDiesEndsWhatItAwaits) {
    counting inner = counts(1, 4);
    {
        counting a = awaits(inner);
        a.send();
        inner.send(); // by hand: not in the chain of `a` now
        EXPECT_EQ(inner.state(), coroutine_state::suspended);
    }
    EXPECT_EQ(inner.state(), coroutine_state::closed);
}

TEST(Await, AnAwaiterThatDiesEndsWhatAnotherGoesOnWith) {
    counting inner = counts(1, 4);
    counting a = awaits(inner);
    counting b = continues(inner);
    a.send();
    b.send();
    a = counting();
    EXPECT_EQ(inner.state(), coroutine_state::closed);
    EXPECT_THROW(b.send(), isthmus::already_finished); // 7.6
}

TEST(Await, ManyLevelsThatWereDrivenByHandDieTogether) {
    constexpr std::size_t depth = 5000;
    std::vector<counting> levels;
    levels.reserve(depth);
    levels.push_back(counts(1, 1'000'000));
    while (levels.size() < depth) {
        counting& inner = levels.back();
        levels.push_back(continues(inner));
        levels.back().send();
        inner.send();
    }
    levels.pop_back();
    for (const counting& level : levels) {
        ASSERT_EQ(level.state(), coroutine_state::closed);
    }
}

TEST(Await, AStolenInnerIsDestroyedBeforeItsAwaiter) {
    std::vector<int> order;
    struct noted {
        std::vector<int>& order;
        int number;
        ~noted() { order.push_back(number); }
    };
    struct local {
        static counting leaf(std::vector<int>& order) {
            const noted at_end{order, 1};
            co_yield 1;
            co_yield 2;
            co_return 3;
        }
        static counting awaiter(counting& inner, std::vector<int>& order) {
            const noted at_end{order, 2};
            co_return co_await inner;
        }
    };
    counting inner = local::leaf(order);
    {
        counting outer = local::awaiter(inner, order);
        outer.send();
        inner.send();
    }
    EXPECT_EQ(order, (std::vector<int>{1, 2}));
}

TEST(Await, AnAwaiterOfARunningOneDies) {
    struct local {
        static counting drops(std::unique_ptr<counting>& other) {
            co_yield 1;
            other.reset();
            co_yield 2;
            co_return 3;
        }
    };
    std::unique_ptr<counting> other;
    counting inner = local::drops(other);
    other = std::make_unique<counting>(awaits(inner));
    other->send();
    EXPECT_EQ(inner.send().yielded(), 2);
    EXPECT_EQ(inner.send().returned(), 3);
}

TEST(Await, TheInnerObjectMayMoveWhileItIsAwaited) {
    std::vector<counting> made;
    made.push_back(counts(1, 4));
    counting outer = awaits(made[0]);
    outer.send();
    for (int i = 0; i < 100; ++i) {
        made.push_back(counts(0, 0));
    }
    EXPECT_EQ(made[0].state(), coroutine_state::suspended);
    EXPECT_EQ(outer.send().yielded(), 2);
    EXPECT_EQ(made[0].send().yielded(), 3);
    EXPECT_EQ(outer.send().returned(), 104);
    EXPECT_EQ(made[0].state(), coroutine_state::closed);
}

// The await-iterator driven by hand.

TEST(AwaitIterator, Clause_9_3_ForwardsAllOperations) {
    coroutine<int, int, int> c = adds();
    auto iterator = c.await();
    EXPECT_ERROR(iterator.send(1), isthmus::send_to_unstarted, test::unstarted);
    EXPECT_EQ(iterator.send().yielded(), 0);
    EXPECT_EQ(iterator.send(3).yielded(), 3);
    EXPECT_EQ(c.send(1).yielded(), 4);
    EXPECT_ERROR(iterator.throw_(boom("x")), boom, "x");
    EXPECT_ERROR(iterator.send(), isthmus::already_finished, test::finished);
    EXPECT_ERROR(iterator.throw_(boom("dropped")), isthmus::already_finished, test::finished);
    EXPECT_EQ(iterator.close(), std::nullopt);
}

TEST(AwaitIterator, Clause_9_1_ExistsInEveryState) {
    counting c = counts(1, 3);
    auto created = c.await();
    EXPECT_EQ(created.send().yielded(), 1);
    auto suspended = c.await();
    EXPECT_EQ(suspended.send().yielded(), 2);
    EXPECT_EQ(created.send().returned(), 3);
    auto closed = c.await();
    EXPECT_ERROR(closed.send(), isthmus::already_finished, test::finished);
    EXPECT_EQ(closed.close(), std::nullopt);
}

TEST(AwaitIterator, Clause_9_2_OfATemporaryOwnsTheCoroutine) {
    trace log;
    {
        auto iterator = says(log).await();
        EXPECT_EQ(iterator.send().yielded(), 1);
        auto moved = std::move(iterator);
        EXPECT_EQ(moved.send().yielded(), 2);
        EXPECT_EQ(moved.close(), std::nullopt);
    }
    EXPECT_EQ(log, trace{"exit"});
}

TEST(AwaitIterator, Clause_9_2_IsNeitherAwaitableNorACoroutine) {
    using iterator = decltype(std::declval<counting&>().await());
    using owner = decltype(std::declval<counting>().await());
    static_assert(!isthmus::awaitable<iterator> && !isthmus::awaitable<owner>);
    static_assert(!isthmus::coroutine_like<iterator>);
    static_assert(isthmus::awaitable<counting> && isthmus::coroutine_like<counting>);
    static_assert(isthmus::coroutine_like<coroutine<void, void, void>>);
    static_assert(isthmus::coroutine_like<coroutine<int&, int&, int&>>);
    static_assert(!isthmus::awaitable<int> && !isthmus::coroutine_like<int>);
}

TEST(Await, Clause_7_11_ACoroutineIsNeitherARangeNorAFunction) {
    static_assert(!std::ranges::range<counting>);
    static_assert(!std::input_or_output_iterator<counting>);
    static_assert(!std::is_invocable_v<counting&>);
    static_assert(!std::is_copy_constructible_v<counting> && !std::is_copy_assignable_v<counting>);
    static_assert(std::is_nothrow_move_constructible_v<counting> && std::is_nothrow_move_assignable_v<counting>);
    static_assert(std::is_nothrow_default_constructible_v<counting>);
}

} // namespace
} // namespace test_await
