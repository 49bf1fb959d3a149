// tests/cpp/test_run.cpp — run(): to the end, without and with a handler.
// SPDX-License-Identifier: MIT
#include "support.hpp"

#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace test_run {
namespace {

using isthmus::coroutine;
using isthmus::none;
using isthmus::run;
using test::boom;
using test::note;
using test::trace;

coroutine<int> pauses(int times) {
    for (int i = 0; i < times; ++i) {
        co_yield {};
    }
    co_return times;
}
coroutine<int> awaits_pauses() { co_return co_await pauses(2) + co_await pauses(3); }
coroutine<> nothing() { co_yield {}; }
coroutine<int&> reference(int& value) { co_return value; }
coroutine<std::unique_ptr<int>> move_only() { co_return std::make_unique<int>(3); }
coroutine<> fails() {
    co_yield {};
    throw boom("x");
}

TEST(Run, ToTheEnd) {
    EXPECT_EQ(run(pauses(3)), 3);
    EXPECT_EQ(run(awaits_pauses()), 5);
    run(nothing());
    static_assert(std::is_void_v<decltype(run(nothing()))>);
}

TEST(Run, GivesWhatWasReturned) {
    int value = 1;
    EXPECT_EQ(&run(reference(value)), &value);
    static_assert(std::is_same_v<decltype(run(reference(value))), int&>);
    std::unique_ptr<int> pointer = run(move_only());
    EXPECT_EQ(*pointer, 3);
}

TEST(Run, AnLvalueWhichMayHaveStarted) {
    auto c = pauses(3);
    c.send();
    c.send();
    EXPECT_EQ(run(c), 3);
    EXPECT_ERROR(run(c), isthmus::already_finished, test::finished);
}

TEST(Run, AnErrorPropagates) { EXPECT_ERROR(run(fails()), boom, "x"); }

/// A protocol without I/O: asks for `count` lines and joins them.
coroutine<std::string, int, std::string> joins(int count) {
    std::string all;
    for (int i = 0; i < count; ++i) {
        all += co_yield i;
    }
    co_return all;
}
coroutine<std::string, int, std::string> asks_twice() { co_return co_await joins(2) + "|" + co_await joins(1); }

std::string letter(int index) { return std::string(1, static_cast<char>('a' + index)); }

TEST(Run, WithAHandler) {
    EXPECT_EQ(run(joins(3), letter), "abc");
    EXPECT_EQ(run(asks_twice(), [](int i) { return letter(i + 1); }), "bc|b");
    auto lvalue = joins(1);
    EXPECT_EQ(run(lvalue, letter), "a");
}

TEST(Run, TheHandlerKeepsItsState) {
    struct counter {
        int calls = 0;
        std::string operator()(int) { return std::to_string(calls++); }
    } handler;
    EXPECT_EQ(run(joins(4), handler), "0123");
    EXPECT_EQ(handler.calls, 4);
}

coroutine<std::string, std::unique_ptr<int>, std::unique_ptr<int>> move_only_both() {
    std::unique_ptr<int> back = co_yield std::make_unique<int>(1);
    co_return std::to_string(*back);
}

TEST(Run, MoveOnlyValuesGoThroughTheHandler) {
    const auto increment = [](std::unique_ptr<int> value) {
        ++*value;
        return value;
    };
    EXPECT_EQ(run(move_only_both(), increment), "2");
    EXPECT_EQ(
        run(move_only_both(), [](const std::unique_ptr<int>& value) { return std::make_unique<int>(*value + 2); }),
        "3");
    EXPECT_EQ(run(move_only_both(), [](std::unique_ptr<int>& value) { return std::move(value); }), "1");
    EXPECT_EQ(
        run(move_only_both(), [](std::unique_ptr<int>&& value) -> std::unique_ptr<int>&& { return std::move(value); }),
        "1");
}

coroutine<int, int&, int&> references(int& value) {
    int& back = co_yield value;
    co_return back;
}

TEST(Run, ReferencesGoThroughTheHandler) {
    int value = 1;
    int other = 2;
    const int result = run(references(value), [&](int& yielded) -> int& {
        yielded = 10;
        return other;
    });
    EXPECT_EQ(result, 2);
    EXPECT_EQ(value, 10);
}

coroutine<int, int> yields_only(int count) {
    for (int i = 0; i < count; ++i) {
        co_yield i;
    }
    co_return count;
}
coroutine<int, void, int> sum_of_two() {
    int sum = co_yield {};
    sum += co_yield {};
    co_return sum;
}
coroutine<int, none, std::optional<int>> sum_of_optionals() {
    const std::optional<int> first = co_yield {};
    const std::optional<int> second = co_yield {};
    co_return first.value_or(0) + second.value_or(0);
}

TEST(Run, AHandlerThatGivesNothingSendsNone) {
    std::vector<int> got;
    EXPECT_EQ(run(yields_only(3), [&](int value) { got.push_back(value); }), 3);
    EXPECT_EQ(got, std::vector({0, 1, 2}));
}

TEST(Run, AHandlerOfNothing) {
    EXPECT_EQ(run(sum_of_two(), [] { return 4; }), 8);
    int next = 0;
    EXPECT_EQ(run(sum_of_optionals(), [&](none) { return next++ == 0 ? std::optional(5) : std::nullopt; }), 5);
}

coroutine<std::string, int, int> handles() {
    std::string caught;
    try {
        co_yield 1;
    } catch (const boom& error) {
        caught = error.what();
    }
    const int sent = co_yield 2;
    co_return caught + std::to_string(sent);
}

TEST(Run, AnErrorOfTheHandlerIsThrownIntoTheCoroutine) {
    EXPECT_EQ(run(handles(),
                  [](int value) {
                      if (value == 1) {
                          throw boom("from the handler ");
                      }
                      return 7;
                  }),
              "from the handler 7");
    EXPECT_ERROR(run(joins(2), [](int) -> std::string { throw boom("nobody catches it"); }), boom, "nobody catches it");
}

TEST(Run, AnExitOfTheHandlerIsThrownToo) {
    EXPECT_THROW(run(joins(2), [](int) -> std::string { throw isthmus::generator_exit(); }), isthmus::generator_exit);
}

coroutine<int, test::note*, int> lends(trace& log) {
    note lent(log, "released");
    int sum = co_yield &lent;
    log.push_back("resumed");
    co_return sum;
}

TEST(Run, WhatWasYieldedLivesUntilTheHandlerHasAnswered) {
    trace log;
    const int result = run(lends(log), [&](note* lent) {
        EXPECT_NE(lent, nullptr);
        log.push_back("handled");
        return 3;
    });
    EXPECT_EQ(result, 3);
    EXPECT_EQ(log, trace({"handled", "resumed", "released"}));
}

/// A coroutine class of the user's own, by structure alone.
class countdown {
public:
    explicit countdown(int from) : left_(from) {}
    isthmus::step<int, std::string> send() {
        if (left_ == 0) {
            return isthmus::step<int, std::string>(std::in_place_index<1>, "lift-off");
        }
        return isthmus::step<int, std::string>(std::in_place_index<0>, left_--);
    }
    isthmus::step<int, std::string> send(none) { return send(); }
    isthmus::step<int, std::string> throw_(std::exception_ptr error) { std::rethrow_exception(std::move(error)); }
    void close() { left_ = 0; }
    countdown& await() { return *this; }

private:
    int left_;
};

TEST(Run, ACoroutineByStructure) {
    static_assert(isthmus::coroutine_like<countdown>);
    std::vector<int> got;
    EXPECT_EQ(run(countdown(3), [&](int value) { got.push_back(value); }), "lift-off");
    EXPECT_EQ(got, std::vector({3, 2, 1}));
}

} // namespace
} // namespace test_run
