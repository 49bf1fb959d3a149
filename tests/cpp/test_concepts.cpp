// tests/cpp/test_concepts.cpp — awaitable, coroutine_like, enable_coroutine and is_awaitable (16.2, 17.3–17.5, 17.11).
// SPDX-License-Identifier: MIT
#include <isthmus/isthmus.hpp>

#include <gtest/gtest.h>

#include <coroutine>
#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace concepts_test { // not unnamed, since most members are never defined

using isthmus::any_coroutine;
using isthmus::awaitable;
using isthmus::coroutine;
using isthmus::coroutine_like;
using isthmus::is_awaitable;
using isthmus::is_awaitable_v;
using isthmus::step;

struct duck {
    duck& await() { return *this; }
    step<int, int> send();
    step<int, int> throw_(std::exception_ptr);
    void close();
};

// 17.3, 17.4: the first hit along the bases counts, and a deleted member is none.
struct inherits : duck {};
struct deletes_close : duck {
    void close() = delete;
};
struct deletes_await : duck {
    duck& await() = delete;
};
struct deletes_send : duck {
    step<int, int> send() = delete;
};
struct deletes_throw : duck {
    step<int, int> throw_(std::exception_ptr) = delete;
};
struct defines_it_again : deletes_close {
    void close();
};
class keeps_it_private : public duck {
    using duck::close;
};
class privately_a_duck : duck {};
struct no_throw {
    no_throw& await() { return *this; }
    step<int, int> send();
    void close();
};
struct throws_another_step : no_throw {
    step<std::string, int> throw_(std::exception_ptr);
};
struct final_duck final : duck {};
union union_duck {
    int member;
    duck* await();
    step<int, int> send();
    step<int, int> throw_(std::exception_ptr);
    void close();
};
struct awaits_nothing {
    void await();
};
struct awaits_a_number {
    int await();
};
struct awaits_a_coroutine {
    coroutine<int> await();
};
struct awaits_as_an_rvalue {
    coroutine<int> await() &&;
};
struct needs_a_value {
    needs_a_value& await() { return *this; }
    step<int, int> send(int);
    step<int, int> throw_(std::exception_ptr);
    void close();
};
struct takes_an_optional {
    takes_an_optional& await() { return *this; }
    step<int, int> send(std::optional<int>);
    step<int, int> throw_(const std::exception_ptr&);
    int close();
};
struct reads_only {
    const reads_only& await() const { return *this; }
    step<int, int> send() const;
    step<int, int> throw_(std::exception_ptr) const;
    void close() const;
};
struct data_members {
    int await, send, throw_, close;
};

template <class T>
constexpr bool neither = !awaitable<T> && !coroutine_like<T>;
template <class T>
constexpr bool only_awaitable = awaitable<T> && !coroutine_like<T>;
template <class T>
constexpr bool both = awaitable<T> && coroutine_like<T>;

TEST(Concepts, Clause_17_3_MembersCountWhereverTheyAreInherited) {
    static_assert(both<duck> && both<duck&> && both<inherits> && both<final_duck>);
    static_assert(both<coroutine<int>> && both<coroutine<int&, int&, int&>&>);
    static_assert(both<any_coroutine<int, int, int>> && both<any_coroutine<>>);
    static_assert(both<takes_an_optional>);
    static_assert(neither<int> && neither<void> && neither<duck*> && neither<int[3]> && neither<void()>);
    static_assert(neither<privately_a_duck> && neither<data_members> && neither<std::suspend_never>);
    static_assert(neither<union_duck>); // its await() gives a pointer
}

TEST(Concepts, Clause_17_4_ADeletedMemberBlocks) {
    static_assert(neither<deletes_await>);
    static_assert(only_awaitable<deletes_close> && only_awaitable<deletes_throw>);
    static_assert(both<defines_it_again>);
    static_assert(only_awaitable<keeps_it_private>);
    static_assert(only_awaitable<deletes_send>); // await() gives the duck that it derives from
}

TEST(Concepts, Clause_17_11_TheSignaturesCount) {
    static_assert(only_awaitable<no_throw> && only_awaitable<throws_another_step>);
    static_assert(neither<awaits_nothing> && neither<awaits_a_number> && neither<needs_a_value>);
    static_assert(only_awaitable<awaits_a_coroutine>);
    static_assert(only_awaitable<awaits_as_an_rvalue> && !awaitable<awaits_as_an_rvalue&>);
    static_assert(both<reads_only> && both<const reads_only> && both<const reads_only&>);
    static_assert(neither<const duck>);
}

template <class T>
constexpr int chosen(const T&) {
    return 0;
}
template <awaitable T>
constexpr int chosen(const T&) {
    return 1;
}
template <coroutine_like T>
constexpr int chosen(const T&) {
    return 2;
}

TEST(Concepts, CoroutineLikeSubsumesAwaitable) {
    static_assert(chosen(1) == 0);
    static_assert(chosen(no_throw()) == 1);
    static_assert(chosen(duck()) == 2);
}

struct registered {};
struct derives_from_registered : registered {};
struct not_registered : duck {};
struct registered_without_close : duck {
    void close() = delete;
};

} // namespace concepts_test

template <>
inline constexpr bool isthmus::enable_coroutine<concepts_test::registered> = true;
template <>
inline constexpr bool isthmus::enable_coroutine<concepts_test::registered_without_close> = true;
template <>
inline constexpr bool isthmus::enable_coroutine<concepts_test::not_registered> = false;

namespace concepts_test {

TEST(Concepts, Clause_17_5_RegisteringAnswersTheQuestion) {
    static_assert(both<registered> && both<registered&> && both<const registered>);
    static_assert(is_awaitable_v<registered> && is_awaitable(registered()));
    static_assert(both<registered_without_close>);   // as in Python, where that beats `close = None`
    static_assert(neither<derives_from_registered>); // a variable template is asked of one type
    static_assert(both<not_registered>);             // false takes nothing away
}

// What it says of a type says nothing of what can be driven: that is for the members.
TEST(Concepts, Clause_17_5_WhatDrivesChecksTheMembers) {
    static_assert(!std::is_convertible_v<registered, any_coroutine<int, int>>);
    static_assert(!isthmus::detail::has_await<registered> && !isthmus::detail::has_protocol<registered_without_close>);
}

struct special_awaiter {
    using yield_type = isthmus::none;
};
struct names_an_awaiter {
    using awaiter_type = special_awaiter;
};
class hides_an_awaiter {
    using awaiter_type = special_awaiter;
};
struct names_one_of_another_library {
    using awaiter_type = std::suspend_never;
};

TEST(Concepts, Clause_16_2_IsAwaitableOfTypes) {
    static_assert(is_awaitable_v<coroutine<int>> && is_awaitable_v<duck> && is_awaitable_v<no_throw&>);
    static_assert(is_awaitable_v<names_an_awaiter> && is_awaitable(names_an_awaiter()));
    static_assert(neither<names_an_awaiter>); // like a generator-based coroutine (15.6)
    static_assert(!is_awaitable_v<hides_an_awaiter> && !is_awaitable_v<names_one_of_another_library>);
    static_assert(!is_awaitable_v<int> && !is_awaitable(1) && !is_awaitable("text"));
    static_assert(!is_awaitable_v<decltype(std::declval<coroutine<int>&>().await())>); // 9.2
    static_assert(!is_awaitable_v<std::suspend_always>);
}

TEST(Concepts, Clause_15_6_AGeneratorIsAwaitableOnlyFromGenerator) {
    using plain = isthmus::generator<int>;
    using based = decltype(isthmus::from_generator(std::declval<plain>()));
    static_assert(!is_awaitable_v<plain> && neither<plain>);
    static_assert(is_awaitable_v<based> && neither<based>);
    static_assert(is_awaitable_v<decltype(isthmus::nothrow(std::declval<coroutine<int>>()))>);
    static_assert(!is_awaitable_v<decltype(isthmus::as_outcome(std::declval<plain>()))>);
}

TEST(Concepts, Clause_16_2_AnEmptyAnyCoroutineIsNotAwaitable) {
    any_coroutine<int> erased;
    EXPECT_FALSE(is_awaitable(erased));
    erased = []() -> coroutine<int> { co_return 1; }();
    EXPECT_TRUE(is_awaitable(erased));
    EXPECT_EQ(isthmus::run(erased), 1);
    EXPECT_TRUE(is_awaitable(erased)); // as a finished coroutine is
    const any_coroutine<int> taken = std::move(erased);
    EXPECT_FALSE(is_awaitable(erased)); // NOLINT(bugprone-use-after-move): that is what is asked
    EXPECT_TRUE(is_awaitable(taken));
}

// An object is asked for its dynamic type, as Python asks type(x).
struct animal {
    virtual ~animal() = default;
};
struct plain_animal : animal {};
struct nominal : animal, isthmus::abc::awaitable<int> {
    any_coroutine<int> await() override {
        return []() -> coroutine<int> { co_return 1; }();
    }
};

TEST(Concepts, Clause_16_2_TheDynamicTypeCounts) {
    const std::unique_ptr<animal> awaitable_animal = std::make_unique<nominal>();
    const std::unique_ptr<animal> other = std::make_unique<plain_animal>();
    EXPECT_TRUE(is_awaitable(*awaitable_animal));
    EXPECT_FALSE(is_awaitable(*other));
    static_assert(!is_awaitable_v<animal> && is_awaitable_v<nominal>);
    EXPECT_FALSE(is_awaitable(std::runtime_error("polymorphic, and none")));
}

} // namespace concepts_test
