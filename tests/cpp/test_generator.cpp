// tests/cpp/test_generator.cpp — generator: driven by hand (15.7), and as an input range.
// SPDX-License-Identifier: MIT
#include "support.hpp"

#include <algorithm>
#include <array>
#include <concepts>
#include <iterator>
#include <memory>
#include <memory_resource>
#include <optional>
#include <ranges>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace test_generator {
namespace {

using isthmus::coroutine_state;
using isthmus::generator;
using isthmus::generator_exit;
using isthmus::none;
using test::boom;
using test::trace;

const char* const executing = "generator already executing";
const char* const ignored = "generator ignored GeneratorExit";
const char* const unstarted = "can't send non-None value to a just-started generator";
const char* const no_none = "can't send None to a generator whose Send type has no empty value";
const char* const exhausted = "the generator has finished, and its Return type has no empty value";

generator<int> count(int n) {
    for (int i = 0; i < n; ++i) {
        co_yield i;
    }
}

generator<int, int, std::string> sums() {
    int sum = 0;
    for (int i = 0; i < 2; ++i) {
        sum += co_yield sum;
    }
    co_return std::to_string(sum);
}

// ---- send ----

TEST(Generator, Clause_2_1_SendStartsItAndPassesValuesBothWays) {
    auto g = sums();
    EXPECT_EQ(g.state(), coroutine_state::created);
    EXPECT_EQ(g.send().yielded(), 0);
    EXPECT_EQ(g.state(), coroutine_state::suspended);
    EXPECT_EQ(g.send(3).yielded(), 3);
    EXPECT_EQ(g.send(4).returned(), "7");
    EXPECT_EQ(g.state(), coroutine_state::closed);
}

TEST(Generator, Clause_15_7_AValueCannotBeSentToAJustStartedOne) {
    auto g = sums();
    EXPECT_ERROR(g.send(1), isthmus::send_to_unstarted, unstarted);
    EXPECT_EQ(test::caught<isthmus::send_to_unstarted>(g.try_send(1).error()), unstarted);
    EXPECT_EQ(g.state(), coroutine_state::created);
    EXPECT_EQ(g.send().yielded(), 0);
}

TEST(Generator, WithoutAnEmptySendAValueMustBeSent) {
    auto g = sums();
    g.send();
    EXPECT_ERROR(g.send(), isthmus::missing_value, no_none);
    EXPECT_EQ(g.send(5).yielded(), 5);
}

TEST(Generator, Clause_15_7_AFinishedOneReturnsTheEmptyValue) {
    auto g = count(0);
    EXPECT_TRUE(g.send().done());
    for (int i = 0; i < 2; ++i) {
        EXPECT_TRUE(g.send().done());
        EXPECT_TRUE(g.send(none()).done());
        EXPECT_TRUE(g.try_send().done());
    }
    EXPECT_EQ(g.state(), coroutine_state::closed);
}

generator<int, none, std::optional<int>> returns_optional() { co_return 1; }

TEST(Generator, Clause_15_7_AFinishedOneDoesNotReturnItsResultAgain) {
    auto g = returns_optional();
    EXPECT_EQ((g.send().returned()), 1);
    EXPECT_EQ((g.send().returned()), std::nullopt);
    generator<int, none, std::optional<int>> empty;
    EXPECT_EQ((empty.send().returned()), std::nullopt);
}

TEST(Generator, AFinishedOneWhoseReturnHasNoEmptyValueIsExhausted) {
    auto g = sums();
    g.send();
    g.send(1);
    g.send(1);
    EXPECT_ERROR(g.send(), isthmus::generator_exhausted, exhausted);
    EXPECT_ERROR(g.send(1), isthmus::generator_exhausted, exhausted);
    EXPECT_EQ(test::caught<isthmus::generator_exhausted>(g.try_send().error()), exhausted);
    static_assert(std::derived_from<isthmus::generator_exhausted, isthmus::already_finished>);
}

generator<int, none, int> fails(std::string text) {
    co_yield 1;
    throw boom(text);
}

TEST(Generator, Clause_2_6_AnErrorOfTheBodyEndsIt) {
    auto g = fails("out");
    g.send();
    EXPECT_ERROR(g.send(), boom, "out");
    EXPECT_EQ(g.state(), coroutine_state::closed);
    auto h = fails("out");
    h.send();
    EXPECT_EQ(test::caught<boom>(h.try_send().error()), "out");
}

// Drives itself from within, through a pointer that is set once it exists.
generator<std::string, std::optional<int>> drives_itself(generator<std::string, std::optional<int>>*& self) {
    co_yield test::caught<isthmus::already_executing>([&] { self->send(); });
    co_yield test::caught<isthmus::already_executing>([&] { self->send(1); });
    co_yield test::caught<isthmus::already_executing>([&] { self->throw_(boom("dropped")); });
    co_yield test::caught<isthmus::already_executing>([&] { self->close(); });
    co_yield test::caught<isthmus::already_executing>(self->try_close().error());
    co_yield self->state() == coroutine_state::running ? "running" : "not running";
}

TEST(Generator, Clause_15_7_ARunningOneIsExecuting) {
    generator<std::string, std::optional<int>>* self = nullptr;
    auto g = drives_itself(self);
    self = &g;
    for (int i = 0; i < 5; ++i) {
        EXPECT_EQ(g.send().yielded(), executing);
    }
    EXPECT_EQ(g.send().yielded(), "running");
}

// ---- throw ----

generator<std::string> catches() {
    for (int i = 0; i < 3; ++i) {
        std::string seen = "nothing";
        try {
            co_yield "waiting";
        } catch (const boom& error) {
            seen = error.what();
        }
        co_yield seen;
    }
}

TEST(Generator, Clause_5_9_ThrowIsRaisedWhereItIsSuspended) {
    auto g = catches();
    g.send();
    EXPECT_EQ(g.throw_(boom("a")).yielded(), "a");
    g.send();
    EXPECT_EQ(g.try_throw(std::make_exception_ptr(boom("b"))).yielded(), "b");
    EXPECT_ERROR(g.throw_(boom("c")), boom, "c");
    EXPECT_EQ(g.state(), coroutine_state::closed);
}

TEST(Generator, Clause_5_8_ThrowEndsOneThatHasNotStarted) {
    auto g = catches();
    EXPECT_ERROR(g.throw_(boom("early")), boom, "early");
    EXPECT_EQ(g.state(), coroutine_state::closed);
    EXPECT_TRUE(g.send().done());
}

TEST(Generator, Clause_15_7_AFinishedOneRaisesWhatIsThrown) {
    auto g = count(0);
    g.send();
    EXPECT_ERROR(g.throw_(boom("late")), boom, "late");
    EXPECT_THROW(g.throw_(generator_exit()), generator_exit);
    EXPECT_EQ(test::caught<boom>(g.try_throw(std::make_exception_ptr(boom("late"))).error()), "late");
    EXPECT_THROW(g.throw_(nullptr), isthmus::not_an_exception);
}

// ---- close ----

enum class on_exit { leave, return_, yield, fail };

generator<int, none, int> exits(on_exit what) {
    try {
        co_yield 1;
    } catch (const generator_exit&) {
        if (what == on_exit::leave) {
            throw;
        }
        if (what == on_exit::fail) {
            throw boom("from the handler");
        }
        if (what == on_exit::return_) {
            co_return 7;
        }
    }
    co_yield 2;
    co_return 8;
}

TEST(Generator, Clause_6_1_CloseBeforeTheStartRunsNothing) {
    auto g = exits(on_exit::fail);
    EXPECT_EQ(g.close(), std::nullopt);
    EXPECT_EQ(g.state(), coroutine_state::closed);
}

TEST(Generator, Clause_6_3_CloseGivesWhatTheBodyReturns) {
    auto g = exits(on_exit::return_);
    g.send();
    EXPECT_EQ(g.close(), 7);
    EXPECT_EQ(g.close(), std::nullopt);
    auto left = exits(on_exit::leave);
    left.send();
    EXPECT_EQ(left.close(), std::nullopt);
    auto tried = exits(on_exit::return_);
    tried.send();
    EXPECT_EQ(tried.try_close().returned(), 7);
    EXPECT_TRUE(tried.try_close().closed());
}

TEST(Generator, Clause_6_6_AnErrorOfTheBodyLeavesClose) {
    auto g = exits(on_exit::fail);
    g.send();
    EXPECT_ERROR(g.close(), boom, "from the handler");
    EXPECT_EQ(g.state(), coroutine_state::closed);
}

TEST(Generator, Clause_15_7_IgnoringTheExitIsAnError) {
    auto g = exits(on_exit::yield);
    g.send();
    EXPECT_ERROR(g.close(), isthmus::ignored_generator_exit, ignored);
    EXPECT_EQ(g.state(), coroutine_state::suspended);
    EXPECT_EQ(g.send().returned(), 8);
}

// ---- types ----

generator<void> yields_void() { co_yield {}; }
generator<none, void> takes_void() { co_yield {}; }
generator<int&, int&, int&> references(int& first) {
    int& sent = co_yield first;
    co_return sent;
}
generator<const std::string&> const_reference(const std::string& text) { co_yield text; }
generator<std::unique_ptr<int>, std::unique_ptr<int>, std::unique_ptr<int>> move_only() {
    auto sent = co_yield std::make_unique<int>(1);
    co_return std::move(sent);
}

class no_default {
public:
    explicit no_default(int n) : number(n) {}
    int number;
};
generator<no_default, no_default, no_default> not_default_constructible() { co_return co_yield no_default(1); }

TEST(Generator, EveryKindOfType) {
    auto v = yields_void();
    EXPECT_FALSE(v.send().done());
    EXPECT_TRUE(v.send().done());
    EXPECT_EQ(v.close(), std::nullopt);
    auto t = takes_void();
    EXPECT_EQ(t.send().yielded(), none());
    EXPECT_TRUE(t.send(none()).done());

    int a = 1;
    int b = 2;
    auto r = references(a);
    EXPECT_EQ(&r.send().yielded(), &a);
    EXPECT_EQ(&r.send(b).returned(), &b);
    EXPECT_ERROR(r.send(b), isthmus::generator_exhausted, exhausted);

    const std::string text = "text";
    auto c = const_reference(text);
    EXPECT_EQ(&c.send().yielded(), &text);

    auto m = move_only();
    EXPECT_EQ(*m.send().yielded(), 1);
    EXPECT_EQ(*m.send(std::make_unique<int>(2)).returned(), 2);

    auto n = not_default_constructible();
    EXPECT_EQ(n.send().yielded().number, 1);
    EXPECT_EQ(n.send(no_default(5)).returned().number, 5);
}

static_assert(std::movable<generator<int>> && !std::copyable<generator<int>>);
static_assert(std::is_nothrow_move_constructible_v<generator<int>>);
static_assert(sizeof(generator<int>) == sizeof(void*));
static_assert(!isthmus::awaitable<generator<int>> && !isthmus::coroutine_like<generator<int>>);

TEST(Generator, AnEmptyOneBehavesLikeAFinishedOne) {
    generator<int> g;
    EXPECT_EQ(g.state(), coroutine_state::closed);
    EXPECT_TRUE(g.send().done());
    EXPECT_ERROR(g.throw_(boom("x")), boom, "x");
    EXPECT_EQ(g.close(), std::nullopt);
    EXPECT_TRUE(g.begin() == g.end());
}

TEST(Generator, MovingItKeepsWhereItIs) {
    auto g = count(3);
    g.send();
    auto h = std::move(g);
    EXPECT_EQ(h.send().yielded(), 1);
    EXPECT_TRUE(g.send().done()); // NOLINT(bugprone-use-after-move): a moved-from one is empty
    g = std::move(h);
    EXPECT_EQ(g.send().yielded(), 2);
}

generator<int> notes(trace& log) {
    const test::note end(log, "destroyed");
    try {
        co_yield 1;
    } catch (...) {
        log.push_back("thrown");
        throw;
    }
}

TEST(Generator, Clause_12_1_DestroyingItThrowsNothing) {
    trace log;
    {
        auto g = notes(log);
        g.send();
    }
    EXPECT_EQ(log, trace{"destroyed"});
}

generator<int> allocated(std::allocator_arg_t, std::pmr::memory_resource*, int n) { co_yield n; }

class makes_generators {
public:
    explicit makes_generators(int n) : number_(n) {}
    generator<int> from(std::allocator_arg_t, std::pmr::polymorphic_allocator<>) const { co_yield number_; }

private:
    int number_;
};

TEST(Generator, ItsFrameComesFromTheAllocatorItIsGiven) {
    std::array<std::byte, 4096> memory;
    std::pmr::monotonic_buffer_resource arena(memory.data(), memory.size(), std::pmr::null_memory_resource());
    auto g = allocated(std::allocator_arg, &arena, 5);
    EXPECT_EQ(g.send().yielded(), 5);
    const makes_generators object(6);
    auto m = object.from(std::allocator_arg, &arena);
    EXPECT_EQ(m.send().yielded(), 6);
    EXPECT_THROW(allocated(std::allocator_arg, std::pmr::null_memory_resource(), 5).close(), std::bad_alloc);
}

// ---- as a range ----

using iterator = generator<int>::iterator;
static_assert(std::input_iterator<iterator> && !std::forward_iterator<iterator>);
static_assert(std::sentinel_for<std::default_sentinel_t, iterator>);
static_assert(std::ranges::input_range<generator<int>> && std::ranges::view<generator<int>>);
static_assert(std::same_as<std::ranges::range_reference_t<generator<int>>, int&&>);
static_assert(std::same_as<std::ranges::range_value_t<generator<int>>, int>);
static_assert(std::same_as<std::ranges::range_reference_t<generator<int&>>, int&>);
static_assert(std::same_as<std::ranges::range_reference_t<generator<const std::string&>>, const std::string&>);
static_assert(std::same_as<std::ranges::range_value_t<generator<const std::string&>>, std::string>);
static_assert(std::ranges::view<generator<std::unique_ptr<int>>> && std::ranges::view<generator<no_default>>);
static_assert(std::ranges::view<generator<void>> && std::ranges::view<generator<none>>);
static_assert(std::ranges::view<generator<int, void, std::string>>);
static_assert(std::ranges::view<generator<int, std::optional<int>>>);
static_assert(!std::ranges::range<generator<int, int>>, "an increment sends None, which int does not have");

TEST(GeneratorRange, AForLoopCallsNext) {
    std::vector<int> seen;
    for (int i : count(4)) {
        seen.push_back(i);
    }
    EXPECT_EQ(seen, (std::vector<int>{0, 1, 2, 3}));
    for (int i : count(0)) {
        ADD_FAILURE() << i;
    }
    int times = 0;
    for (none n : yields_void()) {
        EXPECT_EQ(n, none());
        ++times;
    }
    EXPECT_EQ(times, 1);
}

TEST(GeneratorRange, ItWorksInPipelines) {
    auto odd_tens = count(100) | std::views::filter([](int i) { return i % 2 != 0; }) |
                    std::views::transform([](int i) { return i * 10; }) | std::views::take(3);
    std::vector<int> seen;
    std::ranges::copy(odd_tens, std::back_inserter(seen));
    EXPECT_EQ(seen, (std::vector<int>{10, 30, 50}));
    EXPECT_EQ(std::ranges::count_if(count(10), [](int i) { return i > 6; }), 3);
}

TEST(GeneratorRange, AnLvalueGoesOnWhereItIs) {
    auto g = count(4);
    g.send();
    for (int i : g) {
        EXPECT_EQ(i, 1);
        break;
    }
    auto rest = std::ranges::ref_view(g) | std::views::transform([](int i) { return -i; });
    std::vector<int> seen;
    std::ranges::copy(rest, std::back_inserter(seen));
    EXPECT_EQ(seen, (std::vector<int>{-2, -3}));
    EXPECT_EQ(g.state(), coroutine_state::closed);
}

generator<std::unique_ptr<int>> pointers() {
    co_yield std::make_unique<int>(1);
    co_yield std::make_unique<int>(2);
}
generator<std::string&> strings(std::vector<std::string>& texts) {
    for (std::string& text : texts) {
        co_yield text;
    }
}

TEST(GeneratorRange, ElementsCanBeMovedOutAndReferencesReferToTheOriginal) {
    std::vector<std::unique_ptr<int>> owned;
    for (auto&& pointer : pointers()) {
        owned.push_back(std::move(pointer)); // a T&&, as of std::generator
    }
    ASSERT_EQ(owned.size(), 2U);
    EXPECT_EQ(*owned[1], 2);

    std::vector<std::string> texts{"a", "b"};
    for (std::string& text : strings(texts)) {
        text += "!";
    }
    EXPECT_EQ(texts, (std::vector<std::string>{"a!", "b!"}));

    int sum = 0;
    for (const no_default& each : [](int n) -> generator<no_default> { co_yield no_default(n); }(4)) {
        sum += each.number;
    }
    EXPECT_EQ(sum, 4);
}

generator<int, std::optional<int>> sees_what_is_sent(std::vector<std::optional<int>>& sent) {
    sent.push_back(co_yield 1);
    sent.push_back(co_yield 2);
}

TEST(GeneratorRange, AnIncrementSendsTheEmptyValue) {
    std::vector<std::optional<int>> sent;
    for (int i : sees_what_is_sent(sent)) {
        EXPECT_GT(i, 0);
    }
    EXPECT_EQ(sent, std::vector<std::optional<int>>(2));
}

generator<int> fails_after(int n) {
    for (int i = 0; i < n; ++i) {
        co_yield i;
    }
    throw boom("in the middle");
}

TEST(GeneratorRange, AnErrorOfTheBodyComesOutOfBeginOrIncrement) {
    auto early = fails_after(0);
    EXPECT_ERROR(early.begin(), boom, "in the middle");
    auto late = fails_after(1);
    auto at = late.begin();
    EXPECT_EQ(*at, 0);
    EXPECT_ERROR(++at, boom, "in the middle");
    EXPECT_TRUE(at == late.end());
    EXPECT_TRUE(late.begin() == late.end());
}

TEST(GeneratorRange, AnIteratorAtTheEndStaysThere) {
    auto g = count(1);
    auto at = g.begin();
    ++at;
    EXPECT_TRUE(at == std::default_sentinel);
    ++at;
    at++;
    EXPECT_TRUE(std::default_sentinel == at);
    EXPECT_THROW(static_cast<void>(*at), std::bad_optional_access);
}

TEST(GeneratorRange, AnIteratorOutlivesWhatHappensToItsGenerator) {
    auto g = count(3);
    auto at = g.begin();
    g.close();
    EXPECT_EQ(*at, 0); // what was yielded stays
    ++at;
    EXPECT_TRUE(at == g.end());

    auto moved = count(3);
    auto other = moved.begin();
    auto target = std::move(moved);
    EXPECT_EQ(*other, 0);
    ++other; // the one that it was made from is empty now
    EXPECT_TRUE(other == std::default_sentinel);
    EXPECT_EQ(target.send().yielded(), 1);
}

TEST(GeneratorRange, IteratorsMove) {
    auto g = count(3);
    auto first = g.begin();
    auto second = std::move(first);
    EXPECT_EQ(*second, 0);
    auto other = count(1);
    auto third = other.begin();
    third = std::move(second);
    EXPECT_EQ(*++third, 1);

    auto n = [](int k) -> generator<const no_default> { // cannot be assigned, and need not be
        co_yield no_default(k);
        co_yield no_default(k + 1);
    }(1);
    auto a = n.begin();
    auto b = n.begin();
    a = std::move(b);
    EXPECT_EQ((*a).number, 2);
}

generator<std::string> iterates_itself(generator<std::string>*& self) {
    co_yield test::caught<isthmus::already_executing>([&] { static_cast<void>(self->begin()); });
}

TEST(GeneratorRange, Clause_15_7_IteratingARunningOneIsAnError) {
    generator<std::string>* self = nullptr;
    auto g = iterates_itself(self);
    self = &g;
    EXPECT_EQ(*g.begin(), executing);
}

} // namespace
} // namespace test_generator
