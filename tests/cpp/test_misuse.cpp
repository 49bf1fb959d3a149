// tests/cpp/test_misuse.cpp — each error of misuse, and that what was misused is afterwards in the state that CPython
// leaves it in: the misuse changes nothing.
// SPDX-License-Identifier: MIT
#include "support.hpp"

#include <optional>
#include <string>
#include <utility>

namespace test_misuse {
namespace {

using isthmus::coroutine;
using isthmus::coroutine_state;
using isthmus::generator;
using isthmus::generator_exit;
using isthmus::none;
using test::boom;

using talking = coroutine<int, int, std::optional<int>>;

/// Yields what it was sent plus 1, until it is sent 0.
talking echoes() {
    std::optional<int> sent = co_yield 0;
    while (sent.value_or(1) != 0) {
        const int answer = sent.value_or(-1) + 1;
        sent = co_yield answer;
    }
    co_return 7;
}

void expect_to_go_on(talking& c) {
    EXPECT_EQ(c.state(), coroutine_state::suspended);
    EXPECT_EQ(c.send(4).yielded(), 5);
    EXPECT_EQ(c.send(0).returned(), 7);
}

TEST(Misuse, Clause_2_2_OneThatRefusedAValueCanStillBeStarted) {
    auto c = echoes();
    EXPECT_ERROR(c.send(1), isthmus::send_to_unstarted, test::unstarted);
    EXPECT_EQ(c.state(), coroutine_state::created);
    EXPECT_EQ(c.send().yielded(), 0);
    expect_to_go_on(c);
}

TEST(Misuse, OneThatNeedsAValueStillWaitsForIt) {
    struct local {
        static coroutine<int, int, int> doubles() { co_return 2 * (co_yield 1); }
    };
    auto c = local::doubles();
    c.send();
    EXPECT_ERROR(c.send(), isthmus::missing_value, test::no_none);
    EXPECT_EQ(c.state(), coroutine_state::suspended);
    EXPECT_EQ(c.send(4).returned(), 8);
}

TEST(Misuse, NoExceptionIsThrownIn) {
    auto unstarted = echoes();
    EXPECT_THROW(unstarted.throw_(std::exception_ptr()), isthmus::not_an_exception);
    EXPECT_EQ(unstarted.state(), coroutine_state::created); // 5.8: wrong arguments leave it as it was
    auto c = echoes();
    c.send();
    EXPECT_THROW(c.throw_(std::exception_ptr()), isthmus::not_an_exception);
    expect_to_go_on(c);
}

TEST(Misuse, Clause_2_8_5_11_6_7_OneThatRunsIsNotDisturbed) {
    struct local {
        static talking misuses(talking*& self) {
            EXPECT_ERROR(self->send(), isthmus::already_executing, test::executing);
            EXPECT_ERROR(self->send(1), isthmus::already_executing, test::executing);
            EXPECT_ERROR(self->throw_(boom("x")), isthmus::already_executing, test::executing);
            EXPECT_ERROR(self->close(), isthmus::already_executing, test::executing);
            EXPECT_EQ(self->state(), coroutine_state::running);
            co_return co_await echoes();
        }
    };
    talking* self = nullptr;
    auto c = local::misuses(self);
    self = &c;
    EXPECT_EQ(c.send().yielded(), 0);
    expect_to_go_on(c);
}

TEST(Misuse, Clause_2_7_5_10_6_4_AFinishedOneStaysFinished) {
    auto c = echoes();
    c.send();
    c.send(0);
    for (int i = 0; i < 2; ++i) {
        EXPECT_ERROR(c.send(), isthmus::already_finished, test::finished);
        EXPECT_ERROR(c.send(1), isthmus::already_finished, test::finished);
        EXPECT_ERROR(c.throw_(boom("x")), isthmus::already_finished, test::finished);
        EXPECT_ERROR(c.throw_(generator_exit()), isthmus::already_finished, test::finished);
        EXPECT_EQ(c.close(), std::nullopt);
        EXPECT_EQ(c.state(), coroutine_state::closed);
    }
}

talking awaits(talking& inner) { co_return 100 + co_await inner; }

TEST(Misuse, Clause_7_6_TheAwaiterOfAFinishedOneMayHandleIt) {
    struct local {
        static talking handles(talking& inner) {
            try {
                co_await inner;
            } catch (const isthmus::already_finished&) {}
            co_return co_await echoes();
        }
    };
    auto inner = echoes();
    inner.close();
    auto outer = local::handles(inner);
    EXPECT_EQ(outer.send().yielded(), 0);
    expect_to_go_on(outer);
}

TEST(Misuse, Clause_7_7_ASecondAwaitDoesNotDisturbTheFirst) {
    auto inner = echoes();
    auto first = awaits(inner);
    EXPECT_EQ(first.send().yielded(), 0);
    auto second = awaits(inner);
    EXPECT_ERROR(second.send(), isthmus::already_awaited, test::awaited);
    EXPECT_EQ(second.state(), coroutine_state::closed); // the error left its body
    EXPECT_EQ(inner.state(), coroutine_state::suspended);
    EXPECT_EQ(first.send(4).yielded(), 5);
    EXPECT_EQ(first.send(0).returned(), 107);
}

TEST(Misuse, Clause_7_8_AwaitingOneselfEndsInAnErrorThatCanBeHandled) {
    struct local {
        static talking awaits_itself(talking*& self) {
            try {
                co_await *self;
            } catch (const isthmus::already_executing& e) {
                EXPECT_STREQ(e.what(), test::executing);
            }
            co_return co_await echoes();
        }
    };
    talking* self = nullptr;
    auto c = local::awaits_itself(self);
    self = &c;
    EXPECT_EQ(c.send().yielded(), 0);
    expect_to_go_on(c);
}

TEST(Misuse, Clause_6_5_OneThatIgnoredTheExitCanBeClosedAgain) {
    struct local {
        static talking ignores_once() {
            try {
                co_yield 0;
            } catch (const generator_exit&) {}
            co_return co_await echoes();
        }
    };
    auto c = local::ignores_once();
    c.send();
    EXPECT_ERROR(c.close(), isthmus::ignored_generator_exit, test::ignored);
    expect_to_go_on(c);
    auto other = local::ignores_once();
    other.send();
    EXPECT_ERROR(other.close(), isthmus::ignored_generator_exit, test::ignored);
    EXPECT_EQ(other.close(), std::nullopt);
    EXPECT_EQ(other.state(), coroutine_state::closed);
}

TEST(Misuse, APlainYieldWhereNoneIsNoValueIsRaisedThere) {
    struct local {
        static coroutine<> pauses() { co_yield none(); }
        static coroutine<int, int> awaits() {
            bool refused = false;
            try {
                co_await pauses();
            } catch (const isthmus::unexpected_yield&) {
                refused = true;
            }
            co_yield refused ? 5 : 0;
            co_return 6;
        }
    };
    auto c = local::awaits();
    EXPECT_EQ(c.send().yielded(), 5);
    EXPECT_EQ(c.send().returned(), 6);
}

/// An await-iterator to which nothing but None can be sent.
class deaf {
public:
    deaf& await() { return *this; }
    isthmus::step<int, int> send() { return isthmus::step<int, int>(std::in_place_index<0>, 1); }
};

TEST(Misuse, Clause_3_2_AValueForOneThatTakesNoneIsRaisedInItsAwaiter) {
    struct local {
        static talking awaits(deaf& inner) {
            try {
                co_await inner;
            } catch (const isthmus::cannot_send& e) {
                EXPECT_STREQ(e.what(), "object has no attribute 'send'");
            }
            co_return co_await echoes();
        }
    };
    deaf inner;
    auto c = local::awaits(inner);
    EXPECT_EQ(c.send().yielded(), 1);
    EXPECT_EQ(c.send().yielded(), 1);
    EXPECT_EQ(c.send(3).yielded(), 0);
    expect_to_go_on(c);
}

TEST(Misuse, AnExhaustedGeneratorStaysSo) {
    struct local {
        static generator<int, none, std::string> values() {
            co_yield 1;
            co_return "end";
        }
    };
    auto g = local::values();
    g.send();
    EXPECT_EQ(g.send().returned(), "end");
    for (int i = 0; i < 2; ++i) {
        EXPECT_THROW(g.send(), isthmus::generator_exhausted);
        EXPECT_ERROR(g.throw_(boom("x")), boom, "x"); // 15.7
        EXPECT_EQ(g.close(), std::nullopt);
        EXPECT_EQ(g.state(), coroutine_state::closed);
    }
}

TEST(Misuse, WhatAStepDoesNotHold) {
    auto c = echoes();
    auto step = c.send();
    EXPECT_THROW(step.returned(), isthmus::bad_step_access);
    EXPECT_EQ(step.yielded(), 0);
    expect_to_go_on(c);
}

} // namespace
} // namespace test_misuse
