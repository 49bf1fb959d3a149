// tests/cpp/test_any_coroutine.cpp — any_coroutine: what it holds, its errors, awaiting it, and its lifetime.
// SPDX-License-Identifier: MIT
#include "support.hpp"

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace test_any_coroutine {
namespace {

using isthmus::any_coroutine;
using isthmus::coroutine;
using isthmus::coroutine_state;
using isthmus::generator_exit;
using isthmus::none;
using isthmus::outcome;
using isthmus::step;
using test::boom;

using native = coroutine<int, int, int>;
using erased = any_coroutine<int, int, int>;

native echo(int rounds) {
    int last = 0;
    for (int i = 0; i < rounds; ++i) {
        last = co_yield last;
    }
    co_return last;
}
native stubborn(int& exits) {
    while (true) {
        try {
            co_yield 1;
        } catch (const generator_exit&) {
            ++exits;
            if (exits == 2) {
                co_return 5;
            }
        }
    }
}
native handles(std::string& seen) {
    try {
        co_yield 1;
    } catch (const boom& error) {
        seen = error.what();
    }
    co_return co_yield 2;
}

// A class of the user's own, which is moved and counted; large, and over-aligned if asked for.
template <std::size_t Alignment = alignof(int*), bool NothrowMove = true>
class alignas(Alignment) duck {
public:
    explicit duck(int& alive) : alive_(&alive) { ++alive; }
    duck(duck&& other) noexcept(NothrowMove) : alive_(other.alive_) { ++*alive_; }
    duck(const duck&) = delete;
    duck& operator=(const duck&) = delete;
    ~duck() { --*alive_; }

    duck& await() { return *this; }
    step<int, int> send() { return yields(0); }
    step<int, int> send(int value) {
        return value < 0 ? step<int, int>(std::in_place_index<1>, -value) : yields(value);
    }
    step<int, int> throw_(std::exception_ptr error) { std::rethrow_exception(error); }
    bool close() { return true; }

private:
    step<int, int> yields(int value) {
        EXPECT_EQ(reinterpret_cast<std::uintptr_t>(this) % Alignment, 0U);
        return step<int, int>(std::in_place_index<0>, value);
    }
    int* alive_;
};

TEST(AnyCoroutine, IsSmallMoveOnlyAndConvertsFromWhatMatches) {
    static_assert(sizeof(erased) == 3 * sizeof(void*));
    static_assert(std::is_nothrow_move_constructible_v<erased> && std::is_nothrow_move_assignable_v<erased>);
    static_assert(!std::is_copy_constructible_v<erased> && !std::is_copy_assignable_v<erased>);
    static_assert(std::is_convertible_v<native, erased> && std::is_convertible_v<duck<>, erased>);
    static_assert(std::is_convertible_v<coroutine<void, void, void>, any_coroutine<>>); // void is none
    static_assert(!std::is_convertible_v<coroutine<int>, erased> && !std::is_convertible_v<int, erased>);
    static_assert(!std::is_convertible_v<coroutine<long, int, int>, erased>);
    static_assert(!std::is_convertible_v<coroutine<int, int, long>, erased>);
    static_assert(!std::is_convertible_v<coroutine<int, int&, int>, erased>);
    static_assert(!std::is_convertible_v<native&, erased>); // it owns, and this is not copied
    static_assert(std::is_same_v<decltype(any_coroutine(echo(1))), erased>);
}

// Overloads are chosen by the types that match.
int chosen(any_coroutine<int, int, int>) { return 1; }
int chosen(any_coroutine<std::string, int, int>) { return 2; }
int chosen(const std::string&) { return 3; }

TEST(AnyCoroutine, TakesPartInOverloadResolutionOnlyWhereItMatches) {
    EXPECT_EQ(chosen(echo(1)), 1);
    EXPECT_EQ(chosen([]() -> coroutine<std::string, int, int> { co_return ""; }()), 2);
    EXPECT_EQ(chosen("text"), 3);
}

TEST(AnyCoroutine, DrivesANativeCoroutine) {
    erased c = echo(2);
    EXPECT_EQ(c.state(), coroutine_state::created);
    EXPECT_EQ(c.send().yielded(), 0);
    EXPECT_EQ(c.state(), coroutine_state::suspended);
    EXPECT_EQ(c.send(7).yielded(), 7);
    EXPECT_EQ(c.send(8).returned(), 8);
    EXPECT_EQ(c.state(), coroutine_state::closed);
    EXPECT_TRUE(c.has_value());
}

TEST(AnyCoroutine, DrivesAClassOfTheUsersOwn) {
    int alive = 0;
    {
        erased c = duck<>(alive);
        EXPECT_EQ(alive, 1);
        EXPECT_EQ(c.send().yielded(), 0);
        EXPECT_EQ(c.send(3).yielded(), 3);
        EXPECT_EQ(c.state(), std::nullopt); // it has none
        EXPECT_EQ(c.close(), std::nullopt); // what another type says is no value
        EXPECT_ERROR(c.throw_(boom("b")), boom, "b");
        erased d = std::move(c);
        EXPECT_EQ(alive, 1);
        EXPECT_EQ(d.send(-4).returned(), 4);
    }
    EXPECT_EQ(alive, 0);
}

TEST(AnyCoroutine, HoldsOverAlignedAndThrowingMovesOnTheHeap) {
    int alive = 0;
    {
        using over_aligned = duck<64>;
        using throwing = duck<alignof(int*), false>;
        erased a = over_aligned(alive);
        erased b = throwing(alive);
        erased c = std::move(a);
        a = std::move(b);
        EXPECT_EQ(c.send(1).yielded(), 1);
        EXPECT_EQ(a.send(2).yielded(), 2);
        EXPECT_EQ(alive, 2);
    }
    EXPECT_EQ(alive, 0);
}

TEST(AnyCoroutine, HoldsWhatAUniquePtrPointsTo) {
    int alive = 0;
    {
        erased c = std::make_unique<duck<>>(alive);
        EXPECT_EQ(c.send(3).yielded(), 3);
        EXPECT_EQ(alive, 1);
        c = std::unique_ptr<duck<>>();
        EXPECT_EQ(alive, 0);
        EXPECT_FALSE(c.has_value());
    }
    erased d = std::make_unique<native>(echo(1));
    EXPECT_EQ(d.send().yielded(), 0);
    EXPECT_EQ(d.state(), coroutine_state::suspended);
}

TEST(AnyCoroutine, BorrowsWithStdRef) {
    native owned = echo(2);
    {
        erased c = std::ref(owned);
        EXPECT_EQ(c.send().yielded(), 0);
    }
    EXPECT_EQ(owned.send(4).yielded(), 4);
}

// Types that are neither copied nor default-constructed go through: references, void and move-only ones.
coroutine<std::unique_ptr<int>, std::unique_ptr<int>, std::unique_ptr<int>> move_only() {
    std::unique_ptr<int> sent = co_yield std::make_unique<int>(1);
    co_return sent;
}
coroutine<int&, int&, int&> references(int& first) {
    int& second = co_yield first;
    co_return second;
}
coroutine<void, void, void> voids() { co_yield {}; }

// Yields and returns as coroutines do, with a step type of its own.
class own_step {
public:
    struct step_type {
        int value;
        bool ended;
        bool done() const { return ended; }
        int& yielded() { return value; }
        int& returned() & { return value; }
        int&& returned() && { return std::move(value); }
    };
    own_step& await() { return *this; }
    step_type send(std::optional<int> value = std::nullopt) { return {value.value_or(0), value == 9}; }
    step_type throw_(const std::exception_ptr&) { return {-1, true}; }
    void close() {}
};

TEST(AnyCoroutine, PassesEachKindOfValue) {
    any_coroutine moves = move_only();
    EXPECT_EQ(*moves.send().yielded(), 1);
    EXPECT_EQ(*moves.send(std::make_unique<int>(2)).returned(), 2);

    int one = 1;
    int two = 2;
    any_coroutine refers = references(one);
    EXPECT_EQ(&refers.send().yielded(), &one);
    EXPECT_EQ(&refers.send(two).returned(), &two);

    any_coroutine<> empty = voids();
    EXPECT_FALSE(empty.send().done());
    EXPECT_TRUE(empty.send(none()).done());

    any_coroutine<int, int, std::optional<int>> own = own_step();
    EXPECT_EQ(own.send().yielded(), 0);
    EXPECT_EQ(own.send(3).yielded(), 3);
    EXPECT_EQ(own.try_send(9).returned(), 9);
    EXPECT_EQ(own.throw_(boom("")).returned(), -1);
}

TEST(AnyCoroutine, AnEmptyOneBehavesLikeAFinishedOne) {
    erased c;
    EXPECT_FALSE(c.has_value());
    EXPECT_EQ(c.state(), coroutine_state::closed);
    EXPECT_ERROR(c.send(), isthmus::already_finished, test::finished);
    EXPECT_ERROR(c.send(1), isthmus::already_finished, test::finished);
    EXPECT_ERROR(c.throw_(boom("b")), isthmus::already_finished, test::finished);
    EXPECT_THROW(c.throw_(nullptr), isthmus::not_an_exception);
    EXPECT_EQ(c.close(), std::nullopt);
    EXPECT_EQ(test::caught<isthmus::already_finished>(c.try_send(1).error()), test::finished);
    EXPECT_EQ(test::caught<isthmus::already_finished>(c.try_throw(std::make_exception_ptr(1)).error()), test::finished);
    EXPECT_TRUE(c.try_close().closed());
    const erased other = std::move(c);
    EXPECT_FALSE(other.has_value());
}

// ---- the errors are those of what it holds ----

TEST(AnyCoroutine, Clause_2_2_ValueToAJustStartedOne) {
    erased c = echo(1);
    EXPECT_ERROR(c.send(1), isthmus::send_to_unstarted, test::unstarted);
    EXPECT_EQ(test::caught<isthmus::send_to_unstarted>(c.try_send(1).error()), test::unstarted);
    EXPECT_EQ(c.state(), coroutine_state::created);
    EXPECT_EQ(c.send().yielded(), 0);
    EXPECT_ERROR(c.send(), isthmus::missing_value, test::no_none);
}

TEST(AnyCoroutine, Clause_2_7_SendToAFinishedOne) {
    erased c = echo(0);
    EXPECT_TRUE(c.send().done());
    EXPECT_ERROR(c.send(), isthmus::already_finished, test::finished);
    EXPECT_ERROR(c.send(1), isthmus::already_finished, test::finished);
    EXPECT_EQ(test::caught<isthmus::already_finished>(c.try_send().error()), test::finished);
}

native drives_itself(erased& self, test::trace& log) {
    log.push_back(test::caught<isthmus::already_executing>([&] { static_cast<void>(self.send(1)); }));
    log.push_back(test::caught<isthmus::already_executing>([&] { static_cast<void>(self.throw_(boom(""))); }));
    log.push_back(test::caught<isthmus::already_executing>([&] { self.close(); }));
    log.push_back(self.state() == coroutine_state::running ? "running" : "another state");
    try {
        co_await self;
    } catch (const isthmus::already_executing& error) {
        log.push_back(error.what());
    }
    co_return 1;
}

TEST(AnyCoroutine, Clauses_2_8_5_11_6_7_7_8_ARunningOne) {
    test::trace log;
    erased c;
    c = drives_itself(c, log);
    EXPECT_EQ(c.send().returned(), 1);
    EXPECT_EQ(log, (test::trace{test::executing, test::executing, test::executing, "running", test::executing}));
}

TEST(AnyCoroutine, Clause_5_8_ThrowIntoAnUnstartedOneEndsIt) {
    erased c = echo(1);
    EXPECT_ERROR(c.throw_(boom("early")), boom, "early");
    EXPECT_EQ(c.state(), coroutine_state::closed);
}

TEST(AnyCoroutine, Clause_5_9_ThrowIsRaisedAtTheSuspension) {
    std::string seen;
    erased c = handles(seen);
    static_cast<void>(c.send());
    EXPECT_EQ(c.throw_(boom("lost")).yielded(), 2);
    EXPECT_EQ(seen, "lost");
    EXPECT_EQ(test::caught<boom>(c.try_throw(std::make_exception_ptr(boom("again"))).error()), "again");
}

TEST(AnyCoroutine, Clause_5_10_ThrowIntoAFinishedOneDropsTheError) {
    erased c = echo(0);
    static_cast<void>(c.send());
    EXPECT_ERROR(c.throw_(boom("dropped")), isthmus::already_finished, test::finished);
}

TEST(AnyCoroutine, Clause_5_4_ThrowOfNothing) {
    erased c = echo(1);
    EXPECT_THROW(c.throw_(nullptr), isthmus::not_an_exception);
    EXPECT_EQ(c.state(), coroutine_state::created);
}

TEST(AnyCoroutine, Clauses_6_1_6_2_6_4_CloseIsSilent) {
    erased created = echo(1);
    EXPECT_EQ(created.close(), std::nullopt);
    EXPECT_EQ(created.state(), coroutine_state::closed);
    EXPECT_EQ(created.close(), std::nullopt);

    erased suspended = echo(1);
    static_cast<void>(suspended.send());
    EXPECT_EQ(suspended.close(), std::nullopt);
    EXPECT_EQ(suspended.state(), coroutine_state::closed);
    EXPECT_TRUE(suspended.try_close().closed());
}

TEST(AnyCoroutine, Clauses_6_3_6_5_CloseOfOneThatIgnoresIt) {
    int exits = 0;
    erased c = stubborn(exits);
    static_cast<void>(c.send());
    EXPECT_ERROR(c.close(), isthmus::ignored_generator_exit, test::ignored);
    EXPECT_EQ(c.state(), coroutine_state::suspended);
    EXPECT_EQ(c.close(), 5);
}

native fails_on_exit() {
    try {
        co_yield 1;
    } catch (const generator_exit&) {
        throw boom("instead");
    }
    co_return 0;
}
TEST(AnyCoroutine, Clause_6_6_AnErrorOnCloseIsThrown) {
    erased c = fails_on_exit();
    static_cast<void>(c.send());
    EXPECT_ERROR(c.close(), boom, "instead");
    erased d = fails_on_exit();
    static_cast<void>(d.send());
    EXPECT_EQ(test::caught<boom>(d.try_close().error()), "instead");
}

// Without try_ forms of its own, a class gets them from the others.
TEST(AnyCoroutine, MakesTheTryFormsFromTheOthers) {
    int alive = 0;
    erased c = duck<>(alive);
    EXPECT_EQ(c.try_send(3).yielded(), 3);
    EXPECT_EQ(c.try_send().yielded(), 0);
    EXPECT_EQ(test::caught<boom>(c.try_throw(std::make_exception_ptr(boom("b"))).error()), "b");
    EXPECT_TRUE(c.try_close().closed());
    EXPECT_EQ(c.try_send(-3).returned(), 3);
}

// ---- co_await ----

native awaits(erased& c) { co_return co_await c; }
native owns(erased c) { co_return co_await c; }
native goes_on(erased& c) { co_return co_await c.await(); }
native awaits_temporary(int rounds) { co_return co_await erased(echo(rounds)); }
native deep(int levels, erased below) {
    if (levels == 0) {
        co_return co_await below;
    }
    co_return co_await deep(levels - 1, std::move(below));
}
native deep_echo(int levels, int rounds) {
    if (levels == 0) {
        co_return co_await echo(rounds);
    }
    co_return co_await deep_echo(levels - 1, rounds);
}

TEST(AnyCoroutine, AwaitPassesValuesErrorsAndTheResult) {
    erased c = echo(2);
    native outer = awaits(c);
    EXPECT_EQ(outer.send().yielded(), 0);
    EXPECT_EQ(outer.send(4).yielded(), 4);
    EXPECT_EQ(outer.send(5).returned(), 5);

    native temporary = awaits_temporary(1);
    EXPECT_EQ(temporary.send().yielded(), 0);
    EXPECT_EQ(temporary.send(6).returned(), 6);

    std::string seen;
    native throwing = deep(20, handles(seen));
    static_cast<void>(throwing.send());
    EXPECT_EQ(throwing.throw_(boom("deep")).yielded(), 2);
    EXPECT_EQ(seen, "deep");
    EXPECT_ERROR(throwing.throw_(boom("out")), boom, "out");
}

TEST(AnyCoroutine, Clauses_5_23_6_9_AGeneratorExitClosesIt) {
    int exits = 0;
    erased c = stubborn(exits);
    native outer = awaits(c);
    static_cast<void>(outer.send());
    EXPECT_ERROR(outer.close(), isthmus::ignored_generator_exit, test::ignored); // raised at the await
    EXPECT_EQ(outer.state(), coroutine_state::closed);
    EXPECT_EQ(exits, 1);
    EXPECT_EQ(c.state(), coroutine_state::suspended);
    EXPECT_EQ(c.close(), 5);

    native silent = deep(20, deep_echo(20, 1));
    static_cast<void>(silent.send());
    EXPECT_THROW(silent.throw_(generator_exit()), generator_exit);
}

// A plain one yields nothing but None, and can be awaited in any coroutine.
coroutine<> pauses() { co_yield {}; }
coroutine<int, std::optional<int>, int> awaits_plain(any_coroutine<> c) {
    co_await c;
    co_return 1;
}
TEST(AnyCoroutine, APlainOneCanBeAwaitedInAnyCoroutine) {
    auto c = awaits_plain(pauses());
    EXPECT_EQ(c.send().yielded(), std::nullopt);
    EXPECT_EQ(c.send(5).returned(), 1); // the value is not for it
}

TEST(AnyCoroutine, Clause_7_6_AwaitOfAFinishedOrEmptyOne) {
    erased c = echo(0);
    static_cast<void>(c.send());
    EXPECT_ERROR(awaits(c).send(), isthmus::already_finished, test::finished);
    EXPECT_ERROR(owns(erased()).send(), isthmus::already_finished, test::finished);
}

TEST(AnyCoroutine, Clause_7_7_AwaitOfASuspendedOne) {
    erased c = echo(2);
    native first = awaits(c);
    static_cast<void>(first.send());
    EXPECT_ERROR(awaits(c).send(), isthmus::already_awaited, test::awaited);
    EXPECT_EQ(first.send(3).yielded(), 3); // the other awaiter is not disturbed
    EXPECT_EQ(first.send(4).returned(), 4);
}

// CPython makes that check for native coroutines alone; what has no state() takes its own decision.
TEST(AnyCoroutine, Clause_7_7_IsNotForWhatHasNoState) {
    int alive = 0;
    erased c = duck<>(alive);
    static_cast<void>(c.send());
    native outer = awaits(c);
    EXPECT_EQ(outer.send().yielded(), 0);
    EXPECT_EQ(outer.send(-4).returned(), 4);
}

coroutine<int, int, std::optional<int>> started() {
    std::optional<int> first = co_yield 1;
    std::optional<int> second = co_yield 2;
    co_return first.value_or(0) * 10 + second.value_or(0);
}
coroutine<int, int, std::optional<int>> continues(any_coroutine<int, int, std::optional<int>>& c) {
    co_return co_await c.await();
}
coroutine<int, int, std::optional<int>> continues_owned(any_coroutine<int, int, std::optional<int>> c) {
    co_return co_await std::move(c).await();
}

TEST(AnyCoroutine, Clause_7_9_AwaitOfItsIteratorGoesOn) {
    any_coroutine c = started();
    EXPECT_EQ(c.send().yielded(), 1);
    auto outer = continues(c);
    auto other = continues(c);
    EXPECT_EQ(outer.send().yielded(), 2);  // starts by sending None
    EXPECT_EQ(other.send().returned(), 0); // two can interleave
    EXPECT_ERROR(outer.send(5), isthmus::already_finished, test::finished);

    any_coroutine d = started();
    EXPECT_EQ(d.send().yielded(), 1);
    auto owner = continues_owned(std::move(d));
    EXPECT_EQ(owner.send().yielded(), 2);
    EXPECT_EQ(owner.send(5).returned(), 5);

    erased e = echo(2); // its Send has no empty value to go on with
    static_cast<void>(e.send());
    EXPECT_ERROR(goes_on(e).send(), isthmus::missing_value, test::no_none);
}

TEST(AnyCoroutine, AnExpiringOneIsMovedIntoTheAwait) {
    struct local {
        static native awaits(erased& c) { co_return co_await std::move(c); }
    };
    erased c = echo(2);
    {
        native outer = local::awaits(c);
        static_cast<void>(outer.send());
        EXPECT_FALSE(c.has_value());
        EXPECT_EQ(outer.send(3).yielded(), 3);
        EXPECT_EQ(outer.send(4).returned(), 4);
    }
    int alive = 0;
    c = duck<>(alive);
    {
        native outer = local::awaits(c);
        static_cast<void>(outer.send());
        EXPECT_EQ(alive, 1);
    }
    EXPECT_EQ(alive, 0); // with its awaiter

    c = echo(2);
    static_cast<void>(c.send());
    EXPECT_ERROR(local::awaits(c).send(), isthmus::already_awaited, test::awaited);
    EXPECT_EQ(c.send(1).yielded(), 1); // and is as it was
}

TEST(AnyCoroutine, Clause_9_3_ItsIteratorDrivesIt) {
    erased c = echo(2);
    auto iterator = c.await();
    EXPECT_ERROR(iterator.send(1), isthmus::send_to_unstarted, test::unstarted);
    EXPECT_EQ(iterator.send().yielded(), 0);
    EXPECT_EQ(iterator.send(3).yielded(), 3);
    EXPECT_EQ(iterator.close(), std::nullopt);
    EXPECT_EQ(c.state(), coroutine_state::closed);
}

TEST(AnyCoroutine, Clause_7_9_ClosingBehindTheAwaiter) {
    erased c = echo(2);
    native outer = awaits(c);
    static_cast<void>(outer.send());
    c.close();
    EXPECT_ERROR(outer.send(1), isthmus::already_finished, test::finished);
}

// 8.3: the await chain goes on below it.
TEST(AnyCoroutine, TheAwaitChainGoesOnInWhatItHolds) {
    native through = deep(1, deep_echo(1, 1));
    static_cast<void>(through.send());
    std::vector<std::string> names;
    for (const isthmus::await_chain_level level : isthmus::await_chain(through)) {
        names.push_back(level.name().substr(level.name().rfind(':') + 1));
    }
    EXPECT_EQ(names, (std::vector<std::string>{"deep", "deep", "deep_echo", "deep_echo", "echo"}));

    int alive = 0;
    erased c = duck<>(alive);
    native outer = awaits(c);
    static_cast<void>(outer.send());
    const std::string text = isthmus::await_chain(outer).text();
    EXPECT_NE(text.find("duck"), std::string::npos) << text;
}

// ---- lifetime ----

TEST(AnyCoroutine, CanBeMovedWhileItIsAwaited) {
    auto c = std::make_unique<erased>(echo(2));
    native outer = awaits(*c);
    EXPECT_EQ(outer.send().yielded(), 0);
    erased moved = std::move(*c);
    c.reset();
    EXPECT_EQ(outer.send(3).yielded(), 3);
    erased again;
    again = std::move(moved);
    EXPECT_EQ(outer.send(4).returned(), 4);
    EXPECT_EQ(again.state(), coroutine_state::closed);
}

TEST(AnyCoroutine, Clause_7_6_CanBeDestroyedWhileItIsAwaited) {
    int alive = 0;
    const auto lose = [](erased held) {
        auto c = std::make_unique<erased>(std::move(held));
        native outer = awaits(*c);
        static_cast<void>(outer.send());
        c.reset();
        EXPECT_ERROR(outer.send(1), isthmus::already_finished, test::finished);

        c = std::make_unique<erased>(echo(1));
        native closed = awaits(*c);
        static_cast<void>(closed.send());
        *c = erased();
        EXPECT_EQ(closed.close(), std::nullopt);
    };
    lose(echo(2));
    lose(duck<>(alive));
    EXPECT_EQ(alive, 0);
}

native destroys_awaited(std::unique_ptr<erased>& self, int& alive) {
    const duck<> held(alive);
    self.reset();
    EXPECT_EQ(alive, 1);
    co_yield 1;
    ADD_FAILURE();
    co_return 2;
}
TEST(AnyCoroutine, Clause_7_6_CanBeDestroyedWhileItRunsAndIsAwaited) {
    int alive = 0;
    auto c = std::make_unique<erased>();
    *c = destroys_awaited(c, alive);
    native outer = awaits(*c);
    EXPECT_EQ(outer.send().yielded(), 1);
    EXPECT_EQ(alive, 0);
    EXPECT_ERROR(outer.send(1), isthmus::already_finished, test::finished);
}

TEST(AnyCoroutine, HoldsAnotherWhoseTypesAreTheSameByAnotherName) {
    any_coroutine<void, void, void> inner = voids();
    any_coroutine<> outer = std::move(inner);
    EXPECT_FALSE(outer.send().done());
    EXPECT_EQ(outer.state(), coroutine_state::suspended);
    EXPECT_TRUE(outer.try_send().done());
    EXPECT_EQ(outer.state(), coroutine_state::closed);
}

native destroys(std::unique_ptr<erased>& self, test::trace& log) {
    const test::note at_end(log, "frame destroyed");
    self.reset();
    log.push_back("goes on");
    co_yield 1;
    log.push_back("never");
    co_return 2;
}
native moves(erased& from, erased& to) {
    to = std::move(from);
    const int sent = co_yield 1;
    co_return sent;
}

TEST(AnyCoroutine, ANativeOneCanDestroyItsOwnerWhileItRuns) {
    test::trace log;
    auto c = std::make_unique<erased>();
    *c = destroys(c, log);
    EXPECT_EQ(c->send().yielded(), 1);
    EXPECT_EQ(log, (test::trace{"goes on", "frame destroyed"}));
}

TEST(AnyCoroutine, ANativeOneCanMoveItsOwnerWhileItRuns) {
    auto from = std::make_unique<erased>();
    erased to;
    *from = moves(*from, to);
    EXPECT_EQ(from->send().yielded(), 1);
    EXPECT_FALSE(from->has_value());
    from.reset();
    EXPECT_EQ(to.send(3).returned(), 3);
}

// Calls back while each of its operations is under way.
class calls_back {
public:
    calls_back(std::function<void()>& action, int& alive) : action_(&action), alive_(&alive, {}) { ++alive; }
    calls_back& await() { return *this; }
    step<int, int> send(std::optional<int> value = std::nullopt) {
        (*action_)();
        used_ += 1;
        return step<int, int>(std::in_place_index<0>, used_ + value.value_or(0));
    }
    step<int, int> throw_(std::exception_ptr error) {
        (*action_)();
        used_ += 1;
        std::rethrow_exception(error);
    }
    void close() {
        (*action_)();
        used_ += 1;
    }

private:
    struct count_down {
        void operator()(int* alive) const { --*alive; }
    };
    std::function<void()>* action_;
    std::unique_ptr<int, count_down> alive_;
    int used_ = 0;
};

TEST(AnyCoroutine, AClassCanDestroyItsOwnerInEachOperation) {
    int alive = 0;
    std::unique_ptr<erased> c;
    std::function<void()> action = [&] {
        c.reset();
        EXPECT_EQ(alive, 1); // until the operation has ended
    };
    const auto renew = [&] { c = std::make_unique<erased>(calls_back(action, alive)); };
    renew();
    EXPECT_EQ(c->send(5).yielded(), 6);
    EXPECT_EQ(alive, 0);
    renew();
    EXPECT_ERROR(c->throw_(boom("b")), boom, "b");
    EXPECT_EQ(alive, 0);
    renew();
    EXPECT_EQ(c->close(), std::nullopt);
    EXPECT_EQ(alive, 0);
    renew();
    EXPECT_EQ(c->try_send().yielded(), 1);
    EXPECT_EQ(alive, 0);
    renew();
    EXPECT_TRUE(c->try_throw(std::make_exception_ptr(boom("b"))).failed());
    EXPECT_EQ(alive, 0);
    renew();
    EXPECT_TRUE(c->try_close().closed());
    EXPECT_EQ(alive, 0);
    c = std::make_unique<erased>(std::make_unique<calls_back>(action, alive));
    EXPECT_EQ(c->send(5).yielded(), 6);
    EXPECT_EQ(alive, 0);
}

TEST(AnyCoroutine, AClassCanMoveItsOwnerWhileItRuns) {
    int alive = 0;
    std::unique_ptr<erased> c;
    erased moved;
    std::function<void()> action = [&] {
        if (c) {
            moved = std::move(*c);
            c.reset();
        }
    };
    c = std::make_unique<erased>(calls_back(action, alive));
    EXPECT_EQ(c->send(5).yielded(), 6);
    EXPECT_EQ(moved.send(5).yielded(), 7);
    EXPECT_EQ(alive, 1);
}

// A native one that holds an erased one that holds a native one, and so on: destruction does not recurse without end.
native tower(int levels, erased below) {
    const erased held = std::move(below);
    co_yield levels;
    co_return levels;
}
TEST(AnyCoroutine, TallTowersAreDestroyedOnAnOrdinaryStack) {
    test::on_8_mb_stack([] {
        erased top;
        for (int i = 0; i < 100'000; ++i) {
            top = tower(i, std::move(top));
            static_cast<void>(top.send());
        }
    });
}

// ---- a boundary costs a step, a frame does not ----

class counted {
public:
    counted(native inner, long& sends) : inner_(std::move(inner)), sends_(&sends) {}
    counted& await() { return *this; }
    step<int, int> send() { return count(), inner_.send(); }
    step<int, int> send(int value) { return count(), inner_.send(value); }
    step<int, int> throw_(std::exception_ptr error) { return count(), inner_.throw_(std::move(error)); }
    void close() { inner_.close(); }

private:
    void count() { ++*sends_; }
    native inner_;
    long* sends_;
};

// How deep in the machine's stack the leaf is resumed.
native measures(std::vector<std::uintptr_t>& places) {
    int sent = 0;
    while (sent >= 0) {
        sent = co_yield sent;
        const volatile char here = 0;
        places.push_back(reinterpret_cast<std::uintptr_t>(__builtin_frame_address(0)));
        static_cast<void>(here);
    }
    co_return sent;
}
native deep_measure(int levels, std::vector<std::uintptr_t>& places) {
    if (levels == 0) {
        co_return co_await measures(places);
    }
    co_return co_await deep_measure(levels - 1, places);
}

TEST(AnyCoroutine, AThousandNativesOnBothSidesOfABoundaryCostOneStepMore) {
    long sends = 0;
    std::vector<std::uintptr_t> places;
    native shallow = deep(1, counted(deep_measure(1, places), sends));
    static_cast<void>(shallow.send());
    EXPECT_EQ(shallow.send(1).yielded(), 1);
    EXPECT_EQ(sends, 2);

    sends = 0;
    native tall = deep(1000, counted(deep_measure(1000, places), sends));
    static_cast<void>(tall.send());
    EXPECT_EQ(sends, 1);
    for (int i = 1; i <= 10; ++i) {
        EXPECT_EQ(tall.send(i).yielded(), i);
    }
    EXPECT_EQ(sends, 11); // each resume crosses the boundary once
    ASSERT_EQ(places.size(), 11U);
    for (const std::uintptr_t place : places) {
        EXPECT_EQ(place, places.front()); // and calls as deep as with one native on each side
    }
    EXPECT_EQ(tall.send(-1).returned(), -1);
}

} // namespace
} // namespace test_any_coroutine
