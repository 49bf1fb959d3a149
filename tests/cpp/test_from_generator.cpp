// tests/cpp/test_from_generator.cpp — from_generator: Python's types.coroutine (15), of a generator and as a decorator.
// SPDX-License-Identifier: MIT
#include "support.hpp"

#include <concepts>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace test_from_generator {
namespace {

using isthmus::coroutine;
using isthmus::coroutine_state;
using isthmus::from_generator;
using isthmus::generator;
using isthmus::generator_exit;
using isthmus::none;
using isthmus::yield_from;
using test::boom;
using test::trace;

using talking = generator<int, std::optional<int>, std::optional<int>>;
using awaiting = coroutine<std::optional<int>, int, std::optional<int>>;
using awaitable_talking = isthmus::generator_based_coroutine<int, std::optional<int>, std::optional<int>>;

/// Yields 1 .. n, and returns the sum of what it was sent.
talking listens(int n) {
    int sum = 0;
    for (int i = 1; i <= n; ++i) {
        sum += (co_yield i).value_or(0);
    }
    co_return sum;
}
awaiting awaits(talking g) {
    auto made = from_generator(std::move(g));
    co_return co_await made;
}
awaiting awaits_this(awaitable_talking& g) { co_return co_await g; }

// ---- what it is ----

static_assert(std::same_as<decltype(from_generator(listens(1))), awaitable_talking>);
static_assert(std::same_as<decltype(from_generator(from_generator(listens(1)))), awaitable_talking>); // 15.2
static_assert(std::derived_from<awaitable_talking, talking>);
static_assert(!isthmus::awaitable<awaitable_talking> && !isthmus::coroutine_like<awaitable_talking>); // 15.3
static_assert(std::ranges::view<awaitable_talking> && std::movable<awaitable_talking>);
static_assert(sizeof(awaitable_talking) == sizeof(void*));

TEST(FromGenerator, Clause_15_3_ItIsStillAGenerator) {
    auto g = from_generator(listens(3));
    EXPECT_ERROR(g.send(1), isthmus::send_to_unstarted, "can't send non-None value to a just-started generator");
    EXPECT_EQ(g.send().yielded(), 1);
    std::vector<int> seen;
    for (int i : g) {
        seen.push_back(i);
    }
    EXPECT_EQ(seen, (std::vector<int>{2, 3}));
    EXPECT_EQ(g.send().returned(), std::nullopt);
    EXPECT_ERROR(g.throw_(boom("x")), boom, "x");
    EXPECT_EQ(g.close(), std::nullopt);
}

talking yields_from(awaitable_talking& g) { co_return co_yield yield_from(g); }

TEST(FromGenerator, Clause_15_3_AGeneratorYieldsFromIt) {
    auto sub = from_generator(listens(2));
    auto g = yields_from(sub);
    EXPECT_EQ(g.send().yielded(), 1);
    EXPECT_EQ(g.send(2).yielded(), 2);
    EXPECT_EQ(g.send(3).returned(), 5);
}

// ---- awaiting it ----

TEST(FromGenerator, Clause_15_3_ACoroutineAwaitsIt) {
    auto c = awaits(listens(2));
    EXPECT_EQ(c.send().yielded(), 1);
    EXPECT_EQ(c.send(4).yielded(), 2);
    EXPECT_EQ(c.send(5).returned(), 9);
    auto t = []() -> awaiting { co_return co_await from_generator(listens(1)); }();
    EXPECT_EQ(t.send().yielded(), 1);
    EXPECT_EQ(t.send(7).returned(), 7);
}

TEST(FromGenerator, Clause_7_9_OneThatHasStartedIsContinued) {
    auto g = from_generator(listens(4));
    g.send();
    auto c = awaits_this(g);
    EXPECT_EQ(c.send().yielded(), 2);
    auto d = awaits_this(g); // no 7.7: it is taken over
    EXPECT_EQ(d.send().yielded(), 3);
    EXPECT_EQ(c.send(8).yielded(), 4);
    EXPECT_EQ(c.send(9).returned(), 17);
    EXPECT_EQ(d.send().returned(), std::nullopt); // it has finished meanwhile
}

TEST(FromGenerator, Clause_15_7_AFinishedOneGivesTheEmptyValue) {
    auto g = from_generator(listens(0));
    EXPECT_EQ(g.send().returned(), 0);
    EXPECT_EQ(awaits_this(g).send().returned(), std::nullopt);
    awaitable_talking empty;
    EXPECT_EQ(awaits_this(empty).send().returned(), std::nullopt);
}

TEST(FromGenerator, AFinishedOneWithoutAnEmptyReturnIsExhausted) {
    auto c = []() -> coroutine<int> {
        auto g = from_generator([]() -> generator<none, none, int> { co_return 1; }());
        int sum = co_await g;
        sum += co_await g;
        co_return sum;
    }();
    EXPECT_ERROR(c.send(), isthmus::generator_exhausted,
                 "the generator has finished, and its Return type has no empty value");
}

coroutine<std::string, std::string, none>
awaits_itself(isthmus::generator_based_coroutine<std::string, none, std::string>& g) {
    std::string text = "no error";
    try {
        text = co_await g;
    } catch (const isthmus::already_executing& error) {
        text = error.what();
    }
    co_return text;
}

TEST(FromGenerator, Clause_15_7_ARunningOneIsExecuting) {
    isthmus::generator_based_coroutine<std::string, none, std::string> g;
    g = from_generator([](auto& self) -> generator<std::string, none, std::string> {
        co_return awaits_itself(self).send().returned();
    }(g));
    EXPECT_EQ(g.send().returned(), "generator already executing");
}

generator<none, none, int> pauses(int n) {
    for (int i = 0; i < n; ++i) {
        co_yield {};
    }
    co_return n;
}
awaiting awaits_a_plain_one() { co_return co_await from_generator(pauses(1)) + 1; }
coroutine<int, std::optional<int>, int> crosses() { co_return co_await from_generator(pauses(2)); }

TEST(FromGenerator, OneThatYieldsAndTakesNoneCanBeAwaitedAnywhere) {
    auto c = crosses();
    EXPECT_EQ(c.send().yielded(), std::nullopt);
    EXPECT_EQ(c.send(5).yielded(), std::nullopt);
    EXPECT_EQ(c.send(5).returned(), 2);
    EXPECT_THROW(awaits_a_plain_one().send(), isthmus::unexpected_yield);
}

talking reports(trace& log, bool ignores) {
    try {
        co_yield 1;
    } catch (const generator_exit&) {
        log.push_back("exit");
        if (!ignores) {
            throw;
        }
    } catch (const boom& error) {
        log.push_back(error.what());
        co_return 3;
    }
    co_yield 2;
    co_return 4;
}

TEST(FromGenerator, Clause_5_19_ThrowGoesThroughTheCoroutineToTheGenerator) {
    trace log;
    auto c = awaits(reports(log, false));
    c.send();
    EXPECT_EQ(c.throw_(boom("x")).returned(), 3);
    EXPECT_EQ(log, trace{"x"});
}

TEST(FromGenerator, Clause_6_13_CloseVisitsBothAndNamesWhoIgnoresIt) {
    trace log;
    auto c = awaits(reports(log, false));
    c.send();
    EXPECT_EQ(c.close(), std::nullopt);
    EXPECT_EQ(log, trace{"exit"});
    auto ignoring = awaits(reports(log, true));
    ignoring.send();
    EXPECT_ERROR(ignoring.close(), isthmus::ignored_generator_exit, "generator ignored GeneratorExit");
}

/// A coroutine that ignores the exit, awaited by one that a generator drives: each is named for what it is.
awaiting ignores_exit() {
    try {
        co_yield 1;
    } catch (const generator_exit&) {}
    co_yield 2;
    co_return 3;
}
awaiting awaits_coroutine() { co_return co_await ignores_exit(); }

TEST(FromGenerator, Clause_6_5_ACoroutineThatIgnoresTheExitIsNamedToo) {
    auto c = awaits_coroutine();
    c.send();
    EXPECT_ERROR(c.close(), isthmus::ignored_generator_exit, test::ignored);
}

/// Generators and coroutines in one chain, a million levels deep.
coroutine<long, int> alternates(int n);
generator<int, none, long> alternate_generator(int n) {
    if (n == 0) {
        co_yield 1;
        co_yield 2;
        co_return 0;
    }
    co_return 1 + (co_yield yield_from(alternate_generator(n - 1)));
}
coroutine<long, int> alternates(int n) {
    if (n == 0) {
        co_return co_await from_generator(alternate_generator(test::deep / 2));
    }
    co_return 1 + co_await alternates(n - 1);
}

TEST(FromGenerator, AMillionLevelsOfBothKinds) {
    test::on_8_mb_stack([] {
        auto c = alternates(test::deep / 2);
        EXPECT_EQ(c.send().yielded(), 1);
        EXPECT_EQ(c.send().yielded(), 2);
        EXPECT_EQ(c.send().returned(), test::deep);
        auto closed = alternates(test::deep / 2);
        closed.send();
        EXPECT_EQ(closed.close(), std::nullopt);
        auto dropped = alternates(test::deep / 2);
        dropped.send();
    });
}

// ---- as a decorator ----

awaiting a_coroutine(int n) { co_return n; }
int a_function(int n) { return n + 1; }

class object {
public:
    explicit object(int n) : number_(n) {}
    talking operator()(int n) const { return listens(number_ + n); }
    talking member(int n) { return listens(number_ * n); }

private:
    int number_;
};

TEST(FromGeneratorFunction, Clause_15_4_AGeneratorThatComesBackIsMadeAwaitable) {
    const auto function = from_generator(listens);
    static_assert(std::same_as<decltype(function(1)), awaitable_talking>);
    EXPECT_EQ(awaits(function(1)).send().yielded(), 1);
    auto c = [](auto make) -> awaiting { co_return co_await make(1); }(function);
    EXPECT_EQ(c.send().yielded(), 1);
    EXPECT_EQ(c.send(6).returned(), 6);

    const auto lambda = from_generator([](int n) { return listens(n); });
    static_assert(std::same_as<decltype(lambda(1)), awaitable_talking>);
    const auto generic = from_generator([](auto n) -> generator<decltype(n)> { co_yield n; });
    static_assert(std::same_as<decltype(generic('c')), isthmus::generator_based_coroutine<char>>);
    EXPECT_EQ(generic('c').send().yielded(), 'c');
    const auto functor = from_generator(object(1));
    EXPECT_EQ(functor(1).send().yielded(), 1);
    const auto member = from_generator(&object::member);
    object self(1);
    EXPECT_EQ(member(self, 2).send().yielded(), 1);
    const auto erased = from_generator(std::function<talking(int)>(listens));
    EXPECT_EQ(erased(2).send().yielded(), 1);
}

TEST(FromGeneratorFunction, Clause_15_4_AnythingElseComesBackAsItIs) {
    static_assert(std::same_as<decltype(from_generator(a_coroutine)(1)), awaiting>);
    EXPECT_EQ(from_generator(a_coroutine)(7).send().returned(), 7);
    EXPECT_EQ(from_generator(a_function)(1), 2);
    int referred = 1;
    const auto reference = from_generator([&]() -> int& { return referred; });
    EXPECT_EQ(&reference(), &referred);
    from_generator([&] { ++referred; })();
    EXPECT_EQ(referred, 2);
    auto already = from_generator([] { return from_generator(listens(1)); });
    static_assert(std::same_as<decltype(already()), awaitable_talking>);
    EXPECT_EQ(already().send().yielded(), 1);
}

TEST(FromGeneratorFunction, Clause_15_2_ItIsIdempotent) {
    const auto once = from_generator(listens);
    const auto twice = from_generator(once);
    static_assert(std::same_as<decltype(once), decltype(twice)>);
    EXPECT_EQ(twice(1).send().yielded(), 1);
}

class takes_move_only {
public:
    talking operator()(std::unique_ptr<int> n) { return listens(*n + calls_++); }

private:
    int calls_ = 0;
};

TEST(FromGeneratorFunction, ArgumentsAreForwardedAndTheFunctionMayBeMutable) {
    auto function = from_generator(takes_move_only());
    EXPECT_TRUE(function(std::make_unique<int>(0)).send().done());
    EXPECT_EQ(function(std::make_unique<int>(0)).send().yielded(), 1);
    static_assert(!std::invocable<decltype(function), int>);
    static_assert(!std::invocable<const decltype(function), std::unique_ptr<int>>);
}

} // namespace
} // namespace test_from_generator
