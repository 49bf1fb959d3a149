// tests/cpp/test_yield_from.cpp — co_yield yield_from(...): Python's `yield from` (PEP
// 380; 5.19–5.24, 6.9, 6.13, 15.7). SPDX-License-Identifier: MIT
#include "support.hpp"

#include <list>
#include <memory>
#include <optional>
#include <ranges>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

namespace test_yield_from {
namespace {

using isthmus::coroutine_state;
using isthmus::generator;
using isthmus::generator_exit;
using isthmus::none;
using isthmus::step;
using isthmus::yield_from;
using test::boom;
using test::trace;

const char* const executing = "generator already executing";
const char* const ignored = "generator ignored GeneratorExit";
const char* const exhausted = "the generator has finished, and its Return type has no empty value";
const char* const no_send = "object has no attribute 'send'";

using talking = generator<int, std::optional<int>, std::string>;

/// Yields 1 .. n, and returns what it was sent.
talking listens(int n) {
    std::string heard;
    for (int i = 1; i <= n; ++i) {
        const std::optional<int> sent = co_yield i;
        heard += sent ? std::to_string(*sent) : "-";
    }
    co_return heard;
}
talking delegates(talking sub) {
    const std::string heard = co_yield yield_from(sub);
    co_return "[" + heard + "]";
}
talking delegates_to(talking& sub) { co_return "<" + (co_yield yield_from(sub)) + ">"; }
talking delegates_to_temporary(int n) { co_return co_yield yield_from(listens(n)); }

std::vector<int> all(generator<int> g) {
    std::vector<int> seen;
    for (int i : g) {
        seen.push_back(i);
    }
    return seen;
}

// ---- to another generator ----

TEST(YieldFrom, SendsGoToTheSubGeneratorAndItsResultIsTheValue) {
    auto g = delegates(delegates(listens(3)));
    EXPECT_EQ(g.send().yielded(), 1);
    EXPECT_EQ(g.send(7).yielded(), 2);
    EXPECT_EQ(g.send().yielded(), 3);
    EXPECT_EQ(g.send(9).returned(), "[[7-9]]");

    auto t = delegates_to_temporary(1);
    EXPECT_EQ(t.send().yielded(), 1);
    EXPECT_EQ(t.send(5).returned(), "5");
}

generator<int> twice(int n) {
    for (int i = 0; i < 2; ++i) {
        co_yield yield_from([](int m) -> generator<int> {
            for (int k = 0; k < m; ++k) {
                co_yield k;
            }
        }(n));
    }
    co_yield -1;
}

TEST(YieldFrom, OneAfterAnother) { EXPECT_EQ(all(twice(2)), (std::vector<int>{0, 1, 0, 1, -1})); }

TEST(YieldFrom, ASubGeneratorThatIsAlreadyPartlyDrivenIsContinued) {
    auto sub = listens(3);
    sub.send();
    auto g = delegates_to(sub);
    EXPECT_EQ(g.send().yielded(), 2); // no 7.7 for generators
    EXPECT_EQ(sub.state(), coroutine_state::suspended);
    EXPECT_EQ(g.send(6).yielded(), 3);
    EXPECT_EQ(g.send(6).returned(), "<-66>");
    EXPECT_EQ(sub.state(), coroutine_state::closed);
}

TEST(YieldFrom, Clause_7_9_TwoTakeTurnsWithOne) {
    auto sub = listens(6);
    auto a = delegates_to(sub);
    auto b = delegates_to(sub);
    EXPECT_EQ(a.send().yielded(), 1);
    EXPECT_EQ(b.send().yielded(), 2);
    EXPECT_EQ(a.send().yielded(), 3);
    EXPECT_EQ(sub.send().yielded(), 4);
    EXPECT_EQ(b.send().yielded(), 5);
    EXPECT_EQ(a.send().yielded(), 6);
    EXPECT_EQ(a.send().returned(), "<------>");
    EXPECT_TRUE(b.try_send().failed()); // finished meanwhile, and a string has no empty value
    EXPECT_EQ(b.state(), coroutine_state::closed);
}

using optional_result = generator<int, none, std::optional<int>>;
optional_result gives(int n) {
    co_yield n;
    co_return n;
}
optional_result takes(optional_result& sub) {
    std::optional<int> result;
    try {
        result = co_yield yield_from(sub);
    } catch (const boom&) {
        result = -1;
    }
    co_yield result.value_or(0) + 100;
    co_return result;
}

TEST(YieldFrom, Clause_15_7_AFinishedOneGivesTheEmptyValueAtOnce) {
    auto sub = gives(1);
    sub.send();
    sub.send();
    auto g = takes(sub);
    EXPECT_EQ(g.send().yielded(), 100);
    EXPECT_EQ(g.send().returned(), std::nullopt);
}

TEST(YieldFrom, Clause_15_7_OneThatIsFinishedMeanwhileGivesTheEmptyValueOrRaisesWhatIsThrown) {
    auto sub = gives(1);
    auto g = takes(sub);
    g.send();
    EXPECT_EQ(sub.send().returned(), 1);
    EXPECT_EQ(g.send().yielded(), 100);

    auto closed = gives(1);
    auto h = takes(closed);
    h.send();
    closed.close();
    EXPECT_EQ(h.throw_(boom("into a closed one")).yielded(), 99);

    auto destroyed = std::make_unique<optional_result>(gives(1));
    auto i = takes(*destroyed);
    i.send();
    destroyed.reset();
    EXPECT_EQ(i.send().yielded(), 100);

    auto exited = gives(1);
    auto j = takes(exited);
    j.send();
    exited.close();
    EXPECT_EQ(j.close(), std::nullopt);
}

talking reports_exhausted(talking& sub) {
    try {
        co_return co_yield yield_from(sub);
    } catch (const isthmus::generator_exhausted& error) {
        co_return error.what();
    }
}

TEST(YieldFrom, AFinishedOneWithoutAnEmptyReturnIsExhausted) {
    talking empty;
    EXPECT_EQ(reports_exhausted(empty).send().returned(), exhausted);
    auto sub = listens(1);
    auto g = reports_exhausted(sub);
    g.send();
    sub.close();
    EXPECT_EQ(g.send().returned(), exhausted);
}

generator<std::string> yields_from_itself(generator<std::string>*& self) {
    std::string text = "no error";
    try {
        co_yield yield_from(*self);
    } catch (const isthmus::already_executing& error) {
        text = error.what();
    }
    co_yield text;
}

TEST(YieldFrom, Clause_15_7_ARunningOneIsExecuting) {
    generator<std::string>* self = nullptr;
    auto g = yields_from_itself(self);
    self = &g;
    EXPECT_EQ(g.send().yielded(), executing);
}

// While `sub` runs, driven by hand, it resumes and throws into the one that delegates to it.
generator<std::string> drives_its_waiter(generator<std::string>*& waiter) {
    co_yield "first";
    co_yield waiter->send().yielded();
    co_yield "third";
    co_yield waiter->throw_(boom("dropped")).yielded();
}
generator<std::string> waits(generator<std::string>& sub) {
    while (true) {
        std::string text;
        try {
            co_yield yield_from(sub);
        } catch (const std::exception& error) {
            text = error.what();
        }
        co_yield text;
    }
}

TEST(YieldFrom, Clause_5_24_TheOneThatDelegatesToARunningOneGetsAnError) {
    generator<std::string>* waiter = nullptr;
    auto sub = drives_its_waiter(waiter);
    auto g = waits(sub);
    waiter = &g;
    EXPECT_EQ(g.send().yielded(), "first");
    EXPECT_EQ(sub.send().yielded(), executing); // what waits sees it at its co_yield, and yields it
    EXPECT_EQ(g.send().yielded(), "third");
    EXPECT_EQ(sub.send().yielded(), executing);
}

talking resumes(talking*& outer, trace& log) {
    log.push_back(test::caught<isthmus::already_executing>([&] { outer->send(); }));
    log.push_back(outer->state() == coroutine_state::running ? "running" : "not running");
    co_yield 1;
    co_return "";
}

TEST(YieldFrom, Clause_8_2_TheOneThatDelegatesRunsWhileItsSubRuns) {
    trace log;
    talking* outer = nullptr;
    auto g = delegates(resumes(outer, log));
    outer = &g;
    g.send();
    EXPECT_EQ(log, (trace{executing, "running"}));
}

generator<int, int, int> adds() {
    const int first = co_yield 1;
    const int second = co_yield 2;
    co_return first + second;
}
generator<int, int, int> adds_to(generator<int, int, int>& sub) { co_return co_yield yield_from(sub); }

TEST(YieldFrom, WithoutAnEmptySendAStartedOneCannotBeContinued) {
    auto sub = adds();
    auto fresh = adds_to(sub);
    EXPECT_EQ(fresh.send().yielded(), 1);
    auto late = adds_to(sub);
    EXPECT_ERROR(late.send(), isthmus::missing_value,
                 "can't send None to a generator whose Send type has no empty value");
    EXPECT_EQ(fresh.send(3).yielded(), 2); // unharmed
    EXPECT_EQ(fresh.send(4).returned(), 7);
}

generator<none> pauses() {
    co_yield {};
    co_yield {};
}
generator<std::optional<int>, int> pauses_in_between() {
    co_yield 1;
    co_yield yield_from(pauses());
    co_yield 2;
}
generator<int> cannot_pause() { co_yield yield_from(pauses()); }

TEST(YieldFrom, OneThatYieldsAndTakesNoneFitsAnywhere) {
    auto g = pauses_in_between();
    EXPECT_EQ(g.send().yielded(), 1);
    EXPECT_EQ(g.send(5).yielded(), std::nullopt);
    EXPECT_EQ(g.send(6).yielded(), std::nullopt);
    EXPECT_EQ(g.send(7).yielded(), 2);
    EXPECT_ERROR(cannot_pause().send(), isthmus::unexpected_yield,
                 "can't yield None where the Yield type that is driven has no empty value");
}

// ---- throw and close ----

/// A level that writes what reaches it.
generator<int> level(trace& log, int n, std::string on_exit = "leave") {
    const std::string name = std::to_string(n);
    try {
        if (n == 0) {
            co_yield 1;
        } else {
            co_yield yield_from(level(log, n - 1, on_exit));
        }
    } catch (const generator_exit&) {
        log.push_back("exit " + name);
        if (on_exit == "leave" || n != 0) {
            throw;
        }
    } catch (const std::exception& error) {
        log.push_back(name + " " + error.what());
        if (n != 1) {
            throw;
        }
    }
    if (on_exit == "fail") {
        throw boom("failed");
    }
    co_yield 2;
}

TEST(YieldFrom, Clause_5_19_ThrowGoesToTheInnermost) {
    trace log;
    auto g = level(log, 3);
    g.send();
    EXPECT_EQ(g.throw_(boom("x")).yielded(), 2); // level 1 handles it
    EXPECT_EQ(log, (trace{"0 x", "1 x"}));
}

TEST(YieldFrom, Clause_6_13_CloseVisitsEachLevel) {
    trace log;
    auto g = level(log, 3);
    g.send();
    EXPECT_EQ(g.close(), std::nullopt);
    EXPECT_EQ(log, (trace{"exit 0", "exit 1", "exit 2", "exit 3"}));
    EXPECT_EQ(g.state(), coroutine_state::closed);
}

TEST(YieldFrom, Clause_5_23_AThrownExitClosesEachLevel) {
    trace log;
    auto g = level(log, 2);
    g.send();
    EXPECT_THROW(g.throw_(test::custom_exit(1)), test::custom_exit);
    EXPECT_EQ(log, (trace{"exit 0", "exit 1", "exit 2"}));
}

TEST(YieldFrom, Clause_6_9_TheErrorOfALevelReplacesTheExit) {
    trace log;
    auto g = level(log, 2, "fail");
    g.send();
    EXPECT_ERROR(g.close(), boom, "failed");
    EXPECT_EQ(log, (trace{"exit 0", "1 failed", "2 failed"}));
}

TEST(YieldFrom, Clause_15_7_ALevelThatIgnoresTheExitIsNamed) {
    trace log;
    auto g = level(log, 2, "ignore");
    g.send();
    EXPECT_ERROR(g.close(), isthmus::ignored_generator_exit, ignored);
    // Level 1 handles what level 0 did, and does the same.
    EXPECT_EQ(log, (trace{"exit 0", std::string("1 ") + ignored, std::string("2 ") + ignored}));
    EXPECT_EQ(g.state(), coroutine_state::closed);
}

generator<int, none, int> returns_on_exit() {
    try {
        co_yield 1;
    } catch (const generator_exit&) {}
    co_return 5;
}
generator<int, none, int> drops_its_result() { co_return co_yield yield_from(returns_on_exit()); }

TEST(YieldFrom, Clause_6_9_WhatTheInnerReturnsOnCloseIsDropped) {
    auto g = drops_its_result();
    g.send();
    EXPECT_EQ(g.close(), std::nullopt);
}

TEST(YieldFrom, Clause_12_1_DestroyingGoesInnermostFirst) {
    trace log;
    const auto nest = [](auto self, trace& to, int n) -> generator<int> {
        const test::note end(to, std::to_string(n));
        if (n == 0) {
            co_yield 1;
        } else {
            co_yield yield_from(self(self, to, n - 1));
        }
    };
    {
        auto g = nest(nest, log, 2);
        g.send();
    }
    EXPECT_EQ(log, (trace{"0", "1", "2"}));
}

// ---- to a range ----

template <class Range>
generator<int> from_range(Range range) {
    co_yield yield_from(range);
    co_yield yield_from(std::move(range));
}

TEST(YieldFrom, AnyInputRange) {
    const std::vector<int> twice{1, 2, 1, 2};
    EXPECT_EQ(all(from_range(std::vector<int>{1, 2})), twice);
    EXPECT_EQ(all(from_range(std::list<short>{1, 2})), twice);
    EXPECT_EQ(all(from_range(std::views::iota(1, 3))), twice);
    EXPECT_EQ(all(from_range(std::vector<int>())), std::vector<int>());
    EXPECT_EQ(all([](std::istringstream in) -> generator<int> {
                  co_yield yield_from(std::views::istream<int>(in));
              }(std::istringstream("4 5 6"))),
              (std::vector<int>{4, 5, 6}));
    const int array[] = {7, 8};
    EXPECT_EQ(all([](const int(&numbers)[2]) -> generator<int> { co_yield yield_from(numbers); }(array)),
              (std::vector<int>{7, 8}));
    EXPECT_EQ(all([]() -> generator<int> {
                  co_yield yield_from(std::views::iota(0, 5) | std::views::transform([](int i) { return i * i; }));
              }()),
              (std::vector<int>{0, 1, 4, 9, 16}));
}

generator<int&> references(std::vector<int>& numbers) { co_yield yield_from(numbers); }
generator<const int&> const_references(std::vector<int>& numbers) { co_yield yield_from(numbers); }
generator<std::string> copies(std::vector<std::string>& texts) { co_yield yield_from(texts); }
generator<std::unique_ptr<int>> moves(generator<std::unique_ptr<int>>::iterator at) {
    co_yield yield_from(std::ranges::subrange(std::move(at), std::default_sentinel));
}

TEST(YieldFrom, ElementsOfARangeAreReferredToCopiedOrMoved) {
    std::vector<int> numbers{1, 2};
    for (int& number : references(numbers)) {
        number += 10;
    }
    EXPECT_EQ(numbers, (std::vector<int>{11, 12}));
    const int* first = &*const_references(numbers).begin();
    EXPECT_EQ(first, numbers.data());

    std::vector<std::string> texts{"a long text that is no small string", "b"};
    for (std::string&& text : copies(texts)) {
        const std::string taken = std::move(text);
    }
    EXPECT_EQ(texts[0], "a long text that is no small string");

    auto source = []() -> generator<std::unique_ptr<int>> { co_yield std::make_unique<int>(3); }();
    auto m = moves(source.begin());
    EXPECT_EQ(*m.send().yielded(), 3);
    EXPECT_TRUE(m.send().done());
}

talking range_of(std::vector<int> numbers) {
    std::string seen = "nothing";
    try {
        co_yield yield_from(numbers);
    } catch (const isthmus::attribute_error& error) {
        seen = error.what();
    } catch (const boom& error) {
        seen = error.what();
    }
    co_yield 0;
    co_return seen;
}

TEST(YieldFrom, Clause_3_2_AValueSentToARangeIsAnAttributeError) {
    auto g = range_of({1, 2, 3});
    EXPECT_EQ(g.send().yielded(), 1);
    EXPECT_EQ(g.send(std::nullopt).yielded(), 2); // None is next()
    EXPECT_EQ(g.send(5).yielded(), 0);
    EXPECT_EQ(g.send().returned(), no_send);
}

TEST(YieldFrom, Clause_5_21_AnErrorThrownIntoARangeIsRaisedAtTheYield) {
    auto g = range_of({1, 2, 3});
    g.send();
    EXPECT_EQ(g.throw_(boom("x")).yielded(), 0);
    EXPECT_EQ(g.send().returned(), "x");
    auto closed = range_of({1});
    closed.send();
    EXPECT_EQ(closed.close(), std::nullopt);
}

TEST(YieldFrom, AnErrorOfARangeIsRaisedAtTheYield) {
    auto failing = std::views::iota(1) | std::views::transform([](int i) { return i < 2 ? i : throw boom("range"); });
    auto g = [](auto range) -> generator<int> { co_yield yield_from(range); }(failing);
    EXPECT_EQ(g.send().yielded(), 1);
    EXPECT_ERROR(g.send(), boom, "range");
}

// ---- to a user's own iterator ----

/// Counts down, and writes what reaches it.
class recorder {
public:
    recorder(trace& log, int from) : log_(&log), left_(from) {}
    step<int, std::string> send(std::optional<int> value = std::nullopt) {
        log_->push_back(value ? "send " + std::to_string(*value) : "next");
        return advance();
    }
    step<int, std::string> throw_(const std::exception_ptr& error) {
        log_->push_back("throw " + test::caught<boom>(error));
        return advance();
    }
    void close() {
        log_->push_back("close");
        if (fails_on_close) {
            throw boom("close failed");
        }
    }
    bool fails_on_close = false;

private:
    step<int, std::string> advance() {
        if (left_ > 0) {
            return step<int, std::string>(std::in_place_index<0>, left_--);
        }
        return step<int, std::string>(std::in_place_index<1>, "liftoff");
    }
    trace* log_;
    int left_;
};

class only_next {
public:
    step<int, void> send() {
        return n_++ < 3 ? step<int, void>(std::in_place_index<0>, n_) : step<int, void>(std::in_place_index<1>);
    }

private:
    int n_ = 0;
};

talking from_recorder(recorder& object) { co_return co_yield yield_from(object); }
talking from_owned(recorder object) { co_return co_yield yield_from(std::move(object)); }
talking from_only_next() {
    std::string seen = "nothing";
    try {
        co_yield yield_from(only_next());
    } catch (const isthmus::cannot_send& error) {
        seen = error.what();
    }
    co_return seen;
}

TEST(YieldFrom, Clause_5_20_AUsersIteratorIsDriven) {
    trace log;
    recorder object(log, 3);
    auto g = from_recorder(object);
    EXPECT_EQ(g.send().yielded(), 3);
    EXPECT_EQ(g.send(8).yielded(), 2);
    EXPECT_EQ(g.throw_(boom("x")).yielded(), 1);
    EXPECT_EQ(g.send().returned(), "liftoff");
    EXPECT_EQ(log, (trace{"next", "send 8", "throw x", "next"}));

    auto owned = delegates(from_owned(recorder(log, 1)));
    EXPECT_EQ(owned.send().yielded(), 1);
    EXPECT_EQ(owned.send().returned(), "[liftoff]");
}

TEST(YieldFrom, Clause_5_23_AUsersIteratorIsClosed) {
    trace log;
    recorder object(log, 3);
    auto g = delegates(from_recorder(object));
    g.send();
    EXPECT_EQ(g.close(), std::nullopt);
    EXPECT_EQ(log, (trace{"next", "close"}));
    object.fails_on_close = true;
    auto h = from_recorder(object);
    h.send();
    EXPECT_ERROR(h.close(), boom, "close failed");
}

TEST(YieldFrom, Clause_3_2_AUsersIteratorWithoutSendOfAValue) {
    auto g = from_only_next();
    EXPECT_EQ(g.send().yielded(), 1);
    EXPECT_EQ(g.send(std::nullopt).yielded(), 2);
    EXPECT_EQ(g.send(1).returned(), no_send);
}

isthmus::coroutine<std::string, int, std::optional<int>> asks() {
    const std::optional<int> answer = co_yield 1;
    co_return std::to_string(answer.value_or(0));
}

TEST(YieldFrom, TheAwaitIteratorOfACoroutineIsOneToo) {
    auto g = []() -> talking { co_return co_yield yield_from(asks().await()); }();
    EXPECT_EQ(g.send().yielded(), 1);
    EXPECT_EQ(g.send(4).returned(), "4");
}

// ---- depth ----

constexpr int levels = test::deep;

generator<long, int, long> chain(int n) {
    if (n == 0) {
        long sum = co_yield 1;
        sum += co_yield 2;
        co_return sum;
    }
    co_return 1 + (co_yield yield_from(chain(n - 1)));
}

TEST(YieldFromDepth, AMillionLevelsAreBuiltAndResumed) {
    test::on_8_mb_stack([] {
        auto g = chain(levels);
        EXPECT_EQ(g.send().yielded(), 1);
        EXPECT_EQ(g.send(10).yielded(), 2);
        EXPECT_EQ(g.send(20).returned(), levels + 30);
    });
}

TEST(YieldFromDepth, AMillionLevelsAreThrownIntoClosedAndDestroyed) {
    test::on_8_mb_stack([] {
        auto thrown = chain(levels);
        thrown.send();
        EXPECT_ERROR(thrown.throw_(boom("through all levels")), boom, "through all levels");
        auto closed = chain(levels);
        closed.send();
        EXPECT_EQ(closed.close(), std::nullopt);
        auto destroyed = chain(levels);
        destroyed.send();
    });
}

generator<int> counts(int n) {
    if (n == 0) {
        for (int i = 0; i < levels; ++i) {
            co_yield i;
        }
    } else {
        co_yield yield_from(counts(n - 1));
    }
}
generator<int> continues(generator<int>& sub) { co_yield yield_from(sub); }

TEST(YieldFromDepth, AResumeAndAContinuationAreConstantAtAMillionLevels) {
    test::on_8_mb_stack([] {
        auto sub = counts(levels);
        EXPECT_EQ(sub.send().yielded(), 0);
        std::vector<generator<int>> outers; // one that died would end `sub`
        for (int i = 1; i < 10'000; ++i) {
            outers.push_back(continues(sub));
            ASSERT_EQ(outers.back().send().yielded(), i);
            ASSERT_EQ(sub.send().yielded(), ++i);
        }
    });
}

generator<int> owns(generator<int> inner) { co_yield yield_from(inner); }

TEST(YieldFromDepth, AMillionParametersAreRunAndDestroyed) {
    test::on_8_mb_stack([] {
        const auto nested = [] {
            generator<int> g = counts(0);
            for (int i = 0; i < levels; ++i) {
                g = owns(std::move(g));
            }
            return g;
        };
        auto unstarted = nested();
        auto run = nested();
        EXPECT_EQ(run.send().yielded(), 0);
        EXPECT_EQ(run.send().yielded(), 1);
    });
}

} // namespace
} // namespace test_yield_from
